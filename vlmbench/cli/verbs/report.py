"""`vlmbench report`: the HTML leaderboard of runs, a folder that opens from disk; or a table and figure for a paper."""

from __future__ import annotations

import argparse
from pathlib import Path

from vlmbench.base.errors import UsageError
from vlmbench.base.process import exit_codes
from vlmbench.runs.storage import remote_store

SITE = Path("reports-html")
"""The site's folder where none is named."""


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
        metavar="DIR",
        help=f"folder of the site: open its index.html, or serve it (default: {SITE}; none with --paper)",
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
    paper = parser.add_argument_group("a paper")
    paper.add_argument(
        "--paper",
        type=Path,
        metavar="DIR",
        help="write table.tex (models x benchmarks, booktabs), table.csv and figure.pdf/.svg into this folder",
    )
    paper.add_argument("--tasks", metavar="LIST", help="its columns, in this order: tasks and suites (default: all)")
    paper.add_argument("--style", metavar="STYLE", help="pm (default): 85.9 +- 0.8; interval: 85.9 [85.1, 86.6]; value")
    paper.add_argument("--order", metavar="ORDER", help="of its rows: score (default), name, given")
    paper.add_argument("--digits", type=int, metavar="N", help="after the decimal point (default: 1)")
    paper.add_argument("--published", action="store_true", help="comparable figures from papers as rows too")


PAPER_OPTIONS = ("tasks", "style", "order", "digits", "published")
"""What only a table for a paper has."""


def run(args: argparse.Namespace) -> int:
    """Write the site, or the files of a paper, and say where they are."""
    from vlmbench.base.registry import load_object
    from vlmbench.compare.groups import recipes

    if _paper(args) and args.output is None and not args.seeds_of:
        return exit_codes.OK
    found = [recipes.scored(*recipes.parse(words, remote_store.fetch_run)) for words in args.seeds_of]
    if twice := next((one.name for one in found if [each.name for each in found].count(one.name) > 1), ""):
        raise UsageError(f"--seeds-of names {twice} twice", hint="give each recipe a name of its own")
    page: Path = load_object("vlmbench.reports.site.build:write")(
        args.runs, args.output or SITE, found, args.labels, shrink=args.shrink
    )
    if found:
        print(load_object("vlmbench.reports.text.recipes:text")([score for one in found for score in one.scores]))
    print(f"report: {page}")
    return exit_codes.OK


def _paper(args: argparse.Namespace) -> bool:
    """Write the table and the figure of a paper, if they are asked for; whether they are."""
    from vlmbench.base.process.extras import install_command
    from vlmbench.base.registry import load_object

    given = {name: value for name in PAPER_OPTIONS if (value := getattr(args, name)) not in (None, False)}
    if args.paper is None:
        if given:
            raise UsageError(f"--{next(iter(given))} is an option of --paper", hint="add --paper DIR")
        return False
    options = load_object("vlmbench.reports.paper.table:PaperOptions")(**given)
    written: list[Path] = load_object("vlmbench.reports.paper.write:write")(args.runs, args.paper, options)
    for path in written:
        print(f"paper: {path}")
    if len(written) < FILES:
        print(f"no figure: matplotlib is not installed ({install_command('paper')})")
    return True


FILES = 4
"""Of a paper, with its figure."""
