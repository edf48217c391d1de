"""Opens what an evaluation needs, from its options: the model or a pool of workers, and the judge.

`vlmbench ask` and `vlmbench score` open theirs here too. The code of judges and workers is imported where one is asked
for, and not before.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.base import settings
from vlmbench.base.errors import UsageError
from vlmbench.base.process import terminal
from vlmbench.plugins import specs

if TYPE_CHECKING:
    from vlmbench.base.model import Model
    from vlmbench.base.registry import TaskChoice
    from vlmbench.base.samples import Response, Sample
    from vlmbench.runs.options import JudgeOptions, ModelOptions, RunOptions
    from vlmbench.scoring.judge import Judge


def check_model(options: ModelOptions) -> None:
    """Raise UsageError for what is wrong with a model's name and options, as far as nothing needs to be imported."""
    specs.check(specs.parse_model(options.spec), options.loader_options())


def load_model(options: ModelOptions) -> Model:
    """Load the model into this process. Raises UsageError for an option that it does not have."""
    return specs.load_model(specs.parse_model(options.spec), options.loader_options())


@contextmanager
def open_workers(options: RunOptions) -> Iterator[Model]:
    """Replicas of the model as one model. Raises UsageError when Ray is not installed or the workers do not fit."""
    from vlmbench.runs.workers import cluster
    from vlmbench.runs.workers.pool import TIMEOUT, Pool

    count, threads = options.workers.count or 0, options.model.threads or 0
    on_gpu = options.model.device is None or options.model.device.partition(":")[0] != "cpu"
    cluster.start(options.workers.ray or "local", count * max(threads, 1))
    try:
        shares = cluster.share(count, threads, gpu=on_gpu)
        # Ray reports dead workers on stdout, which is the command's own: --json promises nothing else there.
        with (
            redirect_stdout(sys.stderr),
            Pool(_worker_loader(options), shares, timeout=options.workers.timeout or TIMEOUT) as pool,
        ):
            yield pool
    finally:
        cluster.stop()


def _worker_loader(options: RunOptions) -> partial[Model]:
    """What loads the model in a worker, whose working directory is another one: relative paths are made absolute."""
    spec = specs.parse_model(options.model.spec)
    if spec.checkpoint is not None and (path := Path(spec.checkpoint).expanduser()).exists():
        spec = replace(spec, checkpoint=str(path.resolve()))
    named = settings.load({"plugins": options.plugins}).plugins
    absolute = ",".join(str(Path(word).expanduser().resolve()) for word in named.split(",")) if named else ""
    return partial(_load_in_worker, absolute, spec, options.model.loader_options())


def _load_in_worker(named: str, spec: specs.ModelSpec, options: Mapping[str, Any]) -> Model:
    """In a worker, which knows nothing of plug-ins yet."""
    if named:
        from vlmbench.plugins import loading

        loading.load(named)
    return specs.load_model(spec, options)


@contextmanager
def open_judge(options: JudgeOptions, choices: Sequence[TaskChoice], cache: Path) -> Iterator[Judge | None]:
    """The judge, closed at the end; None where none is named. Raises UsageError, for a missing key too."""
    if options.model is None:
        yield None
        return
    from vlmbench.scoring import judge

    if not any(is_graded(choice) for choice in choices):
        keys = ", ".join(choice.key for choice in choices)
        raise UsageError(f"--judge has nothing to grade: {keys}", hint="leave it out, or name a task that needs one")
    runs = 1 if options.runs is None else options.runs
    with judge.open_judge(options.model, cache, runs=runs, budget=options.budget) as opened:
        yield opened


def is_graded(choice: TaskChoice) -> bool:
    """Whether a judge grades answers under this protocol."""
    return choice.task.protocols[choice.protocol].judge is not None


def print_judge_estimate(judge: Judge, items: Iterable[tuple[TaskChoice, Sample, Response | None]]) -> None:
    """Print what judging will take."""
    terminal.note(f"judge {judge.backend.name}: {judge.estimate(items)}")


def print_judge_usage(judge: Judge) -> None:
    """Print what judging took."""
    from vlmbench.scoring.judge import cost_line

    terminal.note(cost_line(judge.facts()))


def print_server_usage(model: Model) -> None:
    """Print what asking a server took; nothing for a model that runs here."""
    facts = model.facts
    if "calls" in facts:
        cost = f"{facts['usd']:.2f} USD" if "usd" in facts else "price not known"
        tokens = int(facts["prompt_tokens"]) + int(facts["completion_tokens"])
        replies = f"{facts['replies']:,} replies, {facts['cached']:,} from the cache"
        terminal.note(f"model {model.name}: {replies}; {tokens:,} tokens, {cost}")
