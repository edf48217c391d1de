"""A callback of transformers' Trainer that evaluates on benchmarks while it trains."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from vlmbench.base.errors import UsageError

from .evaluator import Evaluator

EVAL = "eval_"
"""What the Trainer's names of evaluation metrics begin with; its loggers file them by it."""


class TrainerHooks:
    """Evaluates whenever the Trainer does, every N steps, and at the end.

        trainer.add_callback(TrainerCallback(trainer, "pope,gqa", limit=200))

    The metrics go where the Trainer's own go: its loggers, its state, and what `metric_for_best_model`
    (`vlmbench/pope_accuracy`) and EarlyStoppingCallback look at. Runs lie in OUTPUT_DIR/vlmbench. Losses, weights and
    random numbers are those of a training without the callback.
    """

    def __init__(
        self,
        trainer: Any,
        tasks: Any,
        *,
        every: int | None = None,
        on_evaluate: bool = True,
        at_end: bool = True,
        output: str | Path | None = None,
        processor: Any = None,
        **options: Any,
    ) -> None:
        """`every`: steps between evaluations, besides those of the Trainer (`on_evaluate`) and the last (`at_end`).

        `processor`: the Trainer's processing class if left out. `options`: those of Evaluator and vlmbench.evaluate.
        """
        if every is not None and every < 1:
            raise UsageError(f"every={every} is no number of steps", hint="leave it out for none between")
        if processor is None and "adapter" not in options:
            processor = trainer.processing_class
        folder = Path(trainer.args.output_dir) / "vlmbench" if output is None else output
        options.setdefault("name", trainer.args.run_name or Path(trainer.args.output_dir).resolve().name)
        self.evaluator = Evaluator(tasks, processor=processor, output=folder, **options)
        self.trainer, self.every, self.with_evaluate, self.at_end = trainer, every, on_evaluate, at_end
        self._last: tuple[int, dict[str, float]] | None = None
        """Step and metrics of the last evaluation of this training."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Go first: callbacks that read metrics (EarlyStoppingCallback) shall find ours."""
        self._last = None
        handler = self.trainer.callback_handler  # its list is being walked through: it gets another one
        handler.callbacks = [self, *(one for one in handler.callbacks if one is not self)]

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Every N steps."""
        if self.every is not None and state.global_step % self.every == 0:
            self._log(state, control)

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: dict[str, float] | None = None, **_: Any
    ) -> None:
        """With the Trainer's own evaluation, whose metrics get ours too."""
        if self.with_evaluate:
            found = self._log(state, control)
            if metrics is not None:
                metrics.update(found)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The model that training ends with: the best one, where the Trainer loads that."""
        if self.at_end and (args.load_best_model_at_end or self._last is None or self._last[0] != state.global_step):
            self._last = None
            self._log(state, control, label="end")
        self._last = None
        self.evaluator.close()

    def _log(self, state: Any, control: Any, label: str = "step") -> dict[str, float]:
        """Evaluate and log, once per step; the metrics under the Trainer's names."""
        if self._last is not None and self._last[0] == state.global_step and self.trainer.is_in_train:
            return self._last[1]
        metrics = self.evaluator(self.trainer.model, state.global_step, label=label)
        found = {f"{EVAL}{name}": value for name, value in metrics.items()}
        self._last = (state.global_step, found)
        if found:
            flags = dict(vars(control))  # logging unsets some
            self.trainer.log(dict(found))
            vars(control).update(flags)
        return found


@cache
def callback_class() -> type[Any]:
    """`TrainerHooks` as a TrainerCallback of transformers."""
    from transformers import TrainerCallback

    return type("TrainerCallback", (TrainerHooks, TrainerCallback), {"__doc__": TrainerHooks.__doc__})
