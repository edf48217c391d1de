"""Text to box, and how well two boxes agree: each reader named after the code whose rule it is.

A box is (x1, y1, x2, y2) in pixels. A reader takes the answer and the image's width and height, and gives a box or
None where the rule finds none. `regions` is not for scores: it finds every box of an answer, to be shown.

Sources: MiniGPT-4 eval_scripts/eval_ref.py and minigpt4/common/eval_utils.py@d94738a7; lmms-eval
lmms_eval/tasks/refcoco/utils_rec.py@75571cfe; VLMEvalKit vlmeval/dataset/refcoco.py@e8e78f05.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vlmbench.base.metric import Floats

Box = tuple[float, float, float, float]

_MINIGPT = re.compile(r"\{<\d{1,3}><\d{1,3}><\d{1,3}><\d{1,3}>\}")
_INTEGERS = re.compile(r"\d+")
_DIGITS = 300
"""Longer numbers overflow: the script's own arithmetic fails on them, which it counts as a miss."""
_NUMBER = r"(-?\d+(?:\.\d+)?)"
_LMMS = re.compile(rf"\[\s*{_NUMBER},\s*{_NUMBER},\s*{_NUMBER},\s*{_NUMBER}\s*\]")
_ANY = r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?"
_PART = r"(?:\s*,\s*|\s+)"
_BRACKETED = re.compile(rf"\[\s*({_ANY}){_PART}({_ANY}){_PART}({_ANY}){_PART}({_ANY})\s*\]")
_NUMBERS = re.compile(_ANY)
_HUNDREDTHS = r"\{\s*" + r"\s*".join([r"<\s*\d{1,3}\s*>"] * 4) + r"\s*\}"
_SHARES = r"\[\s*" + r"\s*,\s*".join([r"(?:\d+(?:\.\d+)?|\.\d+)"] * 4) + r"\s*\]"
_SHOWN = rf"(?:{_HUNDREDTHS}|{_SHARES})"
_REGIONS = re.compile(
    rf"(?:<p>(?P<phrase>(?:(?!</?p>).)*)</p>\s*)?(?P<boxes>{_SHOWN}(?:\s*(?:<delim>\s*)?{_SHOWN})*)", re.DOTALL
)


def from_size(corner: Sequence[float]) -> Box:
    """(x, y, width, height), as COCO writes boxes, to corners."""
    x, y, width, height = corner
    return x, y, x + width, y + height


def in_shares(box: Box, width: float, height: float) -> str:
    """A box as LLaVA writes it: `[x1, y1, x2, y2]` in shares of the image, here with three decimals."""
    return f"[{', '.join(f'{share:.3f}' for share in _clipped(box, width, height))}]"


def in_hundredths(box: Box, width: float, height: float) -> str:
    """A box as MiniGPT-v2 writes it: `{<x1><y1><x2><y2>}` in whole hundredths of the image."""
    return f"{{{''.join(f'<{round(100 * share)}>' for share in _clipped(box, width, height))}}}"


def in_cut_hundredths(box: Box, width: float, height: float) -> str:
    """A box as MiniGPT-v2 is asked about it: hundredths are cut off, not rounded (minigpt4/datasets/datasets)."""
    return f"{{{''.join(f'<{int(100 * share)}>' for share in _clipped(box, width, height))}}}"


def in_padded_shares(box: Box, width: float, height: float) -> str:
    """A box as LLaVA-1.5 is asked about it: `[0.04, 0.57, 0.6, 0.71]`, shares of the image padded to a square around
    its middle (llava_v1_5_mix665k.json).
    """
    side = max(width, height)
    left, top = (side - width) / 2, (side - height) / 2
    moved = (box[0] + left, box[1] + top, box[2] + left, box[3] + top)
    return str([round(share, 2) for share in _clipped(moved, side, side)])


def _clipped(box: Box, width: float, height: float) -> list[float]:
    return [min(max(side / whole, 0.0), 1.0) for side, whole in zip(box, (width, height) * 2, strict=True)]


def cropped(
    target: Mapping[str, Any], window: tuple[int, int, int, int], size: tuple[int, int], least: float
) -> dict[str, Any] | None:
    """A right answer {"bbox": (x, y, width, height), "width", "height"} after a crop of its image.

    `window` is what is kept of an image of `size`, both in its own pixels; the answer may be in another unit. None
    where less than the share `least` of the box's area is left.
    """
    across, down = target["width"] / size[0], target["height"] / size[1]
    left, top, right, bottom = (side * (down if index % 2 else across) for index, side in enumerate(window))
    x1, y1, x2, y2 = from_size(target["bbox"])
    clipped = (max(x1, left), max(y1, top), min(x2, right), min(y2, bottom))
    width, height = max(0.0, clipped[2] - clipped[0]), max(0.0, clipped[3] - clipped[1])
    if width * height < least * (x2 - x1) * (y2 - y1):
        return None
    box = [clipped[0] - left, clipped[1] - top, width, height]
    return {"bbox": box, "width": right - left, "height": bottom - top}


