"""Numbers in the words of a judge: each reader named after what it looks at."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def number(text: str) -> float | None:
    """A text as Python's float() reads it; None if it does not. "nan" is read, too."""
    try:
        return float(text)
    except ValueError:
        return None


def first_word_number(text: str) -> float | None:
    """The number before the first blank. A text that starts with a blank has nothing before it."""
    return number(text.split(" ")[0].strip())


def two_words(text: str) -> tuple[float, float] | None:
    """LLaVA's reading of a review: the first line, commas as spaces, is two numbers with a single space between."""
    numbers = [number(word) for word in text.split("\n")[0].replace(",", " ").split(" ")]
    if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:
        return None
    return numbers[0], numbers[1]


def two_numbers(text: str) -> tuple[float, float] | None:
    """lmms-eval's: the first two numbers anywhere in the first line ("Assistant 1: 8" gives 1 and 8)."""
    numbers = _NUMBER.findall(text.strip().split("\n")[0].replace(",", " ").replace(";", " "))
    return (float(numbers[0]), float(numbers[1])) if len(numbers) >= 2 else None
