"""The words of the command line that name a judge, for `run` and `score`; and what they print about it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from vlmbench.base.errors import UsageError
from vlmbench.base.samples import Response, Sample

if TYPE_CHECKING:
    from vlmbench.base.registry import TaskChoice
    from vlmbench.base.settings import Settings
    from vlmbench.scoring.judge import Judge


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which judge, how often, for how much."""
    add = parser.add_argument
    add("--judge", metavar="MODEL", help="who grades open answers: openai:NAME[,base_url=URL,rpm=N,...], or a model")
    add("--judge-runs", type=int, metavar="N", help="let the judge grade every answer N times (default 1)")
    add("--judge-budget", type=float, metavar="USD", help="stop asking the judge before it costs more in this sitting")


@contextmanager
def opened(args: argparse.Namespace, choices: Sequence[TaskChoice], told: Settings) -> Iterator[Judge | None]:
    """The judge that was named, closed at the end; None if none was. Raises UsageError, for a missing key too."""
    if args.judge is None:
        given = [name for name in ("--judge-runs", "--judge-budget") if getattr(args, name[2:].replace("-", "_"))]
        if given:
            raise UsageError(f"{given[0]} needs a judge", hint="name one: --judge openai:gpt-4-0613")
        yield None
        return
    from vlmbench.scoring.judge import open_judge

    if not any(graded(choice) for choice in choices):
        keys = ", ".join(choice.key for choice in choices)
        raise UsageError(f"--judge has nothing to grade: {keys}", hint="leave it out, or name a task that needs one")
    runs = 1 if args.judge_runs is None else args.judge_runs
    with open_judge(args.judge, told.cache_folder, runs=runs, budget=args.judge_budget) as judge:
        yield judge


def graded(choice: TaskChoice) -> bool:
    """Whether a judge grades answers under this protocol."""
    return choice.task.protocols[choice.protocol].judge is not None


def announce(judge: Judge | None, items: Iterable[tuple[TaskChoice, Sample, Response | None]]) -> None:
    """Say what judging will take."""
    if judge is not None:
        print(f"judge {judge.backend.name}: {judge.estimate(items)}", file=sys.stderr)


def tell(judge: Judge | None) -> None:
    """Say what judging took."""
    from vlmbench.scoring.judge import told

    if judge is not None:
        print(told(judge.facts()), file=sys.stderr)


def tell_spread(scores: Mapping[str, Any]) -> None:
    """Say how the judge's runs differ, a line a task."""
    from vlmbench.scoring.verdicts import told

    for key, entry in scores.items():
        if "judge" in entry:
            print(f"{key}: {told(entry['judge'])}")
