"""Evaluations of a model while it trains, from any training loop."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vlmbench.api import calling
from vlmbench.api.result import Result
from vlmbench.base.errors import UsageError
from vlmbench.base.process import terminal
from vlmbench.runs.restore_state import preserved
from vlmbench.runs.storage.layout import MANIFEST

from . import processes
from .loggers import Sender, parse
from .loggers.sent_run import SentRun, metrics
from .unwrapping import all_weights, plain, rebuilt, unwrapped

if TYPE_CHECKING:
    from vlmbench.base.model import Model
    from vlmbench.base.task import Task


class Evaluator:
    """Puts benchmarks' questions to a model in training, and leaves it and the process as they were.

        evaluator = Evaluator("pope,gqa", processor=processor, output="runs/mine", limit=200)
        ...
        metrics = evaluator(model, step)  # {"vlmbench/pope_accuracy": 87.1, ...}

    Each evaluation is a run in a folder of its own, `OUTPUT/step-0000500`, which `vlmbench compare`, `check` and
    `report` take. In a distributed training every process makes the call; the first asks, the others wait.
    """

    def __init__(
        self,
        tasks: str | Task | Sequence[str | Task],
        *,
        processor: Any = None,
        adapter: Callable[[Any], Model] | None = None,
        build: Callable[[], Any] | None = None,
        output: str | Path = "runs/training",
        name: str = "",
        on_error: Literal["raise", "warn"] = "raise",
        log_to: str | Sequence[str] = (),
        **options: Any,
    ) -> None:
        """`tasks` and `options` (limit, data, seed, ...) are those of vlmbench.evaluate.

        `processor` belongs to a transformers model; for other networks `adapter` makes of them what answers, a
        vlmbench.BatchedModel for example. `build` makes an empty network where fully_shard has divided the weights
        of one that is no transformers model. `name`: of the training, for runs and services; else the folder's.
        `on_error`: raise what an evaluation raises, or `warn`, once per failure, and let the training go on without its
        metrics. `log_to`: services that get the scores, as `vlmbench run --log-to` takes them; one run each, with the
        training's steps. Raises, here and now, what is wrong with tasks, data, options and services.
        """
        if on_error not in ("raise", "warn"):
            raise UsageError(f"on_error takes raise or warn, not {on_error!r:.80}")
        if taken := {"model", "tasks", "processor", "output"} & set(options):
            raise UsageError(f"{', '.join(sorted(taken))}: not among the options of an evaluation in training")
        if (processor is None) == (adapter is None):
            hint = "processor= for a transformers model, adapter= for any other network"
            raise UsageError("what asks the model? give processor or adapter, one of them", hint=hint)
        self.tasks, self.processor, self.adapter, self.build = tasks, processor, adapter, build
        self.output, self.on_error, self.options = Path(output), on_error, options
        self.result: Result | None = None
        """Of the last evaluation; None on the processes that do not ask."""
        self._told: set[str] = set()
        self.name = name or self.output.resolve().name
        services = parse([log_to] if isinstance(log_to, str) else log_to)
        self._sender = Sender(services, title=self.name, folder=self.output)
        calling.check(tasks, **options)

    def __call__(self, model: Any, step: int, *, label: str = "step") -> dict[str, float]:
        """Evaluate; the metrics by name, the same on every process; empty after a failure that was only told.

        `model` may be wrapped (DistributedDataParallel, torch.compile, PEFT) or divided (fully_shard). Raises
        ModelError for what cannot be unwrapped, and what vlmbench.evaluate raises.
        """
        folder = self.output / f"{label}-{step:07d}"
        self.result = None
        try:
            network = unwrapped(model)
            weights = all_weights(network)
            return processes.on_first(lambda: self._evaluate(network, weights, step, folder))
        except Exception as error:
            if self.on_error == "raise":
                raise
            self._tell(f"no scores at {label} {step}", error)
            return {}

    def close(self) -> None:
        """End the runs of `log_to`."""
        self._sender.close()

    def _evaluate(self, network: Any, weights: dict[str, Any] | None, step: int, folder: Path) -> dict[str, float]:
        """On the process that asks. `weights`: all of them, where the network is divided among processes."""
        if (folder / MANIFEST).is_file():  # of a training that was killed and goes on from before, or was repeated
            shutil.rmtree(folder)
        with preserved(network, self.processor), plain(network):
            asked = network if weights is None else rebuilt(network, weights, self.build)
            model = calling.adapter(asked, self.processor) if self.adapter is None else self.adapter(asked)
            with suppress(AttributeError):  # an adapter's name may be for good
                model.name = f"{self.name}@{folder.name}"
            self.result = calling.evaluate(model, self.tasks, output=folder, **self.options)
            self._sender.send(SentRun(folder, self.result.manifest, self.result.summary), step)
        return metrics(self.result.summary)

    def _tell(self, what: str, error: Exception) -> None:
        """A failure, once: the next evaluation may meet the same one."""
        cause = f"{type(error).__name__}: {error}"
        if cause not in self._told and processes.rank() == 0:
            terminal.warn(f"{what}, and the training goes on: {terminal.clean(cause)}")
        self._told.add(cause)
