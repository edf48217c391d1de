"""Scores that papers and tools printed (published.csv), with their source and what they can be compared with.

A score is comparable with a run of the same task, split, protocol and metric unless its row says why not: another
metric under the same name (POPE as mean F1 or as mean accuracy, Hateful Memes as AUROC or as accuracy), an unknown
scorer, a judge that is no longer served. An empty split or protocol is one that the source does not state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmbench.data.files import Row, read_table

from ..runs import TaskResult

FILE = Path(__file__).with_name("published.csv")

CERTAINTY: Mapping[str, str] = {
    "V": "checked: recomputed from the authors' answers, or read in the named file",
    "P": "read in the paper's text",
    "R": "read in the system's own repository",
    "S": "second-hand: a stored copy, a survey's table, an issue",
    "C": "another stored page",
    "M": "remembered",
    "U": "not verified",
}
"""What each mark of certainty means."""


@dataclass(frozen=True, slots=True)
class Published:
    """One printed score."""

    model: str
    benchmark: str
    """The task's name here."""
    split: str
    protocol: str
    metric: str
    value: float
    source: str
    certainty: str
    """A key of CERTAINTY."""
    why_not: str
    """Why no run can be compared with it; empty where one can."""

    @property
    def comparable(self) -> bool:
        """Whether a run of the same task, split, protocol and metric can be compared with it."""
        return not self.why_not


def read(path: Path = FILE) -> list[Published]:
    """All figures of a file with the columns of published.csv. Raises DataError naming line and field."""
    return [_figure(row) for row in read_table(path)]


def _figure(row: Row) -> Published:
    if row.text("certainty") not in CERTAINTY:
        raise row.error("certainty", f"{row.text('certainty')!r:.40} is none of {', '.join(CERTAINTY)}")
    if row.text("comparable") not in ("yes", "no"):
        raise row.error("comparable", f"yes or no was expected, not {row.text('comparable')!r:.40}")
    if (row.text("comparable") == "yes") == bool(row.text("why_not")):
        raise row.error("why_not", "what is not comparable needs a reason, and nothing else has one")
    return Published(
        model=row.key("model"),
        benchmark=row.key("benchmark"),
        split=row.text("split"),
        protocol=row.text("protocol"),
        metric=row.key("metric"),
        value=row.number("value"),
        source=row.key("source"),
        certainty=row.text("certainty"),
        why_not=row.text("why_not"),
    )


def comparable_figures(
    figures: Iterable[Published], benchmark: str, *, split: str, protocol: str, metric: str
) -> list[Published]:
    """The figures that a score may be compared with, best first."""
    key = (benchmark, split, protocol, metric)
    same = [f for f in figures if f.comparable and (f.benchmark, f.split, f.protocol, f.metric) == key]
    return sorted(same, key=lambda figure: -figure.value)


def figures_of(figures: Iterable[Published], task: TaskResult) -> list[dict[str, Any]]:
    """The figures of a task's benchmark and split as a report shows them: comparable ones first, then best first.

    Each says why it cannot be compared with this task's headline, if it cannot.
    """
    entry = task.entry
    same = [f for f in figures if f.benchmark == entry.get("name") and f.split in ("", entry.get("split"))]
    rows = [
        {
            "model": f.model,
            "metric": f.metric,
            "value": f.value,
            "protocol": f.protocol,
            "source": f.source,
            "certainty": CERTAINTY[f.certainty],
            "why": _why_not(f, task),
        }
        for f in same
    ]
    return sorted(rows, key=lambda row: (bool(row["why"]), row["metric"] != task.headline, -row["value"]))


def _why_not(figure: Published, task: TaskResult) -> str:
    if figure.why_not:
        return figure.why_not
    if task.embedded:
        return "the embedded sample is not the benchmark"
    if task.variant:
        return f"asked in another way than the protocol's: {task.variant}"
    protocol = str(task.scores.get("protocol") or task.entry.get("protocol", ""))
    if figure.metric != task.headline:
        return f"another metric than {task.headline}"
    return "" if figure.protocol == protocol else f"protocol {figure.protocol}, not {protocol}"
