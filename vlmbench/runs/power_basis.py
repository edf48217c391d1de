"""What `vlmbench power` plans with: made-up answers, one or two finished runs, or the checks of a gate."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.base.errors import UsageError
from vlmbench.runs.storage import reload
from vlmbench.runs.storage.run_files import read_check
from vlmbench.stats import influence, power
from vlmbench.stats import intervals as statistics
from vlmbench.stats import paired as pairing
from vlmbench.stats.power import Design

if TYPE_CHECKING:
    from vlmbench.base.registry import TaskChoice
    from vlmbench.runs.storage.reload import StoredTask
    from vlmbench.stats.metrics import Metric
    from vlmbench.stats.paired import Paired


@dataclass(frozen=True)
class Basis:
    """A design and where its numbers come from."""

    design: Design
    metric: str
    span: float | None
    """The metric's range, in its own unit; None where a source does not say it."""
    source: str
    """`assumed`, `one run`, `two runs` or `checks`."""
    told: str
    """In words: what was assumed or measured."""
    facts: Mapping[str, float]


def assumed(
    choice: TaskChoice,
    data: str | None,
    accuracy_points: float | None,
    discordance_points: float | None,
    correlation: float | None,
) -> Basis:
    """From the questions alone: two models of one accuracy with independent errors, or with the discordance given."""
    from vlmbench.base import settings
    from vlmbench.data.files import read_samples
    from vlmbench.plugins import specs as loading
    from vlmbench.scoring.assumed import two_models

    opened = loading.open_data(choice, settings.load({"data": data}))
    samples = list(read_samples(choice.task, opened, choice.split))
    accuracy = power.ACCURACY if accuracy_points is None else accuracy_points / 100
    alike = power.CORRELATION if correlation is None else correlation
    independent = power.independent(accuracy)
    discordance = independent if discordance_points is None else discordance_points / 100
    found = two_models(choice, samples, accuracy=accuracy, correlation=alike)
    if found is None:
        raise UsageError(f"{choice.key}: no headline without a run", hint="name a run of it: --run RUN")
    if statistics.outcomes(found.metric) is not None:
        design = power.planned(list(found.metric.clusters), discordance=discordance, correlation=alike)
    elif found.design is None or found.metric.bounds is None:  # a ratio of two grades, of which either may be 0
        raise UsageError(
            f"{found.metric.name} cannot be planned from right and wrong answers", hint="name a run: --run"
        )
    else:  # the variance of a difference is in proportion to the answers that differ
        design = replace(found.design, error=found.design.error * math.sqrt(discordance / independent))
    told = f"assumed ({opened.label} questions): "
    if discordance_points is None:
        told += f"accuracy {100 * accuracy:g}, errors of the two models independent, so that one alone is right on "
    else:
        told += "one model alone is right on "
    told += f"{100 * discordance:.1f} % of the questions; correlation {alike:g} within an image"
    if choice.task.protocols[choice.protocol].judge is not None:
        told += "; grades taken for 0 or full, and the judge for constant"
    facts = {"accuracy": 100 * accuracy, "discordance": 100 * discordance, "correlation": alike}
    facts["design_effect"] = power.design_effect([sample.cluster for sample in samples], alike)
    return Basis(design, found.metric.name, found.metric.span, "assumed", told, facts)


def from_runs(choice: TaskChoice, folders: Sequence[Path]) -> Basis:
    """From the headline of one run (twice its variance), or from the paired difference of two."""
    found: list[StoredTask] = []
    for folder in folders:
        tasks = reload.load(folder).tasks
        if choice.key not in tasks:
            raise UsageError(f"the run has no {choice.key}", where=str(folder), hint=f"it has: {', '.join(tasks)}")
        found.append(tasks[choice.key])
    if len(found) == 1:
        return _from_one(found[0])
    if (versions := {str(one.entry.get("version")) for one in found}) and len(versions) > 1:
        problem = f"{choice.key}: the runs are of versions {' and '.join(sorted(versions))}"
        raise UsageError(problem, hint="`vlmbench score RUN` scores an older run by the present rules")
    ids = [key for key in found[0].answered if key in found[1].answered]
    metrics = [_headline(one, ids) for one in found]
    made = pairing.paired(metrics[0], metrics[1]) if metrics[0] and metrics[1] else None
    design = power.from_comparison(made) if made else None
    if made is None or design is None or metrics[0] is None:
        hint = "name one run, or none"
        raise UsageError("the two runs do not differ enough to learn from", where=choice.key, hint=hint)
    what = "questions" if choice.variant.samples == 1 else "answers"
    told = f"measured: how {folders[0]} and {folders[1]} differ on {len(ids):,} {what} they share"
    facts = {"difference": made.difference.value}
    return Basis(_single(design, made), found[0].headline, metrics[0].span, "two runs", told, facts)


