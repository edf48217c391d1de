"""VLMEvalKit's tables: one TSV per split, a row per question, its image in the row as base64.

A short image cell is the index of another row, whose image it shares; one in brackets is a list of images. A file of a
circular benchmark holds a question once per rotation of its options: row i, then i + 10^6, i + 2·10^6, ..., or rows
with the same `g_index`. Options may be hidden: see `Columns.choices`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from vlmbench.base.errors import DataError, ImageError
from vlmbench.base.samples import ImageRef, Sample
from vlmbench.base.task import DataFile
from vlmbench.data.files import Folder, Hub, Row, read_table, unique
from vlmbench.data.image_cells import decode_base64
from vlmbench.data.tables.checksums import checksum
from vlmbench.data.tables.columns import Columns, Part, given
from vlmbench.data.tables.hub_dataset import HubDataset

SITE = "https://opencompass.openxlab.space/utils/VLMEval"
"""Where VLMEvalKit keeps most of its tables."""
SHARED = 64
"""An image cell of at most so many characters may be the index of another row."""
ROTATION = 10**6
"""Added to a question's index for each rotation of its options."""
GROUP = "g_index"
"""The column that names the question of a rotation, in files whose indices do not follow that rule."""


def columns(options: str = "ABCD", *, tags: Mapping[str, str] | None = None, hidden_answers: bool = False) -> Columns:
    """The columns of these tables, with a letter per option ("" where questions have none)."""
    return Columns(id="index", options=tuple(options), tags=tags or {}, hidden_answers=hidden_answers)


TABLE = columns()


def table(name: str, url: str = "", also: Sequence[str] = (), licence: str = "") -> DataFile:
    """The file of one split. `url` is the folder that it is fetched from."""
    how = "" if url else "get it from its authors"
    url = f"{url}/{name}" if url else ""
    return DataFile(name, "questions and images", url, how, licence, also=tuple(also), checksum=checksum(url))


def kit_table(
    split: str,
    name: str,
    licence: str = "",
    *,
    site: str = "",
    options: str = "ABCD",
    tags: Mapping[str, str] | None = None,
) -> ImageTable:
    """VLMEvalKit's table of a split whose questions have options."""
    return ImageTable({split: table(name, site or SITE, licence=licence)}, columns(options, tags=tags))


@dataclass(frozen=True, slots=True)
class CellImage:
    """Decodes the image in a cell of a table."""

    cell: str
    where: str

    def __call__(self) -> bytes:
        return decode_base64(self.cell, self.where)


