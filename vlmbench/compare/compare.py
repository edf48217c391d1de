"""Two stored runs, sample by sample: how far apart each metric is, and which answers turned.

Samples are paired by id, and only those that have a score in both runs count, so a failure is neither a loss nor a
gain: it is missing, and is reported as that. Metrics are the task's own over the paired samples
(vlmbench/runs/storage/reload.py), their differences and tests those of differences.py, Holm's correction over the
metrics of a task, over its breakdowns, and over the tasks' headlines.

Runs that did not answer the same questions under the same rules are refused, with both values of what differs; what may
be the very thing that is compared (prompt, generation, perturbation, judge) is reported and let through.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.base.errors import StoreError, UsageError
from vlmbench.compare import baseline, judged_pairs, losses, run_differences
from vlmbench.compare.differences import SAME_WITHIN, MetricDifference, corrected, difference, tests_to_json
from vlmbench.compare.judged_pairs import Judging
from vlmbench.compare.run_differences import Difference
from vlmbench.runs.storage import reload
from vlmbench.runs.storage.reload import Item, StoredRun, StoredTask
from vlmbench.stats.intervals import LEVEL
from vlmbench.stats.pairs import amounts
from vlmbench.stats.pairs.amounts import Amount

if TYPE_CHECKING:
    from vlmbench.stats.metrics import Metric

FORMAT = 1
BAR_RESAMPLES = 2_000
"""At most so many resamples for one bar of a breakdown: there may be hundreds."""


@dataclass(frozen=True, slots=True)
class Said:
    """One run's answer to a sample."""

    parsed_answer: str
    text: str
    value: float | None


@dataclass(frozen=True, slots=True)
class Flip:
    """A sample whose score changed."""

    id: str
    question: str
    target: Any
    images: tuple[str, ...]
    image_hashes: tuple[str, ...]
    before: Said
    after: Said

    @property
    def change(self) -> float:
        """How much the sample's own score rose."""
        return (self.after.value or 0.0) - (self.before.value or 0.0)


@dataclass(frozen=True)
class TaskComparison:
    """One task of two runs."""

    before: StoredTask
    after: StoredTask
    ids: Sequence[str]
    """The samples that have a score in both, in the later run's order."""
    differing: Sequence[Difference]
    differences: Sequence[MetricDifference]
    """Metrics of the whole task, the headline first."""
    breakdowns: Sequence[MetricDifference]
    among_tasks: MetricDifference | None = None
    """The headline's difference, its tests corrected for the number of tasks; None in a comparison of one."""
    level: float = LEVEL
    """Of every interval."""
    failed: Sequence[str] = ()
    """Samples that have no score in the later run and were counted as wrong answers (a gate does so)."""
    judging: Judging = field(default_factory=Judging)
    """Which answers have the earlier run's grade on both sides, and what is not known of the others."""

    @property
    def key(self) -> str:
        """The task as the later run names it."""
        return self.after.key

    @property
    def headline(self) -> str:
        """The metric that the later run's protocol names first."""
        return self.after.headline

    @property
    def best(self) -> MetricDifference:
        """The headline's difference; its tests are corrected for the metrics of this task."""
        return self.differences[0]

    @property
    def headline_row(self) -> MetricDifference:
        """The headline's difference; its tests are corrected for the number of tasks."""
        return self.among_tasks or self.best

    @property
    def p_holm(self) -> float | None:
        """The headline's p, corrected for the number of tasks."""
        return self.headline_row.p_holm

    @property
    def differs(self) -> list[str]:
        """What is not the same in both runs, in words."""
        return [str(difference) for difference in self.differing]

    @property
    def only_before(self) -> int:
        """How many samples have a score in the earlier run alone."""
        return len(self.before.answered) - len(self.ids)

    @property
    def only_after(self) -> int:
        """How many samples have a score in the later run alone."""
        return len(self.after.answered) - len(self.ids)

    @property
    def questions(self) -> int | None:
        """How many questions the split has, where that is known."""
        choice = self.after.choice
        size = choice.task.sizes.get(choice.split)
        return None if size is None else size.questions

    def pairs(self) -> Iterator[tuple[Item, Item]]:
        """Every paired sample."""
        for key in self.ids:
            yield self.before.answered[key], self.after.answered[key]

    @cached_property
    def gained(self) -> list[Flip]:
        """Samples whose score rose, the largest change first."""
        return sorted((flip for flip in self._flips() if flip.change > 0), key=lambda flip: -flip.change)

    @cached_property
    def lost(self) -> list[Flip]:
        """Samples whose score fell, the largest change first."""
        return sorted((flip for flip in self._flips() if flip.change < 0), key=lambda flip: flip.change)

    def _flips(self) -> Iterator[Flip]:
        for before, after in self.pairs():
            if before.score.value != after.score.value:
                yield _flip(before, after)

    @property
    def notes(self) -> list[str]:
        """What a reader of the differences should know besides."""
        return self.judging.notes

    @property
    def agreement(self) -> float | None:
        """Share of the pairs with the same score."""
        same = [before.score.value == after.score.value for before, after in self.pairs()]
        return sum(same) / len(same) if same else None

    @property
    def same_answers(self) -> float | None:
        """Share of the pairs whose answers were read the same."""
        same = [before.score.parsed_answer == after.score.parsed_answer for before, after in self.pairs()]
        return sum(same) / len(same) if same else None

    def to_json(self) -> dict[str, Any]:
        """For pages and scripts."""
        return {
            "key": self.key,
            "before_key": self.before.key,
            "headline": self.headline,
            "level": self.level,
            "pairs": len(self.ids),
            "only_before": self.only_before,
            "only_after": self.only_after,
            "differs": self.differs,
            "notes": self.notes,
            "judging": self.judging.to_json(),
            "differences": [difference.to_json() for difference in self.differences],
            "breakdowns": [difference.to_json() for difference in self.breakdowns],
            **tests_to_json(self.headline_row),
            "agreement": self.agreement,
            "same_answers": self.same_answers,
            "gained": [asdict(flip) for flip in self.gained],
            "lost": [asdict(flip) for flip in self.lost],
        }


