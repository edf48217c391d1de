"""Official files as data: where each may lie, where it comes from, and rows of a hub dataset with their images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from vlmbench.base.samples import ImageRef
from vlmbench.base.task import DataFile
from vlmbench.data.files import Hub, Row, unique

from .checksums import checksum

COCO = "http://images.cocodataset.org"
COCO_TERMS = "COCO terms of use; pictures from Flickr under their own licences"


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


def by_key(rows: Sequence[Row], field: str) -> Mapping[str, Row]:
    """Rows by the id in one of their fields. Raises DataError for an id that is there twice."""
    return unique(((row.key(field), row) for row in rows), field)


def hub_rows(
    data: Hub,
    names: Sequence[str],
    split: str,
    fields: Sequence[str],
    image_name: Callable[[Row], str],
    config: str = "default",
) -> list[tuple[Row, ImageRef]]:
    """Rows of a hub dataset and their images; rows with an equal image name share the first one's."""
    table = data.table(names, config, split, (*fields, "image"))
    rows = table.rows(fields)
    images: dict[str, ImageRef] = {}
    for index, row in enumerate(rows):
        name = image_name(row)
        if name not in images:
            images[name] = table.picture(index, "image", name)
    return [(row, images[image_name(row)]) for row in rows]


def mirrored(name: str) -> tuple[str, ...]:
    """A dataset of lmms-lab, and where its copies went."""
    return f"lmms-lab/{name}", f"lmms-lab-encoder/{name}"
