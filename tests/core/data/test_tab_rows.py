"""Lines of cells parted by tabs, without a header: what a line is, and every line with another number of cells."""

from __future__ import annotations

from pathlib import Path

import pytest

from vlmbench.base.errors import DataError
from vlmbench.data.tables.tab_rows import tab_rows

TWO = ("question", "answer")


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_in_python_s_text_mode(tmp_path: Path, end: str) -> None:
    """Any of three line ends, and no other: a line separator of Unicode is a letter. A quotation mark opens nothing."""
    lines = ['Is it "red?\tYes', "Is it\u2028blue?\tNo"]
    rows = tab_rows(write(tmp_path / "a.txt", (end.join(lines) + end).encode()), TWO)
    assert [dict(row.values) for row in rows] == [
        {"question": 'Is it "red?', "answer": "Yes"},
        {"question": "Is it\u2028blue?", "answer": "No"},
    ]
    assert rows[1].where.endswith("a.txt, line 2")


def test_cells_beyond_the_last_column(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", b"q\tYes\tand more\n")
    assert tab_rows(path, TWO, more=True)[0].values == {"question": "q", "answer": "Yes"}
    with pytest.raises(DataError, match=r"line 1: 3 cells parted by tabs, not 2\n  needed: question, answer$"):
        tab_rows(path, TWO)


@pytest.mark.parametrize(("content", "line"), [(b"q\tYes\nq\n", 2), (b"q\tYes\n\nq\tNo\n", 2), (b"", 1)])
def test_too_few_cells(tmp_path: Path, content: bytes, line: int) -> None:
    with pytest.raises(DataError, match=rf"line {line}: 1 cells(.|\n)*needed: question, answer; no tab in an answer"):
        tab_rows(write(tmp_path / "a.txt", content), TWO, "no tab in an answer", more=True)
