"""`vlmbench history`: several runs of one model over time, and whether it drifted. Exit code 1 where it did."""

from __future__ import annotations

import argparse

from vlmbench.base.process import exit_codes
from vlmbench.runs.storage import remote_store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which runs."""
    parser.add_argument(
        "runs",
        nargs="+",
        type=remote_store.fetch_run,
        metavar="RUN",
        help="folders of runs; those of one model with the same settings and questions form a history",
    )


def run(args: argparse.Namespace) -> int:
    """Print each history with its test for a drift."""
    from vlmbench.base.registry import load_object

    text, drifted = load_object("vlmbench.reports.text.history:written")(args.runs)
    print(text)
    return exit_codes.BAD_RESULT if drifted else exit_codes.OK
