"""`vlmbench check`: the gate. Exit code 0 pass, 1 worse or below a floor, 2 bad input, 3 could not tell."""

from __future__ import annotations

import argparse
from pathlib import Path

from vlmbench.base.process import terminal
from vlmbench.cli.options import gate as gate_options
from vlmbench.runs.storage import remote_store

STDOUT = "-"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is held against what, and what is allowed."""
    add = parser.add_argument
    add("run", type=remote_store.fetch_run, metavar="RUN", help="a finished run's folder")
    add(
        "--baseline",
        type=remote_store.fetch_run_or_file,
        required=True,
        metavar="RUN|FILE",
        help="a run's folder, or a file of `vlmbench baseline`",
    )
    gate_options.add_arguments(parser)
    add("--min-coverage", type=float, default=1.0, metavar="SHARE", help="samples that must have a score (default 1.0)")
    add("--tasks", default="", metavar="NAME,...", help="only these; as the runs name them, or bare names")
    add(
        "--json",
        nargs="?",
        const=STDOUT,
        metavar="FILE",
        help="print the result on stdout and nothing else, or write it to FILE; RUN/check.json always has it",
    )
    add("--force", action="store_true", help="check the common part even if data, split, protocol or version differ")
    add("--seed", type=int, default=0, help="for resampling (default 0)")


def run(args: argparse.Namespace) -> int:
    """Check, write the files asked for, show the table."""
    from vlmbench.base.registry import load_object
    from vlmbench.compare.gates import gate
    from vlmbench.runs.storage.run_files import to_json

    rules = gate_options.rules(args)
    tasks = [name.strip() for name in args.tasks.split(",") if name.strip()]
    report = gate.check(
        args.run, args.baseline, rules, anchor=args.anchor, tasks=tasks, force=args.force, seed=args.seed
    )
    gate.keep(report)
    gate_options.write(args, report, None if args.json in (None, STDOUT) else Path(args.json))
    if args.json == STDOUT:
        terminal.result(to_json(report.to_json()).decode())
    else:
        print(load_object("vlmbench.reports.text.gate:text")(report))
    return gate_options.CODES[report.outcome]
