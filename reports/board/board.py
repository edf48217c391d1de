"""The whole board of some runs: its rows, its columns of tasks and of averages, and the order to begin with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..runs import RunResult, TaskResult
from . import ranks
from .averages import average_gaps, averages
from .gaps import Opened, paired_gaps
from .leaders import Column, Gap, column, rows_on
from .rows import Row, rows

HeadlineTests = Mapping[tuple[str, str], Mapping[str, ranks.Test]]
"""{(before, after): {task: (difference, p)}} by row id: paired tests besides those against the best."""


@dataclass(frozen=True)
class Board:
    """What the leaderboard and the table of a paper show."""

    rows: Sequence[Row]
    gaps: Mapping[str, Mapping[str, Gap]]
    """By task and row id, the paired differences from the best."""
    averages: Mapping[str, Mapping[str, TaskResult]]
    """By suite and row id."""
    average_gaps: Mapping[str, Mapping[str, Gap]]
    scales: Mapping[str, float] = field(default_factory=dict)
    """By task, the range of its headline, where records told it."""

    @property
    def keys(self) -> list[str]:
        """The tasks, in the order in which runs have them."""
        return list(dict.fromkeys(key for row in self.rows for key in row.cells))

    def columns(self, tests: HeadlineTests | None = None) -> dict[str, Column]:
        """By task. `tests` make ranks sharper."""
        found = {}
        for key in self.keys:
            own = {pair: by_task[key] for pair, by_task in (tests or {}).items() if key in by_task}
            found[key] = column(key, rows_on(self.rows, key), self.gaps.get(key, {}), own, self.scales.get(key))
        return found

    def average_columns(self) -> dict[str, Column]:
        """By suite."""
        return {key: column(key, entries, self.average_gaps.get(key, {}), {}) for key, entries in self.averages.items()}

    def best_first(self) -> list[Row]:
        """The rows as the board shows them at first: by the first average that two have, else by their win rates."""
        values = {key: self._values(key) for key in self.averages}
        average = next((found for found in values.values() if len(found) > 1), {})
        wins = win_rates(self.columns())
        low = -float("inf")
        return sorted(self.rows, key=lambda row: (-average.get(row.id, low), -wins.get(row.id, low)))

    def _values(self, key: str) -> dict[str, float]:
        bars = {name: one.best for name, one in self.averages[key].items()}
        return {name: bar.value for name, bar in bars.items() if bar.value is not None}


def board(runs: Sequence[RunResult], opened: Opened) -> Board:
    """The board of some runs; `opened` takes up those that are read."""
    found = rows(runs)
    paired = paired_gaps(found, opened)
    whole = averages(found)
    return Board(found, paired.gaps, whole, average_gaps(whole, found, opened, paired.gaps), paired.scales)


def win_rates(columns: Mapping[str, Column]) -> dict[str, float]:
    """By row id, the mean share of the other rows that it beats, over its tasks; those not told apart count half."""
    shares: dict[str, list[float]] = {}
    for one in columns.values():
        others = len(one.ranks) - 1
        for name, (first, last) in one.ranks.items() if others else ():
            shares.setdefault(name, []).append(100 * (2 * (others + 1) - first - last) / (2 * others))
    return {name: sum(found) / len(found) for name, found in shares.items()}
