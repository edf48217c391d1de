"""`vlmbench power`: which difference of a benchmark's headline can be shown, and how many questions one takes."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.base.errors import UsageError
from vlmbench.base.process import exit_codes, terminal
from vlmbench.stats import power

if TYPE_CHECKING:
    from vlmbench.base.registry import TaskChoice
    from vlmbench.runs.power_basis import Basis
    from vlmbench.stats.power import Design


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which comparison, and what is known of it."""
    add = parser.add_argument
    add("task", metavar="TASK[:SPLIT][@PROTOCOL]", help="see `vlmbench tasks`")
    add(
        "--effect",
        default="1%",
        metavar="AMOUNT",
        help="difference to detect, in the headline's own unit or in percent of its range: `20`, `2%%` (default 1%%)",
    )
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
    add("--runs", type=Path, nargs=2, default=(), metavar="RUN", help="the same as --run twice: how two runs differ")
    add(
        "--checks",
        type=Path,
        nargs="+",
        default=(),
        metavar="RUN",
        help="estimate from the check.json that `vlmbench check` left in these runs: how they differ from the baseline",
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


def run(args: argparse.Namespace) -> int:
    """Tell the smallest detectable difference and what the wanted one needs."""
    from vlmbench.base import registry
    from vlmbench.runs import power_basis
    from vlmbench.stats.pairs import amounts

    _check(args)
    effects = amounts.parse(args.effect, "--effect")
    if set(effects) != {""} or not effects[""].number > 0:
        hint = "give one number above 0: in the headline's own unit, or in percent of its range"
        raise UsageError(f"--effect {args.effect} is no difference", hint=hint)
    choice = registry.choose_task(args.task)
    runs = [*args.run, *args.runs]
    if args.checks:
        basis = power_basis.from_checks(choice, args.checks)
    elif runs:
        basis = power_basis.from_runs(choice, runs)
    else:
        basis = power_basis.assumed(choice, args.data, args.accuracy, args.discordance, args.correlation)
    if effects[""].percent and basis.span is None:
        hint = "give --effect in the metric's own unit; the gate of this version writes it"
        raise UsageError(f"these checks do not say the range of {basis.metric}", hint=hint)
    design = basis.design
    limited = design
    if args.limit is not None and args.limit < design.items:
        limited = design.of(max(1.0, design.clusters * args.limit / design.items))
    report = _report(args, choice, basis, limited, effects[""].of(basis.span or 0.0))
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
    if args.limit is not None and args.limit < 1:
        raise UsageError(f"--limit {args.limit} leaves nothing to ask", hint="give a number above 0")
    sources = {"--run": args.run, "--runs": args.runs, "--checks": args.checks}
    given = [name for name, runs in sources.items() if runs]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)}: two sources", hint="leave one of them out")
    if len(args.run) > 2:
        raise UsageError("more than two runs", hint="name one run, or two to compare; --checks takes any number")
    assumed = [name for name in ("accuracy", "discordance", "correlation") if getattr(args, name) is not None]
    if given and assumed:
        raise UsageError(f"{given[0]} measures what --{assumed[0]} would assume", hint="leave one of them out")


def _report(
    args: argparse.Namespace, choice: TaskChoice, basis: Basis, design: Design, effect: float
) -> dict[str, Any]:
    least = power.detectable(design, power=args.power, alpha=args.alpha)
    wanted = power.needed(basis.design, effect, power=args.power, alpha=args.alpha)
    return {
        "task": choice.key,
        "metric": basis.metric,
        "range": basis.span,
        "questions": design.items,
        "images": design.clusters,
        "of": {"questions": basis.design.items, "images": basis.design.clusters},
        "alpha": args.alpha,
        "power": args.power,
        "effect": effect,
        "error": design.error,
        "detectable": least,
        "power_at_effect": power.chance(design, effect, alpha=args.alpha),
        "needed": {"questions": wanted.items, "images": wanted.clusters} if wanted else None,
        "enough": wanted is not None and wanted.clusters <= basis.design.clusters,
        "source": basis.source,
        "basis": basis.told,
        **basis.facts,
    }


def _text(args: argparse.Namespace, report: dict[str, Any]) -> str:
    unit = "" if report["range"] is None else f" on a range of {report['range']:,.4g}"
    lines = [
        f"{report['task']}: {report['questions']:,} questions about {report['images']:,} images",
        f"  {report['basis']}",
        f"  standard error of a difference in {report['metric']}: {report['error']:.2f}{unit}",
    ]
    rate = f"{100 * args.power:g} % power at alpha {args.alpha:g}"
    if report["detectable"] is None:
        lines.append(f"  with {rate} no difference can be found")
    else:
        lines.append(f"  smallest difference found with {rate}: {report['detectable']:.2f}")
    lines.append(f"  a difference of {report['effect']:g} is found {100 * report['power_at_effect']:.0f} % of the time")
    lines.append(_advice(report["effect"], report))
    return "\n".join(lines)


def _advice(effect: float, report: dict[str, Any]) -> str:
    if report["needed"] is None:
        return f"  a difference of {effect:g} cannot be found: it is larger than the two can differ"
    need = f"{report['needed']['questions']:,} questions about {report['needed']['images']:,} images"
    if report["enough"]:
        return f"  for {effect:g}: {need} (--limit {report['needed']['questions']})"
    return f"  for {effect:g}: {need}; the data have {report['of']['questions']:,}"
