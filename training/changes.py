"""Single values of a recipe changed by dotted keys: `--set stages.finetune.steps=100`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, get_type_hints

from vlmbench.errors import TrainingError, UnknownNameError


def changed(value: Any, path: list[str], text: str, key: str) -> Any:
    """A copy of a dataclass, mapping or tuple of named dataclasses with one leaf read from text.

    Raises UnknownNameError for a key that is not there, TrainingError for a text that is no such value.
    """
    if not path:
        return _read(value, text, key)
    first, rest = path[0], path[1:]
    if isinstance(value, tuple):
        names = [getattr(item, "name", str(at)) for at, item in enumerate(value)]
        if first not in names:
            raise UnknownNameError(f"setting {key}:", first, names)
        at = names.index(first)
        return (*value[:at], changed(value[at], rest, text, key), *value[at + 1 :])
    if isinstance(value, Mapping):
        if first not in value:
            raise UnknownNameError(f"setting {key}:", first, value)
        return {**value, first: changed(value[first], rest, text, key)}
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        raise TrainingError(f"there is nothing below {key!r}", cure="see `vlmbench train --list`")
    if first not in get_type_hints(type(value)):
        raise UnknownNameError(f"setting {key}:", first, get_type_hints(type(value)))
    return dataclasses.replace(value, **{first: changed(getattr(value, first), rest, text, key)})


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
        raise TrainingError(f"cannot read {text!r} as {type(old).__name__}", where=key, cure="write it as JSON")
    return new
