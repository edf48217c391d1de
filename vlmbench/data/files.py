"""Official files and hub datasets to rows; every error names the file, the line and the field.

A task reads rows (`read_rows`, `read_keyed`, `read_table`, `read_parquet`, or `Hub.table`) and takes typed fields off
them (`row.text("question")`). Images are named by their place below the data folder and read only when needed.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import orjson

from vlmbench.base.errors import DataError, ImageError, VlmbenchError
from vlmbench.base.files import unicode_problem
from vlmbench.base.paths import is_remote
from vlmbench.base.samples import ImageRef, Sample
from vlmbench.base.task import DataFile, DataSource, Task
from vlmbench.data import notes
from vlmbench.data.hub import Hub, HubTable
from vlmbench.data.reading import IMAGE_BYTES, Reaching, check_ordinary, is_dir, is_file, leaves, read_whole, reason
from vlmbench.data.rows import Row, named_columns, unique

__all__ = [
    "Folder",
    "Hub",
    "HubTable",
    "ImageFile",
    "QuestionFiles",
    "Row",
    "folder_or_hub",
    "missing_images",
    "parse_json",
    "read_json",
    "read_keyed",
    "read_object",
    "read_parquet",
    "read_rows",
    "read_samples",
    "read_table",
    "unique",
]

# --------------------------------------------------------------------------------------------------------- folders

OTHER_NAMES: Mapping[str, tuple[str, ...]] = {"mme": ("MME",), "llava_bench": ("llava-bench-in-the-wild",)}
"""Folders of benchmarks in LLaVA's and TinyLLaVA Factory's layout, where they are not the task's name."""


@dataclass(frozen=True)
class Folder:
    """A folder of official files."""

    root: Path
    label: str = ""
    """How tables name it: `sample` for embedded data, else the folder as the user wrote it."""

    def __post_init__(self) -> None:
        if not self.label:
            object.__setattr__(self, "label", str(self.root))

    @classmethod
    def sample(cls, task: str) -> Folder:
        """The embedded data of a built-in task: tasks/samples/NAME of the package."""
        for place in import_module("vlmbench.tasks").__path__:
            root = Path(place) / "samples" / task
            if root.is_dir():
                return cls(root, notes.EMBEDDED)
        hint = "name a folder of official files: --data DIR; your own task may have one in `bundled_data_dir`"
        raise DataError(f"no embedded sample of {task}", hint=hint)

    def within(self, task: str) -> Folder:
        """The folder's part for one task, so that several can share DIR: DIR/NAME, or what LLaVA's docs call it."""
        candidates = (self.root / name for name in (task, *OTHER_NAMES.get(task, ())))
        folder = next((candidate for candidate in candidates if is_dir(candidate)), None)
        return self if folder is None else Folder(folder, self.label)

    def find(self, *names: str) -> Path | None:
        """The first of several places below the folder that holds a file."""
        return next((path for name in names if is_file(path := self.root / name)), None)

    def need(self, what: str, *names: str, hint: str = "") -> Path:
        """Like `find`, but raises DataError saying where the file was looked for."""
        if not is_dir(self.root):
            raise DataError("no such folder", where=str(self.root), hint="--data takes an existing folder")
        if path := self.find(*names):
            return path
        places = names[0] if len(names) == 1 else f"{names[0]} (nor at {', '.join(names[1:])})"
        raise DataError(f"{what} is not there: no {places}", where=str(self.root), hint=hint)

    def relative(self, path: Path) -> str:
        """A path below the folder as text with slashes; `.` for the folder itself."""
        return path.relative_to(self.root).as_posix()

    def image(self, row: Row, name: str, *places: str, field: str = "image") -> ImageRef:
        """An image named by a row, looked for in folders below this one when it is read.

        A name that leaves the folder is the data file's fault: DataError. A missing image is an ImageError on read.
        """
        parts = name.replace("\\", "/").split("/")
        if problem := unicode_problem(name):
            raise row.error(field, problem, "write the whole character, or leave it out")
        if not name or "\0" in name or name.startswith(("/", "\\")) or ".." in parts or ":" in parts[0]:
            raise row.error(field, f"{name!r} is not the name of an image inside the data folder")
        return ImageRef(name, ImageFile(self.root, name, tuple(dict.fromkeys(places or ("",)))))


def repository(data: Hub, name: str, task: str) -> Folder:
    """The copy of a dataset that is official files and no table. Raises DataError where there is no local copy."""
    if data.root is None or not is_dir(data.root / name):
        hint = f"`hf download {name} --repo-type dataset --local-dir DIR/{name}`, then --data hub:DIR"
        raise DataError(f"{task} is no table on the hub: {name} has its official files", where=data.label, hint=hint)
    return Folder(data.root / name, data.label)


