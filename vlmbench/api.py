"""`vlmbench.evaluate`: what `vlmbench run` does, from Python: the same options, engine, folder and scores."""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from vlmbench.base import registry
from vlmbench.base.errors import UnknownNameError, UsageError
from vlmbench.cli import main as cli
from vlmbench.plugins.api import MODEL, TASK, refuse_lacking
from vlmbench.plugins.function_model import FunctionModel
from vlmbench.runs.restore_state import preserved

if TYPE_CHECKING:
    import pandas as pd

    from vlmbench.base.model import Model
    from vlmbench.base.task import Task

OWN = ("model", "tasks", "help", "json", "min_coverage")
"""What of `vlmbench run` is no keyword here: evaluate's own words, and what only a command line can need."""


@dataclass(frozen=True)
class Result:
    """A finished run."""

    folder: Path
    """The run's folder, as `vlmbench compare`, `report` and the rest take it; a temporary one goes with this object."""
    summary: Mapping[str, Any]
    """What scores.json holds, by task."""

    @property
    def coverage(self) -> float:
        """The lowest share of samples with a score among the tasks."""
        return min(float(entry["coverage"]) for entry in self.summary.values())

    @cached_property
    def scores(self) -> pd.DataFrame:
        """A row a metric: task, metric, value, low, high, n, breakdown, label, headline (is it the one papers print?).

        low and high bound the interval; its confidence level is `summary[task]["level"]`.
        """
        import pandas as pd

        rows = []
        for task, entry in self.summary.items():
            for name, found in entry.items():
                if isinstance(found, dict) and "value" in found:
                    place = {"breakdown": found.get("breakdown", ""), "label": found.get("label", "")}
                    numbers = {key: found[key] for key in ("value", "low", "high", "n")}
                    first = {"headline": name == entry["headline"]}
                    rows.append({"task": task, "metric": name, **numbers, **place, **first})
        return pd.DataFrame(rows).astype({"value": float, "low": float, "high": float})

    @cached_property
    def records(self) -> pd.DataFrame:
        """A row a question: what was asked and answered, what that was read as, value, status, and all else kept."""
        import pandas as pd

        from vlmbench.runs.storage.layout import RECORDS

        return pd.read_parquet(self.folder / RECORDS)


def evaluate(
    model: str | Model | Callable[..., str] | Any,
    tasks: str | Task | Sequence[str | Task],
    *,
    processor: Any = None,
    output: str | Path | None = None,
    **options: Any,
) -> Result:
    """Put benchmarks' questions to a model and score the answers, as `vlmbench run` does.

    `model`: what --model takes; an adapter (nouns.Model); a function (images, question) -> text; or a transformers
    model, with its `processor`. `tasks`: what --tasks takes, or tasks (nouns.Task), or a list of both. `output`: the
    run's folder, where the same call goes on after an interruption; without it, one that lasts as long as the result.
    `options` are those of `vlmbench run` (limit=10, data=FOLDER, ablate="blind", plugins="mine.py", judge=..., ...).

    A model object and its processor come back as they were (training flags, settings, hooks), and so do random numbers.

    Raises UsageError for words that do not fit, DataError, ModelError and StoreError as the command does.
    """
    from vlmbench.cli.verbs import run

    args = _parsed(options)
    cli.load_plugins(args)
    made = Path(tempfile.mkdtemp(prefix="vlmbench-")) if output is None else None
    with preserved(model, processor), ExitStack() as lent, ExitStack() as undo:
        if made is not None:
            undo.callback(shutil.rmtree, made, ignore_errors=True)
        if not isinstance(model, str) and (args.workers is not None or args.ray is not None):
            hint = "leave workers and ray out, or name the model: a worker loads its own"
            raise UsageError("a model object cannot go to workers", hint=hint)
        args.model = model if isinstance(model, str) else _lend(lent, adapter(model, processor))
        args.tasks = ",".join(_task_names(lent, tasks))
        args.output = made or Path(str(output)).expanduser()
        outcome = run.carry_out(args).plain
        undo.pop_all()
    result = Result(outcome.folder, outcome.scores)
    if made is not None:
        weakref.finalize(result, shutil.rmtree, made, ignore_errors=True)
    return result


def adapter(model: Any, processor: Any = None) -> Model:
    """What answers for a model object. Raises UsageError for what is none."""
    if processor is not None:
        if lacking := [name for name in ("config", "generate") if not hasattr(model, name)]:
            inner = hasattr(getattr(model, "module", None), "generate")  # DataParallel, DistributedDataParallel
            hint = "give model.module" if inner else "leave processor out, or give a transformers model"
            raise UsageError(f"{type(model).__name__} has no {lacking[0]}", hint=hint)
        wrapped: Model = registry.load_object(registry.TRANSFORMERS)(model, processor)
        return wrapped
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(model, torch.nn.Module):
        raise UsageError(
            f"{type(model).__name__} comes without its processor", hint="evaluate(model, ..., processor=p)"
        )
    if all(hasattr(model, name) for name in MODEL):
        return model  # type: ignore[no-any-return]
    if callable(model):
        return FunctionModel(getattr(model, "__name__", type(model).__name__), model)
    hint = "give a name, an adapter, a function (images, question) -> text, or a transformers model and its processor"
    raise UsageError(f"{type(model).__name__} is no model", hint=hint)


def _lend(lent: ExitStack, model: Model) -> str:
    """Make a model object known while it runs; its name there."""
    name = re.sub(r"[:,]", "_", model.name)
    if name in registry.models.names():
        name = f"{name} (object)"
    lent.enter_context(registry.models.lent(name, lambda checkpoint: model))
    return name


def _task_names(lent: ExitStack, tasks: Any) -> Iterable[str]:
    for task in [tasks] if isinstance(tasks, str) or not isinstance(tasks, Sequence) else tasks:
        if not isinstance(task, str):
            refuse_lacking(task, "task", TASK)
            lent.enter_context(registry.tasks.lent(task.name, task))
        yield task if isinstance(task, str) else task.name


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint="`vlmbench run --help` tells the options")


def _parsed(options: Mapping[str, Any]) -> argparse.Namespace:
    """The options as the command's parser reads them. Raises UsageError, UnknownNameError for one it does not have."""
    parser = cli.parser("run", _Parser)
    known = {action.dest: action for action in parser._actions if action.dest not in OWN}
    words = ["--model=", "--tasks="]
    for name, value in options.items():
        if name not in known:
            raise UnknownNameError("option of vlmbench.evaluate", name, known)
        flag = known[name].option_strings[-1]
        if known[name].nargs == 0:
            words += [flag] * bool(value)
        elif value is not None:
            several = isinstance(value, Sequence) and not isinstance(value, str)
            words.append(f"{flag}={','.join(map(str, value)) if several else value}")
    return parser.parse_args(words)
