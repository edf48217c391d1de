"""A vLLM engine and its processes: started so that signals get through, watched while it is asked.

Source: vllm 0.32.0, v1/engine/core_client.py (MPClient), utils/network_utils.py (zmq_socket_ctx).
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import connection
from types import FrameType
from typing import Any
from weakref import WeakSet

from vlmbench.base.errors import ModelError

from . import vllm_process

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GONE = signal.SIGUSR1
"""Wakes the main thread when the engine's process has ended."""


class _StoppedError(BaseException):
    """A signal came. No KeyboardInterrupt, which vLLM takes for its own (zmq_socket_ctx) while it starts an engine."""


class EngineGoneError(Exception):
    """The engine's process ended, killed by somebody or by the system for lack of memory."""


class Engine:
    """An engine that answers. Where its process ends, vLLM 0.32 waits for its answers for ever: this does not."""

    def __init__(self, llm: Any, before: set[int | None]) -> None:
        """`before`: ids of the child processes that are not the engine's."""
        self.llm = llm
        self._state = _State()
        children = [child for child in multiprocessing.active_children() if child.pid not in before]
        if not children:
            return
        if threading.current_thread() is threading.main_thread() and signal.getsignal(GONE) is signal.SIG_DFL:
            signal.signal(GONE, _wake)
        workers = _descendants([child.pid for child in children if child.pid])
        sentinels = [os.dup(child.sentinel) for child in children]  # vLLM closes its own
        STATES.add(self._state)
        threading.Thread(target=_watch, args=(self._state, sentinels, workers), daemon=True, name="vllm watch").start()

    def ask(self, call: Callable[[Any], list[Any]]) -> list[Any]:
        """What the call makes of the engine. Raises EngineGoneError when the engine's process ends meanwhile."""
        self._state.busy = True
        try:
            if self._state.gone:
                raise EngineGoneError("its process has ended")
            return call(self.llm)
        finally:
            self._state.busy = False


class _State:
    """What the watching thread knows: it must not keep the engine alive."""

    busy = gone = False


STATES: WeakSet[_State] = WeakSet()


def _watch(state: _State, sentinels: list[int], workers: list[Any]) -> None:
    connection.wait(sentinels)
    state.gone = True
    for process in workers:  # they would wait for the engine, with all their memory
        if process.is_running():
            process.kill()
    if state.busy and signal.getsignal(GONE) is _wake:
        signal.pthread_kill(threading.main_thread().ident or 0, GONE)
    for one in sentinels:
        os.close(one)


def _wake(_: int, __: FrameType | None) -> None:
    if any(state.busy and state.gone for state in STATES):
        raise EngineGoneError("its process has ended")


def _descendants(pids: list[int]) -> list[Any]:
    """The processes below these, as psutil knows them, which vLLM brings along."""
    import psutil  # type: ignore[import-untyped]

    found = []
    for pid in pids:
        try:
            found += psutil.Process(pid).children(recursive=True)
        except psutil.NoSuchProcess:
            continue
    return found


def start(options: Mapping[str, Any]) -> Engine:
    """An engine made with these options of vllm.LLM. Raises ModelError with the reason of its log."""
    vllm = vllm_process.module()
    made_with = {"gpu_memory_utilization": 0.3 if vllm_process.on_cpu() else 0.9, **options}
    vllm_process.end_with_this_process()
    before = {child.pid for child in multiprocessing.active_children()}
    with interruptible(), vllm_process.captured_stderr() as lines:
        try:
            return Engine(vllm.LLM(**made_with), before)
        except Exception as error:
            failure = error
    reason = vllm_process.last_reason(lines)
    message = str(failure) if not reason or reason in str(failure) else f"{failure}\n  its log says: {reason}"
    hint = "docs/models/adapters.md tells the options that vLLM takes here, and what a CPU needs"
    raise ModelError(f"vLLM cannot load {options['model']}: {message}", hint=hint) from failure


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and SIGHUP end this block as they end the rest of the program, whatever vLLM does then."""
    came: list[tuple[int, FrameType | None]] = []

    def stop(number: int, frame: FrameType | None) -> None:
        came.append((number, frame))
        raise _StoppedError

    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        handlers = {number: signal.getsignal(number) for number in ENDING}
        before = {number: handler for number, handler in handlers.items() if callable(handler)}
    for number in before:
        signal.signal(number, stop)
    try:
        yield
    except _StoppedError:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            number, frame = came[0]
            before[number](number, frame)
            raise KeyboardInterrupt  # a handler that goes on: there is no engine to go on with
