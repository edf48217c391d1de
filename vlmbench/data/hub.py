"""Datasets of the Hugging Face hub, through the `datasets` library; or the same files from a local folder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from vlmbench.base.errors import DataError
from vlmbench.base.process.hub_network import unreachable
from vlmbench.base.samples import ImageRef
from vlmbench.data.image_cells import holds_image, image_bytes, refuse_gap
from vlmbench.data.rows import Row, named_columns

_PIECE = 4096
CARD = "README.md"
"""What tells the library which files hold a configuration's splits."""


@dataclass(frozen=True)
class Hub:
    """Where hub datasets come from."""

    root: Path | None = None
    """A folder with copies of the datasets' repositories (`ROOT/OWNER/NAME/…parquet`); None: the hub itself."""
    label: str = "hub"

    def table(self, names: Sequence[str], config: str, split: str, fields: Sequence[str]) -> HubTable:
        """One split of a dataset, known by one of several names (datasets move). Raises DataError.

        `fields` are the columns that must be there; `config` is `default` where the dataset has no others. `val+test`
        is two splits, one after the other.
        """
        failures: list[str] = []
        absent_network = unreachable() if self.root is None else ""
        for name in names:
            try:
                data = self._load(name, config, split)
            except Exception as error:
                failures.append(f"{name}: {str(error).splitlines()[0] if str(error) else type(error).__name__}")
                continue
            where = f"{name}, {config}, split {split}"
            if absent := [field for field in fields if field not in data.column_names]:
                hint = f"it has: {named_columns(absent[0], data.column_names)}"
                raise DataError(f"no column {absent[0]!r}", where=where, hint=hint)
            return HubTable(data, where, self.root / name if self.root else None)
        hint = "check the network, or use --data DIR with the official files (`vlmbench data status`)"
        if absent_network:
            what = f"{names[0]}, split {split}: not in the hub's cache, and {absent_network}"
            raise DataError(what, where=self.label, hint=hint)
        raise DataError(f"cannot load {config}, split {split}: {'; '.join(failures)}", where=self.label, hint=hint)

    def _load(self, name: str, config: str, split: str) -> Any:
        import datasets

        configuration = None if config == "default" else config
        if self.root is None:
            return _undecoded(datasets.load_dataset(name, configuration, split=split))
        base = self.root / name
        folders = [base / config, base / "data", base] if config == "default" else [base / config]
        for folder in folders:
            parts = {part: sorted(map(str, folder.glob(f"{part}[-.]*parquet"))) for part in split.split("+")}
            if all(parts.values()):
                return _undecoded(datasets.load_dataset("parquet", data_files=parts, split=split))
        if (base / CARD).is_file():  # it may name files that are called otherwise: test_2d.parquet
            return _undecoded(datasets.load_dataset(str(base), configuration, split=split))
        raise FileNotFoundError(f"no {split}-*.parquet in {folders[0]}")


def _undecoded(data: Any) -> Any:
    """Images stay encoded: decoding is for images.py."""
    import datasets

    for name, feature in data.features.items():
        if (plain := _plain(feature, datasets.Image)) is not None:
            data = data.cast_column(name, plain)
    return data


def _plain(feature: Any, image: Any) -> Any:
    """A feature of images, or of lists of images, without decoding; None for any other."""
    if isinstance(feature, image):
        return image(decode=False)
    inner = feature[0] if isinstance(feature, list) and feature else getattr(feature, "feature", None)
    if inner is None or (plain := _plain(inner, image)) is None:
        return None
    return [plain] if isinstance(feature, list) else type(feature)(plain)


