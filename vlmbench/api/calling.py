"""`vlmbench.evaluate`: what `vlmbench run` does, from Python, with the same options, folder and scores."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, cast

from vlmbench.base import paths, registry
from vlmbench.base.errors import UnknownNameError, UsageError
from vlmbench.base.renamed_options import refuse_old_names
from vlmbench.base.variant import Variant, chosen
from vlmbench.plugins.api import MODEL, TASK, refuse_lacking
from vlmbench.plugins.function_model import FunctionModel
from vlmbench.plugins.loading import load_configured
from vlmbench.runs import evaluation
from vlmbench.runs.options import JudgeOptions, ModelOptions, RunOptions, VerifyOptions, WorkerOptions
from vlmbench.runs.restore_state import preserved
from vlmbench.scoring.suites import suite_file
from vlmbench.scoring.suites.suite_file import SuiteFile

from .gating import GateOptions, opened
from .result import Result

if TYPE_CHECKING:
    from vlmbench.base.model import Model
    from vlmbench.base.task import Task
    from vlmbench.compare.early.early_gate import EarlyGate


class VariantOptions(TypedDict, total=False):
    """Keywords of `evaluate` that make a named variant of each task's protocol, as the command's options do."""

    temperature: float
    top_p: float
    max_new_tokens: int
    thinking_budget: int
    system: str
    shots: int | str
    samples: int


class Keywords(VariantOptions, GateOptions, total=False):
    """Of `evaluate`, besides those that it names."""


def variant_of(options: VariantOptions) -> Variant:
    """The variant that the keywords describe. Raises UsageError for values out of range."""
    fields: dict[str, Any] = dict(options)
    if "thinking_budget" in fields:
        fields["thinking"] = fields.pop("thinking_budget")
    if fields.get("shots") is not None:
        fields["shots"] = str(fields["shots"])
    return chosen(**fields)


def evaluate(
    model: str | Model | Callable[..., str] | Any = None,
    tasks: str | Task | Sequence[str | Task] = (),
    *,
    suite: str | Path | SuiteFile | None = None,
    processor: Any = None,
    output: str | Path | None = None,
    data: str | Path | None = None,
    limit: int | float | None = None,
    ids: str | Path | None = None,
    seed: int = 0,
    perturb: str | Sequence[str] = "",
    engine: Literal["shared", "batched", "simple"] | None = None,
    recheck_ties: bool = False,
    dtype: Literal["float32", "bfloat16", "float16"] | None = None,
    quantize: Literal["int8", "int4", "int8-dynamic"] | None = None,
    linear: Literal["mkl", "onednn", "auto"] | None = None,
    device: str | None = None,
    threads: int | None = None,
    batch_size: int | Literal["auto"] | None = None,
    attention: str | None = None,
    trust_remote_code: bool = False,
    judge: str | None = None,
    judge_runs: int | None = None,
    judge_budget: float | None = None,
    verify_backend: int | None = None,
    verify_against: str | None = None,
    workers: int | None = None,
    ray: str | None = None,
    worker_timeout: float | None = None,
    plugins: str | Path | Sequence[str | Path] | None = None,
    interval: float | None = None,
    gate: str | Path | Result | None = None,
    **more: Unpack[Keywords],
) -> Result:
    """Put benchmarks' questions to a model and score the answers, as `vlmbench run` does.

    `model`: what --model takes; an adapter (base.model.Model); a function (images, question) -> text; or a transformers
    model, with its `processor`. `tasks`: what --tasks takes, or tasks (base.task.Task), or a list of both. `suite`: a
    suite file, which may name the model and the tasks. `output`: the run's folder, from which the same call resumes
    after an interruption; without it, a temporary folder that lasts as long as the result. `gate`: an earlier run or
    baseline that it is held against while it asks; it ends as soon as every verdict is certain, and `result.gate` has
    the outcome, which raises nothing. The other keywords are options of `vlmbench run`. A model object, its processor
    and the random number generators come back as they were.
    Raises UsageError for options that do not fit, DataError, ModelError and StoreError as the command does.
    """
    given = dict(locals())
    _refuse_unknown(given.pop("more"))
    given |= {name: value for name, value in more.items() if name in VariantOptions.__annotations__}
    del given["gate"]
    if isinstance(suite, str | Path):
        given = _with_suite_file(given)
    if given["model"] is None:
        raise UsageError("which model?", hint="give a name or an object; vlmbench.base.registry.models has the names")
    rules: dict[str, Any] = {name: value for name, value in more.items() if name in GateOptions.__annotations__}
    options, baseline = _options(given), gate.folder if isinstance(gate, Result) else gate
    watch = partial(opened, baseline, cast("GateOptions", rules), options.seed, options.perturb)
    return _evaluate(options, given["model"], processor, tasks, watch)


def check(tasks: str | Task | Sequence[str | Task], **options: Any) -> None:
    """Raise what `evaluate` would for these tasks and options, as far as no model is needed to tell."""
    own = {name: one.default for name, one in signature(evaluate).parameters.items() if name != "more"}
    _refuse_unknown({name: value for name, value in options.items() if name not in own})
    given = {**own, "model": "", **options}
    if isinstance(given["suite"], str | Path):
        given = _with_suite_file(given)
    asked = _options(given)
    load_configured(asked.plugins)
    with ExitStack() as registered:
        evaluation.choose(replace(asked, tasks=",".join(_task_names(registered, tasks))))


def _with_suite_file(given: dict[str, Any]) -> dict[str, Any]:
    """The keywords of `evaluate` with those of the suite file that they name; what the caller gives is kept."""
    plugins = given["plugins"]
    load_configured(None if plugins is None else _joined(plugins))
    file = suite_file.read(Path(given["suite"]), suite_file.names_set(given))
    return {**given, **file.options, "suite": file}


def _options(given: Mapping[str, Any]) -> RunOptions:
    """The keywords of `evaluate` as the evaluation takes them."""

    def of(*names: str) -> list[Any]:
        return [given[name] for name in names]

    spec, size = given["model"] if isinstance(given["model"], str) else "", given["batch_size"]
    computing = of("engine", "recheck_ties", "dtype", "quantize", "linear", "device", "threads")
    computing += [None if size is None else str(size), *of("attention", "trust_remote_code")]
    variant = {name: given[name] for name in VariantOptions.__annotations__ if name in given}
    return RunOptions(
        ModelOptions(spec, *computing),
        tasks="",
        data=None if given["data"] is None else str(given["data"]),
        limit=given["limit"],
        ids=_path(given["ids"]),
        output=_path(given["output"]),
        perturb=_joined(given["perturb"]),
        seed=given["seed"],
        judge=JudgeOptions(*of("judge", "judge_runs", "judge_budget")),
        verify=VerifyOptions(*of("verify_backend", "verify_against")),
        workers=WorkerOptions(*of("workers", "ray", "worker_timeout")),
        plugins=None if given["plugins"] is None else _joined(given["plugins"]),
        interval=given["interval"],
        variant=variant_of(cast("VariantOptions", variant)),
        suite=given["suite"],
    )


def _evaluate(
    options: RunOptions, model: Any, processor: Any, tasks: Any, open_gate: Callable[[], EarlyGate | None]
) -> Result:
    """Evaluate with the model and task objects registered while it lasts: reading a baseline needs its tasks."""
    load_configured(options.plugins)
    if not isinstance(model, str) and options.workers.wanted:
        hint = "leave workers and ray out, or name the model: a worker loads its own"
        raise UsageError("a model object cannot go to workers", hint=hint)
    temporary = Path(tempfile.mkdtemp(prefix="vlmbench-")) if options.output is None else None
    with preserved(model, processor), ExitStack() as registered, ExitStack() as undo:
        if temporary is not None:
            undo.callback(shutil.rmtree, temporary, ignore_errors=True)
        if not isinstance(model, str):
            name = _register(registered, adapter(model, processor))
            options = replace(options, model=replace(options.model, spec=name))
        names = ",".join(_task_names(registered, tasks))
        gate = open_gate()
        asked = replace(options, tasks=names, output=temporary or options.output)
        outcome = evaluation.evaluate(asked, gate).unperturbed
        if gate is not None:
            gate.keep(outcome.folder)
        undo.pop_all()
    result = Result(outcome.folder, outcome.scores)
    if temporary is not None:
        weakref.finalize(result, shutil.rmtree, temporary, ignore_errors=True)
    return result


def _refuse_unknown(names: Mapping[str, Any]) -> None:
    """Raise UnknownNameError, with near names, for a keyword that `evaluate` does not have."""
    refuse_old_names(names)
    known = [parameter.name for parameter in signature(evaluate).parameters.values()]
    own = {**VariantOptions.__annotations__, **GateOptions.__annotations__}
    if unknown := [name for name in names if name not in own]:
        raise UnknownNameError("option of vlmbench.evaluate", unknown[0], [*known[:-1], *own])


def _path(value: str | Path | None) -> Path | None:
    return None if value is None else paths.path(str(value))


def _joined(value: str | Path | Sequence[str | Path]) -> str:
    """One name or several, with commas between as the command line takes them."""
    return ",".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)


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


def _register(registered: ExitStack, model: Model) -> str:
    """Register a model object while it is evaluated; its name there."""
    name = re.sub(r"[:,]", "_", model.name)
    if name in registry.models.names():
        name = f"{name} (object)"
    registered.enter_context(registry.models.temporarily_registered(name, lambda checkpoint: model))
    return name


def _task_names(registered: ExitStack, tasks: Any) -> Iterable[str]:
    for task in [tasks] if isinstance(tasks, str) or not isinstance(tasks, Sequence) else tasks:
        if not isinstance(task, str):
            refuse_lacking(task, "task", TASK)
            registered.enter_context(registry.tasks.temporarily_registered(task.name, task))
        yield task if isinstance(task, str) else task.name
