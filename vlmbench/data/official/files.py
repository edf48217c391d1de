"""Official files as data: where each may lie, where it comes from, and rows of a hub dataset with their images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vlmbench.base.errors import DataError
from vlmbench.base.samples import ImageRef
from vlmbench.base.task import DataFile
from vlmbench.data.files import Hub, Row, read_json, unique
from vlmbench.data.tables.checksums import checksum

COCO = "http://images.cocodataset.org"
COCO_TERMS = "COCO terms of use; images from Flickr under their own licences"


def places(names: Sequence[str], *folders: str) -> list[str]:
    """Where files may lie below the data folder, the usual place first: in it, or in one of some folders."""
    return [folder + name for name in names for folder in ("", *folders)]


def data_file(
    where: Sequence[str],
    what: str,
    url: str = "",
    licence: str = "",
    split: str = "",
    *,
    how: str = "",
    optional: bool = False,
) -> DataFile:
    """A file with the places where it may lie, the usual one first, and its checksum where one is known."""
    first, *others = where
    return DataFile(first, what, url, how, licence, split, tuple(others), optional, checksum(url))


def coco_images(
    subset: str, what: str, split: str = "", licence: str = COCO_TERMS, also: Sequence[str] | None = None
) -> DataFile:
    """A folder of COCO images, such as `val2014`."""
    also = (f"images/{subset}", "images") if also is None else also
    return data_file((subset, *also), what, f"{COCO}/zips/{subset}.zip", licence, split)


def rows_of_list(path: Path, field: str) -> tuple[Mapping[str, Any], list[Row]]:
    """(The other fields, the rows of one list) of a JSON object. Raises DataError, also for an empty list."""
    content = read_json(path)
    items = list_of(content, path, field)
    refuse_empty(len(items), path, field)
    rows = [row_of_list(values, path, field, number) for number, values in enumerate(items, 1)]
    return {name: value for name, value in content.items() if name != field}, rows


def list_of(content: Any, path: Path, field: str) -> list[Any]:
    """A list in a JSON object. Raises DataError."""
    if not isinstance(content, dict) or not isinstance(content.get(field), list):
        raise DataError(f"an object with a list {field!r} was expected", where=str(path), hint="get the official file")
    found: list[Any] = content[field]
    return found


def row_of_list(values: Any, path: Path, field: str, number: int) -> Row:
    """One item as a row. Raises DataError for what is no object."""
    at = f"{field}, item {number}"
    if not isinstance(values, dict):
        what = f"an object was expected, not {values!r:.40}"
        raise DataError(what, where=f"{path}, {at}", hint="get the file again")
    return Row(values, str(path), at)


def refuse_empty(count: int, path: Path, field: str) -> None:
    """Raise DataError for a list of nothing."""
    if not count:
        raise DataError(f"the list {field!r} is empty", where=str(path), hint="get the file again")


def each_by_key(rows: Iterable[Row], field: str) -> Iterator[tuple[str, Row]]:
    """Each row with the id in one of its fields. Raises DataError for an id that is there twice."""
    known: dict[str, str] = {}
    for row in rows:
        key = row.key(field)
        if key in known:
            raise row.error(field, f"{key!r} is there twice: also at {known[key]}")
        known[key] = row.at
        yield key, row


def by_key(rows: Sequence[Row], field: str) -> Mapping[str, Row]:
    """Rows by the id in one of their fields. Raises DataError for an id that is there twice."""
    return unique(((row.key(field), row) for row in rows), field)


def hub_questions(
    data: Hub,
    names: Sequence[str],
    split: str,
    fields: Sequence[str],
    image_name: Callable[[Row], str],
    key: Callable[[Row], str] = lambda row: row.key("question_id"),
) -> list[tuple[str, Row, ImageRef]]:
    """(id, row, image) of a hub dataset. Raises DataError for an id that is there twice."""
    rows = hub_rows(data, names, split, fields, image_name)
    keys = unique(((key(row), row) for row, _ in rows), "question_id")
    return [(known, row, image) for known, (row, image) in zip(keys, rows, strict=True)]


def hub_rows(
    data: Hub, names: Sequence[str], split: str, fields: Sequence[str], image_name: Callable[[Row], str]
) -> list[tuple[Row, ImageRef]]:
    """Rows of a hub dataset and their images; rows with an equal image name share the first one's."""
    table = data.table(names, "default", split, (*fields, "image"))
    rows = table.rows(fields)
    images: dict[str, ImageRef] = {}
    for index, row in enumerate(rows):
        name = image_name(row)
        if name not in images:
            images[name] = table.image(index, "image", name)
    return [(row, images[image_name(row)]) for row in rows]


def mirrored(name: str) -> tuple[str, ...]:
    """A dataset of lmms-lab, and where its copies went."""
    return f"lmms-lab/{name}", f"lmms-lab-encoder/{name}"
