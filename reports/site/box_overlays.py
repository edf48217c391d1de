"""Boxes that a report draws over an image: the target and the prediction, as shares of its sides.

A task whose targets are boxes writes them as {"bbox": [x, y, width, height], "width": ..., "height": ...} in pixels,
and its parsed answers are `[x1, y1, x2, y2]` in pixels.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

Shares = list[float]
"""x, y, width, height in 0..1."""


def box_overlays(columns: Mapping[str, Sequence[Any]]) -> list[tuple[Shares, Shares | None] | None] | None:
    """(target box, predicted box) for each record whose target is a box; None where no target is one."""
    pairs = [_pair(target, parsed) for target, parsed in zip(columns["target"], columns["parsed_answer"], strict=True)]
    return pairs if any(pairs) else None


def _pair(target: str, parsed: str) -> tuple[Shares, Shares | None] | None:
    if not target.startswith("{"):
        return None
    content = json.loads(target)
    try:
        x, y, width, height = (float(side) for side in content["bbox"])
        size = float(content["width"]), float(content["height"])
        target_box = _shares((x, y, x + width, y + height), size)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    try:
        x1, y1, x2, y2 = (float(side) for side in json.loads(parsed or "null"))
        return target_box, _shares((x1, y1, x2, y2), size)
    except (TypeError, ValueError):
        return target_box, None


def _shares(corners: tuple[float, float, float, float], size: tuple[float, float]) -> Shares:
    """Ordered and clipped to the image, so that it can be drawn."""
    (left, right), (top, bottom) = (
        sorted(min(max(corners[at + step] / size[at], 0.0), 1.0) for step in (0, 2)) for at in (0, 1)
    )
    return [round(side, 4) for side in (left, top, right - left, bottom - top)]
