"""`vlmbench baseline`: a run as one small file for a repository, to check later runs against."""

from __future__ import annotations

import argparse
from pathlib import Path

from vlmbench.base.process import exit_codes
from vlmbench.runs.storage import remote_store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which run, and where the file goes."""
    add = parser.add_argument
    add("run", type=remote_store.fetch_run, metavar="RUN", help="a finished run's folder")
    add("--tasks", default="", metavar="NAME,...", help="only these of its tasks")
    add("--output", type=Path, default=Path("baseline.json"), metavar="FILE", help="the file (default: baseline.json)")


def run(args: argparse.Namespace) -> int:
    """Read the run, write the file, say how large it is."""
    from vlmbench.compare import baseline
    from vlmbench.runs.storage import reload as stored

    tasks = [name.strip() for name in args.tasks.split(",") if name.strip()]
    found = stored.load(args.run, tasks)
    size = baseline.write(found, args.output)
    items = sum(len(task.items) for task in found.tasks.values())
    print(f"baseline: {args.output} ({size:,} bytes for {items:,} samples of {', '.join(found.tasks)})")
    return exit_codes.OK
