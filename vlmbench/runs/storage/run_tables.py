"""The tables of a run's folder, records.parquet and judgements.parquet, read with their columns and types checked.

Damage is an error that names the file, what is wrong and a hint that works: a flipped byte (by the checksum in
run.json), a cut file, a column that is missing or of another type, a row that is there twice, rows that are not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from vlmbench.base.files import read_regular
from vlmbench.base.json_shapes import MisfitError, count, fields, list_of, mapping, mapping_of, number, optional, text
from vlmbench.base.samples import EARLIER_STATUSES, Status
from vlmbench.runs.storage.answer_log import told
from vlmbench.runs.storage.layout import JUDGEMENTS, RECORDS
from vlmbench.runs.storage.run_files import DamagedError, run_again, verify

if TYPE_CHECKING:
    import pyarrow as pa

TEXT, NUMBER, FLAG, TEXTS, NUMBERS = "text", "a number", "true or false", "a list of texts", "a list of numbers"
KINDS: Mapping[str, Mapping[str, str]] = {
    RECORDS: {
        **dict.fromkeys(
            (
                "task", "sample_id", "question", "prompt", "target", "tags", "cluster", "extra", "status",
                "parsed_answer", "note", "key", "choice_scores", "text", "finish", "error", "history",
                "reasoning",
            ),
            TEXT,
        ),
        **dict.fromkeys(("value", "prompt_tokens", "new_tokens", "reasoning_tokens", "seconds", "margin"), NUMBER),
        "crc32": NUMBER,
        **dict.fromkeys(("images", "image_hashes", "options", "examples"), TEXTS),
        "image_places": NUMBERS,
        "rerun": FLAG,
    },
    JUDGEMENTS: {
        **dict.fromkeys(("task", "sample_id", "status", "note", "judge_model"), TEXT),
        **dict.fromkeys(("run", "value"), NUMBER),
        "values": NUMBERS,
        "replies": TEXTS,
        "unread": FLAG,
    },
}  # fmt: skip
"""By table and column: what it holds; other columns may hold anything."""
ALWAYS: tuple[str, ...] = (
    "task",
    "sample_id",
    "status",
    "key",
    "run",
    "images",
    "image_hashes",
    "options",
    "values",
    "replies",
)
ALWAYS += ("prompt_tokens", "new_tokens")
"""Columns without nulls."""
WHOLE = ("prompt_tokens", "new_tokens", "reasoning_tokens", "crc32", "run")
"""Numbers that are whole."""
LATER: Mapping[str, Sequence[str]] = {
    RECORDS: ("extra", "history", "crc32", "reasoning", "reasoning_tokens", "image_places", "examples"),
    JUDGEMENTS: ("unread",),
}
"""Columns that runs of earlier versions, or runs without what they tell, have not."""
EARLIER_COLUMNS: Mapping[str, str] = {"read": "parsed_answer"}
"""Columns by the names that runs of earlier versions hold, with today's."""
KEYS: Mapping[str, Sequence[str]] = {RECORDS: ("task", "sample_id"), JUDGEMENTS: ("task", "sample_id", "run")}
"""What is there once."""
_CHOICES = list_of(fields({"choice": text, "logprob": optional(number), "tokens": count}, needed=("choice", "logprob")))
JSON: Mapping[str, Callable[[Any, str], None]] = {
    "target": lambda value, at: None,
    "tags": mapping_of(optional(text)),
    "extra": optional(mapping),
    "choice_scores": _CHOICES,
    "history": list_of(list_of(text)),
}
"""Text columns that hold JSON, and its shape."""


def read(
    folder: Path,
    name: str,
    manifest: Mapping[str, Any],
    needed: Sequence[str],
    optional_columns: Sequence[str] = (),
    *,
    rows: Mapping[str, int] | None = None,
) -> pa.Table:
    """A table of a run's folder with these columns, those optional where it has them; of text no nulls are left.

    `rows` tells how many there must be of each task. Raises DamagedError.
    """
    import pyarrow as pa

    path = folder / name
    verify(folder, name, manifest, _cure(folder, manifest))
    try:
        table = _checked(path, name, needed, optional_columns)
        if rows is not None:
            _count(table, rows)
    except FileNotFoundError:
        raise DamagedError("it is missing", where=str(path), hint=_cure(folder, manifest)) from None
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise damaged(folder, name, manifest, told(error)) from None
    return table


def damaged(folder: Path, name: str, manifest: Mapping[str, Any], what: str) -> DamagedError:
    """The error about a table, to be raised by the caller."""
    return DamagedError(f"it is damaged: {what}", where=str(folder / name), hint=_cure(folder, manifest))


