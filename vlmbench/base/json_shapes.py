"""Checks that JSON read from a file has the types that the code expects, and names the first field that has not.

A shape is a function of a value and its place (`tasks.pope.samples`); it raises MisfitError. Shapes are put together:
`fields({"name": text}, needed=("name",))`, `mapping_of(number)`, `list_of(text)`, `optional(whole)`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Shape = Callable[[Any, str], None]
DEEPEST = 32
"""Levels of nesting in a field whose content is free."""


class MisfitError(ValueError):
    """A value that has another type than its field: `field` and `what`."""

    def __init__(self, field: str, what: str) -> None:
        self.field, self.what = field, what
        super().__init__(f"field {field!r}: {what}" if field else what)


def _expected(field: str, name: str, value: Any) -> MisfitError:
    shown = {dict: "an object", list: "a list", type(None): "null"}.get(type(value)) or f"{value!r:.40}"
    return MisfitError(field, f"{name} was expected, not {shown}")


def text(value: Any, field: str) -> None:
    """A string."""
    if not isinstance(value, str):
        raise _expected(field, "a text", value)


def whole(value: Any, field: str) -> None:
    """A whole number."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise _expected(field, "a whole number", value)


def count(value: Any, field: str) -> None:
    """A whole number that is not negative."""
    whole(value, field)
    if value < 0:
        raise _expected(field, "a count", value)


def number(value: Any, field: str) -> None:
    """A finite number."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise _expected(field, "a number", value)


def flag(value: Any, field: str) -> None:
    """true or false."""
    if not isinstance(value, bool):
        raise _expected(field, "true or false", value)


def anything(value: Any, field: str, depth: int = 0) -> None:
    """Any JSON, unless it is nested deeper than anybody writes it."""
    if depth > DEEPEST:
        raise MisfitError(field, f"it is nested more than {DEEPEST} levels deep")
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        anything(item, field, depth + 1)


def mapping(value: Any, field: str) -> None:
    """An object with any content."""
    if not isinstance(value, dict):
        raise _expected(field, "an object", value)
    anything(value, field)


def listing(value: Any, field: str) -> None:
    """A list with any content."""
    if not isinstance(value, list):
        raise _expected(field, "a list", value)
    anything(value, field)


def optional(shape: Shape) -> Shape:
    """The shape, or null."""

    def check(value: Any, field: str) -> None:
        if value is not None:
            shape(value, field)

    return check


def one_of(names: Sequence[str]) -> Shape:
    """One of several texts."""

    def check(value: Any, field: str) -> None:
        if value not in names:
            raise _expected(field, f"one of {', '.join(names)}", value)

    return check


def list_of(shape: Shape) -> Shape:
    """A list whose items all have a shape."""

    def check(value: Any, field: str) -> None:
        if not isinstance(value, list):
            raise _expected(field, "a list", value)
        for index, item in enumerate(value):
            shape(item, f"{field}[{index}]")

    return check


def mapping_of(shape: Shape) -> Shape:
    """An object whose values all have a shape, whatever their names."""

    def check(value: Any, field: str) -> None:
        if not isinstance(value, dict):
            raise _expected(field, "an object", value)
        for name, item in value.items():
            shape(item, _below(field, name))

    return check


def fields(known: Mapping[str, Shape], needed: Sequence[str] = (), rest: Shape = anything) -> Shape:
    """An object with fields of their own shapes; those not `needed` may be missing, others have the shape `rest`."""

    def check(value: Any, field: str) -> None:
        if not isinstance(value, dict):
            raise _expected(field, "an object", value)
        for name in needed:
            if name not in value:
                raise MisfitError(_below(field, name), "it is missing")
        for name, item in value.items():
            known.get(name, rest)(item, _below(field, name))

    return check


def _below(field: str, name: str) -> str:
    return f"{field}.{name}" if field else name
