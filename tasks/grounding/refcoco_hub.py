"""RefCOCO from the hub: rows of one thing with several expressions, to rows of one expression.

The hub's `val` of RefCOCO and of RefCOCOg hold 5,000 things more than the official ones (another split, mixed in): they
are refused. lmms-eval's task code@75571cfe names the columns.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import PurePosixPath

from vlmbench.base.errors import DataError, ImageError
from vlmbench.base.samples import ImageRef
from vlmbench.data.files import Hub, Row

HUB_NAMES = {"refcoco": "RefCOCO", "refcoco+": "RefCOCOplus", "refcocog": "RefCOCOg"}
MIXED = ("refcoco_val", "refcocog_val")
FIELDS = ("question_id", "answer", "bbox", "file_name")


def rows(hub: Hub, split: str) -> Iterator[tuple[Row, ImageRef]]:
    """(row in the layout of MiniGPT-4's files, its picture)."""
    if split in MIXED:
        what = f"the hub's {split} mixes in 5,000 things of another split: its scores are nobody's {split}"
        raise DataError(what, hint="use --data DIR with MiniGPT-4's file (`vlmbench data fetch refcoco`)")
    name, _, part = split.partition("_")
    names = [f"{owner}/{HUB_NAMES[name]}" for owner in ("lmms-lab", "lmms-lab-encoder")]
    table = hub.table(names, "default", part, (*FIELDS, "image"))
    pictures: dict[str, tuple[ImageRef, tuple[int, int]]] = {}
    for index, row in enumerate(table.rows(FIELDS)):
        key = PurePosixPath(row.text("file_name")).stem
        stem = key.rpartition("_")[0]
        if stem not in pictures:
            picture = table.picture(index, "image", f"{stem}.jpg")
            pictures[stem] = picture, _size(picture, row)
        picture, (width, height) = pictures[stem]
        for expression in row.texts("answer"):
            values = {"img_id": key, "sents": expression, "bbox": row.values["bbox"], "width": width, "height": height}
            yield Row(values, row.file, row.at), picture


def _size(picture: ImageRef, row: Row) -> tuple[int, int]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(picture.load())) as opened:
            return opened.size
    except (ImageError, OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise row.error("image", f"the picture's size cannot be read: {error}") from None
