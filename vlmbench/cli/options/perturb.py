"""`run --ablate`: the same questions under changes, each a run of its own, and the paired differences."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from vlmbench.base import terminal
from vlmbench.perturbations.perturbations import Change


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which changes."""
    from vlmbench.perturbations import perturbations as ablations

    parser.add_argument(
        "--ablate",
        default="",
        metavar="CHANGE[:SEVERITY],...",
        help=f"ask again under changes and report paired differences: {', '.join(ablations.names())} "
        "(docs/evaluate/ablations.md); each is a run in RUN/ablations",
    )


def show(
    run: Path, changes: Sequence[Change], left_out: Mapping[str, Mapping[str, Mapping[str, int]]], json: bool
) -> None:
    """Compare, keep and print: the table, or with `json` what ablations.json holds."""
    from vlmbench.base.registry import load_object
    from vlmbench.compare import perturbed as ablated
    from vlmbench.runs.storage.layout import ABLATIONS
    from vlmbench.runs.storage.run_files import to_json

    found = ablated.series(run, changes, left_out)
    ablated.write(found, run)
    if json:
        terminal.result(to_json(found.to_json()).decode())
    else:
        print(f"\n{load_object('vlmbench.reports.text.perturbations:text')(found)}\nablations: {run / ABLATIONS}")