def from_checks(choice: TaskChoice, folders: Sequence[Path]) -> Basis:
    """From how runs differed from their baselines: the mean variance per image over the tests of the headline."""
    headline = choice.task.protocols[choice.protocol].headline
    designs, spans, lacking = [], [], []
    for folder in folders:
        content = read_check(folder) if folder.is_dir() else None
        if content is None:
            hint = "`vlmbench check RUN --baseline BASELINE` writes it"
            raise UsageError("the run has no check.json", where=str(folder), hint=hint)
        tests = [test for test in _tests(content, choice.key) if test.get("metric") == headline]
        made = [design for test in tests if (design := _design(test)) is not None]
        designs += made
        spans += [test["range"] for test in tests if isinstance(test.get("range"), int | float)]
        if not made:
            lacking.append(str(folder))
    if not designs:
        hint = "name checks of this task in which answers differed, or --runs BEFORE AFTER"
        raise UsageError(f"no check tells how {choice.key}'s {headline} varies", where=", ".join(lacking), hint=hint)
    left_out = f"; without it: {', '.join(lacking)}" if lacking else ""
    told = f"measured: {len(designs)} checks of {headline} against a baseline{left_out}"
    return Basis(power.pooled(designs), headline, spans[-1] if spans else None, "checks", told, {})


def _tests(content: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
    tests = content.get("tasks")
    for test in tests if isinstance(tests, list) else ():
        if isinstance(test, dict) and test.get("key") == key:
            yield test


def _design(test: Mapping[str, Any]) -> Design | None:
    """Of a test's standard error; files of earlier versions have the interval alone."""
    from vlmbench.stats.intervals import student

    error, items, clusters = (test.get(name) for name in ("error", "items", "clusters"))
    if not isinstance(items, int) or not isinstance(clusters, int) or clusters < 2:
        return None
    ends = test.get("difference")
    if not isinstance(error, int | float) and isinstance(ends, dict):
        low, high = ends.get("low"), ends.get("high")
        if isinstance(low, int | float) and isinstance(high, int | float):
            error = (high - low) / 2 / student(clusters - 1.0, statistics.LEVEL)
    return Design(items, clusters, float(error)) if isinstance(error, int | float) and error > 0 else None


def _headline(task: StoredTask, ids: Sequence[str]) -> Metric | None:
    return next((metric for metric in task.metrics(ids) if metric.name == task.headline), None)


def _single(design: Design, made: Paired) -> Design:
    """With the discordance, where McNemar's test is what it comes to."""
    if made.method != pairing.MCNEMAR:
        return design
    discordance = design.clusters * (design.error / 100) ** 2 + (made.difference.value / 100) ** 2
    return replace(design, discordance=discordance)


def _from_one(task: StoredTask) -> Basis:
    metric = _headline(task, list(task.answered))
    if metric is None or len(set(metric.clusters)) < 2:
        raise UsageError(f"too few images were answered to learn from {task.key}", hint="name a larger run")
    codes, count = statistics.cluster_codes(metric.clusters)
    n = len(metric.items) if metric.n is None else metric.n
    rows = statistics.outcomes(metric)
    told = f"measured: {task.headline} {metric.value():.1f} of the run; the other model's errors assumed independent"
    if rows is not None:
        share, clusters = float(rows.mean()), list(metric.clusters)
        if share in (0.0, 1.0):
            raise UsageError(f"{task.headline} is {100 * share:g}: nothing to learn from", hint="name another run")
        correlation = power.correlation(rows, clusters)
        discordance = power.independent(share)
        design = power.planned(clusters, discordance=discordance, correlation=correlation)
        facts = {"accuracy": 100 * share, "discordance": 100 * discordance, "correlation": correlation}
        facts["design_effect"] = power.design_effect(clusters, correlation)
        return Basis(design, task.headline, metric.span, "one run", told, facts)
    sums = None if metric.of_weights else statistics.cluster_sums(metric.items, codes, count)
    moved = influence.influence(metric, codes, count, sums)
    if moved is None or influence.error(moved) <= 1e-9:
        raise UsageError(f"{task.headline} is the same in all images, or hangs on one", hint="name another run")
    design = Design(n, count, math.sqrt(2) * influence.error(moved))
    return Basis(design, task.headline, metric.span, "one run", told, {task.headline: metric.value()})
