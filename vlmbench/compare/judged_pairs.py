"""Answers that a judge graded, in two runs: what did not change keeps its grade, and what did may lean with the judge.

The same answer to the same question deserves one grade. Where a judge graded it again, only the judge moved, so both
sides get the earlier run's grade. What is left are answers that changed. Their difference holds the lean of each run of
the judge: how much kinder it is to all of them than on average. Several runs show it (stats/paired.py adds the variance
between them); of a side with one run it is unknown, and a standard deviation of STATED_LEAN is added for it. How far
two different judges are apart nothing in the runs tells: a gate does not decide there.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from vlmbench.base.samples import Score, Status
from vlmbench.base.task import ComparesAnswers
from vlmbench.compare.run_differences import PERTURBATION, Difference
from vlmbench.scoring import verdicts
from vlmbench.stats.paired import STATED_LEAN

if TYPE_CHECKING:
    from vlmbench.runs.storage.reload import Item, StoredTask
    from vlmbench.stats.metrics import Metric

ENTRY = ("name", "identity", "prompt_hash")
"""What run.json says of a judge that makes it the same one."""


@dataclass(frozen=True, slots=True)
class Judging:
    """How a judge graded the paired answers of two runs of a task. Empty where none did."""

    pairs: int = 0
    """Pairs of which a judge graded at least one side."""
    share: float = 0.0
    """Of all pairs, those that were graded on each side apart: their difference holds the judge's lean."""
    reused: frozenset[str] = frozenset()
    """Unchanged answers that have the earlier run's grade on both sides."""
    regraded: int = 0
    """Unchanged answers that the judge graded otherwise the second time, whether or not that grade counts."""
    unknown: int = 0
    """Pairs of which one side does not keep what was answered: old baselines, files of grades."""
    runs: tuple[int, int] = (0, 0)
    """Of the judge, before and after."""
    judges: tuple[str, str] = ("", "")
    """Their names, where they differ."""

    @property
    def other_judge(self) -> bool:
        """Whether answers that differ were graded by different judges."""
        return self.judges[0] != self.judges[1] and self.share > 0

    @property
    def lean(self) -> float:
        """Standard error that the judges' unknown lean adds to a difference, as a share of the metric's span."""
        return self.share * STATED_LEAN / 100 * math.sqrt(sum(runs < 2 for runs in self.runs))

    @property
    def doubt(self) -> str:
        """What keeps a gate from deciding, and what would help; empty where nothing of a judge does."""
        if self.other_judge:
            before, after = self.judges
            return f"graded by {before} before and {after} after; `vlmbench score RUN --judge` grades both with one"
        if not self.lean:
            return ""
        return f"{self._one_run}; --judge-runs 2 or more, in both runs, measures it"

    @property
    def notes(self) -> list[str]:
        """What a reader of the differences should know."""
        lines = []
        if self.reused:
            regraded = (
                f"; the judge graded {self.regraded:,} of them otherwise the second time" if self.regraded else ""
            )
            kept = f"{len(self.reused):,} of {self.pairs:,} graded answers did not change and keep the earlier grade"
            lines.append(kept + regraded)
        elif self.regraded:
            lines.append(f"the judge graded {self.regraded:,} unchanged answers otherwise")
        if self.unknown:
            lines.append(
                f"{self.unknown:,} graded answers may be unchanged, which old baselines, files of grades and "
                "empty answers do not tell: no grade is reused for them"
            )
        if self.other_judge:
            lines.append(f"graded by different judges, whose lean is in no interval: {self.doubt}")
        elif self.lean:
            lines.append(f"{self._one_run} (--judge-runs 2 measures it)")
        return lines

    @property
    def _one_run(self) -> str:
        one = [runs < 2 for runs in self.runs]
        side = "on both sides" if all(one) else "before" if one[0] else "after"
        share = f"{100 * self.share:.0f} %" if self.share >= 0.01 else "less than 1 %"
        return (
            f"graded by one run of the judge {side}, whose lean is unknown: a standard deviation of {STATED_LEAN:g} "
            f"points on {share} of the answers is assumed"
        )

    def to_json(self) -> dict[str, Any]:
        """For pages and scripts."""
        return {
            "pairs": self.pairs,
            "reused": len(self.reused),
            "regraded": self.regraded,
            "unknown": self.unknown,
            "runs": list(self.runs),
            "other_judge": self.other_judge,
            "lean": self.lean,
        }


