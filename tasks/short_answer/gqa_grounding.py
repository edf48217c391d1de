"""GQA's grounding: how much attention lies on the regions that a question and its answer name.

As eval.py v1.2 (see gqa_metrics) does it for spatial attention: the sum over regions and cells of attention times the
share of the cell that the region covers. Overlapping regions count twice, so it may exceed 100. Its branch for
object-based attention reads a variable before it is set, so there is nothing to agree with: refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.base.errors import PredictionsError
from vlmbench.base.samples import Sample
from vlmbench.data.answers.predictions import NAMED, answer_key, answer_rows, named
from vlmbench.data.files import Row

if TYPE_CHECKING:
    from vlmbench.stats.metrics import Floats

Box = tuple[float, float, float, float]


def attach(
    samples: Sequence[Sample], path: Path, questions: Mapping[str, Row], scenes: Mapping[str, Row]
) -> list[Sample]:
    """The samples, each balanced one with its grounding score in `extra`. Raises PredictionsError, DataError."""
    maps = {answer_key(row, "questionId"): row for row in answer_rows(path)}
    missing = [sample.id for sample in samples if sample.extra["balanced"] and sample.id not in maps]
    if missing:
        what = f"{len(missing)} questions have no attention: {named(missing[: NAMED + 1])}"
        raise PredictionsError(what, where=str(path), hint="give one attention map for each balanced question")
    made = []
    for sample in samples:
        if sample.extra["balanced"]:
            boxes = regions(questions[sample.id], scenes)
            value = float(
                (attention(maps[sample.id]) * coverage(boxes, len(maps[sample.id].listing("attention")))).sum()
            )
            sample = replace(sample, extra={**sample.extra, "grounding": value})
        made.append(sample)
    return made


def attention(row: Row) -> Floats:
    """A square map of attention. Raises PredictionsError for anything else."""
    import numpy as np

    try:
        found = np.array(row.listing("attention"), dtype=np.float64)
    except (ValueError, TypeError):
        found = np.zeros(0)
    if found.ndim != 2 or found.shape[0] != found.shape[1]:
        what = "the attention is not a square table of numbers (object-based attention has no working official score)"
        raise PredictionsError(what, where=row.where, hint="give spatial attention, 7 x 7 by default")
    return found


def regions(question: Row, scenes: Mapping[str, Row]) -> list[Box]:
    """The boxes that question and full answer point to, in shares of the image."""
    image = question.key("imageId")
    if image not in scenes:
        raise question.error("imageId", f"no scene graph of image {image}")
    scene = scenes[image]
    objects = scene.inner("objects")
    size = (scene.number("width"), scene.number("height"))
    if not min(size) > 0:
        raise scene.error("width", f"the image's size is {size[0]:g} x {size[1]:g}")
    notes = question.inner("annotations")
    found = [
        _box(objects.inner(str(pointer)), size)
        for field in ("question", "fullAnswer")
        for pointer in notes.inner(field).values.values()
    ]
    steps: list[Any] = question.listing("semantic")
    if any("scene" in step for step in steps):  # the keys of the step, as the official code has it: practically never
        found.append((0.0, 0.0, 1.0, 1.0))
    return found


def _box(thing: Row, size: tuple[float, float]) -> Box:
    x, y, w, h = (thing.number(field) for field in ("x", "y", "w", "h"))
    return x / size[0], y / size[1], (x + w) / size[0], (y + h) / size[1]


def coverage(boxes: Sequence[Box], side: int) -> Floats:
    """(side, side): of each cell, how much the boxes cover, summed over boxes. The first index runs along x."""
    import numpy as np

    edges = np.arange(side + 1) / side
    total: Floats = np.zeros((side, side))
    for x0, y0, x1, y1 in boxes:
        across = np.clip(np.minimum(edges[1:], x1) - np.maximum(edges[:-1], x0), 0, None)
        down = np.clip(np.minimum(edges[1:], y1) - np.maximum(edges[:-1], y0), 0, None)
        total += np.outer(across, down) * side * side
    return total
