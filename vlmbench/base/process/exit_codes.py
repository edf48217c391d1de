"""The exit codes of every command, and the one this process is about to end with.

They stand here since both the command line and the workers need them: a worker pool whose Ray head is gone has to end
the process itself (runs/workers/cluster.py), with the code that the command has earned.
"""

from __future__ import annotations

OK = 0
"""Done, and the result is good."""
BAD_RESULT = 1
"""Done, and the result is bad: worse than the baseline, or too few samples have a score."""
USER_MUST_CHANGE = 2
"""Not done: the user must change something first."""
INCONCLUSIVE = 3
"""Done, and the gate is inconclusive."""
INTERRUPTED = 130
"""Ended by Ctrl-C."""
SIGNAL_BASE = 128
"""Plus a signal's number: ended by that signal (143: SIGTERM, 129: SIGHUP)."""


class Exit:
    """The exit code of this process, kept outside of `cli.main`, which may be loaded twice (as `__main__` too)."""

    code: int = OK
    earned: bool = False
    """Whether a command has come to its end with this code."""
