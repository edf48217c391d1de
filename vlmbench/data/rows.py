"""One row of a data file: typed fields, with errors that name file, line and field."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeVar, overload

from vlmbench.base.errors import DataError
from vlmbench.base.files import unicode_problem

T = TypeVar("T")

_DIGITS = re.compile(r"-?\d{1,300}")
"""A whole number in a table; longer ones are nobody's count, place or id."""
LARGEST = 10**300
"""What a float can hold, with room to spare."""
SHOWN = 30
"""How many columns an error lists."""
WIDE = 40
"""How much of each name: the header of a damaged file may be an image."""
SAME_THING = (
    ("image", "images", "img", "picture", "photo", "image_path", "img_path", "image_file", "file_name", "filename"),
    ("question", "query", "prompt", "text", "instruction"),
    ("answer", "answers", "label", "target", "gt", "ground_truth"),
    ("id", "question_id", "index", "qid"),
)
"""Names that data files give to the same column."""


def near_names(name: str, names: Iterable[str]) -> list[str]:
    """Those of some names that may be what another one was meant for: much alike, or used for the same thing."""
    by_lower_case = {str(candidate).casefold().strip(): str(candidate) for candidate in names}
    alike = get_close_matches(name.casefold(), by_lower_case, n=2, cutoff=0.7)
    used = [
        candidate
        for group in SAME_THING
        if name.casefold() in group
        for candidate in group
        if candidate in by_lower_case
    ]
    return [by_lower_case[candidate] for candidate in dict.fromkeys((*alike, *used))]


def named_columns(name: str, names: Iterable[str]) -> str:
    """For an error about a column that is not there: which ones are, and which may be meant."""
    listed = [str(candidate)[:WIDE] for candidate in names]
    shown = ", ".join(listed[:SHOWN]) + (f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else "")
    near = near_names(name, listed)
    meant = f"; is it {' or '.join(map(repr, near))}?" if near else ""
    return f"{shown or 'nothing'}{meant}"


class _Needed:
    """Stands for: no default."""


NEEDED = _Needed()

_NAMES = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a data file."""

    values: Mapping[str, Any]
    file: str
    at: str
    """Where in the file: `line 3`, `item 3`, `key 20999001`, `row 3`."""

    @property
    def where(self) -> str:
        """File and place."""
        return f"{self.file}, {self.at}"

    def error(self, field: str, what: str, hint: str = "") -> DataError:
        """An error about one field of this row, to be raised by the caller."""
        return DataError(what, where=f"{self.where}, field {field!r}", hint=hint)

    def has(self, field: str) -> bool:
        """Whether the field is there and not null."""
        return self.values.get(field) is not None

    @overload
    def text(self, field: str) -> str: ...
    @overload
    def text(self, field: str, default: T) -> str | T: ...
    def text(self, field: str, default: Any = NEEDED) -> Any:
        """A text. Without a default, raises DataError when it is missing; always when it is of another type."""
        return self._typed(field, str, default)

    @overload
    def integer(self, field: str) -> int: ...
    @overload
    def integer(self, field: str, default: T) -> int | T: ...
    def integer(self, field: str, default: Any = NEEDED) -> Any:
        """A whole number; a text of digits counts as one (tables hold nothing else)."""
        value = self.values.get(field)
        if isinstance(value, str) and _DIGITS.fullmatch(value.strip()):
            return int(value)
        return self._typed(field, int, default)

    def number(self, field: str) -> float:
        """A number, or a text that reads as one."""
        value = self.values.get(field)
        if isinstance(value, str):
            try:
                return float(value)
            except ValueError:
                raise self.error(field, f"a number was expected, not {value!r:.40}") from None
        number = self._typed(field, int if isinstance(value, int) else float, NEEDED)
        if abs(number) > LARGEST and isinstance(number, int):
            raise self.error(field, f"a whole number of {len(str(number))} digits, larger than any here can be")
        return float(number)

    @overload
    def flag(self, field: str) -> bool: ...
    @overload
    def flag(self, field: str, default: T) -> bool | T: ...
    def flag(self, field: str, default: Any = NEEDED) -> Any:
        """true or false."""
        return self._typed(field, bool, default)

    @overload
    def listing(self, field: str) -> list[Any]: ...
    @overload
    def listing(self, field: str, default: T) -> list[Any] | T: ...
    def listing(self, field: str, default: Any = NEEDED) -> Any:
        """A list."""
        return self._typed(field, list, default)

    def texts(self, field: str) -> list[str]:
        """A list of texts."""
        items = self.listing(field)
        for item in items:
            if not isinstance(item, str):
                raise self.error(field, f"a list of texts was expected, but it holds {item!r:.40}")
            self._check_encodable(field, item)
        return items

    def keys(self, field: str) -> list[str]:
        """A list of ids. Raises DataError naming both places of one that is there twice."""
        places: dict[str, int] = {}
        for place, key in enumerate(self.texts(field), 1):
            if key in places:
                raise self.error(
                    field, f"{key!r} is there twice: items {places[key]} and {place}", "remove one of them"
                )
            places[key] = place
        return list(places)

    def inner(self, field: str) -> Row:
        """An object inside the row, as a row of its own; its fields are named `outer.inner` in errors."""
        return Row(self._typed(field, dict, NEEDED), self.file, f"{self.at}, in {field!r}")

    def key(self, field: str) -> str:
        """An id: a text or a whole number, as text. An empty one is refused."""
        value = self.values.get(field)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        text: str = self._typed(field, str, NEEDED)
        if not text:
            raise self.error(field, "the id is empty")
        return text

    def _typed(self, field: str, kind: type, default: Any) -> Any:
        value = self.values.get(field)
        if value is None:
            if default is not NEEDED:
                return default
            if field in self.values:
                raise self.error(field, "the field is null", f"{_NAMES[kind]} is needed in every row")
            raise self.error(field, "the field is missing", f"the row has: {named_columns(field, self.values)}")
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.error(field, f"{_NAMES[kind]} was expected, not {value!r:.40}")
        if isinstance(value, str) and not value.isascii():
            self._check_encodable(field, value)
        return value

    def _check_encodable(self, field: str, text: str) -> None:
        if problem := unicode_problem(text):
            raise self.error(field, problem, "write the whole character, or leave it out")


def unique(rows: Iterable[tuple[str, Row]], field: str) -> Mapping[str, Row]:
    """Rows by id. Raises DataError, naming both rows, for an id that is there twice."""
    by_id: dict[str, Row] = {}
    for key, row in rows:
        if key in by_id:
            raise row.error(field, f"{key!r} is there twice: also at {by_id[key].at}")
        by_id[key] = row
    return by_id
