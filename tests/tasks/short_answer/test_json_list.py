"""A long list in a JSON object is read in parts, to what the whole would be."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from vlmbench.base.errors import DataError
from vlmbench.data.official import json_list
from vlmbench.data.official.json_list import RowsInParts

NESTED = {"answer": 'a "}, {"id": 3', "list": [{"no": 7}, {"no": 8}], "text": "\\"}
ROWS: list[dict[str, Any]] = [{"id": n, "inner": [NESTED, {"no": n}], "question": "ä?" * (n % 5)} for n in range(200)]


@pytest.fixture(autouse=True)
def _short_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_list, "PART", 700)


def read(path: Path) -> tuple[dict[str, Any], list[Any]]:
    rows = RowsInParts(path, "rows")
    found = [dict(row.values) for row in rows]
    return dict(rows.head), found


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("escaped", [False, True])
@pytest.mark.parametrize("before", [{}, {"about": {"year": 2017}, "said": 'the "rows": [{'}])
@pytest.mark.parametrize("behind", [{}, {"kinds": {"1": "what"}, "list": [1, 2]}, {"again": [{"id": 1}]}])
def test_the_same_as_whole(
    indent: int | None,
    escaped: bool,
    before: dict[str, Any],
    behind: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "a.json"
    content = {**before, "rows": ROWS, **behind}
    path.write_text(json.dumps(content, indent=indent, ensure_ascii=escaped), "utf-8")
    whole: list[str] = []

    def parse(text: str, path: Path) -> Any:
        whole.append(text)
        return json.loads(text)

    monkeypatch.setattr(json_list, "parse_json", parse)
    assert read(path) == ({**before, **behind}, ROWS)
    assert [len(text) < 500 for text in whole] == [True], "only the object around the list is parsed whole"


@pytest.mark.parametrize("last", [[], [{"id": 9}]])
def test_items_that_begin_inside_others_are_found_out(last: list[Any], tmp_path: Path) -> None:
    """The cut may fall on an inner object or into a string: then the rest is read whole."""
    rows: list[Any] = [
        {"id": 1, "of": [{"id": place, "why": '}, {"id"'} for place in range(30)]} for _ in range(20)
    ] + last
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"rows": rows}))
    assert read(path) == ({}, rows)


def test_numbers_that_only_the_standard_parser_reads(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"rows": [*ROWS, {"id": math.nan}]}))
    _, rows = read(path)
    assert rows[:-1] == ROWS and math.isnan(rows[-1]["id"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"rows": [{"id": 1}, {"id": 2}', "broken JSON"),
        ('{"rows": [{"id": 1}, {"id" 2}, {"id": 3}]}', "broken JSON"),
        ('{"other": [{"id": 1}]}', "a list 'rows' was expected"),
        ('{"rows": {"id": 1}}', "a list 'rows' was expected"),
        ('{"in": {"rows": [{"id": 1}]}}', "a list 'rows' was expected"),
        ('{"rows": []}', "the list 'rows' is empty"),
        ('{"rows": [{"id": 1}, 2, {"id": 3}]}', "an object was expected, not 2"),
    ],
)
def test_faults_are_told_as_of_a_whole_file(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        list(RowsInParts(path, "rows"))


def test_a_later_part_that_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"rows": ROWS}).replace('"id": 150', '"id" 150'))
    with pytest.raises(DataError, match="broken JSON"):
        list(RowsInParts(path, "rows"))