def paired_grades(
    before: StoredTask, after: StoredTask, differing: Sequence[Difference], *, any_judge: bool
) -> tuple[StoredTask, Judging]:
    """(the later run with the earlier one's grades of unchanged answers, what was done).

    With `any_judge` a grade is reused whoever gave it: a gate asks whether the model changed. Otherwise it must come
    from the judge that graded the later run, since the judge may be what is compared.
    """
    graded = [item for item in after.items if item.score.verdicts or _graded_before(before, item)]
    if not graded:
        return after, Judging()
    same = _same_judge(before, after)
    runs = tuple(_runs(task) for task in (before, after))
    unchanged = [item for item in graded if _unchanged(before, after, item)]
    reused: dict[str, Item] = {}
    if (same or any_judge) and _same_questions(before, after, differing):
        for item in unchanged:
            score = _in_runs(before.answered[item.sample.id].score, *runs)
            reused[item.sample.id] = replace(item, score=score)
    items = [reused.get(item.sample.id, item) for item in after.items]
    paired = [item for item in items if item.score.status is Status.OK and item.sample.id in before.answered]
    apart = [
        item
        for item in paired
        if item.sample.id not in reused and (item.score.verdicts or _graded_before(before, item))
    ]
    judging = Judging(
        len(apart) + len(reused),
        len(apart) / len(paired) if paired else 0.0,
        frozenset(reused),
        sum(item.score.value != before.answered[item.sample.id].score.value for item in unchanged),
        sum(not (item.answer_hash and before.answered[item.sample.id].answer_hash) for item in apart),
        (runs[0], runs[1]),
        ("", "") if same else (_named(before), _named(after)),
    )
    equal = _all_same(before, items)
    return replace(after, items=items, answers_hash=before.answers_hash if equal else after.answers_hash), judging


def metrics(
    before: StoredTask, after: StoredTask, ids: Sequence[str], judging: Judging
) -> tuple[dict[str, Metric], dict[str, Metric]]:
    """Both runs' metrics over the paired samples, by name.

    Their values by the judge's runs vary with the answers that are not reused alone: both sides have the same grades of
    the others, so what the judge's runs make of those cancels in a difference.
    """
    first, second = (
        {metric.name: metric for metric in _metrics(task, ids, judging.reused)} for task in (before, after)
    )
    return first, second


def _metrics(task: StoredTask, ids: Sequence[str], reused: Collection[str]) -> list[Metric]:
    found = task.metrics(ids)
    if not reused or not any(metric.run_values for metric in found):
        return found
    steady = [
        (item.sample, _in_runs(item.score, 0, len(item.score.verdicts)) if item.sample.id in reused else item.score)
        for item in map(task.answered.__getitem__, ids)
    ]
    return verdicts.with_run_values(found, task.choice.task, task.choice.protocol, steady)


def _graded_before(before: StoredTask, item: Item) -> bool:
    earlier = before.answered.get(item.sample.id)
    return earlier is not None and bool(earlier.score.verdicts)


def _unchanged(before: StoredTask, after: StoredTask, item: Item) -> bool:
    """Whether the judge graded the same answer before; where it compares two answers, the same two."""
    if item.score.status not in (Status.OK, Status.JUDGE_FAILED) or not _graded_before(before, item):
        return False
    task, ids = after.choice.task, [item.sample.id]
    if isinstance(task, ComparesAnswers) and (other := task.compared_with(item.sample, after.choice.protocol)):
        ids.append(other)
    return all(_hash(before, key) == _hash(after, key) != "" for key in ids)


def _hash(task: StoredTask, key: str) -> str:
    item = task.by_id.get(key)
    return "" if item is None else item.answer_hash


def _same_questions(before: StoredTask, after: StoredTask, differing: Sequence[Difference]) -> bool:
    """Whether a grade of one run is one of the other's question, under the same prompt of the judge."""
    prompts = [(task.entry.get("judge") or {}).get("prompt_hash") for task in (before, after)]
    return prompts[0] == prompts[1] and not any(one.refuses or one.what == PERTURBATION for one in differing)


def _same_judge(before: StoredTask, after: StoredTask) -> bool:
    """By what the runs say of it, and by what its server said it is, where both runs know that."""
    told = [[(task.entry.get("judge") or {}).get(name) for name in ENTRY] for task in (before, after)]
    models = [(task.scores.get("judge") or {}).get("models") for task in (before, after)]
    return told[0] == told[1] and (models[0] == models[1] or not all(models))


def _named(task: StoredTask) -> str:
    """The judge, by all that may tell it from another one."""
    entry, models = task.entry.get("judge") or {}, (task.scores.get("judge") or {}).get("models") or ()
    name = str(entry.get("name") or "a judge that is not named")
    told = [f"model {', '.join(map(str, models))}"] if models else []
    told += [
        f"{what} {entry[key]}" for what, key in (("identity", "identity"), ("prompt", "prompt_hash")) if entry.get(key)
    ]
    return f"{name} ({', '.join(told)})" if told else name


def _runs(task: StoredTask) -> int:
    return verdicts.runs_of([(item.sample, item.score) for item in task.items])


def _in_runs(score: Score, runs: int, wanted: int) -> Score:
    """A score of `runs` of the judge as one of `wanted`: each has the mean of all, unless it is the same number."""
    if runs == wanted or not wanted:
        return score
    several = [verdict.values for verdict in score.verdicts]
    mean = replace(
        score.verdicts[0],
        value=score.value,
        values=tuple(math.fsum(column) / len(column) for column in zip(*several, strict=True)),
    )
    return replace(score, verdicts=(mean,) * wanted)


def _all_same(before: StoredTask, items: Sequence[Item]) -> bool:
    """Whether all answers are those of the earlier run."""
    if len(items) != len(before.items):
        return False
    pairs = [(item, before.by_id.get(item.sample.id)) for item in items]
    return all(
        old is not None
        and item.answer_hash == old.answer_hash != ""
        and (item.score.status, item.score.value) == (old.score.status, old.score.value)
        for item, old in pairs
    )
