"""Numbers in the words of a judge, and counts in answers: each reader named after what it looks at.

Counts: numeral (big_vision, lmms-eval), first_digits (lmms-eval's PixMo-Count), first_count (VLMEvalKit's TallyQA).
Sources: big_vision big_vision/evaluators/proj/paligemma/transfers/tallyqa.py@0127fb6b; lmms-eval
lmms_eval/tasks/{countbench,pixmo_count}/utils.py@75571cfe; VLMEvalKit vlmeval/dataset/utils/tallyqa.py@e8e78f05
"""

from __future__ import annotations

import re
from collections.abc import Mapping

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


# -------------------------------------------------------------------------------------------------------------- counts

_UP_TO_NINE = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_UP_TO_TWENTY = ("ten", "eleven", "twelve", *(f"{ten}teen" for ten in ("thir", "four", "fif", "six", "seven", "eigh")))
_WORDS = (*_UP_TO_NINE, *_UP_TO_TWENTY, "nineteen", "twenty")
NUMERALS: Mapping[str, str] = {"none": "0", **{word: str(value) for value, word in enumerate(_WORDS)}}
"""Numbers as words, up to twenty, and none."""
_COUNT = re.compile(rf"\b([0-9]|1[0-9]|20)\b|\b({'|'.join(_WORDS)})\b")
_DIGITS = re.compile(r"\d+")


def numeral(text: str) -> str:
    """A text that is a number's word as the number; any other as it is."""
    return NUMERALS.get(text.lower(), text)


def first_digits(text: str) -> str:
    """The first digits in a text, without a sign before them or a point behind them; a text without any as it is."""
    text = text.strip()
    found = _DIGITS.search(text)
    return found[0] if found else text


def first_count(text: str) -> str:
    """The first whole number from 0 to 20 that stands by itself, or its word; empty where there is none.

    What follows a point or a sign stands by itself: -1 is 1, 2.5 is 2, and 21 is none.
    """
    found = _COUNT.search(text.lower())
    return NUMERALS.get(found[0], found[0]) if found else ""
