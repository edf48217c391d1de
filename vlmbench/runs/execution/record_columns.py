"""Records as the columns of records.parquet, and that file written, some thousand rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from vlmbench.base.samples import Record, Response
from vlmbench.runs.storage import answer_log, arrow_columns, run_tables
from vlmbench.runs.storage.layout import RECORDS

SOMETIMES = ("history", "image_places", "examples")
"""Columns of what only some runs' requests have, in fields of the same names."""


def record_columns(records: Sequence[Record]) -> dict[str, list[Any]]:
    """All records' columns."""
    return _columns(records, _names(records))


def write(records: Sequence[Record], path: Path) -> None:
    """Write records.parquet: a group of rows after the other, so that no second copy of all is held."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = _names(records)
    schema = pa.schema([(name, run_tables.arrow_type(RECORDS, name)) for name in names])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for start in range(0, len(records) or 1, answer_log.ROWS):
            part = _columns(records[start : start + answer_log.ROWS], names)
            arrays = [arrow_columns.array(part[name], schema.field(name).type, len(records)) for name in names]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def writer(records: Sequence[Record]) -> Callable[[Path], None]:
    """What writes them where RunStore.finish says."""
    return partial(write, records)


def _names(records: Sequence[Record]) -> list[str]:
    """The columns that these records need, in their order."""
    some = [name for name in SOMETIMES if any(getattr(r.request, name) for r in records)]
    thoughts = any(r.response.reasoning or r.response.reasoning_tokens for r in records)
    return [*_ALWAYS, *some, *answer_log.PLAIN, *(answer_log.REASONING if thoughts else ())]


_ALWAYS = (
    "task", "sample_id", "question", "prompt", "images", "image_hashes", "target", "options", "tags", "cluster",
    "extra", "status", "value", "parsed_answer", "note", "key", "choice_scores", answer_log.CHECKSUM,
)  # fmt: skip


def _columns(records: Sequence[Record], names: Sequence[str]) -> dict[str, list[Any]]:
    responses = [r.response for r in records]
    columns: dict[str, list[Any]] = {
        "task": [r.task for r in records],
        "sample_id": [r.sample.id for r in records],
        "question": [r.sample.question for r in records],
        "prompt": [r.request.prompt for r in records],
        "images": [[p.name for p in r.request.images] for r in records],
        "image_hashes": [list(r.image_hashes) for r in records],
        "target": [_text(r.sample.target) for r in records],
        "options": [list(r.sample.choices) for r in records],
        "tags": [_text(dict(r.sample.tags)) for r in records],
        "cluster": [r.sample.cluster for r in records],
        "extra": [extra_text(r.sample.extra) for r in records],
        "status": [r.score.status.value for r in records],
        "value": [None if r.score.value is None else float(r.score.value) for r in records],
        "parsed_answer": [r.score.parsed_answer for r in records],
        "note": [r.score.note for r in records],
        "key": [r.key for r in records],
        "choice_scores": [_text(r.choices) if r.choices else "[]" for r in responses],
        answer_log.CHECKSUM: [answer_log.checksum(r.key, r.response) for r in records],
    }
    if "history" in names:
        columns["history"] = [_text(r.request.history) for r in records]
    if "image_places" in names:
        columns["image_places"] = [list(r.request.image_places) for r in records]
    if "examples" in names:
        columns["examples"] = [[example.id for example in r.request.examples] for r in records]
    fields = (name for name in names if name in Response.__dataclass_fields__)
    return columns | {name: [getattr(response, name) for response in responses] for name in fields}


def _text(value: Any) -> str:
    return orjson.dumps(value, default=dict).decode()


def _plain(value: Any) -> Any:
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(type(value).__name__)


def extra_text(extra: Mapping[str, Any]) -> str:
    """What a run keeps of Sample.extra, as JSON: sets sorted, names of the whole split left out.

    `null` for what JSON cannot hold: the run goes on, and comparing it says that it cannot.
    """
    if not extra:
        return "{}"
    kept = {name: value for name, value in extra.items() if not name.startswith("_")}
    try:
        return orjson.dumps(kept, default=_plain).decode()
    except TypeError:
        return "null"
