"""What one task of a run is held against, and its answers so far: metrics of both runs over the same questions.

A look comes after every few images, so that nothing is read twice: questions are paired as their answers come.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vlmbench.base.samples import Status
from vlmbench.compare import losses
from vlmbench.compare.early.course import Course
from vlmbench.runs.storage.reload import Item, StoredTask
from vlmbench.scoring import verdicts

if TYPE_CHECKING:
    from vlmbench.base.samples import Sample, Score
    from vlmbench.stats.metrics import Metric

Name = tuple[str, str, str]
"""Of a test: its task's key, its metric, and the anchor that it is against; empty for the baseline."""
Metrics = tuple[dict[str, "Metric"], dict[str, "Metric"], int]


@dataclass
class Side:
    """One earlier run that a task is held against. Not for tasks that a judge grades."""

    before: StoredTask
    tests: Sequence[Name]
    turned: int = 0
    """How many scores changed so far."""
    _pairs: tuple[list[tuple[Sample, Score]], list[tuple[Sample, Score]]] = field(default_factory=lambda: ([], []))

    def take(self, items: Iterable[Item]) -> None:
        """Pair the next answers. What had no score before, and what only a server can score, is left out of both."""
        task, protocol = self.before.choice.task, self.before.choice.protocol
        for item in items:
            earlier, score = self.before.answered.get(item.sample.id), item.score
            if earlier is None:
                continue
            if losses.failed(item):
                score = losses.worst(task, protocol, item, 0)
            elif score.status is not Status.OK:
                continue
            self._pairs[0].append((earlier.sample, earlier.score))
            self._pairs[1].append((item.sample, score))
            self.turned += score.value != earlier.score.value

    def metrics(self) -> Metrics:
        """(the metrics before, after, how many scores changed) over the questions so far that had a score before."""
        task, protocol = self.before.choice.task, self.before.choice.protocol
        before, after = (
            {metric.name: metric for metric in verdicts.metrics(task, protocol, pairs)} for pairs in self._pairs
        )
        return before, after, self.turned


@dataclass
class Watched:
    """One task that may stop early."""

    course: Course
    sides: Sequence[Side]
    seen: int = 0
    """Of how many images the questions have been paired."""

    @property
    def tests(self) -> list[Name]:
        """Against the baseline and its anchor."""
        return [name for side in self.sides for name in side.tests]
