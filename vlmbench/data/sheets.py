"""Excel sheets, as MMBench's server takes them: read to rows, written so that every answer comes back as it was.

openpyxl would turn an answer that begins with "=" into a formula, refuse control characters and cut long cells in
silence. Here texts stay texts, characters that XML cannot hold are written as Excel writes them (_x0007_), and a text
too long for a cell is an error.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from vlmbench.base.errors import DataError, UsageError
from vlmbench.data.files import refuse_duplicate_columns
from vlmbench.data.rows import Row

Cell = str | int | None

LONGEST = 32_767
"""Characters a cell can hold."""
ROWS, COLUMNS, CELLS = 500_000, 1_000, 5_000_000
"""A sheet with more is refused: the largest benchmark has 447,793 questions."""
UNPACKED = 512 << 20
"""Bytes of a file's parts when unpacked. The cells of the largest benchmark need some 100 MiB."""
_ROW = re.compile(rb"<(?:\w+:)?row[\s/>]")
_UNWRITABLE = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_WRITTEN = re.compile(r"_x([0-9A-Fa-f]{4})_")


def read_sheet(path: Path) -> list[Row]:
    """Rows of the first sheet of an .xlsx file below its header; empty cells are None. Raises DataError."""
    from vlmbench.data.reading import read_whole

    content = read_whole(path, UNPACKED)
    try:
        lines = _lines(content, path)
    except DataError:
        raise
    except Exception as error:  # zip, deflate, XML and openpyxl each have their own kinds
        problem = f"not a readable .xlsx file: {type(error).__name__}: {error}"
        raise DataError(problem[:500], where=str(path), hint="save it as .xlsx again") from None
    if len(lines) < 2:
        raise DataError("the sheet has no rows", where=str(path), hint="a header and one row an answer are needed")
    header = ["" if name is None else str(name) for name in lines[0]]
    refuse_duplicate_columns(header, path)
    return [
        Row(dict(zip_longest(header, line[: len(header)])), str(path), f"row {number}")
        for number, line in enumerate(lines[1:], 2)
        if any(value is not None for value in line)
    ]


def _lines(content: bytes, path: Path) -> list[list[Any]]:
    """The cells of the first sheet, read row by row within the limits."""
    from openpyxl import load_workbook

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        _refuse_bomb(archive, path)
    book = load_workbook(io.BytesIO(content), read_only=True)
    sheet = book.worksheets[0]
    sheet.reset_dimensions()  # what the file says of its size may be anything
    lines: list[list[Any]] = []
    cells = 0
    for number, line in enumerate(sheet.iter_rows(values_only=True), 1):
        if number > ROWS:
            raise _too_large(f"more than {ROWS:,} rows", path)
        if len(line) > COLUMNS:
            raise _too_large(f"row {number} has {len(line):,} columns, more than {COLUMNS:,}", path)
        cells += len(line)
        if cells > CELLS:
            raise _too_large(f"more than {CELLS:,} cells", path)
        lines.append([_read(value) for value in line])
    book.close()
    width = max(map(len, lines), default=0)
    return [line + [None] * (width - len(line)) for line in lines]


def _refuse_bomb(archive: zipfile.ZipFile, path: Path) -> None:
    """Raise DataError for parts that unpack to more than any sheet of answers, or hold too many rows.

    Rows are counted in the text: to parse millions of them takes a minute, which openpyxl does on opening.
    """
    size = sum(info.file_size for info in archive.infolist())
    if size > UNPACKED:
        raise _too_large(f"{size / 2**20:,.0f} MiB when unpacked, more than {UNPACKED / 2**20:,.0f}", path)
    for name in archive.namelist():
        if "worksheets/" in name and _rows(archive, name) > ROWS:
            raise _too_large(f"more than {ROWS:,} rows", path)


def _rows(archive: zipfile.ZipFile, name: str) -> int:
    """How many rows a part holds, as far as ROWS and a few."""
    count, rest = 0, b""
    with archive.open(name) as part:
        while count <= ROWS and (block := part.read(1 << 20)):
            buffer = rest + block
            end = max(buffer.rfind(b"<"), 0)  # a tag may continue in the next block
            count += len(_ROW.findall(buffer, 0, end))
            rest = buffer[end:][-1024:]
    return count


def _too_large(what: str, path: Path) -> DataError:
    return DataError(
        f"the sheet is too large: {what}", where=str(path), hint="save the table's own cells alone, or as .tsv"
    )


def _read(value: Any) -> Any:
    return _WRITTEN.sub(lambda match: chr(int(match[1], 16)), value) if isinstance(value, str) else value


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
    text = _UNWRITABLE.sub(lambda match: f"_x{ord(match[0]):04X}_", value)
    if len(text) > LONGEST:
        problem = f"a text of {len(text):,} characters, where a cell holds {LONGEST:,}"
        raise UsageError(problem, where=f"{path}, row {row}", hint="take another --format, e.g. tsv")
    return text


def write_tsv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write a tab-separated table, texts quoted."""
    import csv

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(header)
        writer.writerows(["" if value is None else value for value in line] for line in rows)
