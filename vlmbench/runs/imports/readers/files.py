"""Files of others, read safely: which there are below a folder, what they hold, JSON with NaN, lines that are cut.

Links that lead outside the named folder are not followed. Nothing is unpickled or evaluated.
"""

from __future__ import annotations

import ast
import csv
import io
import json
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from vlmbench.base.errors import DataError
from vlmbench.data.reading import is_dir, read_whole

FILES, DEPTH = 100_000, 16
"""A folder with more files, or deeper, is refused."""
HEAD = 1 << 20
"""Bytes of a file that are looked at to find out what it is; one row of evalscope holds an image."""
LARGEST = 4 << 30
"""Bytes of one file of rows."""
LARGEST_JSON = 1 << 30
"""Bytes of one JSON file, which is read whole."""
LITERAL = 1 << 20
"""Characters of a list that a cell of a table holds."""
OUR_RUN = "run.json"
ZIP = b"PK\x03\x04"


@dataclass(frozen=True, eq=False)
class File:
    """A file below the folder that is imported, with what it holds, as far as was asked."""

    path: Path
    root: Path
    """The folder, or the file, that was named."""

    @property
    def stem(self) -> str:
        """Its name without the last suffix."""
        return self.path.stem

    @cached_property
    def head(self) -> bytes:
        """Its beginning."""
        with self.path.open("rb") as file:
            return file.read(HEAD)

    @cached_property
    def is_zip(self) -> bool:
        """Whether it is an archive: an Excel sheet, or a log of Inspect."""
        return self.head.startswith(ZIP)

    @cached_property
    def first_row(self) -> Mapping[str, Any]:
        """The first line, where it is a JSON object and there may be more; else nothing."""
        line, _, rest = self.head.lstrip().partition(b"\n")
        if not line.startswith(b"{"):
            return {}
        if not rest and len(self.head) == HEAD:
            line = _first_line(self.path)
        with suppress(ValueError):
            row = parsed(line)
            return row if isinstance(row, dict) else {}
        return {}

    @cached_property
    def document(self) -> Any:
        """The whole file as one JSON document; None for any other file, and for several lines of objects."""
        if self.first_row and self.head.lstrip().partition(b"\n")[2].lstrip()[:1] == b"{":
            return None
        if self.head.lstrip()[:1] not in (b"{", b"["):
            return None
        with suppress(ValueError):
            return parsed(read_whole(self.path, LARGEST_JSON))
        return None

    @cached_property
    def top(self) -> Mapping[str, Any]:
        """The document, where it is an object; else nothing."""
        return self.document if isinstance(self.document, dict) else {}


