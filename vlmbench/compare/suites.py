"""The averages of suites in two runs: the difference, from the paired differences of the members.

An average is compared where every member is, whichever of the runs was made as a suite. Members count as independent,
the metrics of one member as dependent (stats/combined.py); errors add up in squares, with Welch's degrees of freedom.
A member none of whose answers turned has no interval of its own: it counts with the error of one answer more lost and
one more gained, as in the gate (stats/noninferiority.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

from vlmbench.compare import judged_pairs
from vlmbench.compare.compare import Comparison, Flip, TaskComparison
from vlmbench.compare.differences import (
    SAME_WITHIN,
    Equivalence,
    MetricDifference,
    corrected,
    difference,
    same_p,
    tests_to_json,
)
from vlmbench.compare.judged_pairs import Judging
from vlmbench.runs.storage.reload import StoredRun
from vlmbench.scoring.suites.suite import AVERAGE, Suite, of_json
from vlmbench.stats import intervals
from vlmbench.stats.combined import weighted_sum
from vlmbench.stats.intervals import Estimate
from vlmbench.stats.noninferiority import Spread, spread_of
from vlmbench.stats.paired import Paired
from vlmbench.stats.pairs import amounts
from vlmbench.stats.pairs.amounts import Amount

METHOD = "members' paired differences, MOVER"


@dataclass(frozen=True)
class Part:
    """One metric of a member."""

    share: float
    """What its difference is multiplied by in the average's."""
    task: TaskComparison
    difference: MetricDifference

    @cached_property
    def spread(self) -> Spread | None:
        """What its difference is uncertain by."""
        assert self.difference.metrics is not None, "it was compared here"
        before, after = self.difference.metrics
        flips = len(self.task.gained) + len(self.task.lost)
        return spread_of(self.difference.paired, before, after, flips)

    @property
    def estimate(self) -> Estimate:
        """Its difference with an interval; a wide one where no answer turned."""
        from scipy.special import stdtrit

        own = self.difference.paired.difference
        if own.low is not None or self.spread is None:
            return own
        half = float(stdtrit(self.spread.degrees, 0.5 + self.task.level / 2)) * self.spread.error
        return replace(own, low=own.value - half, high=own.value + half)


@dataclass(frozen=True)
class SuiteComparison:
    """One suite's average in two runs. Has what tables and gates read of a TaskComparison."""

    suite: Suite
    groups: Sequence[Sequence[Part]]
    """By task: the metrics of one task are of the same answers."""
    margin: Amount = SAME_WITHIN
    """A smaller difference counts as none."""
    among_tasks: MetricDifference | None = None
    """The average's difference, its tests corrected for the number of tasks and averages."""

    @property
    def headline_row(self) -> MetricDifference:
        """The average's difference; its tests are corrected where it is shown among others."""
        return self.among_tasks or self.best

    @property
    def p_holm(self) -> float | None:
        """Its p, corrected for the number of tasks and averages."""
        return self.headline_row.p_holm

    @property
    def key(self) -> str:
        """The suite's key in scores.json."""
        return self.suite.key

    @property
    def level(self) -> float:
        """Of its interval."""
        return self.groups[0][0].task.level

    @property
    def tasks(self) -> list[TaskComparison]:
        """Its members."""
        return [group[0].task for group in self.groups]

    @property
    def ids(self) -> list[str]:
        """The samples of all members that have a score in both runs."""
        return [key for task in self.tasks for key in task.ids]

    @property
    def gained(self) -> list[Flip]:
        """Samples of all members whose score rose."""
        return [flip for task in self.tasks for flip in task.gained]

    @property
    def lost(self) -> list[Flip]:
        """Samples of all members whose score fell."""
        return [flip for task in self.tasks for flip in task.lost]

    @property
    def failed(self) -> list[str]:
        """Samples of all members that a gate counts as wrong since they failed."""
        return [key for task in self.tasks for key in task.failed]

    @property
    def judging(self) -> Judging:
        """Of the member whose judge leaves the most doubt."""
        return max((task.judging for task in self.tasks), key=lambda judging: (judging.other_judge, judging.lean))

    @property
    def differs(self) -> list[str]:
        """None: what differs is told of the members."""
        return []

    @property
    def questions(self) -> None:
        """How many questions there are in all is not what decides: it depends on the member."""
        return None

    @cached_property
    def best(self) -> MetricDifference:
        """The average's difference."""
        parts = [part for group in self.groups for part in group]
        before, after = (
            math.fsum(part.share * getattr(part.difference, side) for part in parts) for side in ("before", "after")
        )
        estimate = weighted_sum([[(part.share, part.estimate) for part in group] for group in self.groups])
        error, freedom = self.error
        clusters = sum(task.best.paired.clusters for task in self.tasks)
        paired = Paired(estimate, _two_sided(estimate.value, error, freedom), METHOD, clusters, estimate.n, error)
        one = MetricDifference(AVERAGE, before, after, paired, p_holm=paired.p)
        return replace(one, equivalence=self._equivalence(paired))

    @property
    def span(self) -> float:
        """From the average's least to its largest value."""
        parts = [part for group in self.groups for part in group]
        return math.fsum(abs(part.share) * part.difference.metrics[1].span for part in parts if part.difference.metrics)

    def _equivalence(self, paired: Paired) -> Equivalence:
        own = self.margin.of(self.span)
        p = same_p(paired, self.spread, own, None if self.gained or self.lost else self.span)
        return Equivalence(own, p, p)

    @property
    def error(self) -> tuple[float | None, float]:
        """(standard error, degrees of freedom) of the average's difference; (None, 1) where a member has none."""
        around = self.spread
        return (None, 1.0) if around is None else (around.error, float(around.degrees))

    @cached_property
    def spread(self) -> Spread | None:
        """What the difference is uncertain by; None where that of a member is not known."""
        errors, third, flips = [], 0.0, [0.0]
        for group in self.groups:
            found = [(part.share, part.spread) for part in group]
            known = [(share, around) for share, around in found if around is not None]
            if len(known) < len(found):
                return None
            error = math.fsum(share * around.error for share, around in known)
            errors.append((error, float(min(around.degrees for _, around in known))))
            third += error**3 * max((around.skew for _, around in known), key=abs)
            flips += [share * around.flip for share, around in known]
        error, freedom = intervals.added(*errors)
        skew = third / error**3 if error > 0 else 0.0
        return Spread(error, max(flips), max(1, int(freedom)), skew)

    def to_json(self) -> dict[str, Any]:
        """For pages and scripts."""
        members = [
            {"task": part.task.key, "metric": part.difference.name, "share": part.share}
            | {"difference": asdict(part.difference.paired)["difference"]}
            for group in self.groups
            for part in group
        ]
        content = {"key": self.key, "level": self.level, "formula": self.suite.formula_text}
        return content | {"difference": self.best.to_json(), "members": members, **tests_to_json(self.headline_row)}


