"""Excel sheets, as MMBench's server takes them: read to rows, written so that every answer comes back as it was.

openpyxl would turn an answer that begins with "=" into a formula, refuse control characters and cut long cells in
silence. Here texts stay texts, characters that XML cannot hold are written as Excel writes them (_x0007_), and a text
too long for a cell is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from vlmbench.errors import DataError, UsageError
from vlmbench.rows import Row
from vlmbench.sources import read_bytes_head

Cell = str | int | None

LONGEST = 32_767
"""Characters a cell can hold."""
_UNWRITABLE = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_WRITTEN = re.compile(r"_x([0-9A-Fa-f]{4})_")


def read_sheet(path: Path) -> list[Row]:
    """Rows of the first sheet of an .xlsx file below its header; empty cells are None. Raises DataError."""
    from zipfile import BadZipFile

    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    read_bytes_head(path)
    try:
        book = load_workbook(path, read_only=True)
        lines = [[_read(value) for value in line] for line in book.worksheets[0].iter_rows(values_only=True)]
        book.close()
    except (BadZipFile, InvalidFileException, KeyError, IndexError, ValueError, OSError, SyntaxError) as error:
        raise DataError(f"not a readable .xlsx file: {error}", where=str(path), cure="save it as .xlsx again") from None
    if len(lines) < 2:
        raise DataError("the sheet has no rows", where=str(path), cure="a header and one row an answer are needed")
    header = ["" if name is None else str(name) for name in lines[0]]
    return [
        Row(dict(zip_longest(header, line[: len(header)])), str(path), f"row {number}")
        for number, line in enumerate(lines[1:], 2)
        if any(value is not None for value in line)
    ]


def _read(value: Any) -> Any:
    return _WRITTEN.sub(lambda found: chr(int(found[1], 16)), value) if isinstance(value, str) else value


def write_sheet(path: Path, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write one sheet. Raises UsageError for a text that no cell can hold."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    lines = [[_written(value, path, number) for value in line] for number, line in enumerate((header, *rows), 1)]
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Sheet1")
    for line in lines:
        cells = [WriteOnlyCell(sheet, value=value) for value in line]
        for cell, value in zip(cells, line, strict=True):
            if isinstance(value, str):
                cell.data_type = "s"  # the setter makes a formula of a text that begins with "="
        sheet.append(cells)
    path.parent.mkdir(parents=True, exist_ok=True)
    book.save(path)


def _written(value: Cell, path: Path, row: int) -> Cell:
    if not isinstance(value, str):
        return value
    text = _UNWRITABLE.sub(lambda found: f"_x{ord(found[0]):04X}_", value)
    if len(text) > LONGEST:
        what = f"a text of {len(text):,} characters, where a cell holds {LONGEST:,}"
        raise UsageError(what, where=f"{path}, row {row}", cure="take another --format, e.g. tsv")
    return text


def write_tsv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write a tab-separated table, texts quoted."""
    import csv

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(header)
        writer.writerows(["" if value is None else value for value in line] for line in rows)
