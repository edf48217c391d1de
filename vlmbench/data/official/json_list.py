"""One long list of a JSON object, some items at a time: the file's objects are never in memory all at once.

The text is cut where an item seems to begin. A part that is no JSON has been cut elsewhere, inside an item or a string,
or holds the list's end; then the list is parsed from there to its end. So what is read is what would be read whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from vlmbench.data.files import Row, parse_json, read_text
from vlmbench.data.official.files import list_of, refuse_empty, row_of_list

PART = 1 << 20
"""Characters that are parsed together."""
_BEGINNING = re.compile(r'\s*(\{\s*"(?:[^"\\]|\\.){1,80}")')
"""How the first item begins; that others begin alike is a guess."""


class RowsInParts:
    """The rows of one list, one after the other, and then the object's other fields. Raises DataError as rows_of_list,
    a fault behind a row when that row has been read."""

    def __init__(self, path: Path, field: str) -> None:
        self.path, self.field = path, field
        self.head: Mapping[str, Any] = {}
        """The other fields, when all rows have been read."""

    def __iter__(self) -> Iterator[Row]:
        number = 0
        for part in self._parts(read_text(self.path)):
            for values in part:
                number += 1
                yield row_of_list(values, self.path, self.field, number)
        refuse_empty(number, self.path, self.field)

    def _parts(self, text: str) -> Iterator[list[Any]]:
        start = self._start(text)
        first = _BEGINNING.match(text, start)
        if not start or first is None:
            content = parse_json(text, self.path)
            yield list_of(content, self.path, self.field)
            self._keep_head(content)
            return
        at = start
        while (cut := text.find(first[1], at + PART)) > 0:
            try:
                items = orjson.loads(f"[{text[at:cut].rstrip().removesuffix(',')}]")
            except ValueError:
                break
            yield items
            at = cut
        try:
            items, length = json.JSONDecoder().raw_decode("[" + text[at:])
        except ValueError:
            parse_json(text, self.path)  # which says what is wrong, and where
            raise
        yield items
        self._keep_head(parse_json(f"{text[:start]}{text[at + length - 2 :]}", self.path))

    def _start(self, text: str) -> int:
        """Where the list's items begin; 0 where it is no field of the object itself, as far as that is seen."""
        found = re.search(rf'"{re.escape(self.field)}"\s*:\s*\[', text)
        if found is None:
            return 0
        try:
            begun = orjson.loads(text[: found.end()] + "]}")
        except ValueError:
            return 0
        return found.end() if isinstance(begun, dict) and begun.get(self.field) == [] else 0

    def _keep_head(self, content: Mapping[str, Any]) -> None:
        self.head = {name: value for name, value in content.items() if name != self.field}