def _two_sided(value: float, error: float | None, freedom: float) -> float | None:
    """Student's p-value of "both averages are equally high"."""
    from scipy.special import stdtr

    return None if error is None or error <= 0 else float(2 * stdtr(freedom, -abs(value) / error))


def with_suites(found: Comparison, settings: Mapping[str, Any]) -> tuple[Comparison, list[SuiteComparison]]:
    """A comparison and the averages that can be compared, with tests corrected over all tasks and averages together."""
    suites, _ = compared_suites(found, settings)
    rows = corrected([*(task.best for task in found.tasks), *(suite.best for suite in suites)])
    tasks = [replace(task, among_tasks=row) for task, row in zip(found.tasks, rows, strict=False)]
    averages = [replace(suite, among_tasks=row) for suite, row in zip(suites, rows[len(tasks) :], strict=True)]
    return replace(found, tasks=tasks), averages


def compared_suites(found: Comparison, settings: Mapping[str, Any]) -> tuple[list[SuiteComparison], list[str]]:
    """(the averages that can be compared, the keys of suites with a formula that cannot).

    `settings` are resamples and seed, for metrics of members that the comparison does not hold yet.
    """
    before, after = _suites(found.before), _suites(found.after)
    whole, left_out = [], []
    for key, suite in {**before, **after}.items():
        other = before.get(key, suite)
        same = (other.formula_text, len(other.members)) == (suite.formula_text, len(suite.members))
        groups = _groups(suite, found.tasks, settings) if same else None
        if groups is None:
            left_out.append(key)
        else:
            whole.append(SuiteComparison(suite, groups, amounts.of_task(found.margins, key, SAME_WITHIN)))
    return whole, left_out


def _suites(run: StoredRun) -> dict[str, Suite]:
    suites = {key: of_json(content) for key, content in run.suites.items()}
    return {key: suite for key, suite in suites.items() if suite.formula and not suite.missing}


def _groups(suite: Suite, tasks: Sequence[TaskComparison], settings: Mapping[str, Any]) -> list[list[Part]] | None:
    """The members' differences, by task; None where a member is not compared, or a metric is undefined in a run."""
    by_key = {key: task for task in tasks for key in (task.before.key, task.key)}
    groups: dict[str, list[Part]] = {}
    for share, member in zip(suite.shares(), suite.members, strict=True):
        task = by_key.get(member.task)
        if task is None:
            return None
        names = member.metrics or (task.headline,)
        for name in names:
            one = _difference(task, name, settings)
            if one is None or math.isnan(one.before) or math.isnan(one.after):
                return None
            groups.setdefault(task.key, []).append(Part(share / len(names), task, one))
    return list(groups.values())


def _difference(task: TaskComparison, name: str, settings: Mapping[str, Any]) -> MetricDifference | None:
    known = next((one for one in task.differences if one.name == name), None)
    if known is not None:
        return known
    before, after = judged_pairs.metrics(task.before, task.after, task.ids, task.judging)
    if name not in before or name not in after:
        return None
    return difference(before[name], after[name], {**settings, "level": task.level, "lean": task.judging.lean})