def _cure(folder: Path, manifest: Mapping[str, Any]) -> str:
    again = run_again(folder, manifest)
    return f"restore it from a copy, or run {again}: it uses the answers that can be read and asks the others again"


def _checked(path: Path, name: str, needed: Sequence[str], more: Sequence[str]) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    if not path.is_file():
        read_regular(path, 0)  # says what it is instead
    with pq.ParquetFile(path) as file:
        stored = file.schema_arrow.names
        there = [EARLIER_COLUMNS.get(column, column) for column in stored]
        if lacking := [column for column in needed if column not in there]:
            raise ValueError(f"it has no column {', '.join(lacking)}")
        chosen = {old: new for old, new in zip(stored, there, strict=True) if new in needed or new in more}
        table = file.read(columns=list(chosen)).rename_columns(chosen)
    for column in table.column_names:
        kind = KINDS[name].get(column)
        if there.count(column) > 1 or (kind is not None and not _fits(table.schema.field(column).type, kind)):
            raise ValueError(f"column {column!r} does not hold {kind}")
        if column in ALWAYS and _holes(table[column], kind):
            raise ValueError(f"column {column!r} has rows without a value")
        if kind == TEXT:
            filled = pc.fill_null(table[column].cast(pa.string()), "")
            if column == "status":
                filled = _todays_statuses(filled)
            table = table.set_column(table.column_names.index(column), column, filled)
    table.validate(full=True)  # texts are UTF-8, offsets lie inside
    _check_values(table, name)
    return table


def _todays_statuses(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of statuses whose earlier names are replaced."""
    import pyarrow.compute as pc

    for old, new in EARLIER_STATUSES.items():
        column = pc.if_else(pc.equal(column, old), new, column)
    return column


def arrow_type(name: str, column: str) -> pa.DataType:
    """How a column of a table is written."""
    import pyarrow as pa

    kinds = {
        TEXT: pa.string(),
        NUMBER: pa.int64() if column in WHOLE else pa.float64(),
        FLAG: pa.bool_(),
        TEXTS: pa.list_(pa.string()),
        NUMBERS: pa.list_(pa.int64()),
    }
    return kinds[KINDS[name][column]]


def _holes(column: pa.ChunkedArray, kind: str | None) -> int:
    """How many values are missing, those inside lists included."""
    inside = column.combine_chunks().flatten().null_count if kind in (TEXTS, NUMBERS) else 0
    return int(column.null_count + inside)


def _fits(kind: pa.DataType, name: str) -> bool:
    import pyarrow as pa

    is_ = pa.types
    tests: Mapping[str, Callable[[pa.DataType], bool]] = {
        TEXT: lambda t: is_.is_string(t) or is_.is_large_string(t),
        NUMBER: lambda t: is_.is_integer(t) or is_.is_floating(t),
        FLAG: is_.is_boolean,
        TEXTS: lambda t: is_.is_list(t) and _fits(t.value_type, TEXT),
        NUMBERS: lambda t: is_.is_list(t) and _fits(t.value_type, NUMBER),
    }
    return is_.is_null(kind) or tests[name](kind)


def _check_values(table: pa.Table, name: str) -> None:
    """Raise ValueError for an unknown status, JSON that is none, and a row that is there twice."""
    import pyarrow.compute as pc

    for column in table.column_names:
        if column == "status":
            if strange := [one for one in pc.unique(table[column]).to_pylist() if one not in set(Status)]:
                raise ValueError(f"there is no status {strange[0]!r:.40}")
        elif column in JSON:
            for one in pc.unique(table[column]).to_pylist():
                _check_json(column, one)
    keys = list(KEYS[name])
    twice = table.num_rows - table.select(keys).group_by(keys).aggregate([]).num_rows
    if twice:
        raise ValueError(f"{twice:,} rows are there twice")


def _check_json(column: str, content: str) -> None:
    if not content and column in ("extra", "history"):
        return
    try:
        JSON[column](orjson.loads(content), "")
    except (orjson.JSONDecodeError, MisfitError) as error:
        raise ValueError(f"column {column!r}: {error}") from None


def _count(table: pa.Table, rows: Mapping[str, int]) -> None:
    import pyarrow.compute as pc

    there = {one["values"]: one["counts"] for one in pc.value_counts(table["task"]).to_pylist()}
    for key, told_of in rows.items():
        if there.get(key, 0) != told_of:
            raise ValueError(f"it has {there.get(key, 0):,} rows of {key}, scores.json tells of {told_of:,}")


def needed(name: str) -> list[str]:
    """The columns that every run's table has."""
    return [column for column in KINDS[name] if column not in LATER[name]]


def expected_rows(scores: Mapping[str, Any]) -> dict[str, int]:
    """How many rows each task of scores.json must have."""
    return {key: sum(entry["statuses"].values()) for key, entry in scores.items()}
