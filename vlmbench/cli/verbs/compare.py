"""`vlmbench compare`: two runs over the same questions, sample by sample."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from vlmbench.base.errors import UsageError
from vlmbench.base.process import exit_codes, terminal
from vlmbench.runs.storage import remote_store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which runs, and what of them."""
    add = parser.add_argument
    add(
        "before",
        metavar="BEFORE",
        help="a run's folder, or a baseline file; or a recipe, NAME=RUN,RUN,RUN: runs of models of several seeds",
    )
    add("after", metavar="AFTER", help="a run's folder over the same questions; or another recipe")
    add("--tasks", default="", metavar="NAME,...", help="only these; as the runs name them, or bare names")
    add(
        "--metric",
        default="headline",
        metavar="all|NAME,...",
        help="which metrics of each task (default: the headline); --json and --output have all unless names are given",
    )
    add(
        "--same-within",
        default="1%",
        metavar="AMOUNT[,TASK=AMOUNT]",
        help="a smaller difference counts as none: in percent of the metric's range, or in its own unit: `1%%,mme=20` "
        "(default 1%%)",
    )
    add("--flips", type=int, default=3, metavar="N", help="show N lost and N gained samples per task (default 3)")
    add(
        "--output",
        type=Path,
        metavar="DIR",
        help="write compare.json and compare.txt with all changed answers, and compare.md",
    )
    add("--json", action="store_true", help="print the content of compare.json on stdout, and nothing else")
    add("--force", action="store_true", help="compare the common part even if data, split, protocol or version differ")
    add("--seed", type=int, default=0, help="for resampling (default 0)")


def run(args: argparse.Namespace) -> int:
    """Compare and show."""
    sides = (args.before, args.after)
    recipes = ["=" in side and "://" not in side.partition("=")[0] and not Path(side).exists() for side in sides]
    if any(recipes):
        if not all(recipes):
            hint = "write both as NAME=RUN,RUN,RUN, or compare two runs"
            raise UsageError("a recipe can be compared with a recipe alone", hint=hint)
        return _recipes(args)
    return _runs(args)


def _recipes(args: argparse.Namespace) -> int:
    """Two recipes of several seeds each."""
    from vlmbench.base.registry import load_object
    from vlmbench.compare.groups import recipes
    from vlmbench.runs.storage.run_files import to_json

    if args.output is not None or args.metric != "headline":
        raise UsageError("recipes are compared by their headlines", hint="leave --output and --metric out; see --json")
    tasks = [name.strip() for name in args.tasks.split(",") if name.strip()]
    before, after = (
        recipes.read(*recipes.parse(side, remote_store.fetch_run), tasks, force=args.force)
        for side in (args.before, args.after)
    )
    found = recipes.compare(before, after, same_within=args.same_within, force=args.force)
    if args.json:
        terminal.result(to_json(found.to_json()).decode())
    else:
        print(load_object("vlmbench.reports.text.recipes:comparison")(found))
    return exit_codes.OK


def _runs(args: argparse.Namespace) -> int:
    """Two runs, sample by sample."""
    from vlmbench.base.files import write_atomically
    from vlmbench.base.registry import load_object
    from vlmbench.compare import compare as comparison
    from vlmbench.compare.suites import with_suites
    from vlmbench.runs.storage.run_files import to_json

    tasks = [name.strip() for name in args.tasks.split(",") if name.strip()]
    every = args.metric == "all"
    whole = "all" if args.metric == "headline" and (args.json or args.output) else args.metric
    found = comparison.compare(
        *map(remote_store.fetch_run, (args.before, args.after)),
        tasks=tasks,
        metric=whole,
        force=args.force,
        seed=args.seed,
        same_within=args.same_within,
    )
    found, suites = with_suites(found, {"seed": args.seed})
    content = {**found.to_json(), "suites": [suite.to_json() for suite in suites]}
    markdown = load_object("vlmbench.reports.text.compare:markdown")
    text = partial(load_object("vlmbench.reports.text.compare:text"), found, suites=suites)
    if args.output is not None:
        with comparison.writing(args.output):
            args.output.mkdir(parents=True, exist_ok=True)
            write_atomically(args.output / "compare.json", to_json(content))
            write_atomically(args.output / "compare.md", markdown(found, suites).encode())
            write_atomically(args.output / "compare.txt", (text(flips=sys.maxsize, every=True) + "\n").encode())
    if args.json:
        terminal.result(to_json(content).decode())
    else:
        print(text(flips=args.flips, every=every))
    return exit_codes.OK