def _first_line(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.readline(64 << 20)


def listed(path: Path) -> list[File]:
    """The files below a folder in order of name, or the one file. Raises DataError."""
    if not is_dir(path):
        if not path.is_file():
            what = "it is no ordinary file" if path.exists() else "there is no such file or folder"
            raise DataError(what, where=str(path), hint="name a result file of another harness, or a folder of them")
        return [File(path, path.parent)]
    real = path.resolve()
    found: list[File] = []
    for folder, folders, names in os.walk(path, followlinks=False):
        here = Path(folder)
        if len(here.relative_to(path).parts) > DEPTH:
            raise DataError(f"folders are nested more than {DEPTH} deep", where=folder, hint="name a folder inside it")
        if OUR_RUN in names and (here / "records.parquet").exists():  # a run of ours, perhaps an earlier import
            folders[:] = []
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = here / name
            if name.startswith((".", "~$")) or not file.is_file():
                continue
            if file.is_symlink() and not file.resolve().is_relative_to(real):
                continue
            found.append(File(file, path))
        if len(found) > FILES:
            raise DataError(f"it holds more than {FILES:,} files", where=str(path), hint="name a folder inside it")
    return found


def parsed(content: bytes | str) -> Any:
    """JSON, in which NaN and Infinity may stand, as Python writes them. Raises ValueError."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        try:
            return json.loads(content)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None


@dataclass
class Lines:
    """The rows of a file of JSON lines, and what is peculiar about it."""

    rows: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    """(line, row)."""
    notes: list[str] = field(default_factory=list)


def json_lines(path: Path) -> Lines:
    """Every row of a file of JSON lines; a cut last line is left out, with a note.

    Raises DataError for a line that cannot be read where others follow, and for a file without any row.
    """
    found = Lines()
    lines = read_whole(path, LARGEST).split(b"\n")
    last = max((number for number, line in enumerate(lines, 1) if line.strip()), default=0)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = parsed(line)
        except ValueError as error:
            if number == last and number > 1:
                found.notes.append(f"{path.name}: the file is cut: line {number} is not whole and was left out")
                break
            hint = "the file is damaged or no JSON lines: copy it again"
            raise DataError(f"line {number} is not JSON: {error}", where=str(path), hint=hint) from None
        if not isinstance(row, dict):
            raise DataError(f"line {number} is no object", where=str(path), hint="name the file of samples")
        found.rows.append((number, row))
    if not found.rows:
        raise DataError("there is no row in it", where=str(path), hint="the run wrote no samples, or the file is cut")
    return found


def table(content: bytes, path: Path, delimiter: str) -> list[dict[str, str | None]]:
    """Rows of a table with a header; cells are text as they stand, empty ones None. Raises DataError."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"it is not UTF-8 text: {error}", where=str(path), hint="copy the file again") from None
    csv.field_size_limit(1 << 27)
    try:
        lines = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    except csv.Error as error:
        raise DataError(f"no readable table: {error}", where=str(path), hint="copy the file again") from None
    header = lines[0] if lines else []
    return [
        {name: (cell if cell != "" else None) for name, cell in zip(header, line, strict=False)}
        for line in lines[1:]
        if any(line)
    ]


def literal(text: Any) -> Any:
    """A list that a cell holds as Python writes it, or as JSON; anything else as it is. Nothing is evaluated."""
    if not isinstance(text, str) or not text.lstrip().startswith(("[", "(")) or len(text) > LITERAL:
        return text
    with suppress(ValueError, SyntaxError, MemoryError, RecursionError):
        found = ast.literal_eval(text)
        return list(found) if isinstance(found, tuple) else found
    with suppress(ValueError):
        return parsed(text)
    return text


def number(value: Any) -> float | None:
    """A finite number, also from text; None for anything else. True and false are 1 and 0."""
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        if value.strip().lower() in ("true", "false"):
            return float(value.strip().lower() == "true")
        with suppress(ValueError):
            value = float(value)
    if isinstance(value, int | float) and math.isfinite(value):
        return float(value)
    return None


def words(value: Any) -> str:
    """A value as text; empty for none."""
    return "" if value is None else value if isinstance(value, str) else str(value)


def as_mapping(value: Any) -> Mapping[str, Any]:
    """An object; an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> Sequence[Any]:
    """A list; an empty one in place of anything else."""
    return value if isinstance(value, list) else []


def arguments(text: Any) -> dict[str, str]:
    """`model_args` of the lm-eval family as a mapping: `a=b,c=d`, or a mapping already."""
    if isinstance(text, dict):
        return {str(name): words(value) for name, value in text.items()}
    pairs = (part.partition("=") for part in words(text).split(","))
    return {name.strip(): value for name, equals, value in pairs if equals}


def without_secrets(facts: Mapping[str, Any]) -> dict[str, str | int | float | bool]:
    """Plain facts, short and without anything that may be a key, a token or an address."""
    secret = re.compile(r"key|token|secret|passw|auth|url|header", re.IGNORECASE)
    kept = {name: value for name, value in facts.items() if not secret.search(name)}
    return {
        name: value if isinstance(value, int | float | bool) else str(value)[:200]
        for name, value in kept.items()
        if isinstance(value, int | float | bool | str) and value != ""
    }


def doubled(keys: Iterable[Any]) -> set[Any]:
    """The keys that come more than once."""
    seen: set[Any] = set()
    return {key for key in keys if key in seen or seen.add(key)}  # type: ignore[func-returns-value]
