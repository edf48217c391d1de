"""A command that is killed (SIGKILL) at one of its changes to a folder: rename, fsync, write, unlink and the like.

It works in a fork of a process that has imported everything, so a round costs what the command itself costs. Points are
calls of the os module and files opened for writing, below one folder. A write at which it dies is half done.

`python -m tests.kills.kill_points ROOT AT LOG WORDS` is the same in a process of its own, for what cannot be forked.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATHS = ("rename", "replace", "unlink", "remove", "mkdir", "rmdir", "link", "truncate")
HANDLES = ("fsync", "write", "ftruncate")
GROWING = ("open", "write", "fsync", "mkdir", "link")
"""What a full disk refuses."""


@dataclass(frozen=True)
class Ended:
    """What became of a command."""

    code: int
    """Negative: killed by that signal."""
    said: str
    points: list[str]
    """The kind of each point that was passed."""

    @property
    def killed(self) -> bool:
        """Whether SIGKILL ended it."""
        return self.code == -signal.SIGKILL


class Points:
    """Counts changes below a folder, and dies at one of them."""

    def __init__(
        self, root: Path, at: int | None, log: int, *, full: bool = False, end: signal.Signals = signal.SIGKILL
    ) -> None:
        self._root, self._at, self._log, self._full, self._end = str(root), at, log, full, end
        self._count = 0
        self._write = os.write

    def pass_by(self, kind: str, before_dying: Callable[[], object] = lambda: None) -> None:
        """One more point."""
        self._count += 1
        self._write(self._log, f"{kind}\n".encode())
        if self._full and self._at is not None and self._count >= self._at and kind in GROWING:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self._at == self._count and not self._full:
            before_dying()
            os.kill(os.getpid(), self._end)

    def inside(self, where: Any) -> bool:
        """Whether a path or an open file lies below the folder."""
        if isinstance(where, int):
            try:
                where = Path(f"/proc/self/fd/{where}").readlink()
            except OSError:
                return False
        return os.path.abspath(os.fsdecode(where)).startswith(self._root)  # noqa: PTH100 - it may not exist

    def install(self) -> None:
        """Put the points into the os module and the interpreter's audit events."""
        for name in PATHS + HANDLES:
            setattr(os, name, self._watched(name, getattr(os, name)))
        sys.addaudithook(self._audit)

    def _watched(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def watched(first: Any, *rest: Any, **more: Any) -> Any:
            if isinstance(first, int | str | bytes | os.PathLike) and self.inside(first):
                torn = (lambda: call(first, rest[0][: len(rest[0]) // 2])) if name == "write" else lambda: None
                self.pass_by(name, torn)
            return call(first, *rest, **more)

        return watched

    def _audit(self, event: str, told: tuple[Any, ...]) -> None:
        if event != "open" or not isinstance(told[0], str) or not (told[2] or 0) & (os.O_WRONLY | os.O_RDWR):
            return
        if self.inside(told[0]):
            self.pass_by("open")


def run(
    words: Sequence[str],
    root: Path,
    at: int | None = None,
    *,
    full: bool = False,
    kind: type[Points] = Points,
    end: signal.Signals = signal.SIGKILL,
) -> Ended:
    """Run `vlmbench WORDS` in a fork, sent the signal `end` at its point number `at` below `root`; None: left alone.

    With `full` it is not killed: from that point on the disk is full.
    """
    log, said = root.parent / f"{root.name}.points", root.parent / f"{root.name}.said"
    child = os.fork()
    if not child:
        _in_the_child(words, kind(root, at, _opened(log), full=full, end=end), said)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return Ended(code, said.read_text(errors="replace"), log.read_text().split())


def _opened(log: Path) -> int:
    return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)


def _in_the_child(words: Sequence[str], points: Points, said: Path) -> None:
    code = 70
    try:
        out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for handle in (1, 2):
            os.dup2(out, handle)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
        sys.argv = ["vlmbench", *words]
        points.install()
        from vlmbench.cli import main as cli

        code = cli.main(list(words))
        sys.stdout.flush()
        sys.stderr.flush()
    except Exception:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    from vlmbench.cli import main as cli

    _root, _at, _log, *_words = sys.argv[1:]
    sys.argv = ["vlmbench", *_words]
    Points(Path(_root), int(_at) or None, _opened(Path(_log))).install()
    sys.exit(cli.main(_words))