@dataclass(frozen=True)
class ImageTable:
    """The tables of a benchmark by split, and what their columns are called."""

    files: Mapping[str, DataFile]
    """By split. `also` names older files that are taken where the first one is missing."""
    columns: Columns = TABLE
    rotated: bool = False
    """Whether questions are repeated with their options rotated; samples then know `group` and `turns` (extra)."""
    named: bool = False
    """Whether indices are names, not numbers."""
    tags: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By split, tags that all its samples have."""
    only: Mapping[str, Part] = field(default_factory=dict)
    """By split: which rows of its file it has, where these are not all."""
    hub: HubDataset | None = None
    """The hub's copy of the same table."""

    @property
    def splits(self) -> Sequence[str]:
        """The splits, the default first."""
        return tuple(self.files)

    def required_files(self, split: str) -> Sequence[DataFile]:
        """One table, with the images inside."""
        return [replace(self.files[split], split=split)]

    def samples(self, data: Folder | Hub, split: str, task: str) -> Sequence[Sample]:
        """All rows of a split; ids are the rows' indices. Raises DataError naming line and column."""
        if isinstance(data, Hub):
            return self._of_hub(data, split, task)
        hint = self._hint(data, split, task)
        rows = read_table(data.need(f"{task}'s table of {split}", *self._names(split), hint=hint))
        known = self._known(rows, self.columns)
        owners = {key: _owner(key, row, known, named=self.named) for key, row in known.items()}
        images = _images({key: known[owner] for key, owner in owners.items()})
        if part := self.only.get(split):
            known = dict(part.of(list(known.items()), rows[0].file))
        return self._samples(known, images, split, self.columns)

    def _names(self, split: str) -> tuple[str, ...]:
        return self.files[split].path, *self.files[split].also

    def _hint(self, data: Folder, split: str, task: str) -> str:
        """What to do where the file is missing: name another split whose file is there, or fetch it."""
        others = [other for other in self.files if other != split and data.find(*self._names(other))]
        if others:
            return f"there is a file of {', '.join(others)}: name it, {task}:{others[0]}"
        fetch = "fetch" if self.files[split].url else "status"
        return f"`vlmbench data {fetch} {task}` {'gets it' if fetch == 'fetch' else 'says what is needed'}"

    def _known(self, rows: Sequence[Row], columns: Columns) -> Mapping[str, Row]:
        """Rows by index: a whole number, except in tables that say otherwise."""
        columns.check(rows[0].values, rows[0].file)
        key = Row.key if self.named else Row.integer
        return unique(((str(key(row, columns.id)), row) for row in columns.complete(rows)), columns.id)

    def _of_hub(self, data: Hub, split: str, task: str) -> Sequence[Sample]:
        if self.hub is None:
            raise DataError(f"{task} has no copy on the hub", hint="use --data DIR with the official files")
        source = self.hub.open(data, split, task)
        fields = self.hub.columns_of(source)
        rows = source.rows([*fields, *(GROUP for _ in fields[:1] if GROUP in source.columns)])
        known = self._known(rows, self.hub.columns)
        groups = {key: self._group(key, row) for key, row in known.items()}
        first: dict[str, int] = {}
        for place, key in enumerate(known):
            first.setdefault(groups[key], place)
        images = {group: (source.image(place, "image", f"{group}.jpg"),) for group, place in first.items()}
        return self._samples(known, {key: images[group] for key, group in groups.items()}, split, self.hub.columns)

    def _group(self, key: str, row: Row) -> str:
        if not self.rotated:
            return key
        return str(row.integer(GROUP) if given(row, GROUP) else int(key) % ROTATION)

    def _samples(
        self, known: Mapping[str, Row], images: Mapping[str, tuple[ImageRef, ...]], split: str, columns: Columns
    ) -> list[Sample]:
        groups = {key: self._group(key, row) for key, row in known.items()}
        turns = Counter(groups.values())
        nan_fills = columns.fills_with_nan(known.values())
        samples = []
        for key, row in known.items():
            group = groups[key]
            choices = columns.choices(row, turns[group], nan_fills=nan_fills)
            extra = {"group": int(group), "turns": turns[group]} if self.rotated else {}
            tags = self.tags.get(split, {})
            samples.append(columns.sample(key, row, images[key], choices, tags=tags, extra=extra))
        return samples


def _owner(key: str, row: Row, known: Mapping[str, Row], *, named: bool) -> str:
    """The row that holds a row's image. Raises DataError."""
    cell = row.text("image")
    if named and cell.strip() in known:
        other = cell.strip()
    elif len(cell) > SHARED or _is_list(cell) or _is_image(cell):
        return key
    else:
        other = str(row.integer("image")) if cell.strip().isdecimal() else ""
    if other not in known:
        raise row.error("image", f"neither an image nor the index of a row: {cell!r:.40}")
    shared = known[other].text("image")
    if len(shared) <= SHARED and not _is_list(shared) and not _is_image(shared) and other != key:
        raise row.error("image", f"names row {other}, which has no image of its own")
    if other == key:
        raise row.error("image", "names its own row")
    return other


def _is_image(cell: str) -> bool:
    """Whether a short cell holds an image of few pixels, not the index of a row."""
    if cell.strip().isdecimal():
        return False
    try:
        return bool(decode_base64(cell, ""))
    except ImageError:
        return False


def _images(owners: Mapping[str, Row]) -> dict[str, tuple[ImageRef, ...]]:
    """The images of each row. Equal ones are one image, named after the first row that shows it."""
    by_content: dict[bytes, ImageRef] = {}
    by_owner: dict[int, tuple[ImageRef, ...]] = {}
    images: dict[str, tuple[ImageRef, ...]] = {}
    for key, row in owners.items():
        if id(row) not in by_owner:
            cells = _cells(row)
            refs = []
            for number, cell in enumerate(cells, 1):
                name = f"{key}.jpg" if len(cells) == 1 else f"{key}_{number}.jpg"
                image = ImageRef(name, CellImage(cell, f"{row.where}, field 'image'"))
                refs.append(by_content.setdefault(hashlib.sha256(cell.encode()).digest(), image))
            by_owner[id(row)] = tuple(refs)
        images[key] = by_owner[id(row)]
    return images


def _cells(row: Row) -> list[str]:
    """The encoded images of a row: one, or a list as Python writes it, whose texts hold neither commas nor quotes."""
    cell = row.text("image")
    if not _is_list(cell):
        return [cell]
    return [text.strip().strip("'\"") for text in cell.strip()[1:-1].split(",") if text.strip()]


def _is_list(cell: str) -> bool:
    return cell.lstrip()[:1] == "[" and cell.rstrip()[-1:] == "]"
