"""Answer files of other forms than one row after the other: rows by key, objects with commas between them, subfolders.

Authors publish such files beside their figures, as their scripts happened to save them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vlmbench.base.errors import PredictionsError
from vlmbench.data.answers.predictions import as_predictions_error
from vlmbench.data.files import Row, read_text
from vlmbench.data.reading import is_file


def keyed_rows(content: Mapping[str, Any], path: Path) -> dict[str, Row]:
    """The rows of `{"0": {...}, "1": {...}, "accuracy": 0.9}` by key; numbers beside them are a script's own totals.

    Empty where something else stands beside them, or there is none.
    """
    if not all(isinstance(value, dict | int | float) for value in content.values()):
        return {}
    return {key: Row(row, str(path), f"key {key}") for key, row in content.items() if isinstance(row, dict)}


def listed_rows(path: Path) -> list[Row]:
    """The rows of a file `{...}, {...}, {...}`: the inside of a JSON array, of which a comma may be missing.

    Empty for a file of another form. Raises PredictionsError where it breaks off.
    """
    if path.suffix not in (".json", ".jsonl"):
        return []
    with as_predictions_error():
        text = read_text(path)
    if text.lstrip()[:1] != "{":
        return []
    found = list(_objects(text, path))
    commas = len(found) > 1 and "," in text[found[0][1] : found[1][0]]
    return [Row(row, str(path), f"object {number}") for number, (*_, row) in enumerate(found, 1)] if commas else []


def _objects(text: str, path: Path) -> Iterator[tuple[int, int, Any]]:
    """(start, end, object) of JSON objects with blanks and commas between them."""
    decoder, at = json.JSONDecoder(), 0
    while (start := _skip(text, at)) < len(text):
        try:
            content, at = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            content = None
        if not isinstance(content, dict):
            line = text.count("\n", 0, start) + 1
            raise PredictionsError("no JSON object", where=f"{path}, line {line}", hint="get the file again")
        yield start, at, content


def _skip(text: str, at: int) -> int:
    """The first place that is neither a blank nor a comma."""
    while at < len(text) and text[at] in ", \t\r\n":
        at += 1
    return at


def files_in(path: Path, folders: Iterable[str], name: str) -> list[Path]:
    """The files of one name in a folder's subfolders, in the order given; those that are there."""
    return [file for folder in folders if is_file(file := path / folder / name)]
