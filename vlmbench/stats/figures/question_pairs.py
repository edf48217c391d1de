"""Pairs of questions about one image, by group of pairs: accuracy, accuracy of whole pairs, and sums over groups.

A pair is right when both of its questions are, so that a model that always says yes gets none. Where only one of the
two has a score, it counts for the accuracy and not for the pairs. Source: MME's calculation.py (its acc, acc+ and
score), eval_tool.zip of BradyFU/Awesome-Multimodal-Large-Language-Models@dd295090.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vlmbench.stats.metrics import MORE, RATE, Metric, ratio

if TYPE_CHECKING:
    from vlmbench.stats.metrics import Floats

RIGHT, QUESTIONS, BOTH, PAIRS = range(4)
"""Columns: right answers, questions, pairs with both right, pairs with both answered."""
TWO_RATES = (0.0, 200.0)
"""Limits of an accuracy and a pair accuracy added up."""


@dataclass(frozen=True)
class QuestionPairs:
    """What each pair adds to the counts of its group."""

    order: Sequence[str]
    """All groups of the benchmark."""
    groups: Sequence[str]
    """(pairs,): the group of each pair."""
    clusters: Sequence[str]
    """(pairs,): which pairs are resampled together."""
    items: Floats
    """(pairs, 4)."""

    def present(self, groups: Sequence[str]) -> list[str]:
        """Those of some groups that have a pair, in the benchmark's order."""
        return [group for group in self.order if group in groups and group in self.groups]

    def accuracy(self, name: str, group: str, breakdown: str) -> Metric:
        """The share of right answers among the questions of a group, 0-100."""
        return self._of_group(name, group, breakdown, ratio(RIGHT, QUESTIONS), RATE)

    def pair_accuracy(self, name: str, group: str, breakdown: str) -> Metric:
        """The share of pairs with both answers right, 0-100; nan without a pair of which both have a score."""
        return self._of_group(name, group, breakdown, ratio(BOTH, PAIRS), RATE)

    def both_rates(self, name: str, group: str, breakdown: str) -> Metric:
        """Accuracy and pair accuracy added up, 0-200."""
        return self._of_group(name, group, breakdown, _both_rates, TWO_RATES)

    def total(self, name: str, groups: Sequence[str], noun: str = "groups") -> Metric:
        """The sum of `both_rates` over the groups that have a pair. Its note names those that have none."""
        present = self.present(groups)
        absent = [group for group in groups if group not in present]
        rows = [row for row, group in enumerate(self.groups) if group in present]
        limits = (0.0, TWO_RATES[1] * len(present))
        note = f"a sum over {len(present)} of {len(groups)} {noun}, at most {limits[1]:,.0f}: "
        note = f"{note}without {', '.join(absent)}" if absent else ""
        columns = [present.index(self.groups[row]) for row in rows]
        blocks = self._blocks(rows, columns, len(present))
        total = self._metric(name, rows, blocks, _summed(len(present)), limits, note)
        return replace(total, parts=[(1.0, self.both_rates(group, group, "")) for group in present])

    def _blocks(self, rows: Sequence[int], columns: Sequence[int], count: int) -> Floats:
        """(rows, 4 count): each pair's counts in the place of its group, so that groups are summed apart."""
        import numpy as np

        blocks = np.zeros((len(rows), count, 4))
        blocks[np.arange(len(rows)), columns] = self.items[rows]
        return blocks.reshape(len(rows), -1)

    def _of_group(
        self,
        name: str,
        group: str,
        breakdown: str,
        combine: Callable[[Floats], Floats],
        limits: tuple[float, float],
    ) -> Metric:
        rows = [row for row, other in enumerate(self.groups) if other == group]
        return self._metric(name, rows, self.items[rows], combine, limits, breakdown=breakdown, label=group)

    def _metric(
        self,
        name: str,
        rows: Sequence[int],
        items: Floats,
        combine: Callable[[Floats], Floats],
        limits: tuple[float, float],
        note: str = "",
        *,
        breakdown: str = "",
        label: str = "",
    ) -> Metric:
        clusters, n = [self.clusters[row] for row in rows], int(self.items[rows, QUESTIONS].sum())
        return Metric(name, items, clusters, combine, breakdown, label, n=n, note=note, limits=limits, better=MORE)


def question_pairs(questions: Iterable[tuple[str, str, float]], order: Sequence[str]) -> QuestionPairs:
    """Scored questions (group, cluster, 1 or 0) as pairs: those of one group and cluster. `order`: all groups."""
    import numpy as np

    values: dict[tuple[str, str], list[float]] = {}
    for group, cluster, value in questions:
        values.setdefault((group, cluster), []).append(value)
    counts = [[sum(pair), len(pair), len(pair) > 1 and all(pair), len(pair) > 1] for pair in values.values()]
    items = np.array(counts, dtype=np.float64).reshape(-1, 4)
    return QuestionPairs(order, [group for group, _ in values], [cluster for _, cluster in values], items)


def _both_rates(sums: Floats) -> Floats:
    return ratio(RIGHT, QUESTIONS)(sums) + ratio(BOTH, PAIRS)(sums)


def _summed(groups: int) -> Callable[[Floats], Floats]:
    def combine(sums: Floats) -> Floats:
        total: Floats = _both_rates(sums.reshape(*sums.shape[:-1], groups, 4)).sum(axis=-1)
        return total

    return combine
