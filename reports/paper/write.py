"""The folder of a paper's table and figure.

table.tex             to be read by \\input: tabulars, caption, footnotes
table.csv             the same values, not rounded
figure.pdf, .svg      scores with intervals; only where matplotlib is installed
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vlmbench.base.errors import StoreError

from ..board.board import board
from ..board.gaps import Opened
from ..runs import load
from ..text.exports import Cell, Table, comma_separated
from . import figure
from .latex import latex
from .table import PaperOptions, PaperTable, paper_table


def write(runs: Sequence[Path], folder: Path, options: PaperOptions | None = None) -> list[Path]:
    """Write the table, and the figure if matplotlib is installed; returns the files.

    Raises UsageError or StoreError when a folder holds no finished run or no run has a task that is asked for,
    StoreError when nothing can be written there.
    """
    table = paper_table(board(load(runs), Opened()), options or PaperOptions())
    contents = {"table.tex": latex(table), "table.csv": comma_separated(_values(table))}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            (folder / name).write_text(content, encoding="utf-8", errors="replace", newline="\n")
        drawn = figure.write(table, folder) if figure.available() else []
    except OSError as error:
        problem = f"cannot write the table: {error.strerror or error}"
        raise StoreError(problem, where=str(folder), hint="name a folder that can be written") from None
    return [*(folder / name for name in contents), *drawn]


def _values(table: PaperTable) -> Table:
    """A row a score."""
    head = [
        "model",
        "task",
        "metric",
        "value",
        "low",
        "high",
        "n",
        "bold",
        "too few to tell",
        "coverage",
        "published in",
    ]
    rows: list[list[Cell]] = []
    for line in table.lines:
        for one in table.heads:
            if (cell := line.cells.get(one.key)) is not None:
                bar, told = cell.bar, ["yes" if flag else "" for flag in (cell.bold, cell.few)]
                values = [bar.value, bar.low, bar.high, bar.n, *told, cell.coverage]
                rows.append([line.label, one.key, one.metric, *values, line.source or None])
    return Table("table", "The table of a paper", head, rows)
