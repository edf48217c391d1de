"""One process of a training of two, for test_processes: what it saw goes into FOLDER-RANK.json.

python -m tests.core.integrations.two_processes FOLDER [die]
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, Literal

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from tests.core.integrations.test_evaluator import half_step
from tests.core.integrations.tiny_training import model_and_processor
from vlmbench.integrations import Evaluator
from vlmbench.runs.execution import runner

EXECUTE = runner.execute


def main(folder: Path, *words: str) -> None:
    """All cases in turn, or the one in which the first process dies."""
    dist.init_process_group("gloo")
    torch.manual_seed(0)
    model, processor = model_and_processor()
    wrapped = DistributedDataParallel(model.train(), find_unused_parameters=True)

    def case(name: str, failure: BaseException | None = None, on_error: Literal["raise", "warn"] = "raise") -> Any:
        told: dict[str, Any] = {}
        evaluator = Evaluator("pope", processor=processor, output=folder / name, limit=4, on_error=on_error)
        runner.execute = fails(failure) if failure is not None and dist.get_rank() == 0 else EXECUTE
        try:
            told["metrics"] = evaluator(wrapped, 3)
            told["asked"] = evaluator.result is not None
        except (Exception, KeyboardInterrupt) as error:
            told["raised"] = f"{type(error).__name__}: {error}"
        runner.execute = EXECUTE
        told["loss"] = half_step(wrapped, slice(dist.get_rank(), dist.get_rank() + 2))
        return told

    if words == ("die",):
        cases = {"die": case("die", SystemExit(9))}
    else:
        cases = {
            "ok": case("ok"),
            "raise": case("raise", RuntimeError("planted")),
            "interrupt": case("interrupt", KeyboardInterrupt("planted")),
            "warn": case("warn", RuntimeError("planted"), "warn"),
            "divided": divided(folder / "divided", model, processor),
        }
    Path(f"{folder}-{dist.get_rank()}.json").write_text(json.dumps(cases))
    dist.barrier()


def fails(failure: BaseException) -> Any:
    """An evaluation that fails in this way; SystemExit stands for a process that is killed."""

    def execute(*_: Any, **__: Any) -> Any:
        if isinstance(failure, SystemExit):
            os._exit(9)
        raise failure

    return execute


def divided(folder: Path, model: Any, processor: Any) -> dict[str, Any]:
    """The scores of a model that is whole, and of the same one when fully_shard has divided its weights."""
    evaluator = Evaluator("pope,vsr", processor=processor, output=folder, limit=6)
    whole = evaluator(model, 1)
    mesh = init_device_mesh("cpu", (2,))
    for layer in model.model.language_model.layers:
        fully_shard(layer, mesh=mesh)
    model.zero_grad()
    parts = evaluator(fully_shard(model, mesh=mesh), 3)
    return {"whole": whole, "parts": parts, "loss": half_step(model, slice(dist.get_rank(), dist.get_rank() + 2))}


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
