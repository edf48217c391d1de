"""The options of a gate, for `check` and `run --gate`: what is allowed, how sure it must be, which files it writes."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.base.process import exit_codes
from vlmbench.cli.options import Group
from vlmbench.runs.storage import remote_store

if TYPE_CHECKING:
    from vlmbench.compare.gates.gate import Report
    from vlmbench.compare.gates.rules import GateRules

CODES: Mapping[str, int] = {"pass": exit_codes.OK, "fail": exit_codes.BAD_RESULT, "unknown": exit_codes.INCONCLUSIVE}
DEFAULTS: Mapping[str, Any] = {
    "max_drop": "1%", "min_detectable_drop": "", "alpha": 0.05, "power": 0.8, "metric": "headline", "max_status": "",
    "junit": None, "markdown": None, "anchor": None, "max_total_drop": "", "must_hold": "",
}  # fmt: skip
"""By the option's name in the parsed arguments. The parser leaves them out, so that `run` can tell what was given."""


def add_arguments(group: Group) -> None:
    """What is allowed, and how sure the gate must be."""

    def add(option: str, **words: Any) -> None:
        group.add_argument(option, default=None, **words)

    add(
        "--max-drop",
        metavar="DROP[,NAME=DROP]",
        help="maximum acceptable drop of a metric: in percent of its range, or in its own unit (default 1%%): "
        "`1%%,mme=20,pope:adversarial=2`",
    )
    add(
        "--anchor",
        type=remote_store.fetch_run_or_file,
        metavar="RUN|FILE",
        help="the earlier run that total drops are counted from (default: the one that the baseline carries, if any)",
    )
    add(
        "--max-total-drop",
        metavar="DROP[,TASK=DROP]",
        help="maximum acceptable drop since the anchor (default: twice --max-drop)",
    )
    add(
        "--min-detectable-drop",
        metavar="DROP[,NAME=DROP]",
        help="the drop that must be detected (default: twice --max-drop); determines how many items are needed",
    )
    add("--alpha", type=float, metavar="SHARE", help="false alarm rate of the whole gate (default 0.05)")
    add(
        "--power",
        type=float,
        metavar="SHARE",
        help="how often --min-detectable-drop is detected (default 0.8)",
    )
    add(
        "--metric",
        metavar="NAME,...",
        help="tested metrics: the headline (default) or all, and parts besides; or names that every task has, alone",
    )
    add(
        "--must-hold",
        metavar="NAME,...",
        help="metrics, bars or breakdowns that must be shown not to have fallen: `adversarial,pope:yes_ratio`",
    )
    add("--max-status", metavar="STATUS=N,...", help="maximum number per status: `error=0,truncated=1%%`")
    add("--junit", type=Path, metavar="FILE", help="write JUnit XML: one test case per task")
    add(
        "--markdown",
        type=Path,
        metavar="FILE",
        help="write the summary; it is also written to $GITHUB_STEP_SUMMARY if set",
    )


def named(args: argparse.Namespace) -> list[str]:
    """The gate's options that were given, as the command line spells them."""
    return [f"--{name.replace('_', '-')}" for name in DEFAULTS if getattr(args, name) is not None]


def with_defaults(args: argparse.Namespace) -> argparse.Namespace:
    """The arguments with the gate's defaults where nothing was given."""
    for name, value in DEFAULTS.items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    return args


def rules(args: argparse.Namespace) -> GateRules:
    """What the gate asks for. Raises UsageError."""
    from vlmbench.compare.gates.parts import read_names
    from vlmbench.compare.gates.rules import GateRules, read_amounts, read_limits

    args = with_defaults(args)
    return GateRules(
        read_amounts(args.max_drop, "--max-drop"),
        read_amounts(args.min_detectable_drop, "--min-detectable-drop"),
        args.alpha,
        args.power,
        args.metric,
        args.min_coverage,
        read_limits(args.max_status),
        read_amounts(args.max_total_drop, "--max-total-drop"),
        read_names(args.must_hold),
    )


def write(args: argparse.Namespace, report: Report, json: Path | None = None) -> None:
    """The files asked for, whole or not at all; the step's summary is appended to."""
    from vlmbench.base.files import write_atomically
    from vlmbench.base.registry import load_object
    from vlmbench.compare.compare import writing
    from vlmbench.runs.storage.run_files import to_json

    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    files = {}
    if args.junit:
        files[args.junit] = load_object("vlmbench.reports.text.junit:junit")(report)
    if json is not None:
        files[json] = to_json(report.to_json())
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
