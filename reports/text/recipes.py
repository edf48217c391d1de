"""Recipes as plain text: means over training seeds with intervals, and the difference of two recipes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vlmbench.base.process.terminal import clean

from .compare import explained, interval_text, p_text, signed
from .table import interval_head, number, text_table

if TYPE_CHECKING:
    from vlmbench.compare.groups.recipes import RecipeComparison, RecipeScore
    from vlmbench.stats.seeds.replicates import Parts

ERRORS = ("error: questions", "one seed's answers", "one seed as a whole")
NUMBERS = ("seeds", "mean", *ERRORS, "before", "after", "difference", "p (Holm)", "left out")
"""Columns aligned right."""


def text(scores: Sequence[RecipeScore]) -> str:
    """One line per recipe and task, and what the parts of the error are."""
    level = interval_head(score.level for score in scores)
    head = ("recipe", "task", "metric", "seeds", "mean", level, *ERRORS, "left out")
    rows = [_row(score) for score in scores]
    lines = text_table([head, *rows], head, NUMBERS)
    return "\n".join([*lines, *_values(scores), PARTS])


PARTS = (
    "standard errors: of the questions (no number of seeds removes it), of one seed's answers to the same questions, "
    "and of one seed as a whole; the last two shrink with the root of the number of seeds"
)


def comparison(found: RecipeComparison) -> str:
    """The difference of two recipes, task by task."""
    level = interval_head(task.after.level for task in found.tasks)
    head = ("task", "metric", "before", "after", "difference", level, "p (Holm)", "verdict", "left out")
    rows = []
    for task in found.tasks:
        row, name = task.row, clean(task.row.name)
        difference = signed(row.paired.difference.value)
        values = (number(row.before), number(row.after), difference, interval_text(row), p_text(row.p_holm))
        rows.append((clean(task.key), name, *values, row.verdict_words, f"{task.after.left_out:,}"))
    sides = [
        f"{side:6} {clean(one.name)}: {len(one.runs)} seeds, {', '.join(clean(run.path.name) for run in one.runs)}"
        for side, one in (("before", found.before), ("after", found.after))
    ]
    lines = [*sides, "", *text_table([head, *rows], head, NUMBERS), explained(len(rows)), ""]
    if found.left_out:
        lines.insert(-1, f"not in every run: {clean(', '.join(found.left_out))}")
    return "\n".join([*lines, text([side for task in found.tasks for side in (task.before, task.after)])])


def _row(score: RecipeScore) -> tuple[str, ...]:
    ends = score.estimate.low, score.estimate.high
    interval = "-" if ends[0] is None or ends[1] is None else f"[{number(ends[0])}, {number(ends[1])}]"
    names = clean(score.recipe), clean(score.key), clean(score.metric)
    values = (str(score.parts.count), number(score.estimate.value), interval, *_errors(score.parts))
    return (*names, *values, f"{score.left_out:,}")


def _errors(parts: Parts) -> tuple[str, ...]:
    return tuple(f"{math.sqrt(part):.2f}" for part in (parts.between, parts.within, parts.runs))


def _values(scores: Sequence[RecipeScore]) -> list[str]:
    return [
        f"{clean(score.recipe)}, {clean(score.key)}: {', '.join(number(value) for value in score.parts.values)}"
        for score in scores
    ]
