"""Answers to scores to scores.json: the same steps after a run and for answer files. Needs no model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from vlmbench.base.process.progress import each
from vlmbench.base.samples import NOT_ASKED, NOT_YET, Response, Sample, Score, Status
from vlmbench.parsing.thinking import apart, cut_inside
from vlmbench.scoring import answer_notes, bounds, shrunk
from vlmbench.stats.figures import draws
from vlmbench.stats.metrics import MORE

if TYPE_CHECKING:
    from vlmbench.base.metric import Metric
    from vlmbench.base.registry import TaskChoice
    from vlmbench.base.samples import Record
    from vlmbench.base.task import Task
    from vlmbench.stats.intervals import Estimate

ONE_RUN = "graded by one run of the judge: how far it would differ from itself is in no interval (--judge-runs 3)"
UNASKED = {NOT_ASKED: "stopped early, when the gate was decided", NOT_YET: "still running"}
"""Why questions were not asked, and how the note beside the scores begins."""

Scored = Sequence[tuple[Sample, Score]]


def score_response(task: Task, protocol: str, sample: Sample, response: Response) -> Score:
    """Read one answer. One that failed is an error; one cut off before it could be read is truncated.

    Nor is there an answer in a text that was cut before it began, or that ends inside the model's thought: no rule of
    a protocol is asked what those count as. A thought that is still in the text is no part of the answer.
    """
    response = apart(response)
    if response.error in UNASKED:
        return Score(None, Status.NOT_ASKED, note=response.error)
    if response.finish == "error" or response.error:
        return Score(None, Status.ERROR, note=response.error or "the model gave no answer")
    if response.finish == "length" and not response.choices and not response.text.strip():
        where = "the answer ends inside the model's thought" if cut_inside(response) else "cut off before any text"
        return Score(None, Status.TRUNCATED, note=where)
    score = task.score(sample, response, protocol)
    if score.status is Status.UNPARSED and response.finish == "length":
        return Score(None, Status.TRUNCATED, score.parsed_answer, score.note or "cut off at max_new_tokens")
    return score


def score_responses(task: Task, protocol: str, pairs: Iterable[tuple[Sample, Response]]) -> list[tuple[Sample, Score]]:
    """Read many answers."""
    return [(sample, score_response(task, protocol, sample, response)) for sample, response in pairs]


def summarise(
    choice: TaskChoice,
    scored: Scored,
    *,
    responses: Sequence[Response] = (),
    notes: Sequence[str] = (),
    resamples: int = 10_000,
    seed: int = 0,
    level: float | None = None,
    shrink: bool = False,
) -> dict[str, Any]:
    """One task's entry of scores.json: {metric: {value, low, high, n}, coverage, statuses, headline, level, ...}.

    Metrics are of the samples that have a score; coverage says what share of all that is; unlabeled ones, which only a
    server can score, count as covered. nan is null. Bars of a breakdown carry its name and theirs; what is undefined
    or peculiar carries a note; `better` is there where more is not better, `bounds` and `bounds_interval` (bounds.py)
    where questions have no score. Where a judge gave verdicts, `judge` describes its runs; `variance` (variance.py) the
    parts of the headline's error, where there were several answers or runs. `answers` and `notes` are what stands
    beside the score (answer_notes): of `responses`, in the order of `scored`, and the `notes` known already. With
    `shrink`, bars have shrunk values beside theirs (shrunk.py).
    """
    from vlmbench.stats.intervals import LEVEL, intervals

    level = level or LEVEL
    task, protocol = choice.task, choice.protocol
    counts = Counter(str(score.status) for _, score in scored)
    good = [(sample, score) for sample, score in scored if score.status is Status.OK]
    entry: dict[str, Any] = {}
    metrics = _metrics(task, protocol, good)
    asked, stopped = _asked(scored), _stopped(scored, level)
    estimates = intervals(metrics, resamples=resamples, seed=seed, level=stopped.level)
    ends = bounds.ends(task, protocol, scored)
    reach = bounds.around(ends, level=stopped.level, resamples=resamples, seed=seed)
    for metric, estimate in zip(metrics, estimates, strict=True):
        entry[metric.name] = _bar(metric, estimate)
    if shrink:
        entry = shrunk.added(entry, shrunk.of_metrics(metrics, stopped.level))
    headline = task.protocols[protocol].headline
    entry.setdefault(headline, {"value": None, "low": None, "high": None, "n": 0})
    for name in ends.keys() & entry.keys():
        wide = {"bounds_interval": list(reach[name])} if name in reach else {}
        entry[name] |= {"bounds": sorted(ends[name].values), **wide}
    unlabeled = [score for _, score in scored if score.status is Status.UNLABELED]
    if unlabeled and unlabeled[0].note:
        entry[headline]["note"] = unlabeled[0].note
    entry |= _judge_summary(choice, scored) | _variance(choice, good, metrics)
    known = [*notes, *stopped.notes, *_peculiar(headline, entry), *_if_missing(scored, headline, ends, reach)]
    samples, scores = [scored[at][0] for at in asked], [scored[at][1] for at in asked]
    found_answers = answer_notes.Answered(task, protocol, samples, [responses[at] for at in asked if responses], scores)
    return entry | {
        "answers": answer_notes.counts(found_answers),
        "notes": answer_notes.notes(found_answers, known),
        "coverage": (len(good) + len(unlabeled)) / len(scored) if scored else 0.0,
        "statuses": {str(status): counts[str(status)] for status in Status if counts[str(status)]},
        "headline": headline,
        "level": level,
        "protocol": protocol,
        "split": choice.split,
        "version": task.version,
    }


def _bar(metric: Metric, estimate: Estimate) -> dict[str, Any]:
    """What scores.json says of one metric."""
    bar: dict[str, Any] = dict(estimate.to_json())
    if metric.direction != MORE:
        bar |= {"better": metric.direction, **({"target": metric.target} if metric.target is not None else {})}
    if metric.breakdown:
        bar |= {"breakdown": metric.breakdown, "label": metric.label}
    if metric.note:
        bar["note"] = metric.note
    return bar


def _variance(choice: TaskChoice, good: Scored, metrics: Sequence[Metric]) -> dict[str, Any]:
    """The parts of the headline's error, where questions were answered or graded several times."""
    headlines = [one for one in metrics if one.name == choice.task.protocols[choice.protocol].headline]
    several = any(len(score.verdicts) > 1 for _, score in good)
    if not headlines or not (several or draws.split(headlines[0])):
        return {}
    from vlmbench.scoring.variance import variance

    found = variance(choice.task, choice.protocol, good, headlines[0])
    return {"variance": found} if found else {}


