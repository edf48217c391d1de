"""A run and its perturbed runs as plain text: what each perturbation costs, and which questions it skips."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from vlmbench.base.process.terminal import clean

from ..runs import SAMPLE_NOTE
from .compare import interval_text, p_text, share_text, signed
from .table import interval_head, number, text_table

if TYPE_CHECKING:
    from vlmbench.compare.compare import TaskComparison
    from vlmbench.compare.differences import MetricDifference
    from vlmbench.compare.groups.perturbation_report import PerturbationReport, PerturbedRun

NUMBERS = ("unperturbed", "perturbed", "difference", "p (Holm)", "pairs", "gained", "lost", "same answer")
"""Columns aligned right."""


def text(report: PerturbationReport) -> str:
    """One line per perturbation and task, then what each perturbation does, then what was skipped and why."""
    lines = [f"{clean(report.plain.name)} against itself under perturbations, seed {report.seed}"]
    if any(task.entry.get("data") == "sample" for task in report.plain.tasks.values()):
        lines.append(SAMPLE_NOTE.upper())
    corrected = report.differences
    rows = [_row(perturbed, task, corrected) for perturbed in report.runs for task in perturbed.tasks]
    if rows:
        interval_name = interval_head(task.level for perturbed in report.runs for task in perturbed.tasks)
        head = ("perturbation", "task", "metric", *NUMBERS[:3], interval_name, NUMBERS[3], "verdict", *NUMBERS[4:])
        lines += ["", *text_table([head, *rows], head, NUMBERS), ""]
    lines += [f"{perturbed.change.label}: {perturbed.change.description}" for perturbed in report.runs]
    for perturbed in report.runs:
        lines += [clean(line) for line in _skipped(perturbed)]
        lines += [
            f"{perturbed.change.label}: {clean(key)} cannot be compared: {clean(reason)}"
            for key, reason in perturbed.failed.items()
        ]
    return "\n".join(lines)


def _row(
    perturbed: PerturbedRun, task: TaskComparison, corrected: Mapping[str, Mapping[str, MetricDifference]]
) -> tuple[str, ...]:
    best = corrected[perturbed.change.label][task.key]
    return (
        perturbed.change.label,
        clean(task.key),
        clean(best.name),
        number(None if best.before != best.before else best.before),
        number(None if best.after != best.after else best.after),
        signed(best.paired.difference.value),
        interval_text(best),
        p_text(best.p_holm),
        best.verdict_words,
        f"{len(task.ids):,}",
        f"{len(task.gained):,}",
        f"{len(task.lost):,}",
        share_text(task.same_answers),
    )


def _skipped(perturbed: PerturbedRun) -> list[str]:
    answered = {task.key for task in perturbed.tasks} | set(perturbed.failed)
    lines = []
    for key, reasons in perturbed.left_out.items():
        skipped = "; ".join(f"{count:,} questions: {reason}" for reason, count in reasons.items())
        lines.append(f"{perturbed.change.label}: {key} skipped{' in part' if key in answered else ''}: {skipped}")
    return lines
