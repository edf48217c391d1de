"""Verdicts to scores: the mean over the judge's runs, their spread, and how far the runs agree."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vlmbench.base.samples import Record, Sample, Score, Status, Verdict
from vlmbench.base.task import NO_JUDGE, JudgeRules
from vlmbench.stats.judges.agreement import krippendorff_alpha
from vlmbench.stats.metrics import Metric
from vlmbench.stats.seeds.replicates import decompose

if TYPE_CHECKING:
    from vlmbench.base.registry import TaskChoice
    from vlmbench.base.task import Task

Scored = Sequence[tuple[Sample, Score]]


def prompt_hash(rules: JudgeRules | None) -> str:
    """Content hash of the words around question and answer: the same hash, the same judge prompt."""
    return "" if rules is None else hashlib.sha256(rules.template.encode()).hexdigest()[:16]


def combine(verdicts: Sequence[Verdict]) -> Score:
    """The verdicts of all runs as one score: their mean. One that is missing leaves the sample without a score."""
    failed = [verdict for verdict in verdicts if verdict.status is not Status.OK]
    read = ", ".join(_said(verdict) for verdict in verdicts)
    if failed or not verdicts:
        note = failed[0].note if failed else NO_JUDGE
        return Score(None, failed[0].status if failed else Status.JUDGE_FAILED, read, note, tuple(verdicts))
    values = [verdict.value for verdict in verdicts if verdict.value is not None]
    note = "; ".join(dict.fromkeys(verdict.note for verdict in verdicts if verdict.note))
    return Score(math.fsum(values) / len(values), Status.OK, read, note, tuple(verdicts))


def _said(verdict: Verdict) -> str:
    if verdict.status is not Status.OK or verdict.value is None:
        return "-"
    return " ".join(f"{value:g}" for value in verdict.values or (verdict.value,))


def runs_of(scored: Scored) -> int:
    """How many runs of the judge the scores hold; 0 without a judge."""
    return max((len(score.verdicts) for _, score in scored), default=0)


def one_run(scored: Scored, run: int) -> list[tuple[Sample, Score]]:
    """The scores as if there had been this run only. What rules could read without a judge stays as it is."""
    return [
        (sample, replace(score, value=score.verdicts[run].value, verdicts=(score.verdicts[run],)))
        if score.verdicts
        else (sample, score)
        for sample, score in scored
    ]


def by_run(task: Task, protocol: str, scored: Scored) -> dict[str, tuple[float, ...]]:
    """Each metric's value by each run of the judge alone; nan where undefined. Empty without a judge."""
    return {
        name: tuple(metric.value() for metric in metrics)
        for name, metrics in metrics_by_run(task, protocol, scored).items()
    }


def metrics_by_run(task: Task, protocol: str, scored: Scored) -> dict[str, list[Metric]]:
    """Each metric by each run of the judge alone. Empty without a judge."""
    found: dict[str, list[Metric]] = {}
    for run in range(runs_of(scored)):
        for metric in task.summarise(one_run(scored, run), protocol):
            found.setdefault(metric.name, []).append(metric)
    return found


def metrics(task: Task, protocol: str, scored: Scored) -> list[Metric]:
    """The task's metrics over ok scores, with their values by run of the judge where it ran several times.

    A metric that not every run has (no question was left to it) is without.
    """
    return with_run_values(list(task.summarise(scored, protocol)) if scored else [], task, protocol, scored)


def with_run_values(found: Sequence[Metric], task: Task, protocol: str, scored: Scored) -> list[Metric]:
    """The metrics with their values by run of the judge in `scored`, where every one of several runs has one."""
    runs = runs_of(scored)
    by_name = metrics_by_run(task, protocol, scored) if runs > 1 else {}
    return [
        _of_runs(metric, each) if len(each := by_name.get(metric.name, ())) == runs > 1 else metric for metric in found
    ]


def _of_runs(metric: Metric, runs: Sequence[Metric]) -> Metric:
    parts = decompose(runs)
    return replace(metric, run_values=tuple(run.value() for run in runs), run_noise=parts.within if parts else 0.0)


def agreement(scored: Scored) -> float | None:
    """Krippendorff's alpha (interval) between the runs: 1 is agreement, 0 is chance. None where it is undefined."""
    rows = [[verdict.value for verdict in score.verdicts] for _, score in scored if score.verdicts]
    return krippendorff_alpha(rows) if rows else None


def summary(choice: TaskChoice, scored: Scored) -> dict[str, Any]:
    """What scores.json says about the judge: the headline of each run, their standard deviation, agreement, failures.

    The deviation is the population's, as MM-Vet's script computes it.
    """
    runs = runs_of(scored)
    good = [(sample, score) for sample, score in scored if score.status is Status.OK]
    headline = choice.task.protocols[choice.protocol].headline
    headlines = by_run(choice.task, choice.protocol, good).get(headline, ())
    totals = [value if math.isfinite(value) else None for value in headlines]
    known = [total for total in totals if total is not None]
    spread = None
    if known and len(known) == runs:
        mean = math.fsum(known) / runs
        spread = math.sqrt(math.fsum((total - mean) ** 2 for total in known) / runs)
    verdicts = [verdict for _, score in scored for verdict in score.verdicts]
    return {
        "runs": runs,
        "run_values": totals,
        "std": spread,
        "in_intervals": runs > 1,
        "krippendorff_alpha": agreement(good) if good and runs > 1 else None,
        "verdicts": sum(verdict.status is Status.OK for verdict in verdicts),
        "failed": sum(verdict.status is not Status.OK for verdict in verdicts),
        "unread": sum(verdict.unread for verdict in verdicts),
        "models": sorted({verdict.model for verdict in verdicts if verdict.model}),
        "prompt_hash": prompt_hash(choice.task.protocols[choice.protocol].judge),
    }


def agreement_line(entry: Mapping[str, Any]) -> str:
    """A summary in one line, for tables."""
    values = ", ".join("-" if value is None else f"{value:.1f}" for value in entry["run_values"])
    parts = [f"{entry['runs']} judge run{'s' if entry['runs'] != 1 else ''}: {values or '-'}"]
    if entry["runs"] > 1 and entry["std"] is not None:
        parts.append(f"std {entry['std']:.1f}")
    if entry["krippendorff_alpha"] is not None:
        parts.append(f"Krippendorff's alpha {entry['krippendorff_alpha']:.3f}")
    if entry["failed"]:
        parts.append(f"{entry['failed']} verdicts could not be had")
    if entry.get("unread"):
        parts.append(f"{entry['unread']} replies held no grade and were given one by the protocol's rule")
    return "; ".join(parts)


def columns(records: Sequence[Record]) -> dict[str, list[Any]]:
    """Every verdict of a run as the columns of judgements.parquet; empty when nothing was judged."""
    table: dict[str, list[Any]] = {}
    for record in records:
        for run, verdict in enumerate(record.score.verdicts):
            row = {
                "task": record.task, "sample_id": record.sample.id, "run": run, "status": str(verdict.status),
                "value": verdict.value, "values": list(verdict.values), "note": verdict.note,
                "replies": list(verdict.replies), "judge_model": verdict.model, "unread": verdict.unread,
            }  # fmt: skip
            for name, value in row.items():
                table.setdefault(name, []).append(value)
    return table
