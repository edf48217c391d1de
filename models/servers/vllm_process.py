"""What is around a vLLM engine: where its log goes, why it could not start, and that it ends when this process ends."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

LINES = 400
"""Of the engine's log that are looked through for the reason of a failure."""
PREFIX = re.compile(r"^(\(.*?\)\s*)?(ERROR\s+[\d-]+\s+[\d:]+\s+)?(\[[^]]*\]\s*)?")
RAISED = re.compile(r"[\w.]*(Error|Exception)\b")
ELSEWHERE = re.compile(r"[Ss]ee (root cause|stack trace)")


def module() -> Any:
    """Import vllm with its log on stderr, warnings and worse alone, unless the environment says otherwise."""
    os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    import vllm

    for handler in logging.getLogger("vllm").handlers:  # versions that do not know VLLM_LOGGING_STREAM
        if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stdout:
            handler.setStream(sys.stderr)
    return vllm


def on_cpu() -> bool:
    """Whether this vLLM computes on the CPU, where its share of memory is one of the whole machine's."""
    try:
        from vllm.platforms import current_platform

        return bool(current_platform.is_cpu())
    except (ImportError, AttributeError):
        import torch

        return not torch.cuda.is_available()


@contextmanager
def captured_stderr() -> Iterator[deque[str]]:
    """The last lines that this process and its children write to stderr; they are shown as well."""
    lines: deque[str] = deque(maxlen=LINES)
    sys.stderr.flush()
    original, (read, write) = os.dup(2), os.pipe()
    os.dup2(write, 2)
    os.close(write)

    def forward() -> None:
        with os.fdopen(read, "rb") as stream:
            for line in stream:
                lines.append(line.decode(errors="replace").rstrip())
                os.write(original, line)

    # The engine's processes keep this stderr: it is read for as long as they live.
    thread = threading.Thread(target=forward, daemon=True)
    thread.start()
    try:
        yield lines
    finally:
        sys.stderr.flush()
        os.dup2(original, 2)
        thread.join(timeout=0.2)


def last_reason(lines: deque[str]) -> str:
    """The last line of a log that says what went wrong, without its prefix; empty where none does.

    An exception that tells more than where to look is preferred to other lines of errors.
    """
    found = [(PREFIX.sub("", line).strip(), line) for line in reversed(lines)]
    raised = (words for words, _ in found if RAISED.match(words) and not ELSEWHERE.search(words))
    logged = (words for words, line in found if words and (" ERROR " in f" {line}" or RAISED.match(words)))
    return next(raised, None) or next(logged, "")


def engine_died(error: BaseException) -> bool:
    """Whether the engine's process is gone: every further question would fail."""
    dead = ("EngineDeadError", "EngineGoneError", "MPClientEngineMonitorError")
    return any(kind.__name__ in dead for kind in type(error).__mro__)


def end_with_this_process() -> None:
    """Let SIGTERM (batch systems, timeout, CI) end this process as an exit, so that the engine's processes end too.

    SIGKILL cannot be caught. A handler that somebody else has set stays.
    """
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _exit)


def _exit(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)
