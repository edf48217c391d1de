"""Columns of Python values as Arrow arrays, built from buffers.

`pyarrow.array` first imports pandas, to ask whether a list is one of its series: 0.1 s and 30 MB, which a run of a few
questions need not spend. It takes less time for each value, so runs of many questions use it.
"""

from __future__ import annotations

import array as numbers
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

WORTH_PANDAS = 50_000
"""From so many rows on, pandas' import is made up for."""


def array(values: Sequence[Any], kind: pa.DataType, rows: int) -> pa.Array:
    """Texts, 64-bit numbers, flags, or lists of such values, in a table of so many rows; None is null, but no list is.

    Raises TypeError, or pyarrow's error, for a value of another kind.
    """
    import pyarrow as pa

    if rows >= WORTH_PANDAS:
        return pa.array(values, kind)
    return _from_buffers(values, kind)


def _from_buffers(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    import pyarrow as pa

    count = len(values)
    if pa.types.is_list(kind):
        inside = _from_buffers(list(chain.from_iterable(values)), kind.value_type)
        return pa.Array.from_buffers(kind, count, [None, _offsets(list(map(len, values)))], 0, children=[inside])
    nulls = values.count(None)
    valid = _bits([value is not None for value in values]) if nulls else None
    if pa.types.is_string(kind):
        texts = ["" if value is None else value for value in values] if nulls else values
        content = "".join(texts).encode()
        sizes = list(map(len, texts))
        if sum(sizes) < len(content):
            sizes = [len(text.encode()) for text in texts]
        return pa.Array.from_buffers(kind, count, [valid, _offsets(sizes), pa.py_buffer(content)], nulls)
    filled: Sequence[Any] = [0 if value is None else value for value in values] if nulls else values
    if pa.types.is_boolean(kind):
        return pa.Array.from_buffers(kind, count, [valid, _bits(filled)], nulls)
    held = numbers.array("d" if pa.types.is_floating(kind) else "q", filled)
    return pa.Array.from_buffers(kind, count, [valid, pa.py_buffer(held)], nulls)


def _bits(flags: Sequence[bool]) -> pa.Buffer:
    import pyarrow as pa

    return pa.py_buffer(np.packbits(np.frombuffer(bytearray(flags), np.uint8), bitorder="little"))


def _offsets(sizes: Sequence[int]) -> pa.Buffer:
    """Where each value begins, and the last one ends. Raises OverflowError where 32 bits do not suffice."""
    import pyarrow as pa

    ends = np.cumsum(np.array([0, *sizes], dtype=np.int64))
    if ends[-1] > np.iinfo(np.int32).max:
        raise OverflowError("more than 2 GiB of text in one group of rows")
    return pa.py_buffer(ends.astype(np.int32))
