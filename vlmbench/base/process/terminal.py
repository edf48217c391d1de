"""What reaches the terminal. Text of others (answers, ids, file names, servers' words) cannot steer it, and `--json`
is all there is on stdout.

A control character may clear a screen, set its title or write into the clipboard; one that turns the direction of
text makes a line read as another. `guarded` puts a filter under everything that is printed, whatever prints it: such
characters are shown as `\\u001b`. In JSON that is an escape of the same character, so what is parsed stays the same.

`only_json` keeps stdout for `result`: all else that is written to it, by libraries, C code and child processes too,
goes to stderr.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TextIO

_STEERING = "\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069\\ud800-\\udfff"
_UNSAFE = re.compile(f"[{_STEERING}]")
_NEVER_IN_A_LINE = re.compile(f"[\\t\\n{_STEERING}]")
_UP = re.compile(r"\r|(?:\x1b\[A)+")
"""What a progress bar writes first, to go over its last state."""


def visible(text: str) -> str:
    """Text for a terminal: line ends and tabs stay, other control and direction characters are spelt out."""
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text.replace("\r\n", "\n"))


def note(text: str) -> None:
    """Print a line on stderr: what everything but the command line tells the user with."""
    print(text, file=sys.stderr, flush=True)


def warn(text: str) -> None:
    """Print a remark of vlmbench on stderr."""
    note(f"vlmbench: {text}")


def clean(text: str) -> str:
    """Text from data for a cell or inside a sentence: one line, no control or direction characters."""
    return _NEVER_IN_A_LINE.sub(" ", text)


def aligned(rows: Sequence[Sequence[str]], right: Collection[int] = (), *, rule: bool = True) -> list[str]:
    """Rows of cells as lines whose columns are aligned; those numbered in `right` are set flush right.

    The first row is the head; `rule` draws a line below it.
    """
    widths = [max(map(_width, cells)) for cells in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        padding = [" " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)]
        padded = [
            space + content if index in right else content + space
            for index, (space, content) in enumerate(zip(padding, row, strict=True))
        ]
        lines.append("  ".join(padded).rstrip())
    if rule:
        lines.insert(1, "  ".join("-" * width for width in widths))
    return lines


def _width(text: str) -> int:
    """How many cells of a terminal a text takes: Chinese characters take two, combining marks none."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


class _Guarded(io.TextIOBase):
    """A text stream that writes what is `visible`. A progress bar's own movements pass where there is a screen."""

    def __init__(self, stream: TextIO, *, bars: bool) -> None:
        self.inner, self._bars = stream, bars

    def write(self, text: str) -> int:
        start = _UP.match(text) if self._bars else None
        shown = visible(text)
        if start is not None:
            shown = (start[0] if self.inner.isatty() else "\n") + visible(text[start.end() :].rstrip("\r"))
        try:
            self.inner.write(shown)
        except UnicodeEncodeError:  # a terminal of another encoding
            coding = self.inner.encoding
            self.inner.write(shown.encode(coding, "backslashreplace").decode(coding))
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        with suppress(ValueError):  # closed
            self.inner.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def isatty(self) -> bool:
        return self.inner.isatty()

    @property
    def closed(self) -> bool:
        return self.inner.closed

    def fileno(self) -> int:
        return self.inner.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.inner.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return getattr(self.inner, "errors", None)

    def writable(self) -> bool:
        return True


@contextmanager
def guarded() -> Iterator[None]:
    """Filter stdout and stderr while a command works."""
    before = sys.stdout, sys.stderr
    if None in before or any(isinstance(stream, _Guarded) for stream in before):
        yield
        return
    sys.stdout, sys.stderr = _Guarded(sys.stdout, bars=False), _Guarded(sys.stderr, bars=True)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = before


_results: list[TextIO] = []
"""Where results go while stdout is kept for them."""


def result(text: str) -> None:
    """Print a command's JSON on stdout."""
    stream = _results[-1] if _results else sys.stdout
    stream.write(visible(text.rstrip("\n")) + "\n")
    stream.flush()


@contextmanager
def only_json(*, for_good: bool = False) -> Iterator[None]:
    """Keep stdout for `result`. `for_good`: also until the process ends, where libraries say goodbye on it."""
    if sys.stdout is None or sys.stderr is None or not _is_open(1) or not _is_open(2):
        yield  # the streams are closed
        return
    out = sys.stdout.inner if isinstance(sys.stdout, _Guarded) else sys.stdout
    out.flush()
    saved = os.dup(1)
    stream: TextIO = out
    if _is_stdout(out):
        stream = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace")
    before = sys.stdout
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    _results.append(stream)
    try:
        yield
    finally:
        _results.pop()
        with suppress(ValueError, OSError):
            sys.stderr.flush()
        if not for_good:
            os.dup2(saved, 1)
        sys.stdout = before
        os.close(saved)
        if stream is not out:
            with suppress(OSError):
                stream.close()


def _is_open(handle: int) -> bool:
    try:
        os.fstat(handle)
    except OSError:
        return False
    return True


def _is_stdout(stream: TextIO) -> bool:
    try:
        return stream.fileno() == 1
    except (OSError, ValueError):  # a stream in memory, as tests have them
        return False
