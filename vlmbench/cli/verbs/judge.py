"""`vlmbench judge label`: draw answers of a run for people to grade, beside the judge's grades of all."""

from __future__ import annotations

import argparse
from pathlib import Path

from vlmbench.base.errors import UsageError
from vlmbench.base.process import exit_codes
from vlmbench.runs.storage import remote_store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which run, how many answers, and where to."""
    add = parser.add_argument
    add("action", choices=["label"], help="label: write a sheet of answers to be graded by people")
    add("run", type=remote_store.fetch_run, metavar="RUN", help="a finished run's folder, with the judge's grades")
    add("--tasks", default="", metavar="NAME,...", help="only these; as the run names them, or bare names")
    add("--count", type=int, default=60, metavar="N", help="answers per task, with all of an image's (default 60)")
    add("--seed", type=int, default=0, help="which answers are drawn (default 0)")
    add("--output", type=Path, default=Path("labels.csv"), metavar="FILE", help="the sheet (default labels.csv)")
    add("--force", action="store_true", help="write over a file that is there")


def run(args: argparse.Namespace) -> int:
    """Write the sheet, and say what to do with it."""
    from vlmbench.compare.labels import sheet
    from vlmbench.runs.storage import reload

    if args.count < 1:
        raise UsageError(f"--count {args.count} leaves nothing to grade", hint="give a number above 0")
    if args.output.exists() and not args.force:
        raise UsageError("the file is there, maybe with grades", where=str(args.output), hint="--output, or --force")
    names = [name.strip() for name in args.tasks.split(",") if name.strip()]
    stored = reload.load(args.run, names)
    count = sheet.write(args.output, stored, args.count, args.seed)
    print(f"{count} answers: {args.output}")
    print(f"fill in the column grade, then: vlmbench score {args.run} --labels {args.output}")
    return exit_codes.OK