@dataclass(frozen=True)
class Comparison:
    """Two runs."""

    before: StoredRun
    after: StoredRun
    tasks: Sequence[TaskComparison]
    left_out: Sequence[str]
    """Tasks that only one of the runs has."""
    margins: Mapping[str, Amount] = field(default_factory=dict)
    """What counts as the same, by task; "" for all others."""

    def to_json(self) -> dict[str, Any]:
        """For pages and scripts."""
        return {
            "format": FORMAT,
            "before": self.before.describe(),
            "after": self.after.describe(),
            "left_out": list(self.left_out),
            "tasks": [task.to_json() for task in self.tasks],
        }


def open_run(path: Path, tasks: Sequence[str] = ()) -> StoredRun:
    """A run's folder or a baseline file. Raises StoreError when it is neither."""
    if not path.exists():
        hint = "name a run's folder, or a file: `vlmbench baseline RUN --output FILE` writes one"
        raise StoreError("there is no such run or baseline", where=str(path), hint=hint)
    return baseline.read(path, tasks) if path.is_file() else reload.load(path, tasks)


def compare(
    before: Path | StoredRun,
    after: Path | StoredRun,
    *,
    tasks: Sequence[str] = (),
    metric: str = "all",
    bars: bool = True,
    force: bool = False,
    resamples: int = 10_000,
    seed: int = 0,
    level: float | None = None,
    same_within: str | float | None = None,
    count_failures: bool = False,
) -> Comparison:
    """Pair the tasks and samples of two runs. `metric` is `all`, `headline` or names; `bars` includes breakdowns.

    Two runs are the same where a difference of `same_within` or more is excluded: in the metric's own unit, `2%` of its
    range, or by task (`1%,mme=20`); 1 % by default.

    Intervals have the given `level`, or that of each task of the later run.

    With `count_failures` a sample that had a score before and has none now counts as a wrong answer, and runs without
    a scored sample in common are paired anyway: a gate does so, where a run that failed must not pass.

    Raises UsageError when nothing can be paired or, without `force`, when data or rules differ; StoreError for a run
    that cannot be read.
    """
    first = open_run(before, tasks) if isinstance(before, Path) else before
    second = open_run(after, tasks) if isinstance(after, Path) else after
    pairs = _task_pairs(first, second)
    if not pairs:
        problem = (
            f"no task in common: {', '.join(first.tasks) or 'none'} before, {', '.join(second.tasks) or 'none'} after"
        )
        raise UsageError(problem, hint="compare runs of the same tasks")
    differing = {b.key: run_differences.differing(first, second, a, b) for a, b in pairs}
    refused = [f"{key}: {first}" for key, differences in differing.items() for first in differences if first.refuses]
    if refused and not force:
        problem = "\n  ".join(["the runs did not answer the same questions under the same rules", *refused])
        raise UsageError(problem, hint="run both on the same data and protocol; --force compares what they share")
    settings = {"resamples": resamples, "seed": seed}
    margins = read_margins(
        "" if same_within is None else str(same_within), [*first.tasks, *second.tasks, *first.suites, *second.suites]
    )
    compared = [
        _task(
            *(a, b, differing[b.key], metric, bars, count_failures),
            {**settings, "level": level or b.level},
            amounts.of_task(margins, b.key, SAME_WITHIN),
        )
        for a, b in pairs
    ]
    rows = corrected([task.best for task in compared])
    paired = {key for pair in pairs for key in (f"before {pair[0].key}", f"after {pair[1].key}")}
    every = [*(f"before {key}" for key in first.tasks), *(f"after {key}" for key in second.tasks)]
    left_out = [name.partition(" ")[2] for name in every if name not in paired]
    every_task = [replace(task, among_tasks=row) for task, row in zip(compared, rows, strict=True)]
    return Comparison(first, second, every_task, left_out, margins)


