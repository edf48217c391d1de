"""`vlmbench report`: write the HTML leaderboard of runs, a folder that opens from disk."""

from __future__ import annotations

import argparse
from pathlib import Path

from vlmbench.base.errors import UsageError
from vlmbench.base.process import exit_codes
from vlmbench.runs.storage import remote_store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which runs, and where the page goes."""
    parser.add_argument(
        "runs", nargs="*", type=remote_store.fetch_run, metavar="RUN", help="folders written by `vlmbench run`"
    )
    parser.add_argument(
        "--seeds-of",
        action="append",
        default=[],
        metavar="NAME=RUN,RUN,...",
        help="runs of models trained by one recipe from several seeds: their mean with an interval over seeds "
        "(repeatable)",
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
    parser.add_argument(
        "--shrink",
        action="store_true",
        help="beside each bar of a breakdown, also its value drawn towards the mean of the breakdown, for bars of few "
        "questions",
    )


def run(args: argparse.Namespace) -> int:
    """Write the site and say where its first page is."""
    from vlmbench.base.registry import load_object
    from vlmbench.compare.groups import recipes

    found = [recipes.scored(*recipes.parse(words, remote_store.fetch_run)) for words in args.seeds_of]
    if twice := next((one.name for one in found if [each.name for each in found].count(one.name) > 1), ""):
        raise UsageError(f"--seeds-of names {twice} twice", hint="give each recipe a name of its own")
    page: Path = load_object("vlmbench.reports.site.build:write")(
        args.runs, args.output, found, args.labels, shrink=args.shrink
    )
    if found:
        print(load_object("vlmbench.reports.text.recipes:text")([score for one in found for score in one.scores]))
    print(f"report: {page}")
    return exit_codes.OK
