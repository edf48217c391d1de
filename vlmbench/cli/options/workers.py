"""The options of scale (docs/scale.md): how many processes answer, and where."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vlmbench.runs.options import WorkerOptions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many workers, on which cluster."""
    add = parser.add_argument
    add("--workers", type=int, metavar="N", help="N replicas of the model, each in its own process (needs Ray)")
    add("--ray", metavar="ADDRESS", help="spread the workers over a running Ray cluster: auto, or HOST:PORT")
    add("--worker-timeout", type=float, metavar="SECONDS", help="without an answer, a worker is replaced (default 900)")


def options(args: argparse.Namespace) -> WorkerOptions:
    """Raises UsageError for numbers that make no sense."""
    from vlmbench.runs.options import WorkerOptions

    return WorkerOptions(args.workers, args.ray, args.worker_timeout)
