"""Excel sheets: every text comes back as it was; what is no sheet is an error that names the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from vlmbench.errors import DataError, PredictionsError, UsageError
from vlmbench.predictions import answer_files, answer_rows
from vlmbench.sheets import LONGEST, read_sheet, write_sheet, write_tsv

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


def test_no_rows_and_no_file(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    write_sheet(tmp_path / "a.xlsx", ("n",), [])
    with pytest.raises(DataError, match="the sheet has no rows"):
        read_sheet(tmp_path / "a.xlsx")
    with pytest.raises(DataError, match="cannot read it"):
        read_sheet(tmp_path / "b.xlsx")
    with pytest.raises(PredictionsError, match=r"no file in the folder ends in \.json"):
        answer_files(tmp_path / "empty")
