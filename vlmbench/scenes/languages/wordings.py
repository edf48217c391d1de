"""The English questions about drawn scenes, by what they ask: each is read whole, to the words in its slots."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache

from vlmbench.scenes.questions import ATTRIBUTES
from vlmbench.scenes.scene import CATEGORIES, GROUNDS, INVERSE, KINDS, STYLES

WORDINGS: Mapping[str, tuple[str, ...]] = {
    "exists": ("Is there an? {k} in the image?", "Do you see an? {k} in the picture?",
               "Is there an? {k} in this picture?", "Is there an? {k} in this image?"),
    "exists so": ("Is there an? {w} {k} in the image?", "Do you see an? {w} {k}?"),
    "is so": ("Is the {k} {w}?", "Does the {k} look {w}?", "Is the {k} {w} in this image?"),
    "is one": ("Is the {k} {w} or {v}?", "Does the {k} look {w} or {v}?"),
    "is both": ("Is the {k} {w} and {v}?", "Is the {k} both {w} and {v}?"),
    "color": ("What color is the {k}?", "Which color does the {k} have?", "What is the color of the {k}?",
              "What color is the {k} in the picture?"),
    "size": ("What size is the {k}?", "How large is the {k}?"),
    "pattern": ("What pattern does the {k} have?", "Which pattern is on the {k}?"),
    "side": ("On which side of the picture is the {k}?", "On what side of the image is the {k}?"),
    "place": ("Is the {k} (?:at|on) the {p} or (?:at|on) the {q} of the picture?",),
    "on side": ("Is the {k} on the {side} side of the picture?", "Is the {k} on the {side}?"),
    "thing": ("What is the {w} thing?", "Which thing is {w}?"),
    "category": ("Which {c} is {w}?",),
    "thing is": ("Is the {w} thing an? {k} or an? {l}?", "What is the {w} thing, an? {k} or an? {l}?"),
    "related": ("Is the {k} {rel} the {l}?",),
    "relation": ("Is the {k} {r} or {s}(?: of)? the {l}?",),
    "neighbor": ("What is {rel} the {k}?", "Which thing is {rel} the {k}?"),
    "neighbor color": ("What color is the thing {rel} the {k}?",),
    "both": ("Are there both an? {k} and an? {l} in the image?", "Do you see both an? {k} and an? {l}?"),
    "either": ("Is there either an? {k} or an? {l} in the image?", "Do you see either an? {k} or an? {l}?"),
    "same color": ("Do the {k} and the {l} have the same color?",),
    "same pattern": ("Do the {k} and the {l} have the same pattern?",),
    "other color": ("Do the {k} and the {l} have different colors?",),
    "other pattern": ("Do the {k} and the {l} have different patterns?",),
    "larger": ("Which is larger, the {k} or the {l}?",),
    "smaller": ("Which is smaller, the {k} or the {l}?",),
    "background is": ("Is the background {g}?",),
    "background is one": ("Is the background {g} or {h}?",),
    "background color": ("What color is the background?",),
    "background pattern": ("Which pattern does the background have?",),
}  # fmt: skip
"""By what is asked: wordings that mean the same. `{k}` is a slot; `an?` and `(?:at|on)` are read as in a pattern."""

_ATTRIBUTES = [word for words in ATTRIBUTES.values() for word in words]
_GROUNDS = [*GROUNDS, *STYLES]
_PLACES = ("top", "bottom", "left", "right")
_DIRECTIONS = [name.removesuffix(" of") for name in INVERSE]
SLOTS: Mapping[str, Iterable[str]] = {
    "k": KINDS,
    "l": KINDS,
    "c": CATEGORIES,
    "w": _ATTRIBUTES,
    "v": _ATTRIBUTES,
    "g": _GROUNDS,
    "h": _GROUNDS,
    "rel": INVERSE,
    "r": _DIRECTIONS,
    "s": _DIRECTIONS,
    "p": _PLACES,
    "q": _PLACES,
    "side": ("left", "right"),
}
"""The words that a slot takes."""


def read(question: str) -> tuple[str, dict[str, str]] | None:
    """What a question asks, and the word in each slot; None for one that is not among the wordings."""
    for meaning, pattern in _patterns():
        if found := pattern.fullmatch(question):
            return meaning, found.groupdict()
    return None


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    return [(meaning, re.compile(_pattern(text))) for meaning, texts in WORDINGS.items() for text in texts]


def _pattern(text: str) -> str:
    groups = {slot: f"(?P<{slot}>{'|'.join(words)})" for slot, words in SLOTS.items()}
    return text.removesuffix("?").format(**groups) + r"\?"
