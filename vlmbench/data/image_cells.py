"""A cell of a table that holds an image, in any of the forms in which data sets store one, to its encoded bytes.

Read: bytes; {"bytes": ..., "path": ...}; base64 (wrapped, URL-safe, without padding) and data: URIs; a PIL image; a
list with one of these. What holds no image is an ImageError that says what is there instead.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vlmbench.base.errors import DataError, ImageError
from vlmbench.data.reading import read_whole

_DATA_URI = re.compile(r"data:[\w.+/-]*(;[\w=.+-]+)*,", re.IGNORECASE)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".ppm")


def image_bytes(cell: Any, where: str, folder: Path | None = None) -> bytes:
    """The encoded image in a cell. `folder` is where files that cells name are looked for.

    Raises ImageError saying what the cell holds instead of an image.
    """
    if isinstance(cell, Mapping):
        return _of_struct(cell, where, folder)
    if isinstance(cell, bytes | bytearray | memoryview):
        if not cell:
            raise ImageError("the image is empty: no bytes", where=where, hint="get the file again")
        return bytes(cell)
    if isinstance(cell, str):
        return _of_text(cell, where, folder)
    if isinstance(cell, list | tuple) and all(isinstance(item, int) for item in cell[:8]) and len(cell) > 1:
        raise ImageError(f"a list of {len(cell)} numbers, not an encoded image", where=where, hint=STORE)
    if isinstance(cell, list | tuple):
        if len(cell) != 1:
            problem = f"{len(cell)} images in one cell, and one was expected"
            raise ImageError(problem, where=where, hint="store one image in each row")
        return image_bytes(cell[0], where, folder)
    if hasattr(cell, "save") and hasattr(cell, "size"):
        out = io.BytesIO()
        cell.save(out, "PNG")
        return out.getvalue()
    if cell is None:
        raise ImageError("there is no image: the cell is null", where=where, hint="get the file again")
    raise ImageError(f"{type(cell).__name__}, not an encoded image", where=where, hint=STORE)


STORE = "store the bytes of a JPEG or PNG file, or its base64"


def _of_struct(cell: Mapping[str, Any], where: str, folder: Path | None) -> bytes:
    if cell.get("bytes"):
        return image_bytes(cell["bytes"], where, folder)
    if path := cell.get("path"):
        return _of_file(str(path), where, folder)
    if "bytes" in cell or "path" in cell:
        raise ImageError("the image is empty: neither bytes nor a path", where=where, hint="get the file again")
    raise ImageError(f"an object with {', '.join(map(str, cell))}, and no 'bytes'", where=where, hint=STORE)


def _of_text(cell: str, where: str, folder: Path | None) -> bytes:
    text = cell.strip()
    if not text:
        raise ImageError("the image is empty: an empty text", where=where, hint="get the file again")
    if _ADDRESS.match(text):
        raise ImageError(f"an address, {text!r:.80}, not an image", where=where, hint="store the image itself")
    if text.lower().endswith(SUFFIXES):
        return _of_file(text, where, folder)
    return decode_base64(text, where)


def _of_file(name: str, where: str, folder: Path | None) -> bytes:
    """A file that a cell names, if it lies in the folder of the data."""
    if folder is not None:
        path = folder / name
        if path.resolve().is_relative_to(folder.resolve()) and path.is_file():
            return read_whole(path)
    beside = f" in {folder}" if folder is not None else ""
    problem = f"no bytes, only the name of a file that is not there{beside}: {name!r:.80}"
    raise ImageError(problem, where=where, hint="store the image's bytes in the table")


def decode_base64(cell: str, where: str) -> bytes:
    """Base64 as it is found in tables: wrapped, with or without padding, either alphabet, behind `data:...,`."""
    start = _DATA_URI.match(cell)
    text = "".join((cell[start.end() :] if start else cell).split())
    if text.startswith("b'") and text.endswith("'"):  # the text of a Python bytes object
        text = text[2:-1]
    if not _BASE64.fullmatch(text):
        position = next(
            (
                position
                for position, character in enumerate(text)
                if not _BASE64.fullmatch(character) and character != "="
            ),
            len(text),
        )
        problem = (
            f"not base64: {text[position : position + 1]!r} at character {position + 1}"
            if text
            else "not base64: nothing is there"
        )
        raise ImageError(problem, where=where, hint="get the file again")
    bare = text.rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ImageError(f"not base64: {error}", where=where, hint="is the cell cut off? get the file again") from None


def holds_image(column: Any) -> list[bool]:
    """Which rows of a pyarrow column hold something: neither null nor an empty struct, list or text. Reads lengths."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(column, pa.ChunkedArray):
        return [one for chunk in column.chunks for one in holds_image(chunk)]
    kind = column.type
    if isinstance(kind, pa.ExtensionType):
        column, kind = column.storage, kind.storage_type
    present = column.is_valid()
    if pa.types.is_struct(kind):
        parts = [holds_image(pc.struct_field(column, name)) for name in ("bytes", "path") if _has(kind, name)]
        filled = [any(one) for one in zip(*parts, strict=True)] if parts else present.to_pylist()
        return [bool(one and valid) for one, valid in zip(filled, present.to_pylist(), strict=True)]
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _above_zero(pc.list_value_length(column))
    if pa.types.is_null(kind):
        return [False] * len(column)
    large = (pa.types.is_large_binary, pa.types.is_large_string)
    if any(test(kind) for test in (pa.types.is_binary, pa.types.is_string, *large)):
        return _above_zero(pc.binary_length(column))
    return [bool(one) for one in present.to_pylist()]


def refuse_gap(columns: Sequence[str], filled: Sequence[bool], where: str) -> None:
    """Raise DataError for an empty column before a filled one, of columns that count images: `image_1`, `image_2`, ...

    Empty cells are left out, so that the third column's image would stand for the second.
    """
    last = max((place for place, there in enumerate(filled) if there), default=0)
    if all(filled[:last]) or not all(column[-1:].isdecimal() for column in columns):
        return
    empty = filled.index(False)
    problem = f"{columns[empty]!r} is empty, and {columns[last]!r} is not: images are counted"
    raise DataError(problem, where=where, hint="fill the columns from the first on")


def _has(kind: Any, name: str) -> bool:
    return bool(kind.get_field_index(name) >= 0)


def _above_zero(lengths: Any) -> list[bool]:
    return [bool(length) for length in lengths.to_pylist()]
