"""Files of image captions in the forms that several benchmarks have: COCO's, Karpathy's splits, lists, rows, lines.

A split is read from the first of its files that is there. An image has all its references or none: none is where a
test split's are not published.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from vlmbench.base.errors import DataError
from vlmbench.base.samples import Sample
from vlmbench.base.task import DataFile
from vlmbench.data.files import Folder, Hub, Row, read_rows, read_text, unique
from vlmbench.data.official.files import by_key, rows_of_list
from vlmbench.data.tables.columns import given, text_or_texts
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.data.tables.image_table import ImageTable

QUESTION = "Describe the image."
"""The question of every sample: protocols have their own words for it."""


@dataclass(frozen=True)
class Captioned:
    """An image with its references, as a file has it."""

    id: str
    image: str
    """The image's name; it may begin with its folder."""
    row: Row
    references: tuple[str, ...] | None
    """None: not published."""
    tags: Mapping[str, str] = field(default_factory=dict)


Form = Callable[[Folder, Path], Sequence[Captioned]]
"""Reads a file of (folder, path). Raises DataError."""


@dataclass(frozen=True)
class CaptionFiles:
    """The files of a benchmark by split, each in one of the forms below."""

    files: Mapping[str, Sequence[tuple[DataFile, Form]]]
    """By split, the usual one first."""
    images: Mapping[str, DataFile]
    """By split, its folder of images."""
    hub: Mapping[str, HubDataset] = field(default_factory=dict)
    """By split, its copy on the hub."""
    tables: Mapping[str, ImageTable] = field(default_factory=dict)
    """By split, VLMEvalKit's table, of splits that have nothing else."""

    def required_files(self, split: str) -> Sequence[DataFile]:
        """The usual file of captions, and the images."""
        if split in self.tables:
            return self.tables[split].required_files(split)
        if split not in self.files:
            return self.hub[split].required_files(split)
        first, *others = (file for file, _ in self.files[split])
        also = (*first.also, *(path for file in others for path in (file.path, *file.also)))
        return [replace(first, also=also, split=split), replace(self.images[split], split=split)]

    def samples(self, data: Folder | Hub, split: str, task: str) -> Sequence[Sample]:
        """All images of a split, in its order. Raises DataError naming file and place."""
        if split in self.tables:
            return self.tables[split].samples(data, split, task)
        if isinstance(data, Hub) or split not in self.files:
            if split not in self.hub:
                raise DataError(f"{task}:{split} has no copy on the hub", hint="use --data DIR with the official files")
            return self.hub[split].samples(data, split, task)
        files = self.files[split]
        for file, form in files:
            if path := data.find(file.path, *file.also):
                return self._samples(data, split, form(data, path))
        names = [path for file, _ in files for path in (file.path, *file.also)]
        hint = f"`vlmbench data status {task}:{split}` says what is needed"
        data.need(f"{task}'s captions of {split}", *names, hint=hint)
        raise AssertionError

    def _samples(self, data: Folder, split: str, found: Sequence[Captioned]) -> list[Sample]:
        folders = (self.images[split].path, *self.images[split].also, ".")
        unique(((one.id, one.row) for one in found), "id")
        samples = []
        for one in found:
            image = data.image(one.row, one.image, *folders)
            tags, target = dict(one.tags), one.references
            samples.append(Sample(one.id, QUESTION, (image,), target, tags=tags, cluster=image.name))
        return samples


# --------------------------------------------------------------------------------------------------------------- forms


def coco(data: Folder, path: Path) -> list[Captioned]:
    """COCO's form: an object with lists `images` and `annotations` (of a test split without). NoCaps has domains."""
    content, rows = rows_of_list(path, "images")
    images = by_key(rows, "id")
    captions: dict[str, list[str]] = {key: [] for key in images}
    if "annotations" in content:
        _, annotations = rows_of_list(path, "annotations")
        unique(((row.key("id"), row) for row in annotations if row.has("id")), "id")
        for row in annotations:
            key = row.key("image_id")
            if key not in captions:
                raise row.error("image_id", f"there is no image {key!r:.40} in 'images'", "get the file again")
            captions[key].append(row.text("caption"))
    found = []
    for key, row in images.items():
        name = row.text("file_name", "") or row.text("image")
        tags = {"domain": domain} if (domain := given(row, "domain")) else {}
        found.append(Captioned(key, name, row, _published(row, captions[key], "annotations" in content), tags))
    return found