# --------------------------------------------------------------------------------------------------------- readers


def minigpt_cleaned(text: str) -> str:
    """MiniGPT-v2's answer as its script keeps it: no <unk>, no spaces."""
    return text.replace("<unk>", "").replace(" ", "").strip()


def is_minigpt_box(text: str) -> bool:
    """Whether a cleaned answer starts with `{<x1><y1><x2><y2>}`; whatever follows."""
    return _MINIGPT.match(text) is not None


def minigpt_box(text: str, width: float, height: float) -> Box | None:
    """The box of an answer that starts with one, in hundredths of the image; None with any further number in it."""
    cleaned = minigpt_cleaned(text)
    return any_minigpt_box(cleaned, width, height) if is_minigpt_box(cleaned) else None


def any_minigpt_box(text: str, width: float, height: float) -> Box | None:
    """Exactly four whole numbers anywhere, in hundredths of the image. Neither checked nor put in order."""
    numbers = _INTEGERS.findall(minigpt_cleaned(text))
    if len(numbers) != 4 or max(map(len, numbers)) > _DIGITS:
        return None
    x1, y1, x2, y2 = map(int, numbers)
    return x1 / 100.0 * width, y1 / 100.0 * height, x2 / 100.0 * width, y2 / 100.0 * height


def minigpt_boxes(text: str, width: float, height: float) -> list[Box]:
    """Every `{<x1><y1><x2><y2>}` of an answer, in hundredths of the image; neither checked nor put in order."""
    found = []
    for written in _MINIGPT.findall(minigpt_cleaned(text)):
        x1, y1, x2, y2 = map(int, _INTEGERS.findall(written))
        found.append((x1 / 100.0 * width, y1 / 100.0 * height, x2 / 100.0 * width, y2 / 100.0 * height))
    return found


def lmms_eval_numbers(text: str) -> Box | None:
    """The first `[a, b, c, d]`, in shares of the image: commas, and digits before a point, are needed."""
    match = _LMMS.search(text)
    return None if match is None else (float(match[1]), float(match[2]), float(match[3]), float(match[4]))


def vlmevalkit_box(text: str, width: float, height: float) -> Box | None:
    """Four numbers in brackets, else the first four anywhere; the scale is guessed, then clipped and put in order.

    Up to 1.5: shares of the image; up to 1,000: thousandths (MiniGPT-v2's hundredths are misread); else pixels.
    """
    bracketed = _BRACKETED.search(text)
    numbers = [float(number) for number in (bracketed.groups() if bracketed else _NUMBERS.findall(text)[:4])]
    if len(numbers) < 4:
        return None
    largest = max(map(abs, numbers))
    x1, y1, x2, y2 = numbers
    if largest <= 1.5:
        x1, y1, x2, y2 = x1 * width, y1 * height, x2 * width, y2 * height
    elif largest <= 1000:
        x1, x2 = x1 / 1000.0 * width, x2 / 1000.0 * width
        y1, y2 = y1 / 1000.0 * height, y2 / 1000.0 * height
    x1, x2 = sorted(min(max(x, 0.0), width) for x in (x1, x2))
    y1, y2 = sorted(min(max(y, 0.0), height) for y in (y1, y2))
    return x1, y1, x2, y2


# ---------------------------------------------------------------------------------------------------- all there are


@dataclass(frozen=True, slots=True)
class Region:
    """A box that an answer holds."""

    box: Box
    """In pixels, inside the image, corners in order."""
    phrase: str = ""
    """What the answer says is there."""


def regions(text: str, width: float, height: float, *, padded: bool = False) -> tuple[Region, ...]:
    """Every box of an answer with its phrase, in order: as MiniGPT-v2 writes them, and as LLaVA does.

    `<p>phrase</p> {<x1><y1><x2><y2>}<delim>{...}`: whole hundredths of the image, one phrase for all that are joined.
    `[x1, y1, x2, y2]`: shares of the image from 0 to 1, at least one with a point; `padded`: shares of the image
    padded to a square around its middle, as LLaVA-1.5's training data have them. What is cut off, or not within 0..1,
    is no box.
    """
    side = max(width, height)
    frame = (-(side - width) / 2, -(side - height) / 2, side, side) if padded else (0.0, 0.0, width, height)
    result = []
    for match in _REGIONS.finditer(text):
        phrase = " ".join((match["phrase"] or "").split())
        for shares, inner in _shares(match["boxes"]):
            left, top, across, down = frame if inner else (0.0, 0.0, width, height)
            x1, x2 = sorted(min(max(left + share * across, 0.0), width) for share in shares[0::2])
            y1, y2 = sorted(min(max(top + share * down, 0.0), height) for share in shares[1::2])
            result.append(Region((x1, y1, x2, y2), phrase))
    return tuple(result)


