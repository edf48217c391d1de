"""The options of one evaluation, typed and checked: what `vlmbench run` and `vlmbench.evaluate` both fill in.

Each class checks itself when it is made and raises UsageError with the option's name as the command line spells it. The
Python keyword is the same name with underscores. Options that are left out (None, False) take the default of whatever
they set: a model, for example, has its own number type.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.base.errors import UsageError
from vlmbench.base.variant import PLAIN, Variant

if TYPE_CHECKING:
    from vlmbench.scoring.suites.suite_file import SuiteFile

ENGINES = ("shared", "batched", "simple")
DTYPES = ("float32", "bfloat16", "float16")
WIDTHS = ("int8", "int4", "int8-dynamic")
LINEAR = ("mkl", "onednn", "auto")


@dataclass(frozen=True)
class ModelOptions:
    """Which model answers, and how it computes."""

    spec: str
    """`NAME[:CHECKPOINT][,key=value]`, as --model takes it."""
    engine: str | None = None
    """shared: compute each image's prefix once; batched: several questions at once; simple: one by one."""
    recheck_ties: bool = False
    """Ask answers whose best two tokens are nearly tied again, one by one."""
    dtype: str | None = None
    """Number type of the weights."""
    quantize: str | None = None
    """Keep the language model's weights in 8 or 4 bits; int8-dynamic multiplies in integers too, on a CPU with VNNI."""
    linear: str | None = None
    """Library of the Linear layers on a CPU: torch's own (mkl), onednn, or auto: oneDNN where it is faster and a trial
    at load gives equal answers."""
    device: str | None = None
    """cpu, cuda, cuda:1, ..."""
    threads: int | None = None
    """Processor threads; 0 leaves the number to torch."""
    batch_size: str | None = None
    """Rows that go through the network at once: a number, or `auto`."""
    attention: str | None = None
    """sdpa, or matmul for bfloat16 on a CPU; hf: any of transformers' names of an attention implementation."""
    trust_remote_code: bool = False
    """Run Python code that comes with the checkpoint."""

    def __post_init__(self) -> None:
        _check_choice("--engine", self.engine, ENGINES)
        _check_choice("--dtype", self.dtype, DTYPES)
        _check_choice("--quantize", self.quantize, WIDTHS)
        _check_choice("--linear", self.linear, LINEAR)
        _check_number(self, "threads", "--threads", above=-1, whole=True)

    def loader_options(self) -> dict[str, Any]:
        """Every option but `spec`, by name, for the model's loader."""
        return {item.name: getattr(self, item.name) for item in fields(self) if item.name != "spec"}


@dataclass(frozen=True)
class JudgeOptions:
    """Which model grades open answers."""

    model: str | None = None
    """`openai:NAME[,key=value]`, or a model as --model takes it; None: no judge."""
    runs: int | None = None
    """How many times every answer is graded (default 1)."""
    budget: float | None = None
    """US dollars after which the judge is asked no more."""

    def __post_init__(self) -> None:
        _check_number(self, "runs", "--judge-runs", whole=True)
        _check_number(self, "budget", "--judge-budget")
        for option, value in (("--judge-runs", self.runs), ("--judge-budget", self.budget)):
            if self.model is None and value:
                raise UsageError(f"{option} needs a judge", hint="name one: --judge openai:gpt-4-0613")


@dataclass(frozen=True)
class VerifyOptions:
    """Whether another model checks the backend first."""

    questions: int | None = None
    """How many questions both models answer; None: no check."""
    against: str | None = None
    """The other model, as --model takes it; None: the one that the model names as its reference."""

    def __post_init__(self) -> None:
        _check_number(self, "questions", "--verify-backend", whole=True)
        if self.questions is None and self.against:
            raise UsageError(
                "--verify-against needs --verify-backend N", hint="give a number of questions, such as 100"
            )
        if self.questions is not None and self.questions < 1:
            raise UsageError(f"--verify-backend {self.questions} compares nothing", hint="give a number above 0")


