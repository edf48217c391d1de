"""fsync of a log that grows, by time instead of by group, in a thread: nobody who asks waits for the disk.

A line has been written before it is counted, by one `write` call: a killed process loses none, with or without this.
fsync is for the machine: a power cut takes at most what was written in the last EVERY seconds and while an fsync ran.
"""

from __future__ import annotations

import os
import threading

EVERY = 1.0
"""Seconds between two fsyncs, at least."""


class GroupCommit:
    """fsyncs a file soon after it is asked to, and all that was asked for meanwhile with one call."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._asked, self._ending = threading.Event(), threading.Event()
        self._error: OSError | None = None
        self._thread: threading.Thread | None = None

    def ask(self) -> None:
        """Have what has been written survive a power cut. Raises OSError where that failed the last time."""
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        self._asked.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="vlmbench-fsync", daemon=True)
            self._thread.start()

    def end(self) -> OSError | None:
        """Do what was asked for, and stop; what failed, if anything. The file may then be closed."""
        self._ending.set()
        if self._thread is not None:
            asked = self._asked.is_set()
            self._asked.set()  # it may be waiting for that
            self._thread.join()
            if asked:
                self._sync()
        return self._error

    def _work(self) -> None:
        while self._asked.wait() and not self._ending.is_set():
            self._asked.clear()  # before: what is written from here on asks again
            self._sync()
            self._ending.wait(EVERY)

    def _sync(self) -> None:
        try:
            os.fsync(self._handle)
        except OSError as error:
            self._error = error
