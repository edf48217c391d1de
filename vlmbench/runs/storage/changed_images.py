"""Images before and after a perturbation, side by side with their difference: what reports show of perturbed runs."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from vlmbench.base.errors import ImageError
from vlmbench.base.files import write_atomically
from vlmbench.base.samples import ImageRef
from vlmbench.data.images import decoding as images

if TYPE_CHECKING:
    from PIL.Image import Image

INDEX = "changed.json"
"""In a run's thumbs/, beside the sheets that it names."""
MOST = 4
"""Sheets of a task."""
TILE, GAP = 192, 6
GREY = 128
"""Of the difference's tile: where nothing changed."""


@dataclass(frozen=True, slots=True)
class Changed:
    """An image of a question as the benchmark has it, and as it is shown."""

    task: str
    question: str
    before: ImageRef
    after: ImageRef


def keep(changed: Sequence[Changed], folder: Path) -> None:
    """Write a sheet for each, as PNG: a JPEG would change small differences. What cannot be read is left out."""
    entries: list[dict[str, Any]] = []
    for number, one in enumerate(changed):
        with suppress(ImageError):
            before, after = (images.decode(image.load(), image.name) for image in (one.before, one.after))
            sheet, largest, factor = side_by_side(before, after)
            out = io.BytesIO()
            sheet.save(out, "PNG")
            folder.mkdir(exist_ok=True)
            write_atomically(folder / f"changed-{number}.png", out.getvalue())
            told = {"task": one.task, "question": one.question, "largest": largest, "factor": factor}
            entries.append({"file": f"changed-{number}.png", **told})
    if entries:
        write_atomically(folder / INDEX, orjson.dumps(entries))


def side_by_side(before: Image, after: Image) -> tuple[Image, int, int]:
    """(both images and their difference in one, the largest change in levels, the factor of the difference).

    The difference is grey where nothing changed, amplified as far as its largest change allows. Images of two sizes
    have none: the two numbers are 0.
    """
    import numpy as np
    from PIL import Image

    tiles, largest, factor = [before, after], 0, 0
    if before.size == after.size:
        change = np.asarray(after).astype(np.int64) - np.asarray(before)
        largest = int(np.abs(change).max())
        factor = max(1, (GREY - 1) // max(largest, 1))
        tiles.append(Image.fromarray((GREY + factor * change).clip(0, 255).astype(np.uint8)))
    sheet = Image.new("RGB", (len(tiles) * (TILE + GAP) - GAP, TILE), "white")
    for place, tile in enumerate(tiles):
        share = TILE / max(tile.size)
        size = (max(1, round(tile.width * share)), max(1, round(tile.height * share)))
        resample = Image.Resampling.NEAREST if share >= 1 else Image.Resampling.BOX
        sheet.paste(tile.resize(size, resample), (place * (TILE + GAP), 0))
    return sheet, largest, factor
