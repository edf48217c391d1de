"""A vLLM engine's end: signals while it starts, which vLLM swallows, and a process that is killed while it is asked."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow
SWALLOWED = """
import os, signal, sys, time
from vlmbench.models.servers.vllm_engine import interruptible

class Terminated(KeyboardInterrupt):
    pass

def end(number, frame):
    raise Terminated

for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, end)
try:
    with interruptible():
        try:
            os.kill(os.getpid(), getattr(signal, sys.argv[1]))
            time.sleep(20)
        except KeyboardInterrupt:
            print("swallowed")
        print("goes on")
except Terminated:
    print("ended")
assert signal.getsignal(signal.SIGINT) is signal.getsignal(signal.SIGTERM) is end
"""
KILLED = """
import multiprocessing, os, queue, signal, threading, time
from vlmbench.models.servers.vllm_engine import Engine, EngineGoneError

if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    other = context.Process(target=time.sleep, args=(60,))
    other.start()
    before = {other.pid}
    child = context.Process(target=time.sleep, args=(60,))
    child.start()
    engine = Engine("the engine", before)
    print(engine.ask(lambda llm: [llm]))
    threading.Timer(0.3, os.kill, (child.pid, signal.SIGKILL)).start()
    for _ in range(2):  # while it is asked, and when it is asked again
        try:
            engine.ask(lambda _: queue.Queue().get())
        except EngineGoneError as error:
            print(error)
    print(other.is_alive())
    other.kill()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_gets_through(number: signal.Signals) -> None:
    words = [sys.executable, "-c", SWALLOWED, number.name]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout == "ended\n", done.stderr


def test_a_killed_process_is_noticed() -> None:
    done = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout.splitlines() == ["['the engine']", *["its process has ended"] * 2, "True"], done.stderr
