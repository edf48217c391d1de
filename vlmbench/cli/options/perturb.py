"""`run --perturb`: the same questions again under perturbations, and the paired differences."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vlmbench.runs.evaluation import Evaluated

NAMES = "blind, noise, blur, jpeg, crop, rotate, shuffle-image, option-order, paraphrase-suffix"
"""For the help text, so that a run without perturbations imports none of their code; a test holds them equal."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which perturbations."""
    parser.add_argument(
        "--perturb",
        default="",
        metavar="NAME[:SEVERITY],...",
        help=f"ask again under perturbations and report paired differences: {NAMES} (docs/evaluate/perturbations.md); "
        "each is a run in RUN/perturbations",
    )


def report(result: Evaluated, *, quiet: bool) -> None:
    """Compare the perturbed runs with the unperturbed one, write perturbations.json, print the table unless `quiet`."""
    from vlmbench.base.registry import load_object
    from vlmbench.compare import perturbation_report
    from vlmbench.runs.storage.layout import PERTURBATIONS

    folder = result.unperturbed.folder
    found = perturbation_report.build(folder, result.perturbations, result.skipped)
    perturbation_report.write(found, folder)
    if not quiet:
        table = load_object("vlmbench.reports.text.perturbations:text")(found)
        print(f"\n{table}\nperturbations: {folder / PERTURBATIONS}")
