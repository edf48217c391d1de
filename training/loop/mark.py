"""Identifies the training of a checkpoint: the settings that decide the weights, and the data that were read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..recipe.recipe import Recipe

WATCHING: Mapping[str, Any] = {
    "eval_every": 0, "eval_tasks": "", "eval_limit": 0, "track": "", "cache": "", "store": "float32"
}  # fmt: skip
"""Settings that only watch a training, or say how it is stored: they may be changed on the way."""
SHOWN = 6
"""Settings that are named where two recipes differ; the rest is counted."""


@dataclass
class Mark:
    """Stored with each state, and compared when a training resumes."""

    settings: Mapping[str, Any]
    data: dict[str, Any] = field(default_factory=dict)
    """By the name of what was read: see data_state.py."""

    @classmethod
    def of(cls, recipe: Recipe) -> Mark:
        """A recipe's, without what only watches the training."""
        distil = recipe.distil and replace(recipe.distil, cache="")
        return cls(replace(recipe, **WATCHING, distil=distil).to_json())

    @property
    def recipe(self) -> str:
        """A hash of the settings."""
        return hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()[:16]


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Which settings differ, with both values: `seed was 0, is 1; stages.see.lr was 0.1, is 0.2`."""
    old, new = dict(_leaves(before)), dict(_leaves(now))
    names = [name for name in {**old, **new} if old.get(name, ...) != new.get(name, ...)]
    changes = [f"{name} {_change(old.get(name, ...), new.get(name, ...))}" for name in names[:SHOWN]]
    return "; ".join(changes) + (f"; and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def _change(old: Any, new: Any) -> str:
    was = "was not set" if old is ... else f"was {_short(old)}"
    return f"{was}, is {'not set' if new is ... else _short(new)}"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Single values by their dotted names, as `--set` takes them."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}".lstrip("."))
    elif isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        for at, item in enumerate(value):
            yield from _leaves(item, f"{name}.{item.get('name', at)}")
    else:
        yield name, value
