"""Bars for steps that may take long: how far, how fast, how long still. On a terminal only; a file gets no bar."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sized
from typing import TypeVar

from vlmbench.base.process.terminal import clean

T = TypeVar("T")

DELAY = 1.0
"""Seconds before a bar appears: a step that is done by then needs none."""


def each(items: Iterable[T], doing: str, unit: str, total: int | None = None) -> Iterable[T]:
    """The items, with a bar on stderr while they are gone through, which goes when they are done.

    `doing` says what is done with them (`scoring`), `unit` what one of them is (`question`).
    """
    if not sys.stderr.isatty():
        return items
    from tqdm import tqdm

    many = total if total is not None else len(items) if isinstance(items, Sized) else None
    bar: Iterable[T] = tqdm(items, clean(doing), many, leave=False, unit=unit, delay=DELAY, dynamic_ncols=True)
    return bar
