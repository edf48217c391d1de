"""Text to a point on a screenshot: each reader named after the code whose rule it is.

A reader gives (x, y) in the unit that the answer uses, or None where the rule finds none. Numbers may be infinite.

Sources: SeeClick pretrain/screenspot_test.py, process_utils.py@0ef37ac4; lmms-eval
lmms_eval/tasks/screenspot/utils_rec.py, screenspot_v2/utils.py@75571cfe; VLMEvalKit
vlmeval/dataset/GUI/screenspot.py@e8e78f05.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from vlmbench.parsing.boxes import Box

Point = tuple[float, float]

_FLOATS = re.compile(r"-?\d+\.?\d*")
_QWEN = re.compile(r"<box>\((\d+,\d+)\),\((\d+,\d+)\)</box>")
_NUMBER = r"-?\d+(?:\.\d+)?"
_BOX = re.compile(rf"[\[\(]\s*({_NUMBER}),\s*({_NUMBER}),\s*({_NUMBER}),\s*({_NUMBER})\s*[\]\)]")
_SHARE = rf"{_NUMBER}%?"
_SHARES = re.compile(_SHARE)
_TAGGED = re.compile(r"<\s*bbox[^>]*>(.*?)<\s*/\s*bbox\s*>", re.IGNORECASE | re.DOTALL)
_PAIR = re.compile(rf"[\[\(]\s*({_SHARE})\s*(?:,|\s)\s*({_SHARE})\s*[\]\)]")
_NAMED = re.compile(
    rf"['\"]?x['\"]?\s*[:=]\s*({_SHARE}).*?['\"]?y['\"]?\s*[:=]\s*({_SHARE})", re.IGNORECASE | re.DOTALL
)
_BOX_WORDS = ("bbox", "box", "rect", "rectangle")
_CLICK = re.compile(r"x=([\d.]+), y=([\d.]+)")
_DIGITS = 300
"""Longer whole numbers overflow when they are divided, which the script counts as a wrong format."""


def _middle(numbers: Sequence[float]) -> Point:
    x1, y1, x2, y2 = numbers
    return (x1 + x2) / 2, (y1 + y2) / 2


def seeclick(text: str) -> Point | None:
    """Exactly two numbers are a point, four a box; with "box" in the answer, Qwen-VL's first box in thousandths."""
    if "box" in text:
        pairs = [pair.split(",") for found in _QWEN.findall(text)[:1] for pair in found]
        if not pairs or max(len(number) for pair in pairs for number in pair) > _DIGITS:
            return None
        (x1, y1), (x2, y2) = [(int(x), int(y)) for x, y in pairs]
        return (x1 + x2) / 2 / 1000, (y1 + y2) / 2 / 1000
    numbers = [float(number) for number in _FLOATS.findall(text)]
    if len(numbers) == 2:
        return numbers[0], numbers[1]
    return _middle(numbers) if len(numbers) == 4 else None


def lmms_eval(text: str) -> Point | None:
    """A box in <bbox> tags, two numbers in brackets, `x: .. y: ..`, four numbers beside a word for box, any two.

    Percentages are shares.
    """
    tagged = _TAGGED.search(text)
    inner = _SHARES.findall(tagged[1]) if tagged else []
    if len(inner) >= 4:
        return _middle([_share(number) for number in inner[:4]])
    if found := _PAIR.search(text) or _NAMED.search(text):
        return _share(found[1]), _share(found[2])
    numbers = _SHARES.findall(text)
    if len(numbers) >= 4 and any(word in text.lower() for word in _BOX_WORDS):
        return _middle([_share(number) for number in numbers[:4]])
    return (_share(numbers[0]), _share(numbers[1])) if len(numbers) >= 2 else None


def _share(number: str) -> float:
    return float(number[:-1]) / 100 if number.endswith("%") else float(number)


def lmms_eval_box(text: str) -> Box | None:
    """The first four numbers in brackets of either kind: shares, or thousandths where one is above 1."""
    found = _BOX.search(text)
    if found is None:
        return None
    x1, y1, x2, y2 = (float(number) for number in found.groups())
    unit = 1000 if max(x1, y1, x2, y2) > 1 else 1
    return x1 / unit, y1 / unit, x2 / unit, y2 / unit


def vlmevalkit(text: str) -> Point | None:
    """`x=.., y=..`, written just so; an answer without it is the upper left corner. None for numbers like `0.5..`."""
    found = _CLICK.search(text)
    try:
        return (float(found[1]), float(found[2])) if found else (0.0, 0.0)
    except ValueError:
        return None
