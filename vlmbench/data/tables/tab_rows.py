"""Lines of cells parted by tabs, without a header: the question and result files of MME and of scripts like its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vlmbench.base.errors import DataError
from vlmbench.data.files import Row, read_text


def tab_rows(path: Path, columns: Sequence[str], hint: str = "", *, more: bool = False) -> list[Row]:
    """A row per line, as Python's text mode parts lines, with its cells under the names of `columns`.

    Quotation marks are letters like all others. Cells beyond the last column are left out where `more` allows them.
    Raises DataError, with the columns and `hint`, for a line with another number of cells; also for an empty line.
    """
    text = read_text(path).replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
    rows = []
    for number, line in enumerate(text.split("\n"), 1):
        cells = line.split("\t")
        cells = cells[: len(columns)] if more else cells
        if len(cells) != len(columns):
            what = f"{len(cells)} cells parted by tabs, not {len(columns)}"
            needed = f"needed: {', '.join(columns)}{hint and f'; {hint}'}"
            raise DataError(what, where=f"{path}, line {number}", hint=needed)
        rows.append(Row(dict(zip(columns, cells, strict=True)), str(path), f"line {number}"))
    return rows