def _shares(text: str) -> Iterator[tuple[tuple[float, ...], bool]]:
    """Joined boxes as shares of their frame, and whether they were written as such; those beyond 1 are left out."""
    for written in re.findall(_SHOWN, text):
        fractions = written.startswith("[")
        shares = tuple(float(number) / (1 if fractions else 100) for number in re.findall(r"[\d.]+", written))
        if max(shares) <= 1 and ("." in written or not fractions):
            yield shares, fractions


# ------------------------------------------------------------------------------------------------------- agreement


def iou(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union; 0 where the union is empty."""
    across = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    down = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    shared = across * down
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if union else 0.0


def iou_inclusive(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of boxes that include their last pixel: each side is one pixel longer (MiniGPT-4)."""
    across = max(0.0, min(a[2], b[2]) - max(a[0], b[0]) + 1)
    down = max(0.0, min(a[3], b[3]) - max(a[1], b[1]) + 1)
    shared = across * down
    union = (a[2] - a[0] + 1) * (a[3] - a[1] + 1) + (b[2] - b[0] + 1) * (b[3] - b[1] + 1) - shared
    return shared / union if union else 0.0


def holds_centre(box: Sequence[float], other: Sequence[float]) -> bool:
    """Whether the middle of the other box lies in this one."""
    x, y = (other[0] + other[2]) / 2, (other[1] + other[3]) / 2
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]


def grid_coverage(boxes: Iterable[Sequence[float]], side: int) -> Floats:
    """How much of each cell of a side x side grid the boxes cover, summed over boxes: overlaps count twice.

    Boxes in shares of the image. Returns (side, side); the first index runs along x.
    """
    import numpy as np

    edges = np.arange(side + 1) / side
    total: Floats = np.zeros((side, side))
    for x0, y0, x1, y1 in boxes:
        across = np.clip(np.minimum(edges[1:], x1) - np.maximum(edges[:-1], x0), 0, None)
        down = np.clip(np.minimum(edges[1:], y1) - np.maximum(edges[:-1], y0), 0, None)
        total += np.outer(across, down) * side * side
    return total


@dataclass(frozen=True, slots=True)
class Agreement:
    """What an answer came to: a box in pixels (if any), and how well it agrees with the right one."""

    box: Box | tuple[float, float] | None
    """The corners, or a point, which has no overlap."""
    iou: float = 0.0
    centred: bool = False
    """Whether the box's middle lies in the right one."""

    @property
    def parsed(self) -> str:
        """The box, as a score keeps it: `[x1, y1, x2, y2]` in pixels; a point: `[x, y]`."""
        if self.box is None or not all(map(isfinite, self.box)):
            return ""
        return str([round(side, 2) for side in self.box])

    @property
    def note(self) -> str:
        """The agreement, as a score keeps it."""
        return f"IoU {self.iou!r}{', centred' if self.centred else ''}"

    @classmethod
    def from_note(cls, note: str) -> Agreement:
        """The agreement, back from a score's note; the box stays in its text."""
        share, _, centred = note.partition(", ")
        return cls(None, float(share.removeprefix("IoU ")), centred == "centred")


BoxReader = Callable[[str, Box, float, float], Agreement]
"""(Answer, right box, the image's width and height) to how well the answer's box agrees with the right one."""


def agreement(
    read: Callable[[str, float, float], Box | None], overlap: Callable[[Sequence[float], Sequence[float]], float]
) -> BoxReader:
    """A reader of boxes in pixels and a measure of overlap as one rule; an answer without a box is a miss."""

    def compare(text: str, right: Box, width: float, height: float) -> Agreement:
        box = read(text, width, height)
        return Agreement(None) if box is None else Agreement(box, overlap(box, right), holds_centre(right, box))

    return compare


def lmms_eval_agreement(text: str, right: Box, width: float, height: float) -> Agreement:
    """In shares of the image, as lmms-eval counts; an answer without a box is the box of four zeros."""
    return agreement_in_shares(lmms_eval_numbers(text), to_shares(right, width, height), width, height)


def to_shares(box: Box, width: float, height: float) -> Box:
    """A box in pixels in shares of the image."""
    return box[0] / width, box[1] / height, box[2] / width, box[3] / height


def agreement_in_shares(numbers: Box | None, target: Box, width: float, height: float) -> Agreement:
    """Both boxes in shares of the image; an answer without a box is the box of four zeros."""
    x1, y1, x2, y2 = shares = numbers or (0.0, 0.0, 0.0, 0.0)
    box = None if numbers is None else (x1 * width, y1 * height, x2 * width, y2 * height)
    return Agreement(box, iou(target, shares), holds_centre(target, shares))
