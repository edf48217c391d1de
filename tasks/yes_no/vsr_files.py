"""VSR's files: statements, the relations' categories, prediction files.

Source: cambridgeltl/visual-spatial-reasoning data/splits, analysis_scripts@b27a0af0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from vlmbench.base.errors import DataError, ImageError, PredictionsError
from vlmbench.base.samples import ImageRef, Sample
from vlmbench.base.task import DataFile
from vlmbench.data.files import Folder, Hub, Row, read_rows, read_text, unique
from vlmbench.data.predictions import answer_text, find_column, id_and_answer, join, read_files
from vlmbench.data.reading import PICTURE_BYTES

from ..families.checksums import checksum

HUB_NAMES = {"zeroshot": ("cambridgeltl/vsr_zeroshot",), "random": ("cambridgeltl/vsr_random",)}
HUB_FIELDS = ("image", "image_link", "caption", "label", "relation")
COCO = "http://images.cocodataset.org"
RAW = "https://raw.githubusercontent.com/cambridgeltl/visual-spatial-reasoning/b27a0af0ee1462d2b6b92c8c83e869d9254a241a"
PICTURES = ("images", "trainval2017", "train2017", "val2017", ".")

CATEGORIES: Mapping[str, str] = {
    "Adjacency": "adjacent to, alongside, at the side of, at the right side of, at the left side of, attached to, "
    "at the back of, ahead of, against, at the edge of",
    "Directional": "off, past, toward, down, deep down, up, away from, along, around, from, into, to, across, "
    "across from, through, down from",
    "Orientation": "facing, facing away from, parallel to, perpendicular to",
    "Projective": "on top of, beneath, beside, behind, left of, right of, under, in front of, below, above, over, "
    "in the middle of",
    "Proximity": "by, close to, near, far from, far away from",
    "Topological": "connected to, detached from, has as a part, part of, contains, within, at, on, in, with, "
    "surrounding, among, consists of, out of, between, inside, outside, touching",
    "Unallocated": "beyond, next to, opposite to, after, among, enclosed by",
}
CATEGORY_OF = {relation: name for name, relations in CATEGORIES.items() for relation in relations.split(", ")}
"""`among` is listed twice; the last place counts, as in the official script."""


def parts(split: str) -> tuple[str, str]:
    """(zeroshot or random, test or dev)."""
    kind, _, part = split.partition("_")
    return kind, part or "test"


def required_files(split: str) -> list[DataFile]:
    """One file of statements, and the pictures."""
    kind, part = parts(split)
    places = _places(split)
    licence = "Apache-2.0 (the hub's copy: CC BY 4.0)"
    url = f"{RAW}/data/splits/{kind}/{part}.jsonl"
    also, check = tuple(places[1:]), checksum(url)
    what = f"{split} statements"
    files = [DataFile(places[0], what, url, licence=licence, split=split, also=also, checksum=check)]
    terms = "COCO terms of use; pictures from Flickr under their own licences"
    for name, size in (("train2017", "18 GB"), ("val2017", "1 GB")):
        also = tuple(place for place in PICTURES[:2])
        url = f"{COCO}/zips/{name}.zip"
        files.append(DataFile(name, f"COCO {name} pictures ({size})", url, licence=terms, also=also))
    return files


def _places(split: str) -> list[str]:
    kind, part = parts(split)
    return [f"{folder}{kind}/{part}.jsonl" for folder in ("data/splits/", "splits/", "")]


def read_statements(data: Folder | Hub, split: str) -> list[Sample]:
    """The statements of a split, in the file's order."""
    kind, part = parts(split)
    if isinstance(data, Hub):
        table = data.table(HUB_NAMES[kind], "default", part if part == "test" else "validation", HUB_FIELDS)
        return [_sample(str(n), row, _linked(row)) for n, row in enumerate(_distinct(table.rows(HUB_FIELDS)), 1)]
    places = _places(split)
    path = data.need(f"VSR's file of {split}", *places, hint=f"`vlmbench data fetch vsr:{split}` gets it")
    rows = _distinct(read_rows(path))
    return [
        _sample(str(number), row, data.picture(row, row.text("image"), *PICTURES)) for number, row in enumerate(rows, 1)
    ]


