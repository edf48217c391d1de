"""Small copies of benchmarks' files, in the layouts of their authors and of the hub: drawn images, our own texts.

A layout is a table of rows, with `Shown(n)` where an image belongs; `write` puts it into a folder in its form. Tests
change rows before they are written, to see what a reader says of damaged files.
"""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.support.toys import png

Rows = Sequence[Mapping[str, Any]]
IMAGE_NUMBER = re.compile(r"image_\d")
PLACE, KEY = "@place", "@key"
"""In a row: the parquet file that it stands in, if not the layout's; its key in an object of rows, or its file."""
INSIDE = "base64"


@dataclass(frozen=True)
class Shown:
    """Stands in a row for a drawn image."""

    number: int

    @property
    def content(self) -> bytes:
        """A PNG file of a colour of its own; longer than what can be the index of another row."""
        return png((self.number % 256, 40, self.number // 256 + 60))

    @property
    def encoded(self) -> str:
        """The same as base64."""
        return base64.b64encode(self.content).decode("ascii")


@dataclass(frozen=True)
class Layout:
    """One file layout of one split."""

    spec: str
    """NAME[:SPLIT]."""
    form: str
    """A key of FORMS."""
    path: str
    """The file with the questions; of a hub dataset OWNER/NAME/FOLDER/SPLIT of most rows."""
    rows: Rows
    targets: Sequence[Any]
    """The right answers, in the order of the samples."""
    id: str = ""
    """The column of ids, where there is one."""
    answer: str = "answer"
    image: str = "image"
    """The column that names the image, or that holds it."""
    images: str = "images/{}.png"
    """Where images lie, where they are files."""
    name: str = "{}.png"
    """How rows name them; INSIDE: they hold them, as base64."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """Further files: their JSON, or their text."""

    @property
    def label(self) -> str:
        """What a test is called after."""
        return f"{self.spec}@{self.path}".replace("/", ".")

    @property
    def in_files(self) -> bool:
        """Whether images are files of their own."""
        return self.form not in ("parquet", "tsv") and self.name != INSIDE


def shown_in(value: Any) -> Iterable[Shown]:
    """The images in a value."""
    if isinstance(value, Shown):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from shown_in(one)


def _replaced(value: Any, of: Callable[[Shown], Any]) -> Any:
    if isinstance(value, Shown):
        return of(value)
    return [_replaced(one, of) for one in value] if isinstance(value, list) else value


def _plain(layout: Layout, rows: Rows) -> list[dict[str, Any]]:
    """The rows with names of images, without what only the writers read."""

    def name(one: Shown) -> str:
        return one.encoded if layout.name == INSIDE else layout.name.format(one.number)

    return [{k: _replaced(v, name) for k, v in row.items() if k not in (PLACE, KEY)} for row in rows]


def _table(layout: Layout, rows: Rows) -> str:
    separator = "\t" if layout.path.endswith(".tsv") else ","

    def cell(value: Any) -> str:
        if isinstance(value, Shown):
            return value.encoded if separator == "\t" else layout.name.format(value.number)
        return str([cell(one) for one in value]) if isinstance(value, list) else "" if value is None else str(value)

    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator="\n")
    header = list(dict.fromkeys(name for row in rows for name in row))
    writer.writerow(header)
    writer.writerows([cell(row.get(name)) for name in header] for row in rows)
    return out.getvalue()


def _lines(layout: Layout, rows: Rows) -> str:
    return "".join(json.dumps(row) + "\n" for row in _plain(layout, rows))


def _keyed(layout: Layout, rows: Rows) -> str:
    pairs = zip((row[KEY] for row in rows), _plain(layout, rows), strict=True)
    return "{" + ", ".join(f"{json.dumps(key)}: {json.dumps(row)}" for key, row in pairs) + "}"


FORMS: Mapping[str, Callable[[Layout, Rows], str]] = {
    "tsv": _table,
    "csv": _table,
    "json": lambda layout, rows: json.dumps(_plain(layout, rows)),
    "lines": _lines,
    "keyed": _keyed,
    "listed": lambda layout, rows: json.dumps({"questions": _plain(layout, rows)}),
    "data": lambda layout, rows: json.dumps({"dataset_name": "x", "data": _plain(layout, rows)}),
    "first": lambda layout, rows: json.dumps(_plain(layout, rows)[0]),
    "by question": lambda layout, rows: json.dumps(
        {"questions": {row.pop("question"): row for row in _plain(layout, rows)}}
    ),
}
"""How rows are written. `parquet`: as the hub does; `each`: a file for every row, named by its key."""


def write(layout: Layout, root: Path, rows: Rows | None = None) -> Path:
    """The layout's files, with other rows than its own if some are given; the file with the questions."""
    rows = layout.rows if rows is None else rows
    for name, content in layout.more.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    if layout.form == "parquet":
        return _write_hub(layout, root, rows)
    if layout.form == "each":
        for row in rows:
            write(replace(layout, form="first", path=str(row[KEY]), rows=[row], more={}), root)
        return root / str(rows[0][KEY])
    path = root / layout.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(FORMS[layout.form](layout, rows), "utf-8")
    for one in shown_in([value for row in rows for value in row.values()]) if layout.in_files else ():
        image = root / layout.images.format(one.number)
        image.parent.mkdir(parents=True, exist_ok=True)
        image.write_bytes(one.content)
    return path


def _write_hub(layout: Layout, root: Path, rows: Rows) -> Path:
    import datasets

    by_place: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_place.setdefault(str(row.get(PLACE, layout.path)), []).append(row)
    first = root
    for place, found in by_place.items():
        path = root / (place if place.endswith(".parquet") else f"{place}-00000-of-00001.parquet")
        path.parent.mkdir(parents=True, exist_ok=True)
        columns = [name for name in dict.fromkeys(name for row in found for name in row) if name != PLACE]
        held = [{name: _replaced(row.get(name), _struct) for name in columns} for row in found]
        data = datasets.Dataset.from_list(held)
        for name in columns:
            if any(isinstance(row.get(name), Shown) for row in found) or IMAGE_NUMBER.fullmatch(name):
                data = data.cast_column(name, datasets.Image(decode=False))
        data.to_parquet(str(path))
        first = path if first == root else first
    return first


def _struct(one: Shown) -> Mapping[str, Any]:
    return {"bytes": one.content, "path": None}
