"""What the Trainer's callback costs between evaluations: python -m tests.performance.callback_overhead [STEPS]

Processor time of its hook for a step at which there is nothing to do, against that of a step of a tiny LLaVA.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from tests.core.integrations.tiny_training import trainer
from vlmbench.integrations import TrainerCallback

CALLS = 100_000


def measure(steps: int) -> tuple[float, float]:
    """Processor seconds of a call of the hook, and of a step of the training that calls it."""
    with tempfile.TemporaryDirectory() as folder:
        watched = trainer(Path(folder), steps=steps)
        callback = TrainerCallback(watched, "pope", every=steps + 1, at_end=False, limit=2)
        watched.add_callback(callback)
        start = time.process_time()
        watched.train()
        step = (time.process_time() - start) / steps
        start = time.process_time()
        for _ in range(CALLS):
            callback.on_step_end(watched.args, watched.state, watched.control, model=watched.model, optimizer=None)
        return (time.process_time() - start) / CALLS, step


if __name__ == "__main__":
    hook, step = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
    print(f"a step: {1e3 * step:.1f} ms; the callback: {1e6 * hook:.2f} us, {100 * hook / step:.4f} % of it")
