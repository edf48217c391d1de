"""Figures of benchmarks that ask a question once per rotation of its options: right only if all rotations are right.

Samples know `group`, the question, and `turns`, how many rotations it has (`Sample.extra`, from ImageTable).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vlmbench.base.samples import Sample
from vlmbench.families.base import Scored
from vlmbench.stats.figures.question_groups import Member, group_values
from vlmbench.stats.metrics import Metric, by_tag, mean


def metrics(scored: Scored, breakdowns: Sequence[str]) -> list[Metric]:
    """Circular accuracy of questions, whole and by tag; beside it the accuracy of the questions as they are.

    A breakdown with one value alone is left out where its name is `split`.
    """
    clusters = [sample.cluster for sample, _ in scored]
    first = [row for row, (sample, _) in enumerate(scored) if sample.extra["group"] == int(sample.id)]
    vanilla = mean("vanilla_accuracy", [scored[row][1].value or 0.0 for row in first], [clusters[row] for row in first])
    groups, left_out = circular(scored)
    if not groups:
        return [vanilla]
    values = list(groups.values())
    in_order = sorted((sample for sample, _ in scored), key=_main)
    unrotated = {sample.extra["group"]: sample for sample in in_order}
    shown = [unrotated[group] for group in groups]
    note = f"{left_out} questions left out: a rotation has no score" if left_out else ""
    whole = replace(mean("circular_accuracy", values, [sample.cluster for sample in shown]), note=note)
    return [whole, vanilla, *_bars(values, shown, breakdowns)]


def _main(sample: Sample) -> tuple[bool, int]:
    """Sorts the row that stands for its question last: the one that is named like it, or else the lowest."""
    return sample.extra["group"] == int(sample.id), -int(sample.id)


def circular(scored: Scored) -> tuple[dict[int, float], int]:
    """(1 or 0 for each question, how many are left out). A question counts where all its rotations have a score.

    One wrong rotation would decide, but were it counted alone, the questions left out would be those without one: the
    figure would lean.
    """
    turns = (Member(str(s.extra["group"]), s.extra["turns"], s.cluster, score) for s, score in scored)
    whole, left_out = group_values(list(turns))
    return {int(group): value for group, value in whole.items()}, left_out


def _bars(values: Sequence[float], shown: Sequence[Sample], breakdowns: Sequence[str]) -> list[Metric]:
    """The bars of some tags; of `split`, in files that mix several."""
    bars: list[Metric] = []
    for tag in breakdowns:
        rows = [row for row, sample in enumerate(shown) if tag in sample.tags]
        labels = [shown[row].tags[tag] for row in rows]
        if len(set(labels)) > 1 or tag != "split":
            bars += by_tag(tag, [values[row] for row in rows], labels, [shown[row].cluster for row in rows])
    return bars