def karpathy(part: str) -> Form:
    """Karpathy's files of COCO and Flickr30k: an object with a list `images`, each with its split and `sentences`."""

    def read(data: Folder, path: Path) -> list[Captioned]:
        rows = [row for row in rows_of_list(path, "images")[1] if row.text("split") == part]
        if not rows:
            raise DataError(f"no image of the split {part!r}", where=str(path), hint="get the official file")
        return [_of_karpathy(row) for row in rows]

    return read


def _of_karpathy(row: Row) -> Captioned:
    name, folder = row.text("filename"), row.text("filepath", "")
    key = row.key("cocoid") if row.has("cocoid") else PurePosixPath(name).stem
    texts = []
    for number, values in enumerate(row.listing("sentences"), 1):
        if not isinstance(values, dict):
            raise row.error("sentences", f"an object was expected, not {values!r:.40}")
        texts.append(Row(values, row.file, f"{row.at}, sentence {number}").text("raw"))
    return Captioned(key, f"{folder}/{name}" if folder else name, row, _published(row, texts, True))


def listed(data: Folder, path: Path) -> list[Captioned]:
    """A JSON list of {image, caption: [...]}, as BLIP and InternVL have Karpathy's test split of COCO."""
    found = []
    for row in read_rows(path):
        name = row.text("image")
        key = PurePosixPath(name).stem.rpartition("_")[2]
        key = str(int(key)) if key.isdecimal() else key
        found.append(Captioned(key, name, row, _published(row, list(references(row, "caption") or ()), True)))
    return found


def lines(names: Sequence[str], what: str) -> Form:
    """Flickr30k's lines `NAME.jpg#0<tab>caption`, of the images that another file lists, one per line."""

    def read(data: Folder, path: Path) -> list[Captioned]:
        listing = data.need(what, *names, hint="put it beside the captions")
        wanted = {name.strip().removesuffix(".jpg"): n for n, name in enumerate(_lines(listing), 1) if name.strip()}
        captions: dict[str, list[str]] = {name: [] for name in wanted}
        for number, line in enumerate(_lines(path), 1):
            name, tab, text = line.partition("\t")
            image, mark, _ = name.partition(".jpg#")
            if line.strip() and not (tab and mark):
                where = f"{path}, line {number}"
                raise DataError("no line of the form NAME.jpg#0, tab, caption", where=where, hint="get the file again")
            if image in captions:
                captions[image].append(text.rstrip("\r"))
        rows = {name: Row({"image": name}, str(listing), f"line {number}") for name, number in wanted.items()}
        return [
            Captioned(name, f"{name}.jpg", row, _published(row, captions[name], True)) for name, row in rows.items()
        ]

    return read


def _lines(path: Path) -> list[str]:
    return read_text(path).split("\n")


def rows_by_image(data: Folder, path: Path) -> list[Captioned]:
    """TextCaps' form: an object with a list `data`, in which an image has a row per caption, or one without."""
    first: dict[str, Row] = {}
    captions: dict[str, list[str]] = {}
    rows = rows_of_list(path, "data")[1]
    unique(((row.key("caption_id"), row) for row in rows if row.has("caption_id")), "caption_id")
    for row in rows:
        key = row.key("image_id")
        first.setdefault(key, row)
        if row.has("caption_str"):
            captions.setdefault(key, []).append(row.text("caption_str"))
        elif key in captions or first[key] is not row:
            raise row.error("caption_str", f"image {key!r:.40} has another row, and no caption here")
    return [
        Captioned(key, f"{key}.jpg", row, _published(row, captions.get(key, []), bool(captions)))
        for key, row in first.items()
    ]


def references(row: Row, column: str) -> tuple[str, ...] | None:
    """The captions in a cell: a list, a text that holds one as Python writes it, or one caption. None where empty."""
    found: Any = text_or_texts(row, column)
    return (found,) if isinstance(found, str) else found


def _published(row: Row, captions: Sequence[str], published: bool) -> tuple[str, ...] | None:
    """An image's captions. Raises DataError where it has none among others that have some."""
    if published and not captions:
        raise row.error("caption", "the image has no caption, and others have some", "get the file again")
    return tuple(captions) if published else None
