"""Hub datasets with a row per question: where a split lies, and which column holds what.

Copies of the dataset's files (`--data hub:COPIES`) are read the same way. So is a folder with the columns as JSON lines
(SPLIT.jsonl, images named by their place beside it), which is how a small part of such a dataset is kept: no library
for parquet files is needed to read it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from vlmbench.base.errors import DataError
from vlmbench.base.samples import ImageRef, Sample
from vlmbench.base.task import DataFile
from vlmbench.data.files import Folder, Hub, HubTable, Row, read_rows, unique
from vlmbench.data.image_cells import refuse_gap
from vlmbench.data.tables.columns import DEFAULT, Columns, Part
from vlmbench.data.tables.image_column import check_image_column, named_images


@dataclass(frozen=True)
class HubDataset:
    """A dataset of the Hugging Face hub."""

    names: tuple[str, ...]
    """OWNER/NAME, and other owners or names of the same dataset."""
    splits: Mapping[str, str]
    """By split of the benchmark: the dataset's split, or CONFIG/SPLIT where it has several configurations."""
    columns: Columns = DEFAULT
    images: tuple[str, ...] = ("image",)
    """Columns of images. Each holds one image per row, or a list of them; empty ones are left out."""
    image_id: str = ""
    """A column, of the file or made, that names the image: rows with the same name show the same one. Empty: an image
    per row."""
    shared: bool = False
    """Whether several rows show the same image, and no column names it: equal contents are one image."""
    only: Mapping[str, Part] = field(default_factory=dict)
    """By split: which rows of the dataset's split it has, where these are not all."""
    licence: str = ""
    configs: tuple[str, ...] = ()
    """Configurations that hold a part of every split each: their rows come one after another."""
    merged: tuple[str, ...] = ()
    """OWNER/NAME of copies in which these configurations are one."""

    def required_files(self, split: str) -> Sequence[DataFile]:
        """The dataset's own files."""
        config, _, name = f"/{self.splits[split]}".rpartition("/")
        config = "/*" if self.configs else config
        path = f"{self.names[0]}{config or '/data'}/{name}-*.parquet"
        also = (f"{split}.jsonl",)
        return [DataFile(path, "questions and images", how="--data hub", licence=self.licence, split=split, also=also)]

    def open(self, data: Hub, split: str, task: str) -> HubTable:
        """The dataset's table of a split. Raises DataError for a split that it lacks, or for a missing column."""
        if split not in self.splits:
            problem = f"the hub has {task}'s split {', '.join(self.splits)} only, not {split}"
            raise DataError(problem, hint="use --data DIR with the official files")
        return self._open(data, self.names, self.splits[split].rpartition("/")[0] or "default", split)

    def _open(self, data: Hub, names: Sequence[str], config: str, split: str) -> HubTable:
        named = (self.image_id,) if self.image_id and self.image_id not in self.columns.made else ()
        needed = (*self.columns.needed, *self.images, *named, *self._parts(split))
        return data.table(names, config, self.splits[split].rpartition("/")[2], needed)

    def _tables(self, data: Hub, split: str, task: str) -> list[HubTable]:
        """The tables of all configurations; where the first is not there, that of a copy in which they are one."""
        if not self.configs or split not in self.splits:
            return [self.open(data, split, task)]
        try:
            first = self._open(data, self.names, self.configs[0], split)
        except DataError as error:
            try:
                return [self._open(data, self.merged, "default", split)]
            except DataError:
                raise error from None
        return [first, *(self._open(data, self.names, config, split) for config in self.configs[1:])]

    def _parts(self, split: str) -> tuple[str, ...]:
        return (self.only[split].column,) if split in self.only else ()

    def columns_of(self, table: HubTable, split: str = "") -> list[str]:
        """The columns of text that are read: those that are there; all where further ones are made of them."""
        names = dict.fromkeys(filter(None, (*self.columns.all, self.image_id, *self._parts(split))))
        made_from = [name for name in table.texts if name not in self.images] if self.columns.made else []
        return [name for name in dict.fromkeys((*names, *made_from)) if name in table.columns]

    def samples(self, data: Folder | Hub, split: str, task: str) -> Sequence[Sample]:
        """All rows of a split, in order. Raises DataError naming row and column."""
        if isinstance(data, Folder):
            return self._of_folder(data, split, task)
        rows: list[Row] = []
        images: list[tuple[ImageRef, ...]] = []
        for table in self._tables(data, split, task):
            found = self.columns.complete(table.rows(self.columns_of(table, split)))
            contents = table.contents(self.images[0]) if self.shared else []
            names = [
                contents[n] if any(contents) else row.key(self.image_id) if self.image_id else str(len(rows) + n + 1)
                for n, row in enumerate(found)
            ]
            first: dict[str, int] = {}
            places = [first.setdefault(name, place) for place, name in enumerate(names)]
            shown = table.images(self.images, names)
            rows += found
            images += [shown[place] for place in places]
        return self._samples(rows, images, split)

    def _of_folder(self, data: Folder, split: str, task: str) -> Sequence[Sample]:
        hint = "use --data hub, or --data hub:DIR for a folder with copies of the dataset"
        path = data.need(f"{task}'s rows of {split}", f"{split}.jsonl", hint=hint)
        found = read_rows(path)
        self.columns.check(found[0].values, str(path))
        rows = self.columns.complete(found)
        for column in self.images:
            check_image_column(rows, column, path, "name it in HubDataset(..., images=(...))")
        named = [[named_images(data, row, name) for name in self.images] for row in rows]
        for row, cells in zip(rows, named, strict=True):
            refuse_gap(self.images, [bool(refs) for refs in cells], row.where)
        return self._samples(rows, [tuple(ref for refs in cells for ref in refs) for cells in named], split)

    def _samples(self, rows: Sequence[Row], images: Sequence[tuple[ImageRef, ...]], split: str) -> list[Sample]:
        columns = self.columns
        keyed = [(columns.key(row, number), row) for number, row in enumerate(rows, 1)]
        shown = dict(zip((key for key, _ in keyed), images, strict=True))
        if part := self.only.get(split):
            keyed = part.of(keyed, rows[0].file if rows else split)
        known = unique(keyed, columns.id)
        nan_fills = columns.fills_with_nan(rows)
        return [
            columns.sample(key, row, shown[key], columns.choices(row, nan_fills=nan_fills))
            for key, row in known.items()
        ]
