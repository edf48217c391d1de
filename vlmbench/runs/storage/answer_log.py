"""The answers that a run's folder keeps: lines of its log, rows of its records, each with a checksum of its own.

    {"key": "...", "response": {...}, "crc32": "0a1b2c3d"}      a line of log.jsonl; the sum is of all before it
    crc32                                                       such a sum, as a column of records.parquet

An answer is used again only if its checksum holds and every field has its type: a flipped letter is never served as
what the model said. What is damaged is named, and its question asked again. Lines and rows of earlier versions have no
checksum; they are read too. Lines end at \\n alone: a stray \\r inside one damages that one.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from vlmbench.base import json_shapes as shapes
from vlmbench.base.errors import StoreError
from vlmbench.base.files import read_regular
from vlmbench.base.json_shapes import MisfitError, count, fields, flag, list_of, number, one_of, optional, text
from vlmbench.base.samples import ChoiceScore, Response

FINISHES = ("stop", "length", "error")
LARGEST_LOG = 64 << 30
ROWS = 2_000
"""Rows of records.parquet in one group: what one damaged place in the file may take with it."""
CHECKSUM = "crc32"
CHOICES = "choice_scores"
REASONING = ("reasoning", "reasoning_tokens")
"""Columns that only runs of thinking models have."""
PLAIN = tuple(name for name in Response.__dataclass_fields__ if name not in ("choices", *REASONING))
"""Fields of a response that are columns of the same name."""

_SUMMED = re.compile(rb'(.*),"crc32":"([0-9a-f]{8})"\}', re.DOTALL)
_CHOICE = fields({"choice": text, "logprob": number, "tokens": count}, needed=("choice", "logprob", "tokens"))


def _no_more(value: Any, at: str) -> None:
    raise MisfitError(at, "there is no such field")


_RESPONSE = fields(
    {
        "text": text, "choices": list_of(_CHOICE), "finish": one_of(FINISHES), "error": text, "prompt_tokens": count,
        "new_tokens": count, "seconds": number, "margin": optional(number), "rerun": flag,
        "reasoning": text, "reasoning_tokens": count,
    },
    needed=("text", "choices", "finish"),
    rest=_no_more,
)  # fmt: skip
_LINE = fields({"key": text, "response": _RESPONSE}, needed=("key", "response"), rest=_no_more)


@dataclass
class Kept:
    """What was read of a file of answers."""

    answers: dict[str, Response] = field(default_factory=dict)
    damaged: dict[str, str] = field(default_factory=dict)
    """By place (`line 7`, `rows 2001-4000`): what is wrong there."""
    torn: bool = False
    """Whether the last line is cut, as a kill in the middle of a write leaves it."""


def line(key: str, response: Response) -> bytes:
    """One line of the log."""
    return b'%b,"crc32":"%08x"}\n' % _summed(key, response.to_dict())


def checksum(key: str, response: Response) -> int:
    """What the column crc32 of the records holds. How long it took is left out: equal answers have equal rows."""
    values = response.to_dict()
    values["seconds"] = 0.0
    return _summed(key, values)[1]


def _summed(key: str, fields: Mapping[str, Any]) -> tuple[bytes, int]:
    content = orjson.dumps({"key": key, "response": fields})[:-1]
    return content, zlib.crc32(content)


def read_log(path: Path) -> Kept:
    """Every good line of a log. Raises StoreError where the file itself cannot be read."""
    try:
        content = read_regular(path, LARGEST_LOG)
    except OSError as error:
        raise StoreError(f"cannot read it: {error.strerror or error}", where=str(path)) from None
    return read_lines(content)


def read_lines(content: bytes) -> Kept:
    """Every good line of a part of a log."""
    found = Kept()
    *whole, rest = content.split(b"\n")
    found.torn = bool(rest)
    for place, one in enumerate(whole, 1):
        try:
            key, response = parse(one)
        except ValueError as error:
            found.damaged[f"line {place}"] = str(error)
        else:
            found.answers[key] = response
    return found


def good_lines(path: Path) -> bytes:
    """The lines of a log that can be read, as they are."""
    *whole, _ = read_regular(path, LARGEST_LOG).split(b"\n")
    return b"".join(one + b"\n" for one in whole if is_good(one))


def is_good(one: bytes) -> bool:
    """Whether a line (without its end) can be read."""
    try:
        parse(one)
    except ValueError:
        return False
    return True


def parse(one: bytes) -> tuple[str, Response]:
    """Key and answer of a line. Raises ValueError for a damaged one."""
    summed = _SUMMED.fullmatch(one)
    if summed:
        if zlib.crc32(summed[1]) != int(summed[2], 16):
            raise ValueError("its checksum does not hold")
        one = summed[1] + b"}"
    row = orjson.loads(one)
    _LINE(row, "")
    return row["key"], _response(row["response"])


def _response(content: Mapping[str, Any]) -> Response:
    choices = tuple(ChoiceScore(**choice) for choice in content["choices"])
    return Response(**{**content, "choices": choices})


def response_of_row(row: Mapping[str, Any]) -> Response:
    """The answer that a row of the records keeps. Raises ValueError for a damaged one."""
    content = {name: row[name] for name in (*PLAIN, *REASONING) if name in row} | {
        "choices": orjson.loads(row[CHOICES])
    }
    if isinstance(content.get("margin"), float) and not math.isfinite(content["margin"]):
        content["margin"] = None  # as the log writes it
    shapes.text(row["key"], "key")
    _RESPONSE(content, "")
    response = _response(content)
    if row.get(CHECKSUM) is not None and checksum(row["key"], response) != row[CHECKSUM]:
        raise ValueError("its checksum does not hold")
    return response


def read_records(path: Path) -> Kept:
    """Every answer that a run's records keep, as far as the file can be read: what cannot is in `damaged`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    broken = (OSError, ValueError, KeyError, TypeError, pa.ArrowException)
    found = Kept()
    try:
        with pq.ParquetFile(path) as file:
            names = [name for name in ("key", CHECKSUM, CHOICES, *PLAIN, *REASONING) if name in file.schema_arrow.names]
            sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
            for group, size in enumerate(sizes):
                first = 1 + sum(sizes[:group])
                try:
                    rows = file.read_row_group(group, columns=names).to_pylist()
                except broken as error:
                    found.damaged[f"rows {first}-{first + size - 1}"] = told(error)
                else:
                    _take(rows, first, found)
    except broken as error:
        found.damaged["the file"] = told(error)
    return found


def _take(rows: Sequence[Mapping[str, Any]], first: int, found: Kept) -> None:
    for place, row in enumerate(rows, first):
        try:
            found.answers[row["key"]] = response_of_row(row)
        except (ValueError, KeyError, TypeError) as error:
            found.damaged[f"row {place}"] = told(error)


def told(error: Exception) -> str:
    """A library's error in one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
