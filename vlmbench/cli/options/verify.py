"""The options that check a backend against another model before a run."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vlmbench.runs.options import VerifyOptions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many questions, and against which model."""
    add = parser.add_argument
    add(
        "--verify-backend",
        type=int,
        metavar="N",
        help="first have another model answer the first N questions too; refused when too many answers differ",
    )
    add("--verify-against", metavar="MODEL", help="that other model (default: hf with the same weights, where known)")


def options(args: argparse.Namespace) -> VerifyOptions:
    """Raises UsageError for a number that compares nothing."""
    from vlmbench.runs.options import VerifyOptions

    return VerifyOptions(args.verify_backend, args.verify_against)
