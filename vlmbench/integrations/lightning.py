"""A callback of Lightning that evaluates on benchmarks while it trains."""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from operator import attrgetter
from typing import Any

from vlmbench.base.errors import UsageError
from vlmbench.base.process.extras import install_command

from .evaluator import Evaluator

LIBRARIES = ("lightning.pytorch", "pytorch_lightning")
"""The two names under which Lightning is installed, each with its own classes."""


class LightningHooks:
    """Evaluates with each validation, every N steps, and at the end.

        Trainer(callbacks=[LightningCallback("pope,gqa", processor=processor, limit=200)])

    The metrics go to Lightning's loggers and to its callback metrics, so that ModelCheckpoint and EarlyStopping can
    monitor `vlmbench/pope_accuracy`.
    """

    def __init__(
        self,
        tasks: Any,
        *,
        model: str = "model",
        every: int | None = None,
        on_validation: bool = True,
        at_end: bool = True,
        **options: Any,
    ) -> None:
        """`model`: the attribute of the LightningModule that holds the network, with dots for deeper ones.

        `every`: optimizer steps between evaluations, besides those with a validation and the last. `options`: those of
        Evaluator and vlmbench.evaluate.
        """
        if every is not None and every < 1:
            raise UsageError(f"every={every} is no number of steps", hint="leave it out for none between")
        self.evaluator = Evaluator(tasks, **options)
        self.every, self.with_validation, self.at_end = every, on_validation, at_end
        self._network = attrgetter(model)
        self._last: tuple[int, dict[str, float]] | None = None
        """Step and metrics of the last evaluation of this training."""

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """A training begins: its model may be another one."""
        self._last = None

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Every N steps; several batches may make up one."""
        step = trainer.global_step
        if self.every is not None and step and step % self.every == 0 and not self._done(step):
            self._log(trainer, pl_module, on_step=True, on_epoch=False)

    def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """With a validation, but for the one before training that only looks for mistakes."""
        if self.with_validation and not trainer.sanity_checking:
            if trainer.state.fn != "fit":
                self._last = None
            self._log(trainer, pl_module, on_step=False, on_epoch=True)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """The model that training ends with; module.log is not for this hook."""
        if self.at_end and not self._done(trainer.global_step):
            metrics = self._evaluate(pl_module, trainer.global_step, label="end")
            for logger in trainer.loggers:
                logger.log_metrics(metrics, step=trainer.global_step)
        self.evaluator.close()

    def _log(self, trainer: Any, pl_module: Any, **when: bool) -> None:
        metrics = self._evaluate(pl_module, trainer.global_step)
        pl_module.log_dict(metrics, sync_dist=trainer.world_size > 1, **when)

    def _done(self, step: int) -> bool:
        return self._last is not None and self._last[0] == step

    def _evaluate(self, pl_module: Any, step: int, label: str = "step") -> dict[str, float]:
        if self._last is None or self._last[0] != step:
            self._last = (step, self.evaluator(self._network(pl_module), step, label=label))
        return self._last[1]


@cache
def callback_class() -> type[Any]:
    """`LightningHooks` as a Callback of each Lightning that is loaded, else of the one that is installed.

    Raises UsageError where none is.
    """
    loaded = [name for name in LIBRARIES if sys.modules.get(name) is not None]
    for name in loaded or LIBRARIES:
        try:
            loaded = loaded or [import_module(name).__name__]
        except ImportError:
            continue
    if not loaded:
        raise UsageError("Lightning is not installed", hint=install_command("lightning"))
    bases = (LightningHooks, *(sys.modules[name].Callback for name in loaded))
    return type("LightningCallback", bases, {"__doc__": LightningHooks.__doc__})
