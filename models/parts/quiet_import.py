"""Imports libraries that log about optional kernels, without those log lines."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from vlmbench.base.process import garbage


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
    if "transformers.modeling_utils" in sys.modules:
        return
    with quiet_logs(), garbage.paused():
        import transformers.modeling_utils  # noqa: F401
