"""The table of a paper: models by benchmarks, chosen and ordered, and the footnotes that say how they were asked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from vlmbench.base import registry
from vlmbench.base.errors import UnknownNameError, UsageError
from vlmbench.scoring.suites.choosing import expanded

from ..board.board import Board
from ..board.leaders import Column, rows_on
from ..board.published import figures_of, read
from ..board.rows import Row
from ..runs import Bar, TaskResult

STYLES: Mapping[str, str] = {
    "pm": "value ± the longer arm of its interval",
    "interval": "value [low, high]",
    "value": "value alone",
}
"""What stands in a cell."""
ORDERS: Mapping[str, str] = {
    "score": "best first, as on the board",
    "name": "by name",
    "given": "as the runs are named",
}
"""Of the rows."""
MOST_DIGITS = 4
SHORT = 24
"""Characters of a benchmark's own name that fit a head."""


@dataclass(frozen=True)
class PaperOptions:
    """What a user chooses of it."""

    tasks: str = ""
    """Names or keys of tasks and suites, with commas between them, in the order of the columns; empty for all."""
    style: str = "pm"
    order: str = "score"
    digits: int = 1
    published: bool = False
    """Whether figures from papers that can be compared are rows too."""

    def __post_init__(self) -> None:
        """Raise UsageError for a value that there is not."""
        for kind, value, known in (("style", self.style, STYLES), ("order", self.order, ORDERS)):
            if value not in known:
                raise UnknownNameError(kind, value, known)
        if not 0 <= self.digits <= MOST_DIGITS:
            raise UsageError(f"--digits takes 0 to {MOST_DIGITS}, not {self.digits}", hint="papers print one digit")


@dataclass(frozen=True)
class Cell:
    """One score."""

    bar: Bar
    bold: bool = False
    few: bool = False
    """Whether it has too few questions to tell."""
    coverage: float = 1.0


@dataclass(frozen=True)
class Line:
    """One row."""

    label: str
    cells: Mapping[str, Cell]
    """By column key."""
    source: str = ""
    """Where a published row was read; empty for a run of ours."""


@dataclass(frozen=True)
class Head:
    """One column."""

    key: str
    name: str
    metric: str
    note: str
    """Protocol, split, questions, data; of an average its formula."""


@dataclass(frozen=True)
class PaperTable:
    """The whole of it."""

    heads: Sequence[Head]
    lines: Sequence[Line]
    levels: Sequence[float]
    embedded: bool
    """Whether a score is of the sample that ships with vlmbench."""
    options: PaperOptions = field(default_factory=PaperOptions)


def paper_table(board: Board, options: PaperOptions) -> PaperTable:
    """The table of a board. Raises UsageError for tasks that no run has."""
    columns, averages = board.columns(), board.average_columns()
    keys = _chosen(board, options.tasks)
    tasks = [key for key in keys if not registry.is_suite(key)]
    ordered = _ordered(board, options.order)
    lines = []
    for row in ordered:
        cells = {key: _cell(columns[key], row.id, one) for key in tasks for one in row.merged.tasks if one.key == key}
        for key in (key for key in keys if key in averages and row.id in board.averages[key]):
            cells[key] = _cell(averages[key], row.id, board.averages[key][row.id])
        if cells:
            lines.append(Line(row.label, cells))
    results = {key: list(rows_on(board.rows, key).values()) for key in tasks}
    if options.published:
        lines += _published(results)
    heads = [_average_head(board, key) if registry.is_suite(key) else _head(key, results[key]) for key in keys]
    every = [one for found in results.values() for one in found]
    return PaperTable(
        _distinct(heads), lines, sorted({one.level for one in every}), any(one.embedded for one in every), options
    )


def _ordered(board: Board, order: str) -> Sequence[Row]:
    if order == "score":
        return board.best_first()
    return sorted(board.rows, key=lambda row: row.label.casefold()) if order == "name" else board.rows


def _chosen(board: Board, words: str) -> list[str]:
    """The columns' keys. A suite's name stands for its members and its average."""
    averages = [
        key for key, found in board.averages.items() if any(one.best.value is not None for one in found.values())
    ]
    if not words:
        return [*board.keys, *averages]
    suites = {key: next(iter(found.values())).entry for key, found in board.averages.items()}
    found: list[str] = []
    for name in (word.strip() for word in words.split(",") if word.strip()):
        if registry.is_suite(name) and name not in suites:
            raise UsageError(f"no suite {name} on the board", hint=f"there are: {', '.join(suites) or 'none'}")
        named = expanded([name], suites)
        same = [key for key in board.keys if any(one in (key, registry.bare_name(key)) for one in named)]
        if not same:
            raise UsageError(f"no run has a task {name!r}", hint=f"there are: {', '.join(board.keys)}")
        found += [*same, *([name] if name in averages else [])]
    return list(dict.fromkeys(found))


def _cell(column: Column, row: str, result: TaskResult) -> Cell:
    return Cell(result.best, row in column.bold, row in column.few, result.coverage)


def _head(key: str, results: Sequence[TaskResult]) -> Head:
    title = str(results[0].entry.get("title", ""))
    name = re.split(r"[:(]", title)[0].strip()
    return Head(key, name if 0 < len(name) <= SHORT else key, results[0].headline.replace("_", " "), _note(results))


def _note(results: Sequence[TaskResult]) -> str:
    """How a benchmark was asked; of what differs between the rows, all."""
    counts = sorted({one.best.n for one in results})
    questions = f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"
    words = [
        _all("protocol", (one.protocol for one in results)),
        _all("split", (one.split for one in results)),
        f"n = {questions}",
        _all("asked with", (one.variant for one in results)),
        "the embedded sample" if any(one.embedded for one in results) else "",
        _all("judge", (str((one.entry.get("judge") or {}).get("name") or "") for one in results)),
        _all("scored by", (str((one.entry.get("peer") or {}).get("harness") or "") for one in results)),
    ]
    return ", ".join(filter(None, words))


def _all(name: str, values: Iterable[str]) -> str:
    known = list(dict.fromkeys(value for value in values if value))
    return f"{name} {' / '.join(known)}" if known else ""


def _average_head(board: Board, key: str) -> Head:
    entry = next(iter(board.averages[key].values()))
    formula = str(entry.scores.get("formula") or "")
    return Head(key, "Avg.", key.removeprefix(registry.SUITE), formula)


def _distinct(heads: Sequence[Head]) -> list[Head]:
    """Benchmarks that are there twice, with other splits or protocols, go by their keys."""
    names = [head.name for head in heads]
    return [replace(head, name=head.key) if names.count(head.name) > 1 else head for head in heads]


def _published(results: Mapping[str, Sequence[TaskResult]]) -> list[Line]:
    """The figures that can be compared with a column, a line a model."""
    figures = read()
    cells: dict[str, dict[str, Cell]] = {}
    sources: dict[str, list[str]] = {}
    for key, found in results.items():
        for one in figures_of(figures, found[0]):
            if not one["why"] and key not in cells.get(one["model"], {}):
                cells.setdefault(one["model"], {})[key] = Cell(Bar(one["metric"], one["value"], None, None, 0))
                sources.setdefault(one["model"], []).append(one["source"])
    return [Line(name, own, ", ".join(dict.fromkeys(sources[name]))) for name, own in cells.items()]
