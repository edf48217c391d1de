"""A headline that was answered or graded several times: what of its error comes from questions, answers and runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vlmbench.stats.figures import draws
from vlmbench.stats.seeds.replicates import Parts, decompose

if TYPE_CHECKING:
    from vlmbench.base.samples import Sample, Score
    from vlmbench.base.task import Task
    from vlmbench.stats.metrics import Metric

ANSWERS, JUDGE_RUNS = "answers", "judge runs"


def variance(
    task: Task, protocol: str, good: Sequence[tuple[Sample, Score]], headline: Metric
) -> dict[str, Any] | None:
    """What scores.json says of it: the parts of the standard error, and what more replicates would do.

    None with one answer and one judge run, and where the metric is undefined in one of them.
    """
    replicates, kind = draws.split(headline), ANSWERS
    if not replicates and any(score.verdicts for _, score in good):
        replicates, kind = _by_judge_run(task, protocol, good, headline.name), JUDGE_RUNS
    parts = decompose(replicates) if len(replicates) > 1 else None
    return None if parts is None else {"replicates": kind, **parts.to_json(), "best_count": _best(parts)}


def line(entry: Mapping[str, Any]) -> str:
    """It in one line, for tables."""
    count, kind = entry["count"], entry["replicates"]
    each = f"{count} answers to a question" if kind == ANSWERS else f"{count} runs of the judge"
    error, between = entry["error"], entry["between_questions"]
    parts = [
        f"{each}: standard error {error:.2f}, of which questions {between:.2f}, "
        f"one {'answer' if kind == ANSWERS else 'grade'} to each {entry['within_questions']:.2f}"
    ]
    if entry["between_runs"] > 0:
        parts.append(f"one whole run {entry['between_runs']:.2f}")
    single = math.sqrt(between**2 + entry["within_questions"] ** 2 + entry["between_runs"] ** 2)
    limit = f"{between:.2f} with any number" if between > 0 else "the questions' part is too small to be seen"
    parts.append(f"with 1 it is {single:.2f}, and {limit}")
    best = entry["best_count"]
    if kind == ANSWERS and best is not None:
        worth = f"about {best:g} answers to each" if best > 1 else "1 answer to each of more questions"
        parts.append(f"for the same number of answers {worth} would be best")
    return "; ".join(parts)


def _best(parts: Parts) -> float | None:
    """Whole answers, at least 1; None where all variance is within questions."""
    return float(max(1, round(parts.best_count))) if math.isfinite(parts.best_count) else None


def _by_judge_run(task: Task, protocol: str, good: Sequence[tuple[Sample, Score]], name: str) -> list[Metric]:
    from vlmbench.scoring import verdicts

    runs = [task.summarise(verdicts.one_run(good, run), protocol) for run in range(verdicts.runs_of(good))]
    return [metric for metrics in runs for metric in metrics if metric.name == name]
