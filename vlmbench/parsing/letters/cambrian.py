"""Cambrian-1's readers of option letters. Source: cambrian-mllm/cambrian eval/eval@539ffc32, file in each docstring.

Two of its scripts die on an answer without a word (IndexError): such an answer is read as nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping

from vlmbench.parsing.options import UNDECIDED


def tail(text: str) -> str:
    """The text in lower case behind the last "answer is", and then behind the last "answer:"."""
    text = text.lower().strip()
    for words in ("answer is", "answer is:", "answer:"):
        text = text.rpartition(words)[2]
    return text.strip()


def _letter(read: str, options: Mapping[str, str]) -> str:
    return next((letter for letter in options if letter.lower() == read), UNDECIDED)


def _bare(text: str) -> str:
    return tail(text).rstrip(".:,").lstrip("(").rstrip(")")


def first_character(text: str, options: Mapping[str, str]) -> str:
    """SEED-Bench, CV-Bench 2D, V*, MMMU (seed_test.py and others): the first character behind "answer is" or "(".

    Any word that begins with an option's letter names it.
    """
    return _letter(tail(text).rstrip(".").lstrip("(").rstrip(")")[:1], options)


def ai2d(text: str, options: Mapping[str, str]) -> str:
    """AI2D (ai2d_test.py): as `first_character`, A to D only; a digit names an option by its place, from 0 on."""
    first = _bare(text)[:1]
    by_place = {str(place): letter for place, letter in enumerate(options)}
    return by_place.get(first) or (_letter(first, options) if first in "abcd" else UNDECIDED)


def cv_bench_3d(text: str, options: Mapping[str, str]) -> str:
    """CV-Bench 3D (omni_test.py): as `first_character`; that character may also be all of an option's text."""
    first = _bare(text)[:1]
    whole = next((letter for letter, option in options.items() if option == first), UNDECIDED)
    return _letter(first, options) or whole


def mmvp(text: str, options: Mapping[str, str]) -> tuple[str, ...]:
    """MMVP (mmvp_test.py): all options that "answer is" is followed by, with their letter or their text and no more.

    Two at most: an option's text may be another's letter.
    """
    read = _bare(text)
    return tuple(letter for letter, option in options.items() if read in (letter.lower(), option.lower()))


def blink(text: str, options: Mapping[str, str]) -> str:
    """BLINK (blink_test.py): the first word, before any full stop and without brackets."""
    return _letter(text.split(".")[0].lower().strip().split(" ")[0].lstrip("(").rstrip(")"), options)


def mmstar(text: str, options: Mapping[str, str]) -> str:
    """MMStar (mmstar_test.py): the first word without `.:,` at its end. "(a)" is wrong."""
    return _letter("".join(text.lower().split()[:1]).rstrip(".:,"), options)


def first_word(text: str) -> str:
    """RealWorldQA (realworldqa_test.py): the first word behind "answer is", in lower case."""
    return "".join(tail(text).rstrip(".").split()[:1])


def realworldqa(text: str, options: Mapping[str, str]) -> str:
    """RealWorldQA: `first_word` as a letter; as it is where the question has no options."""
    return _letter(first_word(text), options) if options else first_word(text)