@dataclass(frozen=True)
class WorkerOptions:
    """How many replicas of the model answer, and where."""

    count: int | None = None
    """Replicas, each in a process of its own."""
    ray: str | None = None
    """Address of a running Ray cluster: `auto`, or HOST:PORT."""
    timeout: float | None = None
    """Seconds without an answer after which a worker is replaced."""

    def __post_init__(self) -> None:
        _check_number(self, "count", "--workers", whole=True)
        _check_number(self, "timeout", "--worker-timeout")
        if not self.wanted and self.timeout is not None:
            raise UsageError("--worker-timeout is for workers", hint="name --workers N or --ray ADDRESS too")
        if (self.count is not None and self.count < 1) or (self.timeout is not None and self.timeout <= 0):
            hint = "leave them out for the defaults"
            raise UsageError("--workers and --worker-timeout take numbers above 0", hint=hint)

    @property
    def wanted(self) -> bool:
        """Whether workers answer instead of this process."""
        return self.count is not None or self.ray is not None


@dataclass(frozen=True)
class RunOptions:
    """Everything that decides one evaluation."""

    model: ModelOptions
    tasks: str
    """`NAME[:SPLIT][@PROTOCOL]` and `suite:NAME`, with commas between; may be empty with a suite file."""
    data: str | None = None
    """`sample`, `hub[:COPIES]`, or a folder or URL of official files; None: as the settings say."""
    limit: int | float | None = None
    """At most so many questions per task, or a share of each task below 1: whole images in a seeded order."""
    ids: Path | None = None
    """A file that lists the questions to ask: an id per line, or `TASK<TAB>ID` lines."""
    output: Path | None = None
    """The run's folder; None: one under runs/ whose name is the same for the same options."""
    perturb: str = ""
    """`NAME[:SEVERITY]` of perturbations, with commas between: each makes one more run of the same questions."""
    seed: int = 0
    """For `limit`, sampling and perturbations."""
    judge: JudgeOptions = field(default_factory=JudgeOptions)
    verify: VerifyOptions = field(default_factory=VerifyOptions)
    workers: WorkerOptions = field(default_factory=WorkerOptions)
    plugins: str | None = None
    """Files and folders with tasks and models, with commas between; workers load them too."""
    interval: float | None = None
    """Confidence level of the intervals, between 0 and 1; None: 0.95."""
    variant: Variant = PLAIN
    """How all tasks are asked, where not as their protocols say."""
    suite: SuiteFile | None = None
    """More tasks, with settings of their own, and their average: what --suite names."""

    def __post_init__(self) -> None:
        check_level(self, "interval")
        _check_number(self, "seed", "--seed", whole=True)
        check_limit(self)
        if self.limit is not None and self.ids is not None:
            raise UsageError("--ids and --limit both choose the questions", hint="leave one of them out")


def check_limit(options: Any) -> None:
    """Raise UsageError for a `limit` that is neither a number of questions nor a share of them."""
    _check_number(options, "limit", "--limit", whole=not _is_share(options.limit))
    if options.limit is not None and options.limit <= 0:
        hint = "give a number above 0, or a share below 1 such as 0.1"
        raise UsageError(f"--limit {options.limit} leaves nothing to ask", hint=hint)


def _is_share(limit: Any) -> bool:
    value = limit.item() if hasattr(limit, "item") else limit
    return isinstance(value, float) and 0 < value < 1


def check_level(options: Any, name: str) -> None:
    """Raise UsageError for what is no confidence level. Scoring takes seconds, so another level needs no new run."""
    _check_number(options, name, "--interval")
    level = getattr(options, name)
    if level is not None and not 0 < level < 1:
        raise UsageError(f"--interval {level:g} is no confidence level", hint="give a number between 0 and 1: 0.95")


def _check_choice(option: str, value: str | None, choices: Iterable[str]) -> None:
    if value is not None and value not in choices:
        raise UsageError(f"{option} takes {', '.join(choices)}; not {value!r:.80}")


def _check_number(options: Any, name: str, option: str, *, above: float | None = None, whole: bool = False) -> None:
    """Raise UsageError for what is no number, or no whole one, or too small; numpy's numbers become Python's own."""
    value = getattr(options, name)
    if hasattr(value, "item"):
        value = value.item()
        object.__setattr__(options, name, value)
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise UsageError(f"{option} takes a {'whole ' if whole else ''}number, not {value!r:.80}")
    if above is not None and value <= above:
        raise UsageError(f"{option} takes a number above {above}, not {value}")
