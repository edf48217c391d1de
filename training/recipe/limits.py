"""Which values the fields of a recipe may have: of their type, finite, and in a range that has a meaning."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from vlmbench.base.errors import TrainingError

MOST = 2**31 - 1
MOST_THREADS = 1024
MOST_ROWS = 1 << 20


@dataclass(frozen=True, slots=True)
class Range:
    """From `low` to `high`; None: no end. `above`, `below`: the ends themselves are left out."""

    low: float | None = None
    high: float | None = None
    above: bool = False
    below: bool = False

    def holds(self, value: float) -> bool:
        """Whether a number is inside."""
        low = self.low is None or (value > self.low if self.above else value >= self.low)
        return low and (self.high is None or (value < self.high if self.below else value <= self.high))

    def __str__(self) -> str:
        low = f"{'above' if self.above else 'at least'} {self.low:.15g}" if self.low is not None else ""
        high = f"{'below' if self.below else 'at most'} {self.high:.15g}" if self.high is not None else ""
        return " and ".join(filter(None, (low, high)))


SHARE = Range(0, 1)
NOT_NEGATIVE = Range(0)
POSITIVE = Range(0, above=True)
COUNT, SOME = Range(0, MOST), Range(1, MOST)
ROWS, SOME_ROWS = Range(0, MOST_ROWS), Range(1, MOST_ROWS)
LIMITS: Mapping[str, Mapping[str, Range]] = {
    "Recipe": {
        "vocabulary": COUNT,
        "seed": Range(0, 2**63 - 1),
        "save_every": SOME,
        "log_every": SOME,
        "threads": Range(0, MOST_THREADS),
        "workers": Range(0, 256),
        "bad_rows": SHARE,
        "eval_every": COUNT,
        "eval_limit": COUNT,
    },
    "Stage": {
        "steps": COUNT,
        "lr": NOT_NEGATIVE,
        "muon": NOT_NEGATIVE,
        "warmup": SHARE,
        "weight_decay": NOT_NEGATIVE,
        "betas": Range(0, 1, below=True),
        "clip": NOT_NEGATIVE,
        "accumulate": Range(1, MOST_ROWS),
        "lrs": NOT_NEGATIVE,
        "epochs": NOT_NEGATIVE,
        "rows": COUNT,
        "batch": ROWS,
        "per_device": ROWS,
        "max_length": COUNT,
        "text_tokens": COUNT,
        "repeat": COUNT,
    },
    "Distil": {
        "temperature": Range(0, 100, above=True),
        "top_k": Range(1, MOST_ROWS),
        "weight": SHARE,
        "max_new_tokens": SOME_ROWS,
        "beams": Range(1, 64),
    },
    "Feed": {
        "rows": SOME_ROWS,
        "turns": SOME_ROWS,
        "weight": NOT_NEGATIVE,
        "signs": Range(0, 100),
    },
    "Pool": {"ratio": POSITIVE, "rows": ROWS},
    "Init": {"embeddings": NOT_NEGATIVE, "linear": NOT_NEGATIVE, "alike": NOT_NEGATIVE},
    "Ratios": dict.fromkeys(("heads", "neurons", "layers", "weights"), Range(0, 1, below=True)),
    "Pruning": {"batches": SOME_ROWS},
    "WarmupCosine": {
        "peak": POSITIVE,
        "last": NOT_NEGATIVE,
        "start": NOT_NEGATIVE,
        "warmup_steps": COUNT,
        "epochs": SOME,
        "steps_per_epoch": SOME,
    },
}
"""By class and field. Of a tuple or a mapping: of each number in it."""
MOST_THINGS = 36
"""A scene has so many places."""
NAMES = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


def check(value: Any, where: str) -> None:
    """Raises TrainingError where a field of a dataclass has a value of another type, or out of its range."""
    limits = LIMITS[type(value).__name__]
    for name, kind in _kinds(type(value)).items():
        actual = getattr(value, name)
        problem = _complaint(actual, kind, limits.get(name))
        if problem:
            raise TrainingError(f"{name} is {_shown(actual)}: {problem}", where=where)


def check_things(things: Sequence[tuple[float, int, int]], where: str) -> None:
    """Raises TrainingError unless they are (share of the stage, fewest, most), from share 0 on."""
    prefix = f"things is {_shown(things)}: "
    for share, low, high in things:
        if not 0 <= share <= 1:
            raise TrainingError(f"{prefix}shares of the stage must be between 0 and 1", where=where)
        if not 0 < low <= high <= MOST_THINGS:
            must = f"fewest and most things must be between 1 and {MOST_THINGS}, fewest first"
            raise TrainingError(prefix + must, where=where)
    if not things or things[0][0] != 0 or list(things) != sorted(things, key=lambda item: item[0]):
        raise TrainingError(f"{prefix}shares must begin with 0 and rise", where=where)


_KINDS: dict[type, dict[str, Any]] = {}


def _kinds(kind: type) -> dict[str, Any]:
    if kind not in _KINDS:
        hints = get_type_hints(kind)
        _KINDS[kind] = {entry.name: hints[entry.name] for entry in dataclasses.fields(kind)}
    return _KINDS[kind]


def _complaint(value: Any, kind: Any, limits: Range | None) -> str:
    """What a value must be, where it is not; "" where it is."""
    origin = get_origin(kind)
    if origin is tuple:
        return _of_tuple(value, get_args(kind), limits)
    if origin is UnionType:
        return "" if isinstance(value, get_args(kind)) else "it must be a group of settings"
    if origin is not None:  # a mapping
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            return "it must be an object with texts as keys"
        inner = get_args(kind)[1]
        return next((problem for item in value.values() if (problem := _complaint(item, inner, limits))), "")
    if kind in NAMES:
        return _of_plain(value, kind, limits)
    if kind is Any:
        return _of_any(value)
    return "" if isinstance(value, kind) else f"it must be of type {kind.__name__}"


def _of_any(value: Any) -> str:
    """Of a model's config or a reader's options nothing is known here, but numbers must be some."""
    if isinstance(value, float) and not math.isfinite(value):
        return "all its numbers must be finite"
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return next((problem for item in inner if (problem := _of_any(item))), "")


def _of_tuple(value: Any, kinds: tuple[Any, ...], limits: Range | None) -> str:
    if not isinstance(value, tuple):
        return "it must be a list"
    if kinds[-1] is ...:
        kinds = (kinds[0],) * len(value)
    if len(value) != len(kinds):
        return f"it must be a list of {len(kinds)}"
    return next(
        (problem for item, kind in zip(value, kinds, strict=True) if (problem := _complaint(item, kind, limits))), ""
    )


def _of_plain(value: Any, kind: type, limits: Range | None) -> str:
    fits: Any = (int, float) if kind is float else kind
    if isinstance(value, bool) != (kind is bool) or not isinstance(value, fits):
        return f"it must be {NAMES[kind]}" + (f", {limits}" if limits else "")
    if isinstance(value, float) and not math.isfinite(value):
        return "it must be a finite number" + (f", {limits}" if limits else "")
    if isinstance(value, int | float) and limits and not limits.holds(value):
        return f"it must be {limits}"
    return ""


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
