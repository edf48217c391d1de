"""What people's labels and the judge's grades say together, per task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vlmbench.compare.labels.sheet import Labels, Scale, pairs, scale_of
from vlmbench.runs.storage.reload import StoredRun, StoredTask
from vlmbench.stats.judges.agreement import krippendorff_alpha, weighted_kappa
from vlmbench.stats.judges.prediction_powered import FEWEST, Estimated, Powered, powered


@dataclass(frozen=True, slots=True)
class Labelled:
    """One task's estimates, in the unit of its headline or, where that is no mean of grades, in grades."""

    task: str
    metric: str
    judge: float
    """The judge's own value, over all graded answers."""
    found: Powered | None
    """None: too few labels."""
    labels: int
    scale: Scale
    factor: float
    """From grades to the metric's unit."""
    kappa: float | None
    alpha: float | None

    def to_json(self) -> dict[str, Any]:
        """For scores and `--json`."""
        known: dict[str, Any] = {"metric": self.metric, "judge": self.judge, "labels": self.labels}
        known |= {"scale": [self.scale.low, self.scale.high], "kappa": self.kappa, "krippendorff_alpha": self.alpha}
        if self.found is None:
            return known | {"note": f"fewer than {FEWEST} images have labels: no estimate"}
        for name in ("value", "people", "bias"):
            one: Estimated = getattr(self.found, name).scaled(self.factor)
            known[name] = {"value": one.value, "low": one.low, "high": one.high}
        return known | {"weight": self.found.weight, "images": self.found.clusters, "needed": self.found.needed}


def estimate(run: StoredRun, labels: Labels, level: float) -> list[Labelled]:
    """One per task with labels."""
    return [_of_task(run.tasks[key], dict(grades), level) for key, grades in labels.items()]


def _of_task(task: StoredTask, grades: dict[str, float], level: float) -> Labelled:
    labelled, others = pairs(task, grades)
    rest = [(float(item.score.value or 0.0), item.sample.cluster) for item in others]
    every = [grade for _, grade, _ in labelled] + [grade for grade, _ in rest]
    mean = sum(every) / len(every)
    metric, factor = _unit(task, mean)
    people, judge = [truth for truth, _, _ in labelled], [grade for _, grade, _ in labelled]
    return Labelled(
        task.key,
        metric,
        mean * factor,
        powered(labelled, rest, level),
        len(labelled),
        scale_of(task),
        factor,
        weighted_kappa(people, judge),
        krippendorff_alpha(list(zip(people, judge, strict=True))) if labelled else None,
    )


def _unit(task: StoredTask, mean: float) -> tuple[str, float]:
    """The headline, where it is the mean of the grades or that in per cent; else the mean grade."""
    value = task.scores.get(task.headline, {}).get("value")
    for factor in (100.0, 1.0):
        if isinstance(value, int | float) and abs(value - factor * mean) < 1e-6 * max(1.0, abs(value)):
            return task.headline, factor
    return "mean grade", 1.0
