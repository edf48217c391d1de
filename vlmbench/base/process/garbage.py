"""When Python looks for cycles of objects that nothing refers to any more.

It looks through all objects whenever enough new ones have been made, though imports, questions and records stay: that
is a third of what a run takes to start, and of what a question costs. So a run has it look only while a model is opened
and while it answers, when libraries may leave cycles that hold tensors, and only at what has been made since.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


class _State:
    paused = False
    """Whether it is we who keep Python from looking."""
    frozen = False
    """Whether what was made before is left out."""


@contextmanager
def paused() -> Iterator[None]:
    """Do not look inside; behind it, as before."""
    before = _State.paused
    if gc.isenabled():
        gc.disable()
        _State.paused = True
    try:
        yield
    finally:
        if _State.paused and not before:
            if _State.frozen:  # what was imported inside `resumed` stays, too
                gc.freeze()
            gc.enable()
        _State.paused = before


@contextmanager
def resumed() -> Iterator[None]:
    """Inside `paused`: look at what is made in here, once more at its end. Does nothing elsewhere.

    Where the process had frozen objects before, no more are: to unfreeze ours would unfreeze them all.
    """
    if not _State.paused:
        yield
        return
    _State.paused, _State.frozen = False, not gc.get_freeze_count()
    if _State.frozen:
        gc.freeze()
    gc.enable()
    try:
        yield
    finally:
        gc.disable()
        if _State.frozen:
            gc.collect()
            gc.unfreeze()
        _State.paused, _State.frozen = True, False
