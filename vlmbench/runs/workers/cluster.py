"""Ray itself: the library, a Ray of our own or a running cluster, its end, and what each worker gets of it."""

from __future__ import annotations

import atexit
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from vlmbench.base.errors import UsageError
from vlmbench.base.process import exit_codes
from vlmbench.base.process.extras import install_command

LOGGER = logging.getLogger(__name__)
STARTS = 3
"""Times that starting a Ray of our own is tried."""


def ray() -> Any:
    """The library. Raises UsageError when it is not installed."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray as library
    except ImportError:
        raise UsageError("--workers and --ray need Ray", hint=install_command("ray")) from None
    return library


def start(address: str, cores: int) -> None:
    """Start a Ray of our own on this machine (address "local") with at least so many cores, or join a running one.

    Raises UsageError.
    """
    library = ray()
    with _same_handlers():
        _join(library, address, cores)


@contextmanager
def _same_handlers() -> Iterator[None]:
    """Ray sets a handler of its own for SIGTERM, which ends without a word: put the command's back."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread() and callable(before):
            signal.signal(signal.SIGTERM, before)


def _join(library: Any, address: str, cores: int) -> None:
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    if address == "local":
        _start_here(library, num_cpus=max(len(os.sched_getaffinity(0)), cores), include_dashboard=False, **quiet)
        return
    if "://" in address:
        hint = "run the command on a machine of the cluster (`ray job submit -- vlmbench run ... --ray auto`)"
        raise UsageError(f"--ray takes auto or HOST:PORT, not {address}", hint=hint)
    try:
        library.init(address, **quiet)
    except (ConnectionError, RuntimeError, ValueError) as error:
        told = (str(error).splitlines() or [type(error).__name__])[0]
        hint = "start one with `ray start --head` and name its address; it may want RAY_AUTH_TOKEN (docs/scale.md)"
        raise UsageError(f"cannot join a Ray cluster at {address}: {told}", hint=hint) from None


def _start_here(library: Any, **options: Any) -> None:
    """A Ray of our own; tried again, since it gives itself thirty seconds, which a busy machine may not have."""
    for left in range(STARTS - 1, -1, -1):
        try:
            library.init("local", **options)
            return
        except Exception as error:  # Ray raises bare ones here
            library.shutdown()
            if not left:
                told = f"Ray does not start on this machine: {error}"
                raise UsageError(told, hint="leave --workers out; Ray's logs say more") from None


def stop() -> None:
    """Leave the cluster; end it where it is our own.

    One whose head is gone cannot be left: Ray waits for it, and then aborts the process, whose words would be lost. The
    process then ends at once when it is done, with the exit code that it would have had.
    """
    library = ray()
    if library.is_initialized() and head_is_gone():
        failed = sys.exc_info()[1] is not None
        if not failed:
            LOGGER.warning("Ray's head is gone; all answers had come by then")
        exit_codes.Exit.code = exit_codes.USER_MUST_CHANGE if failed else exit_codes.OK
        atexit.unregister(library.shutdown)
        atexit.register(_leave_at_once)
    else:
        library.shutdown()


def _leave_at_once() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_codes.Exit.code)


def head_is_gone() -> bool:
    """Whether nobody listens any more where the cluster's head was."""
    host, _, port = ray().get_runtime_context().gcs_address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
    except OSError:
        return True
    return False


@dataclass(frozen=True)
class Share:
    """What each worker gets."""

    workers: int
    cores: int
    gpus: float


def share(workers: int, threads: int, *, gpu: bool = True) -> Share:
    """Fair parts of the running Ray's machines. `workers` 0: one a GPU, or one a machine where there is none.

    `threads` 0: as many cores a worker as all can have. Raises UsageError for more workers than cores.
    """
    nodes = [node["Resources"] for node in ray().nodes() if node["Alive"]]
    cores = [int(node.get("CPU", 0)) for node in nodes]
    gpus = [int(node.get("GPU", 0)) for node in nodes] if gpu else []
    workers = workers or sum(gpus) or sum(c > 0 for c in cores)
    each = threads or next((n for n in range(max(cores), 0, -1) if sum(c // n for c in cores) >= workers), 0)
    if not each or sum(c // each for c in cores) < workers:
        hint = f"--workers takes at most {sum(c // max(each, 1) for c in cores)} here"
        raise UsageError(f"{workers} workers of {max(each, 1)} cores do not fit", hint=hint)
    crowd = next((k for k in range(1, workers + 1) if sum(g * k for g in gpus) >= workers), 0)
    return Share(workers, each, 1 / crowd if crowd else 0)
