"""The options that name a judge, for `run` and `score`; and how far its runs agree, printed."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from vlmbench.cli.options import Group
from vlmbench.runs.options import JudgeOptions


def add_arguments(parser: Group) -> None:
    """Which judge, how often, for how much."""
    add = parser.add_argument
    add("--judge", metavar="MODEL", help="the judge of open answers: openai:NAME[,base_url=URL,rpm=N,...], or a model")
    add("--judge-runs", type=int, metavar="N", help="have the judge grade every answer N times (default 1)")
    add("--judge-budget", type=float, metavar="USD", help="maximum cost of the judge in this command")


def options(args: argparse.Namespace) -> JudgeOptions:
    """Raises UsageError for numbers without a judge."""
    return JudgeOptions(args.judge, args.judge_runs, args.judge_budget)


def print_agreement(scores: Mapping[str, Any]) -> None:
    """Print how the judge's runs differ, one line per task."""
    judged = {key: entry["judge"] for key, entry in scores.items() if "judge" in entry}
    if judged:
        from vlmbench.scoring.verdicts import agreement_line

        for key, entry in judged.items():
            print(f"{key}: {agreement_line(entry)}")
