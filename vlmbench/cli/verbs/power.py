"""`vlmbench power`: which difference a benchmark can show before anything is run, and how many questions one needs."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.base.errors import UsageError
from vlmbench.base.process import exit_codes, terminal
from vlmbench.stats import power

if TYPE_CHECKING:
    from vlmbench.base.registry import TaskChoice
    from vlmbench.runs.storage.reload import StoredTask
    from vlmbench.stats.power import Design


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which comparison, and what is known of it."""
    add = parser.add_argument
    add("task", metavar="TASK[:SPLIT][@PROTOCOL]", help="see `vlmbench tasks`")
    add("--effect", type=float, default=1.0, metavar="POINTS", help="difference to detect (default 1.0)")
    add("--power", type=float, default=0.8, metavar="SHARE", help="how often to detect it (default 0.8)")
    add("--alpha", type=float, default=0.05, metavar="SHARE", help="false alarm rate")
    add("--data", metavar="sample|hub[:COPIES]|DIR", help="where the questions are (default: the embedded sample)")
    add("--limit", type=int, metavar="N", help="assume a run with this --limit")
    add(
        "--run",
        type=Path,
        action="append",
        default=[],
        metavar="RUN",
        help="estimate from a finished run instead of assuming; twice: from two runs of the task",
    )
    add("--accuracy", type=float, metavar="POINTS", help="expected accuracy (default 70)")
    add(
        "--discordance",
        type=float,
        metavar="POINTS",
        help="percent of questions that exactly one of the models gets right",
    )
    add("--correlation", type=float, metavar="R", help="correlation of questions about one image (default 0.1)")
    add("--json", action="store_true", help="print JSON on stdout, and nothing else")


@dataclass(frozen=True)
class Basis:
    """A design and where its numbers come from."""

    design: Design
    metric: str
    told: str
    """In words: what was assumed or measured."""
    facts: dict[str, float]


def run(args: argparse.Namespace) -> int:
    """Tell the smallest detectable difference and what the wanted one needs."""
    from vlmbench.base import registry

    _check(args)
    choice = registry.choose_task(args.task)
    basis = _measured(args, choice) if args.run else _assumed(args, choice)
    design = basis.design
    limited = design
    if args.limit is not None and args.limit < design.items:
        limited = design.of(max(1.0, design.clusters * args.limit / design.items))
    report = _report(args, choice, basis, limited)
    if args.json:
        terminal.result(json.dumps(report, indent=2))
    else:
        print(_text(args, report))
    return exit_codes.OK


def _check(args: argparse.Namespace) -> None:
    for name, high in (("power", 1), ("alpha", 1), ("accuracy", 100), ("discordance", 100), ("correlation", 1)):
        value = getattr(args, name)
        if value is not None and not (0 < value < high or (name == "correlation" and value in (0, 1))):
            raise UsageError(f"--{name} {value:g} is out of range", hint=f"give a number between 0 and {high}")
    if not args.effect > 0:
        raise UsageError(f"--effect {args.effect:g} is no difference", hint="give a number above 0")
    if args.limit is not None and args.limit < 1:
        raise UsageError(f"--limit {args.limit} leaves nothing to ask", hint="give a number above 0")
    if len(args.run) > 2:
        raise UsageError("more than two runs", hint="name one run, or two to compare")
    assumed = [name for name in ("accuracy", "discordance", "correlation") if getattr(args, name) is not None]
    if args.run and assumed:
        raise UsageError(f"--run measures what --{assumed[0]} would assume", hint="leave one of them out")


def _assumed(args: argparse.Namespace, choice: TaskChoice) -> Basis:
    """From the questions alone: right or wrong, two models of one accuracy with independent errors."""
    from vlmbench.base import settings
    from vlmbench.data.files import read_samples
    from vlmbench.plugins import specs as loading

    data = loading.open_data(choice, settings.load({"data": args.data}))
    clusters = [sample.cluster for sample in read_samples(choice.task, data, choice.split)]
    accuracy = power.ACCURACY if args.accuracy is None else args.accuracy / 100
    discordance = power.independent(accuracy) if args.discordance is None else args.discordance / 100
    correlation = power.CORRELATION if args.correlation is None else args.correlation
    design = power.planned(clusters, discordance=discordance, correlation=correlation)
    told = f"assumed ({data.label} questions): "
    if args.discordance is None:
        told += f"accuracy {100 * accuracy:g}, errors of the two models independent, so that one alone is right on "
    else:
        told += "one model alone is right on "
    told += f"{100 * discordance:.1f} % of the questions; correlation {correlation:g} within a image"
    facts = {"accuracy": 100 * accuracy, "discordance": 100 * discordance, "correlation": correlation}
    facts["design_effect"] = power.design_effect(clusters, correlation)
    return Basis(design, "accuracy", told, facts)


