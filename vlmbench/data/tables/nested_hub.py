"""Hub datasets with a row per image, in which a list holds the image's questions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from vlmbench.base.samples import ImageRef, Sample
from vlmbench.data.files import Folder, Hub, Row
from vlmbench.data.tables.hub_dataset import HubDataset


@dataclass(frozen=True)
class NestedDataset(HubDataset):
    """Its `columns` are those of a question; a folder has a question per line."""

    nested: str = "qa"
    """The column with the list."""

    def samples(self, data: Folder | Hub, split: str, task: str) -> Sequence[Sample]:
        """All questions of a split, image by image. Raises DataError naming row and column."""
        if isinstance(data, Folder):
            return super().samples(data, split, task)
        config, _, name = self.splits[split].rpartition("/")
        table = data.table(self.names, config or "default", name, (self.nested, *self.images))
        rows: list[Row] = []
        images: list[tuple[ImageRef, ...]] = []
        for index, row in enumerate(table.rows((self.nested,))):
            shown = tuple(table.image(index, column, str(index + 1)) for column in self.images)
            for question in _questions(row, self.nested):
                self.columns.check(question.values, question.where)
                rows.append(question)
                images.append(shown)
        return self._samples(self.columns.complete(rows), images, split)


def _questions(row: Row, column: str) -> Iterator[Row]:
    """The questions in a cell: a list of objects, or an object of lists, as datasets write a sequence of objects."""
    cell: Any = row.values.get(column)
    if isinstance(cell, dict) and all(isinstance(values, list) for values in cell.values()):
        cell = [dict(zip(cell, values, strict=False)) for values in zip(*cell.values(), strict=False)]
    if not isinstance(cell, list) or not all(isinstance(item, dict) for item in cell):
        raise row.error(column, f"a list of questions was expected, not {cell!r:.40}")
    for number, item in enumerate(cell, 1):
        yield Row(item, row.file, f"{row.at}, question {number}")
