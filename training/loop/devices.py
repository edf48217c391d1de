"""Where a training runs: one CPU, one GPU, or what `accelerate launch` starts; all of it by accelerate's own config."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from vlmbench.base.errors import TrainingError

from ..recipe.recipe import Recipe, Stage

MIXED = {"float32": "no", "bfloat16": "bf16", "float16": "fp16"}
SHARDED = ("FSDP", "DEEPSPEED")
"""Kinds of distribution in which no process holds all weights."""


@dataclass
class Devices:
    """The processes of a training, and this one among them."""

    accelerator: Any

    @classmethod
    def of(cls, recipe: Recipe) -> Devices:
        """Raises TrainingError where the recipe's precision and the machine contradict each other."""
        from accelerate import Accelerator, DistributedDataParallelKwargs
        from accelerate.state import AcceleratorState, GradientState

        here = torch.cuda.is_available()
        if recipe.precision == "float16" and not here:
            message = "precision 'float16' contradicts a machine without GPU"
            raise TrainingError(message, where=f"recipe {recipe.name!r}", hint="--set precision=bfloat16, or float32")
        if recipe.linear == "onednn" and (here or not torch.backends.mkldnn.is_available()):  # type: ignore[no-untyped-call]
            machine = "a GPU" if here else "a torch without oneDNN"
            message = f"linear 'onednn' contradicts a machine with {machine}"
            raise TrainingError(message, where=f"recipe {recipe.name!r}", hint="--set linear=mkl")
        # A process may train several recipes in turn, each with a precision of its own.
        AcceleratorState._reset_state()
        GradientState._reset_state()
        # A batch of text alone leaves the connector of the MiniGPT family without a gradient.
        unused = DistributedDataParallelKwargs(find_unused_parameters=True)
        return cls(Accelerator(cpu=not here, mixed_precision=MIXED[recipe.precision], kwargs_handlers=[unused]))

    @property
    def device(self) -> torch.device:
        """This process's."""
        device: torch.device = self.accelerator.device
        return device

    @property
    def first(self) -> bool:
        """Whether this process writes logs and checkpoints."""
        return bool(self.accelerator.is_main_process)

    @property
    def rank(self) -> int:
        """This process's number."""
        return int(self.accelerator.process_index)

    @property
    def count(self) -> int:
        """Processes."""
        return int(self.accelerator.num_processes)

    @property
    def sharded(self) -> bool:
        """Whether no process holds all weights."""
        return self.accelerator.distributed_type.name in SHARDED

    def share(self, stage: Stage) -> None:
        """Raises TrainingError unless the stage's micro-batches can be shared by the processes."""
        if stage.micro_batches % self.count:
            named = f"batch {stage.batch} of per_device {stage.per_device}" if stage.batch else "accumulate"
            message = f"{stage.micro_batches} micro-batches per step ({named}) contradict {self.count} processes"
            hint = f"--set stages.{stage.name}.{'batch' if stage.batch else 'accumulate'}=N so that they can be shared"
            raise TrainingError(message, where=f"stage {stage.name!r}", hint=hint)

    def wait(self) -> None:
        """Until all processes are here."""
        self.accelerator.wait_for_everyone()

    @contextmanager
    def main_process_first(self) -> Iterator[None]:
        """The first process runs a block before the others do."""
        with self.accelerator.main_process_first():
            yield

    def gathering(self, module: nn.Module, last: bool) -> Any:
        """While a micro-batch that is not the last of its step runs, gradients are not exchanged."""
        return nullcontext() if last else self.accelerator.no_sync(module)

    def mean(self, value: float) -> float:
        """Over all processes."""
        if self.count == 1:
            return value
        tensor = torch.tensor(value, device=self.device, dtype=torch.float32 if self.device.type == "mps" else None)
        return float(self.accelerator.reduce(tensor, reduction="mean"))

    def gathered(self, value: Any) -> list[Any]:
        """One value of each process, by its number."""
        if self.count == 1:
            return [value]
        from accelerate.utils import gather_object

        values: list[Any] = gather_object([value])
        return values

    def total(self, value: int) -> int:
        """Over all processes."""
        if self.count == 1:
            return value
        return int(self.accelerator.reduce(torch.tensor(value, device=self.device), reduction="sum"))
