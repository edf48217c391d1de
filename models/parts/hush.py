"""Importing libraries that have much to say about kernels which this machine does not have, or which are not used."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def hushed() -> Iterator[None]:
    """Import without log lines below errors: torchao, and peft, which imports torchao where it is installed."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