def _asked(scored: Scored) -> list[int]:
    """The places of the questions that were asked: all, unless a gate ended the run or it is still going."""
    return [at for at, (_, score) in enumerate(scored) if score.status is not Status.NOT_ASKED]


def level_of(scored: Scored, level: float) -> float:
    """The level at which the intervals of a task are made, of a run that a gate may have ended."""
    return _stopped(scored, level).level


class _Stopped(NamedTuple):
    """How a task is told of whose run a gate may have ended, or that is still going."""

    level: float
    """At which its intervals are made."""
    notes: Sequence[str] = ()


def _stopped(scored: Scored, level: float) -> _Stopped:
    """Of results that are looked at as they come, intervals have to hold at all times at once, not at one."""
    asked = _asked(scored)
    if len(asked) == len(scored):
        return _Stopped(level)
    from vlmbench.stats.sequential.boundary import Boundary

    images = [sample.cluster or sample.id for sample, _ in scored]
    total, seen = len(set(images)), len({images[at] for at in asked})
    why = next(score.note for _, score in scored if score.status is Status.NOT_ASKED)
    told = f"{UNASKED.get(why, why)}: {len(asked):,} of {len(scored):,} questions were asked"
    return _Stopped(Boundary(total).level(level, seen), [f"{told}; intervals are anytime-valid"])


def _metrics(task: Task, protocol: str, good: Scored) -> list[Metric]:
    """The task's metrics; the code of judges is imported only where one graded."""
    if not any(score.verdicts for _, score in good):
        return list(task.summarise(good, protocol)) if good else []
    from vlmbench.scoring import verdicts

    return verdicts.metrics(task, protocol, good)


def _judge_summary(choice: TaskChoice, scored: Scored) -> dict[str, Any]:
    """What scores.json says about the judge, under `judge`; empty where none graded."""
    if not any(score.verdicts for _, score in scored):
        return {}
    from vlmbench.scoring import verdicts

    return {"judge": verdicts.summary(choice, scored)}


def _peculiar(headline: str, entry: Mapping[str, Any]) -> list[str]:
    """What the headline's own note says (a sum over a part of the subtasks), and that one run of a judge graded."""
    note = entry[headline].get("note")
    lines = [f"{headline}: {why}" for why in (note, entry[headline].get("reason")) if why]
    if entry.get("judge", {}).get("runs") == 1:
        lines.append(ONE_RUN)
    return lines


def _if_missing(
    scored: Scored, headline: str, ends: Mapping[str, bounds.Ends], reach: Mapping[str, tuple[float, float]]
) -> list[str]:
    """What the headline would be, were the questions without a score all wrong or all right."""
    lacking = len(bounds.missing(scored))
    if not lacking or headline not in ends:
        return []
    count = f"{lacking:,} of {len(scored):,} questions have no score"
    both = zip(ends[headline].values, ("all of them were wrong", "all were right"), strict=True)
    low, high = (f"{value:.1f}, if {how}" for value, how in sorted(both))
    edges = " to ".join(f"{end:.1f}" for end in reach.get(headline, ()))
    around = f"; the interval around both is {edges}" if edges else ""
    return [f"{count}: {headline} is between {low}, and {high}{around}"]


def complete(scores: Mapping[str, Any], min_coverage: float) -> bool:
    """Whether every task has a score for so large a share of its samples, and its judge's grades make a total."""
    return all(task["coverage"] >= min_coverage and not without_total(task) for task in scores.values())


def without_total(task: Mapping[str, Any]) -> bool:
    """Whether a judge gave grades of which no total can be made: some are no finite numbers."""
    return bool(task.get("judge")) and task["statuses"].get("ok", 0) > 0 and task[task["headline"]]["value"] is None


def score_records(
    choices: Sequence[TaskChoice],
    records: Sequence[Record],
    tasks: Mapping[str, Mapping[str, Any]],
    level: float | None = None,
    shrink: bool = False,
    resamples: int = 10_000,
) -> dict[str, Any]:
    """What scores.json holds. `tasks` are their entries in run.json, whose `notes` stand beside the scores."""
    by_task: dict[str, list[Record]] = {choice.key: [] for choice in choices}
    for record in records:
        by_task[record.task].append(record)
    return {
        choice.key: summarise(
            choice,
            [(r.sample, r.score) for r in by_task[choice.key]],
            responses=[r.response for r in by_task[choice.key]],
            notes=tasks.get(choice.key, {}).get("notes", ()),
            level=level,
            shrink=shrink,
            resamples=resamples,
        )
        for choice in each(choices, "computing intervals", "task")
    }