def read_margins(text: str, keys: Sequence[str]) -> dict[str, Amount]:
    """`--same-within` by task, "" for all others. Raises UsageError for what is no margin, and for other tasks."""
    margins = amounts.parse(text, "--same-within")
    amounts.refuse_unknown(margins, keys, "--same-within")
    if nothing := next((name or "all" for name, amount in margins.items() if not amount.number), ""):
        hint = "give a difference that would not matter, such as 1%"
        raise UsageError(f"--same-within 0 ({nothing}): no data can show that two runs do not differ at all", hint=hint)
    return margins


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the disk refuses into a StoreError that says the hint."""
    try:
        yield
    except OSError as error:
        problem = f"cannot write: {error.strerror or error}"
        raise StoreError(problem, where=str(path), hint="name a place that can be written") from None


def _task_pairs(before: StoredRun, after: StoredRun) -> list[tuple[StoredTask, StoredTask]]:
    """Tasks of the same key; else of the same benchmark, where each run has one of it left."""
    pairs = [(before.tasks[key], task) for key, task in after.tasks.items() if key in before.tasks]
    taken = {task.key for _, task in pairs}

    def rest(run: StoredRun, name: str) -> list[StoredTask]:
        return [task for key, task in run.tasks.items() if key not in taken and task.choice.task.name == name]

    for name in dict.fromkeys(task.choice.task.name for task in after.tasks.values()):
        first, second = rest(before, name), rest(after, name)
        if len(first) == len(second) == 1:
            pairs.append((first[0], second[0]))
    order = list(after.tasks)
    return sorted(pairs, key=lambda pair: order.index(pair[1].key))


def _task(
    before: StoredTask,
    after: StoredTask,
    differing: Sequence[Difference],
    metric: str,
    bars: bool,
    count_failures: bool,
    settings: Mapping[str, Any],
    margin: Amount,
) -> TaskComparison:
    failed: Sequence[str] = ()
    after, judging = judged_pairs.paired_grades(before, after, differing, any_judge=count_failures)
    if count_failures:
        after, failed = losses.counted(before, after)
    ids = [key for key in after.answered if key in before.answered]
    if not ids and not count_failures:
        hint = "run both on the same data; where all samples of one failed, its table says why"
        raise UsageError(f"{after.key}: no sample has a score in both runs", hint=hint)
    metrics_before, metrics_after = judged_pairs.metrics(before, after, ids, judging)
    settings = {**settings, "lean": judging.lean}
    if count_failures:
        losses.fill(metrics_before, metrics_after, after.headline)
    names = _wanted([name for name, m in metrics_after.items() if not m.breakdown], after, metric, metrics_before)
    whole = [difference(metrics_before[name], metrics_after[name], settings, margin) for name in names]
    few = {**settings, "resamples": min(settings["resamples"], BAR_RESAMPLES)}
    bar_names = [name for name, m in metrics_after.items() if bars and m.breakdown and name in metrics_before]
    parts = [difference(metrics_before[name], metrics_after[name], few, margin) for name in bar_names]
    rows = (corrected(whole), corrected(parts))
    told = {"level": settings["level"], "failed": failed, "judging": judging}
    return TaskComparison(before, after, ids, differing, *rows, **told)


def _wanted(available: Sequence[str], after: StoredTask, metric: str, before: Mapping[str, Metric]) -> list[str]:
    """The metrics to compare, the headline first where all are requested."""
    common = [name for name in available if name in before]
    if metric == "all":
        return sorted(common, key=lambda name: name != after.headline) or _none(after, after.headline, common)
    names = [after.headline if name == "headline" else name for name in metric.replace(" ", "").split(",")]
    missing = [name for name in names if name not in common]
    return _none(after, missing[0], common) if missing else list(dict.fromkeys(names))


def _none(task: StoredTask, name: str, available: Sequence[str]) -> list[str]:
    problem = f"{task.key}: no metric {name!r} in both runs"
    raise UsageError(problem, hint=f"there are: {', '.join(available) or 'none'}")


def _flip(before: Item, after: Item) -> Flip:
    return Flip(
        after.sample.id,
        after.sample.question or before.sample.question,
        after.sample.target,
        tuple(image.name for image in after.sample.images),
        after.image_hashes or before.image_hashes,
        _said(before),
        _said(after),
    )


def _said(item: Item) -> Said:
    return Said(item.score.parsed_answer, item.text, item.score.value)
