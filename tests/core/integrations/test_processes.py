"""A training of two processes: one asks, the other waits, and both learn what came of it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import json, os, sys
import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel
from tests.core.integrations.tiny_training import model_and_processor
from tests.core.integrations.test_evaluator import half_step
from vlmbench.integrations import Evaluator

how, folder = sys.argv[1:]
dist.init_process_group("gloo")
rank = dist.get_rank()
torch.manual_seed(0)
model, processor = model_and_processor()
if how == "divided":
    plain = Evaluator("pope,vsr", processor=processor, output=folder, limit=6)(model, 1)
    for layer in model.model.language_model.layers:
        fully_shard(layer, mesh=init_device_mesh("cpu", (2,)))
    wrapped = fully_shard(model.train(), mesh=init_device_mesh("cpu", (2,)))
else:
    wrapped = DistributedDataParallel(model.train(), find_unused_parameters=True)
on_error = "warn" if how == "warn" else "raise"
evaluator = Evaluator("pope", processor=processor, output=folder, limit=4, on_error=on_error)
told = {"before": half_step(wrapped, slice(rank, rank + 2))}

def broken(*_, **__):
    raise (KeyboardInterrupt if how == "interrupt" else RuntimeError)("planted")

if how == "divided":
    evaluator = Evaluator("pope,vsr", processor=processor, output=folder, limit=6)
    told["same"] = evaluator(wrapped, 3) == plain
elif how != "ok" and rank == 0:

    import vlmbench.runs.execution.runner as runner
    runner.execute = (lambda *_, **__: os._exit(9)) if how == "die" else broken
try:
    told["metrics"] = evaluator(wrapped, 3)
    told["asked"] = evaluator.result is not None
    told["after"] = half_step(wrapped, slice(rank, rank + 2))
    dist.barrier()
except BaseException as error:
    told["raised"] = f"{type(error).__name__}: {error}"
with open(f"{folder}-{rank}.json", "w") as file:
    json.dump(told, file)
"""


def run(how: str, folder: Path) -> list[dict[str, object] | None]:
    """What each process told; None for one that died. Fails where one hangs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PROGRAM, how, str(folder / "runs")]
    with ExitStack() as stack:
        started = []
        for rank in range(2):
            log = stack.enter_context((folder / f"{rank}.txt").open("w"))
            env = {**os.environ, **place, "RANK": str(rank)}
            started.append(stack.enter_context(subprocess.Popen(command, cwd=ROOT, env=env, stderr=log)))
            stack.callback(started[-1].kill)
        for process in started:
            process.wait(timeout=300)
    files = [folder / f"runs-{rank}.json" for rank in range(2)]
    return [json.loads(file.read_text()) if file.is_file() else None for file in files]


def test_both_have_the_scores(tmp_path: Path) -> None:
    first, second = run("ok", tmp_path)
    assert first is not None and second is not None, (tmp_path / "0.txt").read_text()
    assert first["metrics"] == second["metrics"] and first["metrics"]
    assert (first["asked"], second["asked"]) == (True, False)
    assert "after" in first and "after" in second
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["step-0000003"]


def test_weights_that_are_divided_among_them(tmp_path: Path) -> None:
    """By fully_shard: the first process gets all of them for the evaluation, and the training goes on."""
    first, second = run("divided", tmp_path)
    assert first is not None and second is not None, (tmp_path / "0.txt").read_text()
    assert first["same"] is second["same"] is True and "after" in first and "after" in second


@pytest.mark.parametrize(
    ("how", "there", "here"),
    [
        ("raise", "RuntimeError: planted", "ModelError: the evaluation failed on process 0: RuntimeError: planted"),
        ("interrupt", "KeyboardInterrupt: planted", "KeyboardInterrupt: the evaluation ended on process 0"),
    ],
)
def test_where_one_fails_both_raise(how: str, there: str, here: str, tmp_path: Path) -> None:
    first, second = run(how, tmp_path)
    assert first is not None and second is not None
    assert str(first["raised"]).startswith(there) and str(second["raised"]).startswith(here)


def test_where_one_fails_both_can_go_on(tmp_path: Path) -> None:
    first, second = run("warn", tmp_path)
    assert first is not None and second is not None
    for told in (first, second):
        assert told["metrics"] == {} and "after" in told
    assert (tmp_path / "0.txt").read_text().count("the training goes on: RuntimeError: planted") == 1
    assert "the training goes on" not in (tmp_path / "1.txt").read_text()


def test_where_one_dies_the_other_does_not_wait(tmp_path: Path) -> None:
    first, second = run("die", tmp_path)
    assert first is None and second is not None and "raised" in second
