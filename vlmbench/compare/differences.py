"""One metric in two runs: the paired difference, and what it says of the two in one word."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from vlmbench.stats import paired as pairing
from vlmbench.stats.metrics import LESS, MORE, NEITHER, TARGET
from vlmbench.stats.noninferiority import Spread, spread_of
from vlmbench.stats.paired import Paired
from vlmbench.stats.pairs.amounts import Amount
from vlmbench.stats.pairs.equivalence import equivalence_p, unturned_p

if TYPE_CHECKING:
    from vlmbench.stats.metrics import Metric

ALPHA = 0.05
"""Error rate of each family of tests: of the differences, and of the equivalences."""
SAME_WITHIN = Amount(1.0, percent=True)
"""What counts as the same unless a caller says otherwise."""


class Verdict(StrEnum):
    """What the two tests of a metric say together."""

    BETTER = "better"
    WORSE = "worse"
    DIFFERENT = "different"
    """They differ, and neither is better: by the kind of metric, or on either side of a target."""
    SAME = "the same"
    UNKNOWN = "could not tell"


@dataclass(frozen=True, slots=True)
class Equivalence:
    """The test of "both are the same within a margin"."""

    margin: float
    """In the metric's own unit."""
    p: float | None
    """Of "they differ by the margin or more"; None where there is no test."""
    p_holm: float | None = None
    """Corrected for the tests that are shown together."""


@dataclass(frozen=True, slots=True)
class MetricDifference:
    """One metric in both runs, over the samples that both answered."""

    name: str
    before: float
    after: float
    paired: Paired
    breakdown: str = ""
    label: str = ""
    metrics: tuple[Metric, Metric] | None = None
    """What was paired: before, after."""
    equivalence: Equivalence | None = None
    p_holm: float | None = None
    """p of the difference, corrected for the tests that are shown together."""

    @property
    def better(self) -> str:
        """What is better: more, less, target or neither."""
        return self.metrics[1].direction if self.metrics is not None else MORE

    @property
    def target(self) -> float | None:
        """The best value, where there is one."""
        return self.metrics[1].target if self.metrics is not None else None

    @property
    def same(self) -> bool:
        """Whether a difference of the margin is excluded."""
        return self.equivalence is not None and _small(self.equivalence.p_holm)

    @property
    def verdict(self) -> Verdict:
        """By the corrected tests alone: an interval may leave out 0 by chance where several are shown."""
        if _small(self.p_holm):
            return self._direction()
        return Verdict.SAME if self.same else Verdict.UNKNOWN

    @property
    def verdict_words(self) -> str:
        """The verdict with the margin, in the metric's own unit: `the same within 1`, `better, by less than 1`."""
        if not self.same or self.equivalence is None:
            return str(self.verdict)
        joint = " within" if self.verdict is Verdict.SAME else ", by less than"
        return f"{self.verdict}{joint} {self.equivalence.margin:.4g}"

    def _direction(self) -> Verdict:
        change = self.paired.difference.value
        if self.better == NEITHER or change == 0:
            return Verdict.DIFFERENT
        if self.better == TARGET:
            if self.target is None or (self.before - self.target) * (self.after - self.target) < 0:
                return Verdict.DIFFERENT
            change = abs(self.before - self.target) - abs(self.after - self.target)
        elif self.better == LESS:
            change = -change
        return Verdict.BETTER if change > 0 else Verdict.WORSE

    def to_json(self) -> dict[str, Any]:
        """For pages and scripts; null where something is undefined."""
        content = {"name": self.name, "before": _plain(self.before), "after": _plain(self.after)}
        content |= {"better": self.better, "target": self.target}
        paired = asdict(self.paired) | {"difference": self.paired.difference.to_json()}
        bar = {"breakdown": self.breakdown, "label": self.label} if self.breakdown else {}
        return {**content, "paired": paired, **tests_to_json(self), **bar}


def tests_to_json(one: MetricDifference) -> dict[str, Any]:
    """The corrected tests and the verdict."""
    equivalence = None if one.equivalence is None else asdict(one.equivalence)
    return {"p_holm": one.p_holm, "equivalence": equivalence, "verdict": str(one.verdict)}


def difference(
    before: Metric, after: Metric, settings: Mapping[str, Any], margin: Amount = SAME_WITHIN
) -> MetricDifference:
    """One metric of both runs, paired, and tested for being the same within `margin`.

    `settings` are those of stats.paired.paired. Its p-values are corrected for themselves alone: `corrected`.
    """
    result = pairing.paired(before, after, **settings)
    values = (before.value(), after.value())
    whole = (before, after)
    one = MetricDifference(after.name, *values, result, after.breakdown, after.label, whole)
    return replace(one, equivalence=_equivalence(result, whole, margin), p_holm=result.p)


def corrected(rows: Sequence[MetricDifference]) -> list[MetricDifference]:
    """Differences that are shown together: each family of p-values corrected by Holm."""
    differing = pairing.holm({str(at): row.paired.p for at, row in enumerate(rows)})
    same = pairing.holm({str(at): row.equivalence.p if row.equivalence else None for at, row in enumerate(rows)})
    return [
        replace(
            row,
            p_holm=differing[str(at)],
            equivalence=row.equivalence and replace(row.equivalence, p_holm=same[str(at)]),
        )
        for at, row in enumerate(rows)
    ]


def _equivalence(result: Paired, whole: tuple[Metric, Metric], margin: Amount) -> Equivalence:
    span = max(metric.span for metric in whole)
    own = margin.of(span)
    if math.isnan(result.difference.value) or result.error is None:
        return Equivalence(own, None)
    turned = turned_items(*whole)
    p = same_p(result, spread_of(result, *whole, turned), own, None if turned else span)
    return Equivalence(own, p, p)


def same_p(result: Paired, around: Spread | None, margin: float, unturned: float | None) -> float | None:
    """p of "they differ by `margin` or more"; `unturned` is the metric's range where no item counts differently."""
    if around is None or math.isnan(result.difference.value):
        return None
    value = result.difference.value
    p = equivalence_p(value, around.error_under(margin, -abs(value)), around.degrees, margin)
    return p if p is None or unturned is None else max(p, unturned_p(result.clusters, margin / unturned))


def turned_items(before: Metric, after: Metric) -> int:
    """How many items count differently in both runs; all of them where they cannot be told."""
    import numpy as np

    if before.items.shape != after.items.shape or list(before.clusters) != list(after.clusters):
        return max(len(before.items), len(after.items))
    same = (before.items == after.items) | (np.isnan(before.items) & np.isnan(after.items))
    return int((~same.all(axis=1)).sum())


def _small(p: float | None) -> bool:
    return p is not None and p < ALPHA


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else value
