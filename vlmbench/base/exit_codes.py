"""The exit code of this process's command, for what must end the process itself (workers.py).

A module of its own: `python -m vlmbench.cli.main` has two modules of the command line, `__main__` and
`vlmbench.cli.main`.
"""

from __future__ import annotations


class Exit:
    """One for the process."""

    code: int = 0