@dataclass(frozen=True, slots=True)
class ImageFile:
    """Reads one image of a data folder."""

    root: Path
    name: str
    places: tuple[str, ...]
    """Folders below the root to look in, by priority. They may be links; what they hold may not link out of them."""

    def path(self) -> Path | None:
        """Where the image lies; None when it is absent. Raises ImageError for a link that leaves its folder."""
        remote = is_remote(self.root)
        for place in self.places:
            if remote:  # word by word: in an object store `./a` is another name than `a`
                path = self.root.joinpath(*PurePosixPath(place).parts, *PurePosixPath(self.name).parts)
            else:
                path = Path(f"{self.root}/{place}/{self.name}")
            try:
                exists = is_file(path)
            except DataError as error:
                raise ImageError(error.what, where=error.where, hint=error.hint) from None
            if exists:
                if not remote and leaves(self.root / place, self.name):
                    raise ImageError("the image is a link out of the data folder", where=str(path), hint="copy it in")
                return path
        return None

    def __call__(self) -> bytes:
        path = self.path()
        if path is None:
            folders = ", ".join(place or "." for place in self.places)
            hint = f"put it into one of these folders there: {folders}"
            raise ImageError(f"no image {self.name}", where=str(self.root), hint=hint)
        try:
            return read_whole(path, IMAGE_BYTES)
        except DataError as error:
            raise ImageError(error.what, where=error.where, hint=error.hint) from None


class QuestionFiles(Protocol):
    """Where a benchmark's questions come from: a reader of data/tables/, or a module with these functions."""

    def required_files(self, split: str) -> Sequence[DataFile]:
        """The official files of a split."""

    def samples(self, data: Folder | Hub, split: str, task: str) -> Sequence[Sample]:
        """All questions of a split; `task` is the benchmark's name, for messages.

        Raises DataError naming file, line and field.
        """


def folder_or_hub(data: DataSource, task: str = "") -> Folder | Hub:
    """A task's data as what they are; of a folder the part for one `task`. Raises TypeError for anything else."""
    if isinstance(data, Folder):
        return data.within(task) if task else data
    if isinstance(data, Hub):
        return data
    raise TypeError(f"{type(data).__name__} is neither a Folder nor a Hub")


def read_samples(task: Task, data: Folder | Hub, split: str) -> Sequence[Sample]:
    """The samples of a split. Raises DataError also for what a file system or an object store's library raises."""
    try:
        return task.samples(data, split)
    except VlmbenchError as error:
        raise notes.lacking_split(task, data, split, error) from None
    except Exception as error:
        if isinstance(error, OSError) or (isinstance(data, Folder) and is_remote(data.root)):
            where = str(data.root) if isinstance(data, Folder) else data.label
            hint = "check the place and the credentials, then run the same command again"
            raise DataError(f"cannot read the data of {task.name}: {reason(error)}", where=where, hint=hint) from None
        raise


def missing_images(samples: Iterable[Sample]) -> list[str]:
    """Names of the images of a folder that cannot be read, each once, in order. Looks at names, not at contents."""
    checked: dict[str, bool] = {}
    for sample in samples:
        for image in sample.images:
            if image.name not in checked and isinstance(image.load, ImageFile):
                try:
                    checked[image.name] = image.load.path() is not None
                except ImageError:
                    checked[image.name] = False
    return [name for name, readable in checked.items() if not readable]


# ----------------------------------------------------------------------------------------------------------- files


def read_bytes(path: Path) -> bytes:
    """A file's bytes. Raises DataError when it cannot be read."""
    return read_whole(path)


def read_text(path: Path) -> str:
    """A UTF-8 text file, with or without a byte order mark. Raises DataError for any other encoding."""
    content = read_bytes(path)
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError("the text is UTF-16", where=str(path), hint="save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            f"not UTF-8 text: {error.reason}", where=f"{path}, line {line}", hint="save it as UTF-8"
        ) from None


def parse_json(text: str, path: Path, line: int = 0) -> Any:
    """JSON to Python: the quick parser; the standard one where it refuses (NaN, lone surrogates), or to explain."""
    try:
        return orjson.loads(text)
    except ValueError:
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            position = f"line {line or error.lineno}, column {error.colno}"
            problem = f"broken JSON: {error.msg}"
            if not text[error.pos :].strip():
                problem += " (the file ends here: is it cut off?)"
            raise DataError(problem, where=f"{path}, {position}", hint="get the file again") from None
        except RecursionError:
            raise DataError("JSON nested too deeply", where=str(path), hint="get the file again") from None
        except ValueError:  # Python refuses whole numbers of more than 4,300 digits
            position = f"{path}, line {line}" if line else str(path)
            raise DataError("a number of thousands of digits", where=position, hint="get the file again") from None


def read_json(path: Path) -> Any:
    """One JSON document. Raises DataError naming the line."""
    return parse_json(read_text(path), path)


def read_object(path: Path) -> Row:
    """One JSON object as a row. Raises DataError for any other document."""
    return _row(read_json(path), path, "the object")


