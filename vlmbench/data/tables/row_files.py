"""Files with a row per question, and their images in a folder: JSON (lines, an array, an object by id), CSV or TSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vlmbench.base.errors import DataError
from vlmbench.base.samples import ImageRef, Sample
from vlmbench.base.task import DataFile
from vlmbench.data.answers.predictions import refuse_duplicate_keys
from vlmbench.data.files import Folder, Hub, Row, read_keyed, read_listed, read_rows, read_table, unique
from vlmbench.data.tables.columns import DEFAULT, Columns, Part
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.data.tables.image_column import check_image_column, named_images

TABLES = (".csv", ".tsv")


@dataclass(frozen=True)
class RowFiles:
    """The question files of a benchmark by split, and what their columns are called."""

    files: Mapping[str, Sequence[DataFile]]
    """By split: the question file, then whatever else is needed (the images)."""
    columns: Columns = DEFAULT
    image: str = "image"
    """The column that names the image, or a list of images; a row without a value has none. Empty: no images."""
    folders: tuple[str, ...] = ("images", ".")
    """Where images are looked for, below the data folder."""
    keyed_by: str = ""
    """A field that each row has, where the file is one object of rows by id."""
    listed_in: str = ""
    """The field with the list of rows, where the file is one object."""
    only: Mapping[str, Part] = field(default_factory=dict)
    """By split: which rows of its file it has, where these are not all."""
    hub: HubDataset | None = None
    needs_image: bool = False
    """Whether a row without an image is refused."""

    @property
    def splits(self) -> Sequence[str]:
        """The splits, the default first."""
        return tuple(self.files)

    def required_files(self, split: str) -> Sequence[DataFile]:
        """The question file and the images."""
        return self.files[split]

    def samples(self, data: Folder | Hub, split: str, task: str) -> Sequence[Sample]:
        """All rows of a split, in order. Raises DataError naming line and field."""
        if isinstance(data, Hub):
            if self.hub is None:
                raise DataError(f"{task} has no copy on the hub", hint="use --data DIR with the official files")
            return self.hub.samples(data, split, task)
        file = self.files[split][0]
        hint = f"`vlmbench data status {task}:{split}` says what is missing"
        rows = self._rows(data.need(f"{task}'s questions of {split}", file.path, *file.also, hint=hint), split)
        nan_fills = self.columns.fills_with_nan(rows.values())
        return [
            self.columns.sample(key, row, self._images(data, row), self.columns.choices(row, nan_fills=nan_fills))
            for key, row in rows.items()
        ]

    def _rows(self, path: Path, split: str) -> Mapping[str, Row]:
        keyed = read_keyed(path, self.keyed_by) if self.keyed_by else {}
        rows = list(keyed.values()) if self.keyed_by else self._read(path)
        if not rows:
            raise DataError("there is no row in it", where=str(path), hint="get the file again")
        if part := self.only.get(split):
            rows = [row for _, row in part.of([("", row) for row in rows], str(path))]
        self.columns.check(rows[0].values, str(path))
        rows = self.columns.complete(rows)
        if self.image:
            check_image_column(rows, self.image, path, "name the column: RowFiles(..., image='NAME')")
        if keyed:
            return dict(zip(keyed, rows, strict=True))
        return unique(((self.columns.key(row, number), row) for number, row in enumerate(rows, 1)), self.columns.id)

    def _read(self, path: Path) -> Sequence[Row]:
        if path.suffix in TABLES:
            return read_table(path)
        if self.listed_in:
            return read_listed(path, self.listed_in)
        rows = read_rows(path)
        refuse_duplicate_keys(path, rows)
        return rows

    def _images(self, data: Folder, row: Row) -> tuple[ImageRef, ...]:
        images = named_images(data, row, self.image, *self.folders) if self.image else ()
        if self.needs_image and not images:
            raise row.error(
                self.image, "the question has no image", "it cannot be answered without: get the file again"
            )
        return images
