"""The end of the process without Python's teardown, which takes every module and object of torch apart: 0.2 s of a run.

The memory goes back to the system all the same, and nothing here waits for an object to be taken apart. Threads are
waited for and exit handlers run as ever; then the process ends with the code that its command has earned.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys

from vlmbench.base.process.exit_codes import Exit


def skip(*, whole: bool) -> None:
    """To be called before anything else is imported: what registers an exit handler later has it run earlier.

    Without `whole` only the search for cycles is left out, and also where there are handlers already (of coverage,
    say): they need their turn.
    """
    if whole and not _handlers():
        atexit.register(_leave)
    atexit.register(gc.freeze)


def _handlers() -> int:
    """How many exit handlers there are; 1 where this Python does not tell."""
    count = getattr(atexit, "_ncallbacks", None)
    return 1 if count is None else int(count())


def _leave() -> None:
    """End here, unless the process ends with an error that no command has turned into a code, or cannot say all."""
    if not Exit.earned or hasattr(sys, "last_value"):
        return
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except (OSError, ValueError):  # Python says so in its own way, with a code of its own
        return
    os._exit(Exit.code)
