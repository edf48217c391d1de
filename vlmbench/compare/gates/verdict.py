"""The verdict of one test of the gate, and why, in one sentence."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vlmbench.compare.gates.planned import Kind
from vlmbench.stats.metrics import LESS, TARGET
from vlmbench.stats.sequential.looks import EarlyDecision

if TYPE_CHECKING:
    from vlmbench.compare.compare import TaskComparison
    from vlmbench.compare.differences import MetricDifference
    from vlmbench.compare.suites import SuiteComparison
    from vlmbench.stats.noninferiority import Decision, Margins
    from vlmbench.stats.paired import Paired

UNMOVED = 0.05
"""Below this a difference is printed as 0.0."""


@dataclass(frozen=True)
class Verdict:
    """One test of a gate."""

    task: TaskComparison | SuiteComparison
    metric: MetricDifference
    margins: Margins
    decision: Decision
    p_holm: float | None
    paired: Paired
    """The difference turned so that a fall is for the worse."""
    anchor: str = ""
    """The anchor that `before` is of, in words; empty for the baseline."""
    kind: Kind = Kind.ASKED

    @property
    def tested(self) -> str:
        """What was tested, as tables name it."""
        return f"{self.metric.name} since anchor" if self.anchor else self.metric.name

    @property
    def told(self) -> str:
        """The reason, with the name of what is no headline."""
        return self.reason if self.kind is Kind.ASKED else f"{self.metric.name}: {self.reason}"

    @property
    def items_needed(self) -> int | None:
        """How many items would have sufficed."""
        times = self.decision.needed
        return None if times is None or self.task.judging.doubt else math.ceil(times * self.metric.paired.n)

    @property
    def available(self) -> int | None:
        """How many questions the split has, where that is known."""
        return self.task.questions

    @property
    def reason(self) -> str:
        """Why, in one sentence."""
        return reason(self)

    def to_json(self) -> dict[str, Any]:
        """For scripts."""
        metric = self.metric.to_json()
        return {
            "key": self.task.key,
            "metric": self.metric.name,
            "kind": str(self.kind),
            **({"breakdown": self.metric.breakdown, "label": self.metric.label} if self.metric.breakdown else {}),
            **({"anchor": self.anchor} if self.anchor else {}),
            "better": self.metric.better,
            "target": self.metric.target,
            "outcome": str(self.decision.outcome),
            "rule": self.decision.rule,
            "reason": self.reason,
            "before": metric["before"],
            "after": metric["after"],
            "difference": metric["paired"]["difference"],
            "items": self.metric.paired.n,
            "clusters": self.metric.paired.clusters,
            "error": self.metric.paired.error,
            "range": self.metric.metrics[1].span if self.metric.metrics else None,
            "lower": self.decision.lower,
            "upper": self.decision.upper,
            "p": self.decision.p,
            "p_holm": self.p_holm,
            "max_drop": self.margins.allowed,
            "min_detectable_drop": self.margins.min_detectable_drop,
            "detectable": self.decision.detectable,
            "items_needed": self.items_needed,
            "items_of_split": self.available,
            "gained": len(self.task.gained),
            "lost": len(self.task.lost),
            "failed": len(self.task.failed),
            "differs": self.task.differs,
        }


def reason(verdict: Verdict) -> str:
    """The sentence, with what failed and was counted as lost."""
    failed = len(verdict.task.failed)
    counted = f"; {failed:,} samples that had a score before have none now and count as wrong" if failed else ""
    since = f"since the anchor {verdict.anchor}: " if verdict.anchor else ""
    doubt = verdict.task.judging.doubt if verdict.decision.outcome == "unknown" else ""
    early = isinstance(verdict.decision, EarlyDecision)
    words = _early if early else REASONS[verdict.decision.rule]
    return since + words(verdict) + counted + (f"; {doubt}" if doubt else "")


def _early(v: Verdict) -> str:
    """What was decided while the run went on, and after what part of the questions."""
    assert isinstance(v.decision, EarlyDecision)
    told = f"a drop beyond the allowed {v.margins.allowed:g} is excluded"
    if v.decision.outcome == "fail":
        told = f"it fell by more than the allowed {v.margins.allowed:g} (p {v.decision.p_holm:.2g} at all looks)"
    moved = f"{v.metric.name} is undefined now" if math.isnan(v.metric.after) else _moved(v)
    return f"{moved}; {told}; {v.decision.rule} ({100 * v.decision.asked / v.decision.questions:.0f} %)"


def _moved(verdict: Verdict) -> str:
    """How the metric moved, and of what is not better when it is more, whether that is for the worse."""
    value, metric = verdict.metric.paired.difference.value, verdict.metric
    if metric.better == TARGET and metric.target is not None:
        before, after = abs(metric.before - metric.target), abs(metric.after - metric.target)
        if abs(after - before) < UNMOVED:
            return f"is as far from its target {metric.target:.1f} as before"
        way = "further from" if after > before else "nearer to"
        return f"moved {abs(after - before):.1f} {way} its target {metric.target:.1f}"
    if abs(value) < UNMOVED:
        return "did not move"
    worse = f" ({'worse' if value > 0 else 'better'}: less is better)" if metric.better == LESS else ""
    return f"{'rose' if value >= 0 else 'fell'} by {abs(value):.1f}{worse}"


def _fell(v: Verdict) -> str:
    return f"{_moved(v)}, by more than the allowed {v.margins.allowed:g} (p {v.p_holm or 0:.2g})"


def _excluded(v: Verdict) -> str:
    return f"{_moved(v)}; a drop beyond the allowed {v.margins.allowed:g} is excluded"


def _found(v: Verdict) -> str:
    share = f"{100 * v.margins.power:g} %"
    return f"{_moved(v)}; a drop of {v.decision.detectable:.1f} would have been found in {share} of all cases"


def _few(v: Verdict) -> str:
    items = f"{v.metric.paired.n:,} items"
    finding = f"these {items} can show a drop of {v.decision.detectable:.1f}, not of {v.margins.min_detectable_drop:g}"
    return f"{_moved(v)}; {finding}{_need(v)}"


def _close(v: Verdict) -> str:
    return f"{_moved(v)}: too close to the allowed {v.margins.allowed:g} for {v.metric.paired.n:,} items{_need(v)}"


def _few_same(v: Verdict) -> str:
    finding = f"on {v.paired.clusters:,} images that excludes a drop of {v.decision.detectable:.1f}"
    sameness = "is the same" if v.decision.rule == "few same answers" else "has the same score"
    return f"every answer {sameness}, but {finding}, not of {v.margins.min_detectable_drop:g}{_need(v)}"


def _need(v: Verdict) -> str:
    if v.task.judging.doubt:  # more items do not make a judge lean less
        return ""
    if v.items_needed is None:
        return "; more items than are worth asking for would be needed"
    available = f" (the split has {v.available:,})" if v.available is not None else ""
    return f"; about {v.items_needed:,} would be needed{available}"


def _undefined(v: Verdict) -> str:
    if not v.task.ids:
        return "no sample has a score in both runs"
    return f"{v.metric.name} is undefined here, or rests on a single image"


REASONS: Mapping[str, Callable[[Verdict], str]] = {
    "same model": lambda v: "every answer is the same, as the same model asked the same gives",
    "same answers": lambda v: "every answer is the same",
    "few same answers": _few_same,
    "same scores": lambda v: "every answer has the same score",
    "few same scores": _few_same,
    "fell": _fell,
    "excluded": _excluded,
    "would have been found": _found,
    "too few items": _few,
    "too close": _close,
    "undefined": _undefined,
    "other judge": _moved,
    "all failed": lambda v: "no sample has a score now",
    "became undefined": lambda v: f"{v.metric.name} was {v.metric.before:.1f} and is undefined now",
    "was undefined": lambda v: f"{v.metric.name} was undefined before, so there is nothing to compare",
}
"""By the rule of stats/noninferiority.py."""