def read_rows(path: Path) -> list[Row]:
    """Rows of a JSON-lines file or of a JSON array, whatever the suffix says (POPE has both under `.json`)."""
    text = read_text(path)
    if text.lstrip()[:1] == "[":
        content = parse_json(text, path)
        rows = [_row(item, path, f"item {number}") for number, item in enumerate(content, 1)]
    else:
        rows = [
            _row(parse_json(line, path, number), path, f"line {number}")
            for number, line in enumerate(text.split("\n"), 1)
            if line.strip()
        ]
    if not rows:
        raise DataError("the file is empty", where=str(path), hint="get the file again")
    return rows


def _row(values: Any, path: Path, place: str) -> Row:
    if not isinstance(values, dict):
        raise DataError(
            f"an object was expected, not {values!r:.40}", where=f"{path}, {place}", hint="get the file again"
        )
    return Row(values, str(path), place)


def read_listed(path: Path, field: str) -> list[Row]:
    """Rows of a list that is one field of a JSON object (SEED-Bench)."""
    rows = read_object(path).listing(field)
    if not rows:
        raise DataError(f"the list {field!r} is empty", where=str(path), hint="get the file again")
    return [_row(item, path, f"item {number} of {field!r}") for number, item in enumerate(rows, 1)]


def read_keyed(path: Path, field: str) -> dict[str, Row]:
    """Rows of a JSON object of objects, by key (GQA). `field` is one that each row has exactly once.

    Raises DataError for a duplicate key, which JSON parsers ignore silently: when the field's name does not occur
    as often as there are rows, the file is parsed again with an eye on keys.
    """
    text = read_text(path)
    content = parse_json(text, path)
    if not isinstance(content, dict):
        raise DataError("an object with ids as keys was expected", where=str(path), hint="get the official file")
    if not content:
        raise DataError("the object has no rows", where=str(path), hint="get the file again")
    if text.count(f'"{field}"') != len(content):
        _refuse_duplicate(text, path)
    for key in content:
        if problem := unicode_problem(key):
            raise DataError(f"a key: {problem}", where=f"{path}, key {key!a:.60}", hint="write the whole character")
    return {key: _row(values, path, f"key {key}") for key, values in content.items()}


def _refuse_duplicate(text: str, path: Path) -> None:
    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        content = dict(items)
        if len(content) != len(items):
            names = [name for name, _ in items]
            duplicate = next(name for name in content if names.count(name) > 1)
            raise DataError(f"the key {duplicate!r} is there twice", where=str(path), hint="remove one of them")
        return content

    json.loads(text, object_pairs_hook=pairs)


_CELLS = "a cell that holds the separator itself needs quotes around it; of a downloaded file, get it again"


def read_table(path: Path) -> list[Row]:
    """Rows of a .tsv (tab) or .csv (comma) file with a header line; cells may be quoted and hold base64 images."""
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    lines = io.StringIO(read_text(path), newline="")
    reader = csv.reader(lines, delimiter="\t" if path.suffix == ".tsv" else ",", strict=True)
    rows: list[Row] = []
    try:
        header = next(reader, [])
        refuse_duplicate_columns(header, path)
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                problem = f"{len(cells)} cells where the header has {len(header)}"
                raise DataError(problem, where=f"{path}, line {reader.line_num}", hint=_CELLS)
            if cells == header:
                problem = f"the header is there twice: also at line {reader.line_num}"
                raise DataError(problem, where=str(path), hint="remove one of them")
            rows.append(Row(dict(zip(header, cells, strict=True)), str(path), f"line {reader.line_num}"))
    except csv.Error as error:
        raise DataError(
            f"broken table: {error}", where=f"{path}, line {reader.line_num}", hint="get it again"
        ) from None
    if not rows:
        raise DataError("the file has no rows", where=str(path), hint="get the file again")
    return rows


def refuse_duplicate_columns(header: Sequence[str], path: Path) -> None:
    """Raise DataError for two columns of one name: only one of them would be read."""
    duplicate = next((name for name, count in Counter(header).items() if name and count > 1), None)
    if duplicate is not None:
        raise DataError(
            f"the column {duplicate!r} is there twice", where=str(path), hint="rename or remove one of them"
        )


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> list[Row]:
    """Rows of a parquet file, or only some columns of it."""
    import pyarrow.parquet as pq

    read_bytes_head(path)
    try:
        with path.open("rb") as file:
            table = pq.read_table(file, columns=None if columns is None else list(columns))
    except Exception as error:  # pyarrow's kinds, and those of an object store's library
        raise DataError(
            f"not a readable parquet file: {reason(error)}", where=str(path), hint="get the file again"
        ) from None
    if columns is not None and (absent := [name for name in columns if name not in table.column_names]):
        hint = f"it has: {named_columns(absent[0], table.column_names)}"
        raise DataError(f"no column {absent[0]!r}", where=str(path), hint=hint)
    return [Row(values, str(path), f"row {number}") for number, values in enumerate(table.to_pylist(), 1)]


def read_bytes_head(path: Path) -> None:
    """Raise DataError when a file cannot be opened at all."""
    with Reaching(path):
        if not is_remote(path):
            check_ordinary(path)
        with path.open("rb"):
            pass
