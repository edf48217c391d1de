"""`vlmbench judge label`: draw answers of a run for people to grade, beside the judge's grades of all."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from vlmbench.base.errors import UsageError
from vlmbench.base.process import exit_codes
from vlmbench.runs.storage import remote_store

if TYPE_CHECKING:
    from vlmbench.runs.storage.reload import StoredRun


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which run, how many answers, and where to."""
    add = parser.add_argument
    add("action", choices=["label"], help="label: write a sheet of answers to be graded by people")
    add("run", type=remote_store.fetch_run, metavar="RUN", help="a finished run's folder, with the judge's grades")
    add("--tasks", default="", metavar="NAME,...", help="only these; as the run names them, or bare names")
    add("--count", type=int, default=60, metavar="N", help="answers per task, with all of an image's (default 60)")
    add("--seed", type=int, default=0, help="which answers are drawn (default 0)")
    add("--output", type=Path, metavar="FILE", help="the sheet (default labels.csv, or none with --html)")
    add(
        "--html",
        type=Path,
        metavar="FILE",
        help="a page instead, to grade in a browser; it needs no network",
    )
    add("--data", metavar="sample|hub[:COPIES]|DIR", help="for --html: where the images are, if not where they were")
    add("--reveal", action="store_true", help="for --html: show the judge's grade of an answer once you have graded it")
    add("--show-model", action="store_true", help="for --html: say whose answers they are")
    add("--force", action="store_true", help="write over a file that is there")


def run(args: argparse.Namespace) -> int:
    """Write the sheet or the page, and say what to do with it."""
    from vlmbench.compare.compare import writing
    from vlmbench.runs.storage import reload

    if args.count < 1:
        raise UsageError(f"--count {args.count} leaves nothing to grade", hint="give a number above 0")
    if args.html is None and (args.data or args.reveal or args.show_model):
        raise UsageError("--data, --reveal and --show-model are for a page", hint="add --html FILE")
    output = args.output or (Path("labels.csv") if args.html is None else None)
    files: list[Path] = [path for path in (output, args.html) if path is not None]
    for path in files:
        if path.exists() and not args.force:
            raise UsageError("the file is there, maybe with grades", where=str(path), hint="name another, or --force")
    names = [name.strip() for name in args.tasks.split(",") if name.strip()]
    stored = reload.load(args.run, names)
    with writing(files[-1]):
        if output is not None:
            _sheet(args, stored, output)
        if args.html is not None:
            _page(args, stored)
    return exit_codes.OK


def _sheet(args: argparse.Namespace, stored: StoredRun, output: Path) -> None:
    from vlmbench.compare.labels import sheet

    count = sheet.write(output, stored, args.count, args.seed)
    print(f"{count:,} answers: {output}")
    print(f"fill in the column grade, then: vlmbench score {args.run} --labels {output}")


def _page(args: argparse.Namespace, stored: StoredRun) -> None:
    from vlmbench.base.registry import load_object

    made = load_object("vlmbench.reports.labelling.label_page:write")(
        args.html,
        stored,
        count=args.count,
        seed=args.seed,
        data=args.data,
        reveal=args.reveal,
        show_model=args.show_model,
    )
    print(f"{made.answers:,} answers with {made.images:,} images: {args.html}")
    if made.small or made.missing:
        print(
            f"note: {made.small:,} images are the run's own small copies, of {made.missing:,} there is none: "
            "--data names where the images are"
        )
    print(f"open it, grade, save the sheet, then: vlmbench score {args.run} --labels labels.csv")
