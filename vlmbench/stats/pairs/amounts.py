"""Amounts of a metric as a command line names them (`1`, `1%`, `1%,mme=20`): its own unit, or percent of its range."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vlmbench.base.errors import UnknownNameError, UsageError
from vlmbench.base.registry import bare_name

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Amount:
    """A difference: in the metric's own unit, or in percent of its range."""

    number: float
    percent: bool = False

    def of(self, span: float) -> float:
        """In the unit of a metric whose range is `span`."""
        return self.number * span / 100 if self.percent else self.number

    def __str__(self) -> str:
        return f"{self.number:g}{' %' if self.percent else ''}"


def parse(text: str, option: str) -> dict[str, Amount]:
    """`1%,mme=20` by task, "" for all others. Raises UsageError for what is no amount of 0 or more."""
    amounts: dict[str, Amount] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = part.rpartition("=")
        name, number = name.strip(), value.strip().removesuffix("%").strip()
        hint = f"write {option} 1%,mme=20: percent of the metric's range, or its own unit"
        try:
            amount = Amount(float(number), value.strip().endswith("%"))
        except ValueError:
            raise UsageError(f"cannot read {part!r} in {option}", hint=hint) from None
        if not (amount.number >= 0 and math.isfinite(amount.number)):
            raise UsageError(f"{part!r} in {option} is no amount of 0 or more", hint=hint)
        if amount.percent and amount.number > 100:
            raise UsageError(f"{part!r} in {option} is more than the whole range", hint=hint)
        if name in amounts:
            raise UsageError(f"{option} names {name or 'all other tasks'} twice", hint="leave one of them out")
        amounts[name] = amount
    return amounts


def of_task(amounts: Mapping[str, Amount], key: str, default: Amount) -> Amount:
    """The amount of a task: by its key, its bare name, or that of all others."""
    return next((amounts[name] for name in (key, bare_name(key), "") if name in amounts), default)


def refuse_unknown(amounts: Mapping[str, Amount], keys: Iterable[str], option: str) -> None:
    """Raise UnknownNameError for an amount of a task that is not there: it would hold for nothing."""
    known = list(dict.fromkeys([*keys, *map(bare_name, keys)]))
    if unknown := next((name for name in amounts if name and name not in known), ""):
        raise UnknownNameError("task of these runs", unknown, known, f"{option} names tasks, by key or by name")
