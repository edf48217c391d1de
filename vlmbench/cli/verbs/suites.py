"""`vlmbench suites`: list the suites, their members, and the formulas of their averages."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from vlmbench.base import registry
from vlmbench.base.process import exit_codes, terminal

if TYPE_CHECKING:
    from vlmbench.scoring.suites.suite import Suite


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which suites, and in what form."""
    parser.add_argument("suites", nargs="*", metavar="SUITE", help="only these, with every member")
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the list, or the named suites in full."""
    found: list[Suite] = [registry.suites.get(name) for name in args.suites or registry.suites.names()]
    if args.json:
        terminal.result(json.dumps({suite.name: describe(suite) for suite in found}, indent=2))
    elif args.suites:
        print("\n\n".join(in_full(suite) for suite in found))
    else:
        print("\n".join(line for suite in found for line in in_short(suite)))
        print("\n`--tasks suite:NAME` runs the members that are here; the average needs all of them.")
    return exit_codes.OK


def describe(suite: Suite) -> dict[str, Any]:
    """A suite as JSON-like data."""
    told: dict[str, Any] = {"title": suite.title, "source": suite.source, "formula": suite.formula_text or None}
    told |= {"formula_source": suite.formula_source or None, "note": suite.note or None, "missing": suite.missing}
    members = [
        {
            "benchmark": one.benchmark,
            "task": one.task or None,
            "metrics": list(one.metrics),
            "divide_by": one.divide_by,
            "weight": one.weight,
        }
        for one in suite.members
    ]
    return {**told, "members": members}


def in_short(suite: Suite) -> list[str]:
    """Three lines a suite, four where members are missing."""
    here = len(suite.members) - len(suite.missing)
    lines = [
        f"{suite.name:12} {suite.title}: {here} of {len(suite.members)} members here",
        f"{'':12} source: {suite.source}",
        f"{'':12} average: {suite.formula_text or 'none: no formula is published'}",
    ]
    return lines + ([f"{'':12} missing: {', '.join(suite.missing)}"] if suite.missing else [])


def in_full(suite: Suite) -> str:
    """A suite with every member."""
    lines = in_short(suite)
    lines += [f"{'':12} formula's source: {suite.formula_source}"] if suite.formula else []
    lines += [f"{'':12} note: {suite.note}"] if suite.note else []
    width = max(len(one.benchmark) for one in suite.members)
    for one in suite.members:
        metric = f"  {' + '.join(one.metrics)}" if one.metrics else ""
        scale = f"  / {one.divide_by:g}" if one.divide_by != 1 else ""
        lines.append(f"  {one.benchmark:{width}}  {one.task or 'not in vlmbench'}{metric}{scale}")
    return "\n".join(lines)
