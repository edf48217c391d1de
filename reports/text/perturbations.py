"""A run beside itself under changes as plain text: what each change costs, and whom it does not fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from vlmbench.base.terminal import clean
from vlmbench.compare.perturbed import shown

from ..runs import SAMPLE_NOTE
from .compare import chance, share, signed, span
from .table import _aligned, interval_head, number

if TYPE_CHECKING:
    from vlmbench.compare.compare import TaskComparison
    from vlmbench.compare.perturbed import Ablated, Series

NUMBERS = ("as is", "changed", "difference", "p (Holm)", "pairs", "gained", "lost", "same answer")
"""Columns set flush right."""


def text(found: Series) -> str:
    """One line a change and task, then what each change is, then what was left out and why."""
    lines = [f"{clean(found.plain.name)} against itself under changes, seed {found.seed}"]
    if any(task.entry.get("data") == "sample" for task in found.plain.tasks.values()):
        lines.append(SAMPLE_NOTE.upper())
    corrected = found.p_holm
    rows = [_row(one, task, corrected) for one in found.ablated for task in one.tasks]
    if rows:
        interval_name = interval_head(task.level for one in found.ablated for task in one.tasks)
        head = ("ablation", "task", "metric", "as is", "changed", "difference", interval_name, *NUMBERS[3:])
        lines += ["", *_aligned([head, *rows], head, NUMBERS), ""]
    lines += [f"{one.change.label}: {one.change.words}" for one in found.ablated]
    for one in found.ablated:
        lines += [clean(line) for line in _left_out(one)]
        lines += [
            f"{one.change.label}: {clean(key)} cannot be compared: {clean(why)}" for key, why in one.failed.items()
        ]
    return "\n".join(lines)


def _row(one: Ablated, task: TaskComparison, corrected: Mapping[str, Mapping[str, float | None]]) -> tuple[str, ...]:
    best = shown(task)
    return (
        one.change.label,
        clean(task.key),
        clean(best.name),
        number(None if best.before != best.before else best.before),
        number(None if best.after != best.after else best.after),
        signed(best.paired.difference.value),
        span(best),
        chance(corrected[one.change.label][task.key]),
        f"{len(task.ids):,}",
        f"{len(task.gained):,}",
        f"{len(task.lost):,}",
        share(task.same_answers),
    )


def _left_out(one: Ablated) -> list[str]:
    asked = {task.key for task in one.tasks} | set(one.failed)
    lines = []
    for key, reasons in one.left_out.items():
        told = "; ".join(f"{count:,} questions: {reason}" for reason, count in reasons.items())
        lines.append(f"{one.change.label}: {key} left out{' in part' if key in asked else ''}: {told}")
    return lines