def _distinct(rows: list[Row]) -> list[Row]:
    """The rows, whose places are their ids: no picture has a statement twice in the published files."""
    unique(((f"{row.text('image')}: {row.text('caption')}", row) for row in rows), "caption")
    return rows


def _sample(key: str, row: Row, picture: ImageRef) -> Sample:
    label, relation = row.integer("label"), row.text("relation")
    if label not in (0, 1):
        raise row.error("label", f"0 or 1 was expected, not {label}")
    tags = {"relation": relation}
    if relation in CATEGORY_OF:  # the official script leaves the others out of its table
        tags["category"] = CATEGORY_OF[relation]
    return Sample(
        id=key,
        question=row.text("caption"),
        images=(picture,),
        target="true" if label else "false",
        tags=tags,
        cluster=row.text("image"),
    )


def _linked(row: Row) -> ImageRef:
    """A picture the hub's rows only link to; fetched when it is needed."""
    link = row.text("image_link")
    if not link.startswith(f"{COCO}/"):
        raise row.error("image_link", f"{link!r:.60} is no address of COCO's pictures")
    return ImageRef(row.text("image"), partial(_fetched, link))


def _fetched(link: str) -> bytes:
    from http.client import HTTPException  # slow to load, and only hub rows need them
    from urllib.request import urlopen

    try:
        with urlopen(link, timeout=60) as answer:
            content = bytes(answer.read(PICTURE_BYTES))
            if answer.length:  # the connection ended early
                raise ImageError(f"{answer.length:,} bytes are missing", where=link, hint="run the same command again")
            return content
    except (OSError, HTTPException, ValueError) as error:
        hint = "check the network, or use --data DIR with COCO's train2017 and val2017"
        raise ImageError(f"cannot fetch it: {error}", where=link, hint=hint) from None


# --------------------------------------------------------------------------------------------------------- answers


def read_answers(path: Path, samples: Sequence[Sample], words: Sequence[str] = ("0", "1")) -> dict[str, str]:
    """Sample id to text. Files without ids hold one answer a statement, in the official file's order.

    `words` are what the protocol reads where the official preds.txt has 0 and 1.
    """
    if path.suffix == ".txt":
        return _numbers(path, samples, words)
    files = read_files(path)
    rows = [row for rows in files for row in rows]
    if all("pred" in row.values and "gt" in row.values for row in rows) and not find_column(rows, "id"):
        return _in_order(path, rows, samples)
    return join([one for rows in files for one in id_and_answer(rows, ("id",), samples)], samples, path)


def _numbers(path: Path, samples: Sequence[Sample], words: Sequence[str]) -> dict[str, str]:
    try:
        found = read_text(path).split("\n")
    except DataError as error:
        raise PredictionsError(error.what, where=error.where, hint=error.hint) from None
    found = found[:-1] if found[-1] == "" else found
    _check_count(path, len(found), samples)
    for number, line in enumerate(found, 1):
        if line.strip() not in ("0", "1"):
            raise PredictionsError(f"0 or 1 was expected, not {line!r:.40}", where=f"{path}, line {number}")
    return {one.id: words[int(line)] for one, line in zip(samples, found, strict=True)}


def _in_order(path: Path, rows: Sequence[Row], samples: Sequence[Sample]) -> dict[str, str]:
    """MiniGPT-v2's and TinyGPT-V's rows; what they say is right shows whether the order is that of the file."""
    _check_count(path, len(rows), samples)
    texts = {}
    for row, one in zip(rows, samples, strict=True):
        pred, right = answer_text(row, "pred"), answer_text(row, "gt")
        if right.lower() != one.target:
            what = f"the row says that {right!r} is right, statement {one.id} is {one.target}"
            raise PredictionsError(what, where=row.where, hint="use the split these answers were made with")
        texts[one.id] = pred
    return texts


def _check_count(path: Path, count: int, samples: Sequence[Sample]) -> None:
    if count != len(samples):
        what = f"{count} answers, and {len(samples)} statements"
        hint = "give one answer a statement, in the file's order (vsr:random names the other split)"
        raise PredictionsError(what, where=str(path), hint=hint)
