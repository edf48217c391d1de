"""SIGTERM (a batch system, `timeout`, CI) and SIGHUP (a closed terminal) end a command as Ctrl-C does.

Answers are kept, workers and engines are closed, a line says how to resume. Only SIGKILL leaves no time for that.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from vlmbench.base.process import exit_codes

SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class Terminated(KeyboardInterrupt):
    """The process was asked to end."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(signal.Signals(number).name)


def code_of(stop: KeyboardInterrupt) -> int:
    """The exit code: 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP."""
    signalled = exit_codes.SIGNAL_BASE
    return signalled + stop.number if isinstance(stop, Terminated) else exit_codes.INTERRUPTED


@contextmanager
def as_interrupts() -> Iterator[None]:
    """Let the signals raise Terminated; those that are ignored, or have a handler already, are left alone."""

    def end(number: int, frame: object) -> None:
        raise Terminated(number)

    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            if signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
