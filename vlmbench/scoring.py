"""Answers to scores to scores.json: the same walk after a run and for answer files. Needs no model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from vlmbench import judge_verdicts
from vlmbench.nouns import Response, Sample, Score, Status

if TYPE_CHECKING:
    from vlmbench.nouns import Task
    from vlmbench.registry import TaskChoice

Scored = Sequence[tuple[Sample, Score]]


def score_response(task: Task, protocol: str, sample: Sample, response: Response) -> Score:
    """Read one answer. One that failed is an error; one cut off before it could be read is truncated."""
    if response.finish == "error" or response.error:
        return Score(None, Status.ERROR, note=response.error or "the model gave no answer")
    score = task.score(sample, response, protocol)
    if score.status is Status.UNPARSED and response.finish == "length":
        return Score(None, Status.TRUNCATED, score.read, score.note or "cut off at max_new_tokens")
    return score


def score_responses(task: Task, protocol: str, pairs: Iterable[tuple[Sample, Response]]) -> list[tuple[Sample, Score]]:
    """Read many answers."""
    return [(sample, score_response(task, protocol, sample, response)) for sample, response in pairs]


def summarise(choice: TaskChoice, scored: Scored, *, resamples: int = 10_000, seed: int = 0) -> dict[str, Any]:
    """One task's entry of scores.json: {metric: {value, low, high, n}, coverage, statuses, headline, ...}.

    Metrics are of the samples that have a score; coverage says what share of all that is, withheld ones (which only a
    server can score) counted as in order. nan is null. Bars of a breakdown carry its name and theirs; what is undefined
    or peculiar carries a note. Where a judge gave verdicts, `judge` tells of its runs.
    """
    from vlmbench.statistics import intervals

    task, protocol = choice.task, choice.protocol
    counts = Counter(str(score.status) for _, score in scored)
    good = [(sample, score) for sample, score in scored if score.status is Status.OK]
    entry: dict[str, Any] = {}
    metrics = judge_verdicts.metrics(task, protocol, good)
    estimates = intervals(metrics, resamples=resamples, seed=seed)
    for metric, estimate in zip(metrics, estimates, strict=True):
        found: dict[str, Any] = dict(estimate.to_json())
        if metric.breakdown:
            found |= {"breakdown": metric.breakdown, "label": metric.label}
        if metric.note:
            found["note"] = metric.note
        entry[metric.name] = found
    headline = task.protocols[protocol].headline
    entry.setdefault(headline, {"value": None, "low": None, "high": None, "n": 0})
    withheld = [score for _, score in scored if score.status is Status.WITHHELD]
    if withheld and withheld[0].note:
        entry[headline]["note"] = withheld[0].note
    if judge_verdicts.runs_of(scored):
        entry["judge"] = judge_verdicts.summary(choice, scored)
    return entry | {
        "coverage": (len(good) + len(withheld)) / len(scored) if scored else 0.0,
        "statuses": {str(status): counts[str(status)] for status in Status if counts[str(status)]},
        "headline": headline,
        "protocol": protocol,
        "split": choice.split,
        "version": task.version,
    }
