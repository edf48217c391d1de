"""Rows found by their places are those that a JSON parser finds, in any form and across any windows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmbench.base.errors import DataError
from vlmbench.training.sources.files import jsonfile
from vlmbench.training.sources.files.jsonfile import JsonFile

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
ROWS = st.lists(VALUES.map(lambda value: {"id": value}), min_size=1, max_size=8)


def opened(folders: pytest.TempPathFactory, content: bytes, window: int) -> JsonFile:
    """A file, looked at through small windows. Windows are the module's own setting."""
    path = folders.mktemp("file") / "rows.json"
    path.write_bytes(content)
    jsonfile.WINDOW = window
    return JsonFile(path)


@pytest.mark.slow
@given(rows=ROWS, window=st.sampled_from([16, 64, 1000]), ascii=st.booleans(), indent=st.sampled_from([None, 1]))
def test_every_form(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any], window: int, ascii: bool, indent: int | None
) -> None:
    keyed = {f"key {at}": row for at, row in enumerate(rows)}
    before = jsonfile.WINDOW
    try:
        for content in (rows, {"info": rows[0], "annotations": rows, "more": 1}, keyed):
            text = json.dumps(content, ensure_ascii=ascii, indent=indent)
            file = opened(tmp_path_factory, text.encode("utf-8", "surrogatepass"), window)
            spans = list(file.spans(("annotations",), keyed=content is keyed))
            wanted = list(keyed.items()) if content is keyed else rows
            assert [span.value for span in spans] == wanted
            assert [file.value(span.start, span.stop) for span in spans] == wanted
    finally:
        jsonfile.WINDOW = before


@given(rows=ROWS, data=st.data())
def test_damage_is_found_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any], data: st.DataObject
) -> None:
    content = bytearray(json.dumps(rows).encode())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] = data.draw(st.integers(0, 255))
    before = jsonfile.WINDOW
    try:
        assert len(list(opened(tmp_path_factory, bytes(content), 64).spans())) >= 1
    except DataError as error:
        assert "array" in error.what or "empty" in error.what
    finally:
        jsonfile.WINDOW = before
