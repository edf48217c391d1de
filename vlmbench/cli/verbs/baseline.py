"""`vlmbench baseline`: a run as one small file for a repository, to check later runs against."""

from __future__ import annotations

import argparse
from pathlib import Path

from vlmbench.base.process import exit_codes, terminal
from vlmbench.runs.storage import remote_store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which run, and where the file goes."""
    add = parser.add_argument
    add("run", type=remote_store.fetch_run, metavar="RUN", help="a finished run's folder")
    add("--tasks", default="", metavar="NAME,...", help="only these of its tasks")
    add(
        "--anchor",
        type=remote_store.fetch_run_or_file,
        metavar="RUN|FILE",
        help="keep the anchor of this baseline (itself, if it has none): total drops are counted from it",
    )
    add("--new-anchor", default="", metavar="TASK,...", help="tasks whose anchor is not kept: this run becomes it")
    add("--output", type=Path, default=Path("baseline.json"), metavar="FILE", help="the file (default: baseline.json)")


def run(args: argparse.Namespace) -> int:
    """Read the run, write the file, say how large it is and what its anchor is."""
    from vlmbench.base.errors import UsageError
    from vlmbench.compare import anchors, baseline, compare
    from vlmbench.runs.storage import reload as stored

    tasks, new = ([n.strip() for n in words.split(",") if n.strip()] for words in (args.tasks, args.new_anchor))
    found = stored.load(args.run, tasks)
    if new and args.anchor is None:
        raise UsageError("--new-anchor without --anchor", hint="without --anchor no task keeps its anchor")
    if args.anchor is not None:
        found = anchors.carried(found, compare.open_run(args.anchor), new)
    lost = "" if args.anchor is not None else anchors.replaced(args.output)
    size = baseline.write(found, args.output)
    items = sum(len(task.items) for task in found.tasks.values())
    print(f"baseline: {args.output} ({size:,} bytes for {items:,} samples of {', '.join(found.tasks)})")
    for anchor in found.anchors:
        print(f"anchor: {anchors.words(anchor)} of {', '.join(anchor.tasks)}")
    if lost:
        terminal.warn(f"the anchor of the file before is gone: {lost}; --anchor {args.output} keeps it")
    return exit_codes.OK
