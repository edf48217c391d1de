"""`vlmbench report`: write the HTML leaderboard of runs, a folder that opens from disk."""

from __future__ import annotations

import argparse
from pathlib import Path

from vlmbench.base.process import exit_codes
from vlmbench.runs.storage import remote_store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which runs, and where the page goes."""
    parser.add_argument(
        "runs", nargs="+", type=remote_store.fetch_run, metavar="RUN", help="folders written by `vlmbench run`"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("reports-html"),
        metavar="DIR",
        help="folder of the site: open its index.html, or serve it (default: reports-html)",
    )
    parser.add_argument(
        "--labels",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="people's grades of a run's answers, in a sheet of `vlmbench judge label`; may be given several times",
    )


def run(args: argparse.Namespace) -> int:
    """Write the site and say where its first page is."""
    from vlmbench.base.registry import load_object

    page: Path = load_object("vlmbench.reports.site.build:write")(args.runs, args.output, args.labels)
    print(f"report: {page}")
    return exit_codes.OK
