"""Boxes that a report draws over a picture: the right one and the one that was answered, as shares of its sides.

A task whose targets are boxes writes them as {"bbox": [x, y, width, height], "width": ..., "height": ...} in pixels,
and its scores read answers as `[x1, y1, x2, y2]` in pixels.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

Shares = list[float]
"""x, y, width, height in 0..1."""


def drawn(columns: Mapping[str, Sequence[Any]]) -> list[tuple[Shares, Shares | None] | None] | None:
    """(right box, answered box) for each record that has a box for its target; None where none has."""
    made = [_pair(target, read) for target, read in zip(columns["target"], columns["read"], strict=True)]
    return made if any(made) else None


def _pair(target: str, read: str) -> tuple[Shares, Shares | None] | None:
    if not target.startswith("{"):
        return None
    told = json.loads(target)
    try:
        x, y, across, down = (float(side) for side in told["bbox"])
        size = float(told["width"]), float(told["height"])
        right = _shares((x, y, x + across, y + down), size)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    try:
        x1, y1, x2, y2 = (float(side) for side in json.loads(read or "null"))
        return right, _shares((x1, y1, x2, y2), size)
    except (TypeError, ValueError):
        return right, None


def _shares(corners: tuple[float, float, float, float], size: tuple[float, float]) -> Shares:
    """Put in order and cut at the picture's sides, as one can draw it."""
    (left, right), (top, bottom) = (
        sorted(min(max(corners[at + step] / size[at], 0.0), 1.0) for step in (0, 2)) for at in (0, 1)
    )
    return [round(side, 4) for side in (left, top, right - left, bottom - top)]