def _measured(args: argparse.Namespace, choice: TaskChoice) -> Basis:
    """From the headline of one run (twice its variance), or from the paired difference of two."""
    from vlmbench.runs.storage import reload as stored
    from vlmbench.stats import paired as pairing

    found: list[StoredTask] = []
    for folder in args.run:
        tasks = stored.load(folder).tasks
        if choice.key not in tasks:
            raise UsageError(f"the run has no {choice.key}", where=str(folder), hint=f"it has: {', '.join(tasks)}")
        found.append(tasks[choice.key])
    if len(found) == 1:
        return _from_one(found[0])
    ids = [key for key in found[0].answered if key in found[1].answered]
    metrics = [next((m for m in one.metrics(ids) if m.name == one.headline), None) for one in found]
    made = pairing.paired(metrics[0], metrics[1]) if metrics[0] and metrics[1] else None
    design = power.from_comparison(made) if made else None
    if made is None or design is None:
        hint = "name one run, or none"
        raise UsageError("the two runs do not differ enough to learn from", where=choice.key, hint=hint)
    what = "questions" if choice.variant.samples == 1 else "answers"
    told = f"measured: how {args.run[0]} and {args.run[1]} differ on {len(ids):,} {what} they share"
    return Basis(_mcnemar_design(design, made), found[0].headline, told, {"difference": made.difference.value})


def _mcnemar_design(design: Design, made: Any) -> Design:
    from dataclasses import replace

    from vlmbench.stats.paired import MCNEMAR

    if made.method != MCNEMAR:
        return design
    discordance = design.clusters * (design.error / 100) ** 2 + (made.difference.value / 100) ** 2
    return replace(design, discordance=discordance)


def _from_one(task: StoredTask) -> Basis:
    import math

    from vlmbench.stats import influence
    from vlmbench.stats import intervals as statistics
    from vlmbench.stats.power import Design

    metric = next((m for m in task.metrics(list(task.answered)) if m.name == task.headline), None)
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
        return Basis(design, task.headline, told, facts)
    sums = None if metric.of_weights else statistics.cluster_sums(metric.items, codes, count)
    moved = influence.influence(metric, codes, count, sums)
    if moved is None or influence.error(moved) <= 1e-9:
        raise UsageError(f"{task.headline} is the same in all images, or hangs on one", hint="name another run")
    design = Design(n, count, math.sqrt(2) * influence.error(moved))
    return Basis(design, task.headline, told, {task.headline: metric.value()})


def _report(args: argparse.Namespace, choice: TaskChoice, basis: Basis, design: Design) -> dict[str, Any]:
    least = power.detectable(design, power=args.power, alpha=args.alpha)
    wanted = power.needed(basis.design, args.effect, power=args.power, alpha=args.alpha)
    return {
        "task": choice.key,
        "metric": basis.metric,
        "questions": design.items,
        "images": design.clusters,
        "of": {"questions": basis.design.items, "images": basis.design.clusters},
        "alpha": args.alpha,
        "power": args.power,
        "effect": args.effect,
        "error": design.error,
        "detectable": least,
        "power_at_effect": power.chance(design, args.effect, alpha=args.alpha),
        "needed": {"questions": wanted.items, "images": wanted.clusters} if wanted else None,
        "enough": wanted is not None and wanted.clusters <= basis.design.clusters,
        "basis": basis.told,
        **basis.facts,
    }


def _text(args: argparse.Namespace, report: dict[str, Any]) -> str:
    lines = [
        f"{report['task']}: {report['questions']:,} questions about {report['images']:,} images",
        f"  {report['basis']}",
        f"  standard error of a difference in {report['metric']}: {report['error']:.2f} points",
    ]
    rate = f"{100 * args.power:g} % power at alpha {args.alpha:g}"
    if report["detectable"] is None:
        lines.append(f"  with {rate} no difference can be found")
    else:
        lines.append(f"  smallest difference found with {rate}: {report['detectable']:.2f} points")
    lines.append(f"  a difference of {args.effect:g} is found {100 * report['power_at_effect']:.0f} % of the time")
    lines.append(_advice(args.effect, report))
    return "\n".join(lines)


def _advice(effect: float, report: dict[str, Any]) -> str:
    if report["needed"] is None:
        return f"  a difference of {effect:g} cannot be found: it is larger than the two can differ"
    need = f"{report['needed']['questions']:,} questions about {report['needed']['images']:,} images"
    if report["enough"]:
        return f"  for {effect:g} points: {need} (--limit {report['needed']['questions']})"
    return f"  for {effect:g} points: {need}; the data have {report['of']['questions']:,}"
