"""`vlmbench check`: the gate. Exit code 0 pass, 1 worse or below a floor, 2 bad input, 3 could not tell."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from vlmbench.base.process import exit_codes, terminal
from vlmbench.runs.storage import remote_store

if TYPE_CHECKING:
    from vlmbench.compare.gates.gate import Report

CODES: Mapping[str, int] = {"pass": exit_codes.OK, "fail": exit_codes.BAD_RESULT, "unknown": exit_codes.INCONCLUSIVE}
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
    add(
        "--anchor",
        type=remote_store.fetch_run_or_file,
        metavar="RUN|FILE",
        help="the earlier run that total drops are counted from (default: the one that the baseline carries, if any)",
    )
    _add_rules(add)
    add("--tasks", default="", metavar="NAME,...", help="only these; as the runs name them, or bare names")
    add("--junit", type=Path, metavar="FILE", help="write JUnit XML: one test case per task")
    add(
        "--markdown",
        type=Path,
        metavar="FILE",
        help="write the summary; it is also written to $GITHUB_STEP_SUMMARY if set",
    )
    add(
        "--json",
        nargs="?",
        const=STDOUT,
        metavar="FILE",
        help="print the result on stdout and nothing else, or write it to FILE; RUN/check.json always has it",
    )
    add("--force", action="store_true", help="check the common part even if data, split, protocol or version differ")
    add("--seed", type=int, default=0, help="for resampling (default 0)")


def _add_rules(add: Callable[..., object]) -> None:
    """What is allowed."""
    add(
        "--max-drop",
        default="1.0",
        metavar="POINTS[,TASK=POINTS]",
        help="maximum acceptable drop of a metric, in its own unit (default 1.0): `1.0,mme=20`",
    )
    add(
        "--max-total-drop",
        default="",
        metavar="POINTS[,TASK=POINTS]",
        help="maximum acceptable drop since the anchor (default: twice --max-drop)",
    )
    add(
        "--min-detectable-drop",
        default="",
        metavar="POINTS[,TASK=POINTS]",
        help="the drop that must be detected (default: twice --max-drop); determines how many items are needed",
    )
    add("--alpha", type=float, default=0.05, metavar="SHARE", help="false alarm rate of the whole gate (default 0.05)")
    add(
        "--power",
        type=float,
        default=0.8,
        metavar="SHARE",
        help="how often --min-detectable-drop is detected (default 0.8)",
    )
    add(
        "--metric",
        default="headline",
        metavar="NAME,...",
        help="tested metrics: the headline (default), names that every task has, or all",
    )
    add("--min-coverage", type=float, default=1.0, metavar="SHARE", help="samples that must have a score (default 1.0)")
    add("--max-status", default="", metavar="STATUS=N,...", help="maximum number per status: `error=0,truncated=1%%`")


def run(args: argparse.Namespace) -> int:
    """Check, write the files asked for, show the table."""
    from vlmbench.base.registry import load_object
    from vlmbench.compare.gates import gate
    from vlmbench.runs.storage.run_files import to_json

    rules = gate.GateRules(
        gate.read_amounts(args.max_drop, "--max-drop"),
        gate.read_amounts(args.min_detectable_drop, "--min-detectable-drop"),
        args.alpha,
        args.power,
        args.metric,
        args.min_coverage,
        gate.read_limits(args.max_status),
        gate.read_amounts(args.max_total_drop, "--max-total-drop"),
    )
    tasks = [name.strip() for name in args.tasks.split(",") if name.strip()]
    report = gate.check(
        args.run, args.baseline, rules, anchor=args.anchor, tasks=tasks, force=args.force, seed=args.seed
    )
    gate.keep(report)
    _write(args, report)
    if args.json == STDOUT:
        terminal.result(to_json(report.to_json()).decode())
    else:
        print(load_object("vlmbench.reports.text.gate:text")(report))
    return CODES[report.outcome]


def _write(args: argparse.Namespace, report: Report) -> None:
    """The files asked for, whole or not at all; the step's summary is appended to."""
    from vlmbench.base.files import write_atomically
    from vlmbench.base.registry import load_object
    from vlmbench.compare.compare import writing
    from vlmbench.runs.storage.run_files import to_json

    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    files = {}
    if args.junit:
        files[args.junit] = load_object("vlmbench.reports.text.junit:junit")(report)
    if args.json not in (None, STDOUT):
        files[Path(args.json)] = to_json(report.to_json())
    words = load_object("vlmbench.reports.text.gate:markdown")(report) if args.markdown or summary else ""
    if args.markdown:
        files[args.markdown] = words.encode()
    for path, content in files.items():
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, content)
    if summary:
        with writing(Path(summary)), Path(summary).open("a", encoding="utf-8") as file:
            file.write(words)
