"""How MathVista's answers are found in a text, and compared: the official rules, ours, and VLMEvalKit's.

Sources: lupantech/MathVista evaluation/{extract_answer,calculate_score}.py@53d52587; lmms-eval
lmms_eval/tasks/mathvista/mathvista_evals.py@75571cfe (the same rules); VLMEvalKit
vlmeval/dataset/utils/mathvista.py@e8e78f05 (post_check).
"""

from __future__ import annotations

import re

from vlmbench.base.samples import Sample
from vlmbench.data.tables.columns import options_of
from vlmbench.families.extraction import Match
from vlmbench.parsing.options import vlmevalkit_letter

NOTHING = "None"
"""What the official code calls an answer that is none."""
_QUICK = re.compile(r'The answer is "(.*)"\.')
_BRACKETED = re.compile(r"\(([a-zA-Z])\)")
_NUMBER = re.compile(r"-?(?:\d[\d,]*)?\.?\d+(?:[eE][+-]?\d+)?")
_LIST = re.compile(r"\[[^\[\]]*\]")
_CUE = re.compile(r"answer\s*(?:is\b|:)|\\boxed\{", re.IGNORECASE)
"""What an answer stands behind."""
_COMMA = re.compile(r"\s*,\s*")


def kind_of(sample: Sample) -> str:
    """What the answer is: text (an option), integer, float or list."""
    return str(sample.extra["answer_type"])


def right_answer(sample: Sample) -> str | None:
    """The right answer in words: the option's text, or the target."""
    if sample.target is None or not sample.choices:
        return None if sample.target is None else str(sample.target)
    return options_of(sample)[sample.target]


def official(sample: Sample, text: str) -> str | None:
    """An answer that is nothing but an option or a number; an empty one; None for all others."""
    if not text or text in sample.choices:
        return text
    try:
        if kind_of(sample) == "integer":
            return str(int(text))
        if kind_of(sample) == "float":
            return str(float(text))
    except ValueError:
        pass
    return None


def official_quick(sample: Sample, text: str) -> str | None:
    """As `official`, or what stands in `The answer is "...".`"""
    found = official(sample, text)
    if found is None and (stated := _QUICK.search(text)):
        return stated[1]
    return found


def lmms_eval(sample: Sample, text: str) -> str | None:
    """As `official`, of the text without spaces around it."""
    return official(sample, text.strip())


def by_rule(sample: Sample, text: str) -> str:
    """As `official_quick`; else what is said behind the last "answer is", or in all: an option, a number, or a list."""
    found = official_quick(sample, text)
    if found is not None:
        return found
    *before, tail = _CUE.split(text)
    if sample.choices:
        return _said(sample, tail) or (_said(sample, text) if before else "")
    if kind_of(sample) == "list":
        lists = _LIST.findall(tail) or _LIST.findall(text)
        return _COMMA.sub(", ", lists[-1]) if lists else ""
    numbers = _NUMBER.findall(tail)[:1] if before else []
    numbers = numbers or _NUMBER.findall(text)[-1:]
    return numbers[0].replace(",", "") if numbers else ""


def _said(sample: Sample, text: str) -> str:
    """The option with the last letter in brackets, or that VLMEvalKit's rule reads, or that is named last."""
    options = options_of(sample)
    letters = [letter for letter in _BRACKETED.findall(text) if letter in options]
    letter = letters[-1] if letters else vlmevalkit_letter(text, options)
    if letter in options:
        return options[letter]
    words = [(text.lower().rfind(option.lower()), len(option), option) for option in sample.choices if option]
    place, _, option = max(words, default=(-1, 0, ""))
    return option if place >= 0 else ""


# ----------------------------------------------------------------------------------------------------------- comparing


def nearest(choices: tuple[str, ...], text: str) -> str:
    """The option with the least edit distance, the first of equal ones."""
    from rapidfuzz.distance import Levenshtein

    return min(choices, key=lambda choice: Levenshtein.distance(text, choice))


def _option(sample: Sample, found: str) -> tuple[str, bool]:
    """The option that an answer names, and whether it names one at all: else it is the nearest."""
    text = found.strip()
    letters = _BRACKETED.findall(text)
    text = letters[0].upper() if letters else text
    if (named := options_of(sample).get(text)) is not None:
        return named, True
    return nearest(sample.choices, text), text in sample.choices


def _number(sample: Sample, found: str) -> str | None:
    try:
        value = float(found)
        return str(int(value)) if kind_of(sample) == "integer" else str(round(value, int(sample.extra["precision"])))
    except (ValueError, OverflowError):
        return None


def match(sample: Sample, found: str) -> Match:
    """The official comparison: any text is some option; numbers are cut or rounded, and compared as texts."""
    if sample.choices:
        read, named = _option(sample, found)
        return Match(read, read == right_answer(sample), "" if named else "option")
    if kind_of(sample) == "list":
        return Match(found, found == sample.target)
    number = _number(sample, found)
    return Match(number or NOTHING, number is not None and number == sample.target, "" if number else "number")


def match_stripped(sample: Sample, found: str) -> Match:
    """lmms-eval's: as `match`, without spaces around what is compared; an answer that is none is called None."""
    got = match(sample, found)
    return Match(got.read, got.read.strip() == str(right_answer(sample)).strip(), got.unread)


def match_said(sample: Sample, found: str) -> Match:
    """As `match`, but an empty answer is none (`--ignore_empty_extractions`)."""
    if sample.choices and not found.strip():
        return Match("", False, "option")
    return match(sample, found)


# ---------------------------------------------------------------------------------------------------------- VLMEvalKit


def match_vlmevalkit(sample: Sample, found: str) -> Match:
    """Options by its rule, numbers as Python reads the whole text, without rounding. No list is ever right."""
    if sample.choices:
        letter = vlmevalkit_letter(found, options_of(sample))
        return Match(letter, letter == sample.target, "" if letter else "option")
    if kind_of(sample) == "list":
        return Match(NOTHING, sample.target == NOTHING, "list")
    read = int if kind_of(sample) == "integer" else float
    try:
        value = read(found)
    except ValueError:
        return Match(NOTHING, False, "number")
    try:
        return Match(str(value), value == read(str(sample.target)))
    except ValueError:
        return Match(str(value), False)


def vlmevalkit(sample: Sample, text: str) -> str | None:
    """An option that its rule reads, or the right number; all others are for its judge, a 0 too."""
    got = match_vlmevalkit(sample, text)
    if sample.choices:
        return text if got.read else None
    return text if got.right and kind_of(sample) != "list" and float(got.read) != 0 else None
