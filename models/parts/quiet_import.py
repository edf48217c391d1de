"""Imports libraries that log about optional kernels, without those log lines."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_logs() -> Iterator[None]:
    """Import without log lines below errors: torchao, and what imports torchao where it is installed."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def import_transformers() -> None:
    """Import transformers' base of all models, which takes torchao with it where that is installed."""
    with quiet_logs():
        import transformers.modeling_utils  # noqa: F401
