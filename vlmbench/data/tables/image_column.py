"""The column of a table that names a question's images: refused where it is mistyped, read as one name or several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vlmbench.base.errors import DataError
from vlmbench.base.samples import ImageRef
from vlmbench.data.files import Folder
from vlmbench.data.rows import Row, named_columns, near_names

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
"""How names of images end, for a column that was mistyped."""


def check_image_column(rows: Sequence[Row], column: str, path: Path, hint: str) -> None:
    """Refuse a table without the image column: its questions would be asked without their images."""
    names = dict.fromkeys(str(name) for row in rows for name in row.values)
    if column not in names:
        hint = f"the table has: {named_columns(column, names)}\n{hint}"
        raise DataError(f"no column {column!r} for the images", where=str(path), hint=hint)
    known = {name for row in rows if column in row.values for name in row.values}
    for row in rows:  # in JSON, rows can differ
        if column in row.values:
            continue
        others = [str(name) for name in row.values if name not in known]
        if near := near_names(column, others) + [name for name in others if _names_an_image(row.values[name])]:
            hint = f"name the images in {column!r}; for a question without one write null"
            raise row.error(column, f"the field is missing, and there is {near[0]!r}", hint)


def named_images(data: Folder, row: Row, column: str, *folders: str) -> tuple[ImageRef, ...]:
    """The images that a row names: one, a list of them, or none."""
    if not row.has(column) or row.values[column] == []:
        return ()
    names = row.texts(column) if isinstance(row.values[column], list) else [row.text(column)]
    return tuple(data.image(row, name, *folders, field=column) for name in names if name)


def _names_an_image(value: Any) -> bool:
    first = value[0] if isinstance(value, list) and value else value
    return isinstance(first, str) and first.lower().endswith(SUFFIXES)
