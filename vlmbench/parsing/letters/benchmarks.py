"""Readers of option letters by the authors of the benchmarks: the file in each docstring."""

from __future__ import annotations

import re
from collections.abc import Mapping

from vlmbench.parsing.options import UNDECIDED

_MMSTAR = ("", "(", "option ", "the answer is ")
_BLINK = ("A", "B", "C", "D", "E")
_PREFIXES = (
    *("The best answer is", "The correct answer is", "The answer is", "The answer"),
    *("The best option isThe correct option is", "Best answer:Best option:"),
)
"""Two commas are missing in the official list, so four of its phrases are two that no answer has."""
_MARKED = re.compile("[ABCDE]")
_MANY = 10
"""Words of an answer that is not read unless it has one of the letters."""


def mmstar(text: str, options: Mapping[str, str]) -> str:
    """MMStar eval/vlmeval/evaluate/mmstar.py@88f243ab: the character at the start, or behind one of three openings.

    Words are read like letters: "dog" is D. "**B**" is wrong.
    """
    text = text.lower().strip().replace("\n", " ")
    openings = (text[len(start) :][:1] for start in _MMSTAR if text.startswith(start))
    named = (letter for first in openings for letter in options if letter.lower() == first)
    return next(named, UNDECIDED)


def blink(text: str, options: Mapping[str, str]) -> str:
    """BLINK eval/test_benchmark.py@2d6a779b: a letter A to E alone, be it of no option; the only "(A)" among the words.

    Where the last paragraph has exactly one, that one counts.
    """
    if text in _BLINK or (text[1:2] in _BLINK and text == f"({text[1:2]})"):
        return text.strip("()")
    names = {f"({letter})": letter for letter in options if letter in _BLINK}
    every, last = ({names[word] for word in part.split() if word in names} for part in (text, text.split("\n\n")[-1]))
    found = last if len(last) == 1 else every
    return min(found) if len(found) == 1 else UNDECIDED


def mme_realworld(text: str, options: Mapping[str, str]) -> str:
    """MME-RealWorld evaluation/eval_your_results.py@bee58edb: the first capital A to E anywhere, phrases cut out.

    "Based on ..." reads as B. Without one, the first option that contains the answer: the empty answer is A.
    """
    text = text.strip()
    for prefix in _PREFIXES:
        text = text.replace(prefix, "")
    if found := _MARKED.search(text):
        return found[0]
    if len(text.split()) > _MANY:
        return UNDECIDED
    listed = (letter for letter, option in options.items() if text.lower() in f"({letter}) {option}".lower())
    return next(listed, UNDECIDED)
