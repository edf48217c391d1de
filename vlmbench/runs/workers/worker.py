"""A model in a process of its own, as a Ray actor: loads one replica, answers portions of groups. Also starts Ray.

What a worker cannot do comes back as a value, not as a raised error: Ray wraps what is raised, and the pool must tell
a model that fails from a process that died.
"""

from __future__ import annotations

import atexit
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from vlmbench.base.errors import ModelError, UsageError, VlmbenchError
from vlmbench.base.model import Model
from vlmbench.base.process import exit_codes
from vlmbench.base.process.extras import install_command
from vlmbench.base.samples import Request, Response
from vlmbench.base.version import __version__
from vlmbench.runs.execution import capabilities

LOGGER = logging.getLogger(__name__)
Portion = Sequence[tuple[int, Sequence[Request]]]
"""Groups with their numbers."""
NO_ANSWER = "the model gave no answer"
ALONE = 30.0
"""Seconds without a question after which a worker ends itself, where Ray's head is gone: nobody else can end it."""
STARTS = 3
"""Times that starting a Ray of our own is tried."""


@dataclass(frozen=True)
class Replica:
    """What a worker tells of its model."""

    name: str
    fingerprint: str
    settings: Mapping[str, Any]
    facts: Mapping[str, Any]
    supports_logprobs: bool
    supports_multi_turn: bool
    supports_system_prompt: bool
    max_images: int | None
    ignored_generation: tuple[str, ...]
    node: str
    gpu: str
    version: str = __version__
    warnings: tuple[str, ...] = ()
    """What was logged while it was loaded."""
    pid: int = 0

    @property
    def identity(self) -> tuple[Any, ...]:
        """What must be the same for all workers."""
        return self.name, self.fingerprint, dict(self.settings), self.version


@dataclass(frozen=True)
class Answers:
    """What became of one group."""

    number: int
    responses: tuple[Response | None, ...]
    """In the order of its requests; None: no answer."""
    error: str = ""
    """Why requests have no answer."""
    raised: bool = False
    """Whether the model raised; told of one group each time it does."""


class Worker:
    """The actor. `load` makes the model, and must be picklable."""

    def __init__(self, load: Callable[[], Model]) -> None:
        self._model: Model | None = None
        self._failed: VlmbenchError | None = None
        with _Kept() as kept:
            try:
                self._model = load()
            except VlmbenchError as error:
                self._failed = error
            except Exception as error:  # whatever a library raises, the pool tells it once
                self._failed = ModelError(f"the model cannot be loaded: {type(error).__name__}: {error}")
        self._warnings = tuple(kept.lines)
        self._busy, self._asked = False, time.monotonic()

    def describe(self) -> Replica | VlmbenchError:
        """The model, or why there is none."""
        if self._model is None:
            assert self._failed is not None
            return self._failed
        from vlmbench.runs.storage.manifest import hardware

        model = self._model
        return Replica(
            model.name,
            model.fingerprint,
            dict(model.settings),
            dict(model.facts),
            capabilities.supports_logprobs(model),
            capabilities.supports_multi_turn(model),
            capabilities.supports_system_prompt(model),
            capabilities.max_images(model),
            capabilities.ignored_generation(model),
            socket.gethostname(),
            str(hardware().get("gpu", "")),
            warnings=self._warnings,
            pid=os.getpid(),
        )

    def facts(self) -> Mapping[str, Any]:
        """The model's facts, counts included."""
        assert self._model is not None
        return dict(self._model.facts)

    def watch(self) -> None:
        """From now on, end this process when the head has gone and nothing was asked for a while."""
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            time.sleep(ALONE / 10)
            if not self._busy and time.monotonic() - self._asked > ALONE and head_is_gone():
                os._exit(0)

    def leave(self) -> None:
        """End this process: for a driver that cannot have it ended, since Ray's head is gone."""
        os._exit(0)

    def answer(self, portion: Portion) -> Iterator[Answers | VlmbenchError]:
        """Each group's answers when it is complete; an error of ours, once, when the model is broken."""
        self._busy = True
        try:
            yield from self._answer(portion)
        finally:
            self._busy, self._asked = False, time.monotonic()

    def _answer(self, portion: Portion) -> Iterator[Answers | VlmbenchError]:
        assert self._model is not None
        rest = list(portion)
        while rest:
            out = _Out(rest)
            try:
                for request, response in self._model.answer(out):
                    yield from out.answered(request, response)
            except VlmbenchError as failure:
                yield failure
                return
            except Exception as failure:  # a bug in an adapter: the groups it had are lost, not the run
                told = f"{type(failure).__name__}: {failure}"
                if not out.open:
                    yield broken(self._model.name, told)
                    return
                yield from out.unfinished(told, raised=True)
                rest = rest[out.drawn :]
                continue
            for _ in out:  # what a model never drew has no answer either
                pass
            yield from out.unfinished(NO_ANSWER)
            return


def broken(name: str, told: str) -> ModelError:
    """A model that raises whatever it is given."""
    hint = "the answers so far are kept; fix it and run the same command"
    return ModelError(f"{name} fails on every group: {told}", hint=hint)


class _Out:
    """Gives a model its groups and collects the answers."""

    def __init__(self, portion: Portion) -> None:
        self._portion = portion
        self.drawn = 0
        self._responses: dict[int, list[Response | None]] = {}
        self._place: dict[int, tuple[int, int]] = {}

    def __iter__(self) -> Iterator[Sequence[Request]]:
        while self.drawn < len(self._portion):
            number, group = self._portion[self.drawn]
            self.drawn += 1
            self._responses[number] = [None] * len(group)
            self._place.update({id(request): (number, index) for index, request in enumerate(group)})
            yield group

    def answered(self, request: Request, response: Response) -> Iterator[Answers]:
        """The group, when this was its last answer; nothing for one that is not asked or answered before."""
        found = self._place.pop(id(request), None)
        if found is not None:
            number, index = found
            self._responses[number][index] = response
            if None not in self._responses[number]:
                yield Answers(number, tuple(self._responses.pop(number)))

    @property
    def open(self) -> bool:
        """Whether it has groups that are not finished."""
        return bool(self._responses)

    def unfinished(self, error: str, *, raised: bool = False) -> Iterator[Answers]:
        """The groups it had and did not finish."""
        for place, (number, responses) in enumerate(self._responses.items()):
            yield Answers(number, tuple(responses), error, raised and place == 0)


class _Kept(logging.Handler):
    """Keeps warnings, to be shown once for all workers."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def __enter__(self) -> _Kept:
        logging.getLogger().addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeHandler(self)


# ------------------------------------------------------------------------------------------------------------- Ray


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
