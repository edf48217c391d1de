"""Excel sheets: every text comes back as it was; what is no sheet is an error that names the file."""

from __future__ import annotations

import contextlib
import tempfile
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmbench.base.errors import DataError, PredictionsError, UsageError
from vlmbench.data import sheets
from vlmbench.data.answers.predictions import answer_files, answer_rows
from vlmbench.data.sheets import LONGEST, read_sheet, write_sheet, write_tsv

pytestmark = pytest.mark.slow

TEXTS = ("=SUM(1)", "a\x07\x00b\r\n\tc", "_x0041_", "  lead", "nan", "+1", "NULL", "😀中", "x" * LONGEST)


def test_texts_there_and_back(tmp_path: Path) -> None:
    write_sheet(tmp_path / "a.xlsx", ("n", "text"), list(enumerate(TEXTS)))
    found = read_sheet(tmp_path / "a.xlsx")
    assert [row.values["text"] for row in found] == list(TEXTS)
    assert [row.values["n"] for row in found] == list(range(len(TEXTS))) and found[0].at == "row 2"


def test_empty_cells_and_short_rows(tmp_path: Path) -> None:
    write_sheet(tmp_path / "a.xlsx", ("n", "text", "more"), [(1, "", None), (2, None, "x")])
    assert [row.values for row in read_sheet(tmp_path / "a.xlsx")] == [
        {"n": 1, "text": None, "more": None},
        {"n": 2, "text": None, "more": "x"},
    ]
    assert answer_rows(tmp_path / "a.xlsx")[0].values == {"n": "1", "text": "", "more": ""}


def test_numbers_are_texts_in_answers(tmp_path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    assert book.active is not None
    for line in (("index", "prediction"), (5.0, 2.5), (6, True)):
        book.active.append(line)
    book.save(tmp_path / "a.xlsx")
    assert [row.values for row in answer_rows(tmp_path / "a.xlsx")] == [
        {"index": "5", "prediction": "2.5"},
        {"index": "6", "prediction": "True"},
    ]


def test_a_text_too_long(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a\.xlsx, row 3: a text of 32,768 characters(.|\n)*tsv"):
        write_sheet(tmp_path / "a.xlsx", ("n",), [("x",), ("x" * (LONGEST + 1),)])
    write_tsv(tmp_path / "a.tsv", ("n",), [("x" * (LONGEST + 1),)])
    assert len(answer_rows(tmp_path / "a.tsv")[0].values["n"]) == LONGEST + 1


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no sheet at all"])
def test_no_sheet(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.xlsx").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.xlsx: not a readable \.xlsx file"):
        read_sheet(tmp_path / "a.xlsx")


def packed(path: Path, rows: bytes) -> Path:
    """A sheet whose XML is written by hand."""
    write_sheet(path, ("index",), [(1,)])
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    start = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    parts["xl/worksheets/sheet1.xml"] = start + rows + b"</sheetData></worksheet>"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return path


def cell(place: str) -> bytes:
    row = place.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    return f'<row r="{row}"><c r="{place}"><v>1</v></c></row>'.encode()


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (cell("A1") + cell("XFD1048576"), "more than 500,000 rows"),
        (cell("A1") + cell("A999999999999"), "more than 500,000 rows"),
        (b"<row><c><v>1</v></c></row>" * 1_000_000, "more than 500,000 rows"),
        (cell("XFD1"), "16,384 columns, more than 1,000"),
        (b"".join(cell(f"ALK{row}") for row in range(1, 6000)), "more than 5,000,000 cells"),
        (cell("ZZZZ1"), "not a readable .xlsx file: ValueError"),
    ],
    ids=["last cell", "far row", "million rows", "last column", "wide rows", "no column"],
)
def test_sheets_that_are_too_large(tmp_path: Path, rows: bytes, told: str) -> None:
    """Within seconds, whatever the few kilobytes of a file unpack to."""
    path = packed(tmp_path / "a.xlsx", rows)
    begin = time.process_time()
    with pytest.raises(DataError) as error:
        read_sheet(path)
    assert told in str(error.value) and str(path) in str(error.value)
    assert time.process_time() - begin < 10


def test_a_bomb_of_shared_strings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "UNPACKED", 1 << 20)
    path = packed(tmp_path / "a.xlsx", cell("A1"))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings.xml", bytes(1 << 20))
    with pytest.raises(DataError, match="1 MiB when unpacked, more than 1"):
        read_sheet(path)


def test_an_encrypted_sheet(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.xlsx", cell("A1"))
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        at = -1
        while (at := content.find(mark, at + 1)) >= 0:
            content[at + offset] |= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"not a readable \.xlsx file: RuntimeError"):
        read_sheet(path)


def test_a_column_that_is_there_twice(tmp_path: Path) -> None:
    write_sheet(tmp_path / "a.xlsx", ("index", "prediction", "prediction"), [(1, "A", "B")])
    with pytest.raises(DataError, match="the column 'prediction' is there twice"):
        read_sheet(tmp_path / "a.xlsx")


@settings(max_examples=60)
@given(places=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=20))
def test_any_damage_is_an_error_or_read(places: list[tuple[int, int]]) -> None:
    """Bytes changed anywhere: a DataError, never another exception."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.xlsx"
        write_sheet(path, ("index", "prediction"), [(n, f"text {n}") for n in range(40)])
        content = bytearray(path.read_bytes())
        for at, value in places:
            content[at % len(content)] = value
        path.write_bytes(content)
        with contextlib.suppress(DataError):
            read_sheet(path)


def test_no_rows_and_no_file(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    write_sheet(tmp_path / "a.xlsx", ("n",), [])
    with pytest.raises(DataError, match="the sheet has no rows"):
        read_sheet(tmp_path / "a.xlsx")
    with pytest.raises(DataError, match="no such file"):
        read_sheet(tmp_path / "b.xlsx")
    with pytest.raises(PredictionsError, match=r"no file in the folder ends in \.json"):
        answer_files(tmp_path / "empty")
