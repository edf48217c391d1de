"""Single values of a recipe changed by dotted keys: `--set stages.finetune.steps=100`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, get_type_hints

from vlmbench.base.errors import TrainingError, UnknownNameError

Changes = Mapping[tuple[str, ...], str]
"""By path: the values' text."""


def changed(value: Any, changes: Changes, where: str = "") -> Any:
    """A copy of a dataclass, mapping or tuple of named dataclasses with some leaves read from text.

    All changes of one object are made at once, so that it is checked as it is meant. Raises UnknownNameError for a key
    that is not there, TrainingError for a text that is no such value.
    """
    if () in changes:
        return _read(value, changes[()], where)
    below: dict[str, dict[tuple[str, ...], str]] = {}
    for path, text in changes.items():
        below.setdefault(path[0], {})[path[1:]] = text
    inside = {name: f"{where}.{name}".lstrip(".") for name in below}
    if isinstance(value, tuple):
        names = [getattr(item, "name", str(at)) for at, item in enumerate(value)]
        _know(below, names, inside)
        return tuple(
            changed(item, below[name], inside[name]) if name in below else item
            for name, item in zip(names, value, strict=True)
        )
    if isinstance(value, Mapping):
        _know(below, value, inside)
        return {**value, **{name: changed(value[name], some, inside[name]) for name, some in below.items()}}
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        raise TrainingError(f"there is nothing below {where!r}", hint="see `vlmbench train --list`")
    _know(below, get_type_hints(type(value)), inside)
    return dataclasses.replace(
        value, **{name: changed(getattr(value, name), some, inside[name]) for name, some in below.items()}
    )


def _know(names: Mapping[str, Any], known: Any, inside: Mapping[str, str]) -> None:
    for name in names:
        if name not in known:
            raise UnknownNameError(f"setting {inside[name]}:", name, known)


def _read(old: Any, text: str, key: str) -> Any:
    """Text as a value of the old one's type."""
    if isinstance(old, str):
        return text
    try:
        new = json.loads(text)
    except ValueError:
        new = None
    if isinstance(old, tuple) and isinstance(new, list):
        return tuple(tuple(item) if isinstance(item, list) else item for item in new)
    if isinstance(old, float) and isinstance(new, int) and not isinstance(new, bool):
        return float(new)
    if type(new) is not type(old):
        raise TrainingError(f"cannot read {text!r} as {type(old).__name__}", where=key, hint="write it as JSON")
    return new
