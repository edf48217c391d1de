"""A question's image and the images to choose from on one sheet, for models that take one image.

The question's image is on top; below it the options stand in a row, each with its letter A, B, C, ... above it.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from vlmbench.base.samples import ImageRef
from vlmbench.data.images import decoding as images

if TYPE_CHECKING:
    from PIL.Image import Image

GAP = 8
"""White pixels around everything."""
OPTION = 120
"""Longest side of an option."""
POINT = 3
"""Pixels a point of a mark."""
_MARKS = {
    "A": (".###.", "#...#", "#...#", "#####", "#...#", "#...#", "#...#"),
    "B": ("####.", "#...#", "#...#", "####.", "#...#", "#...#", "####."),
    "C": (".###.", "#...#", "#....", "#....", "#....", "#...#", ".###."),
    "D": ("####.", "#...#", "#...#", "#...#", "#...#", "#...#", "####."),
    "E": ("#####", "#....", "#....", "####.", "#....", "#....", "#####"),
}


def sheet(refs: Sequence[ImageRef]) -> ImageRef:
    """One image of the question's and the options'; made when it is read."""
    return ImageRef(f"{refs[0].name} and {len(refs) - 1} options", partial(drawn, tuple(refs)))


def drawn(refs: tuple[ImageRef, ...]) -> bytes:
    """The sheet as a PNG file. Raises ImageError when one of the images cannot be read."""
    from PIL import Image

    question, *options = (images.decode(ref.load(), ref.name) for ref in refs)
    marked = [_marked(_small(option), letter) for option, letter in zip(options, _MARKS, strict=False)]
    width = max(question.width, sum(one.width + GAP for one in marked) - GAP) + 2 * GAP
    height = question.height + max(one.height for one in marked) + 3 * GAP
    canvas = Image.new("RGB", (width, height), "white")
    canvas.paste(question, ((width - question.width) // 2, GAP))
    left = (width - sum(one.width + GAP for one in marked) + GAP) // 2
    for one in marked:
        canvas.paste(one, (left, question.height + 2 * GAP))
        left += one.width + GAP
    file = io.BytesIO()
    canvas.save(file, "PNG")
    return file.getvalue()


def _small(image: Image) -> Image:
    scale = OPTION / max(OPTION, *image.size)
    return image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))


def _marked(image: Image, letter: str) -> Image:
    """The option with its mark above it."""
    from PIL import Image

    rows = _MARKS[letter]
    mark = Image.new("RGB", (len(rows[0]), len(rows)), "white")
    for y, row in enumerate(rows):
        for x, point in enumerate(row):
            if point == "#":
                mark.putpixel((x, y), (0, 0, 0))
    mark = mark.resize((mark.width * POINT, mark.height * POINT), Image.Resampling.NEAREST)
    width = max(image.width, mark.width)
    labelled = Image.new("RGB", (width, image.height + mark.height + GAP), "white")
    labelled.paste(mark, ((width - mark.width) // 2, 0))
    labelled.paste(image, ((width - image.width) // 2, mark.height + GAP))
    return labelled