class HubTable:
    """One split of a hub dataset."""

    def __init__(self, data: Any, where: str, folder: Path | None = None) -> None:
        """`folder` holds the data set's own files, which its cells may name; None on the hub."""
        self.data, self.where, self.folder = data, where, folder

    def rows(self, fields: Sequence[str]) -> list[Row]:
        """Some columns of every row. Leave images out: `image` reads them one by one."""
        columns: Mapping[str, Sequence[Any]] = self.data.select_columns(list(fields)).to_dict()
        return [
            Row(dict(zip(fields, values, strict=True)), self.where, f"row {number}")
            for number, values in enumerate(zip(*(columns[name] for name in fields), strict=True), 1)
        ]

    def contents(self, field: str) -> list[str]:
        """A name for the image in each row, the same for images with the same bytes; empty where there is none.

        It is made of an image's length, its first and its last 4 KiB, so that little of the file is read.
        """
        return [name for chunk in self.data.data.column(field).chunks for name in _content_names(chunk)]

    def filled(self, field: str) -> list[bool]:
        """Which rows have something in a column, without reading it."""
        return holds_image(self.data.data.column(field))

    @property
    def columns(self) -> list[str]:
        """The names of its columns."""
        return list(self.data.column_names)

    @property
    def texts(self) -> list[str]:
        """The names of the columns that hold no images."""
        return [name for name in self.columns if not _of_images(self.data.data.column(name).type)]

    def image(self, index: int, field: str, name: str, item: int | None = None) -> ImageRef:
        """The image in one row, or one item of the list of images in it; read when needed."""
        return ImageRef(name, partial(_encoded, self.data, self.where, index, field, item, self.folder))

    def images(self, fields: Sequence[str], names: Sequence[str]) -> list[tuple[ImageRef, ...]]:
        """The images of every row, in columns that hold one each or lists of them; empty cells are left out.

        `names` are those of the rows: a row's only image has the row's name, several are NAME/1, NAME/2, ...
        """
        by_field = [self._items(field) for field in fields]
        for index in range(len(names) if len(fields) > 1 else 0):
            refuse_gap(fields, [len(items[index]) > 0 for items in by_field], f"{self.where}, row {index + 1}")
        cells = [
            [(field, item) for field, items in zip(fields, by_field, strict=True) for item in items[index]]
            for index in range(len(names))
        ]
        return [
            tuple(
                self.image(index, field, names[index] if len(row) == 1 else f"{names[index]}/{number}", item)
                for number, (field, item) in enumerate(row, 1)
            )
            for index, row in enumerate(cells)
        ]

    def _items(self, field: str) -> list[Sequence[int | None]]:
        """For every row the places in its list of images; [None] for an image by itself, empty for none."""
        import pyarrow as pa
        import pyarrow.compute as pc

        column = self.data.data.column(field)
        if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
            return [range(count or 0) for count in pc.list_value_length(column).to_pylist()]
        return [[None] if filled else [] for filled in holds_image(column)]


def _of_images(kind: Any) -> bool:
    """Whether a type of a column is one of encoded images, or of lists of them."""
    import pyarrow as pa

    if isinstance(kind, pa.ExtensionType):
        return _of_images(kind.storage_type)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _of_images(kind.value_type)
    if pa.types.is_struct(kind):
        return bool(kind.get_field_index("bytes") >= 0)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _content_names(chunk: Any) -> list[str]:
    import pyarrow as pa
    import pyarrow.compute as pc

    storage = chunk.storage if isinstance(chunk.type, pa.ExtensionType) else chunk
    values = pc.struct_field(storage, "bytes") if pa.types.is_struct(storage.type) else storage
    buffers = (memoryview(one.as_buffer()) if one.is_valid else memoryview(b"") for one in values)
    return [
        hashlib.sha256(b"%d " % len(b) + bytes(b[:_PIECE]) + bytes(b[-_PIECE:])).hexdigest()[:16] if len(b) else ""
        for b in buffers
    ]


def _encoded(data: Any, where: str, index: int, field: str, item: int | None, folder: Path | None) -> bytes:
    cell = data[index][field]
    where = f"{where}, row {index + 1}, field {field!r}"
    return image_bytes(cell if item is None else cell[item], where, folder)
