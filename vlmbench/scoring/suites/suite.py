"""What a suite is: its members, and the formula that makes one figure of theirs.

A suite has an average only if its source publishes a formula. A member that vlmbench does not have yet is named and
counts as missing: an average over the others would be another figure under the same name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from vlmbench.base import registry
from vlmbench.base.errors import PluginError, UnknownNameError, UsageError

FORMULAS: Mapping[str, str] = {"mean": "mean of", "weighted_mean": "weighted mean of", "sum": "sum of"}
"""By name: the words before the members."""
AVERAGE = "average"
"""The suite's metric in scores.json."""
NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}")
NO_FORMULA = "no formula is known for it"


@dataclass(frozen=True)
class Member:
    """One benchmark of a suite, and its figure."""

    benchmark: str
    """As the source calls it."""
    task: str = ""
    """`NAME[:SPLIT][@PROTOCOL]`; empty while vlmbench does not have the benchmark."""
    metrics: tuple[str, ...] = ()
    """The mean of these is the figure; empty: the protocol's headline."""
    divide_by: float = 1.0
    """What brings the figure to 0-100: 20 for MME's perception, 10 for OCRBench."""
    weight: float = 1.0
    """For a weighted mean or a sum."""

    def __post_init__(self) -> None:
        for name in ("divide_by", "weight"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
                raise UsageError(f"{self.benchmark}: {name} takes a number above 0, not {value!r:.40}")

    @property
    def figure(self) -> str:
        """Its figure in a formula: `MME perception / 20`."""
        names = [self.benchmark] if not self.metrics else [f"{self.benchmark} {name}" for name in self.metrics]
        words = names[0] if len(names) == 1 else f"({' + '.join(names)}) / {len(names)}"
        words += "" if self.divide_by == 1 else f" / {self.divide_by:g}"
        return words if self.weight == 1 else f"{self.weight:g} x {words}"


@dataclass(frozen=True)
class Suite:
    """Benchmarks that are run together."""

    name: str
    title: str
    source: str
    """Where the list is from."""
    members: tuple[Member, ...]
    formula: str = ""
    """A name of FORMULAS; empty: no formula is published, and there is no average."""
    formula_source: str = ""
    note: str = ""
    label: str = ""
    """Of a variant that all members are asked in (base/variant.py): another figure, under another key."""

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            hint = "up to 40 small letters, digits, `-`, `_` and `.`, such as small-4"
            raise UsageError(f"a suite cannot be named {self.name!r:.60}", hint=hint)
        if self.formula and self.formula not in FORMULAS:
            raise UnknownNameError("formula", self.formula, FORMULAS)
        names = [member.benchmark for member in self.members]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise UsageError(f"suite {self.name}: two members are named {', '.join(twice)}", hint="name each once")
        if not names:
            raise UsageError(f"suite {self.name} has no members", hint="name at least one task")

    @property
    def key(self) -> str:
        """Its key in scores.json."""
        return f"{registry.SUITE}{self.name}" + (f"+{self.label}" if self.label else "")

    @property
    def missing(self) -> list[str]:
        """The members that vlmbench does not have."""
        return [member.benchmark for member in self.members if not member.task]

    @property
    def formula_text(self) -> str:
        """`mean of GQA, POPE, MME perception / 20`; empty where there is no formula."""
        figures = ", ".join(member.figure for member in self.members)
        return f"{FORMULAS[self.formula]} {figures}" if self.formula else ""

    def shares(self) -> list[float]:
        """What each member's own figure is multiplied by in the average, in the members' order."""
        weights = [1.0 if self.formula == "mean" else member.weight for member in self.members]
        total = 1.0 if self.formula == "sum" else math.fsum(weights)
        return [weight / total / member.divide_by for weight, member in zip(weights, self.members, strict=True)]

    def average(self, figures: Mapping[str, float]) -> float:
        """The average of figures by benchmark, each in the benchmark's own unit (MME's perception up to 2,000).

        Raises UsageError without a formula, and where a member has no figure.
        """
        if not self.formula:
            raise UsageError(f"suite {self.name} has no average: {NO_FORMULA}", hint=f"its list is from {self.source}")
        lacking = [member.benchmark for member in self.members if member.benchmark not in figures]
        if lacking:
            raise UsageError(f"suite {self.name} has no average without {', '.join(lacking)}", hint="give all figures")
        pairs = zip(self.shares(), self.members, strict=True)
        return math.fsum(share * figures[member.benchmark] for share, member in pairs)

    def with_tasks(self, tasks: Mapping[str, str], label: str = "") -> Suite:
        """The suite with other names for its members' tasks, by the names that they have."""
        members = tuple(replace(one, task=tasks.get(one.task, one.task)) for one in self.members)
        return replace(self, members=members, label=label)

    def to_dict(self) -> dict[str, Any]:
        """What run.json says of it: enough to compute the average again."""
        return {**_values(self), "members": [_values(one) for one in self.members]}


def _values(item: Any) -> dict[str, Any]:
    """The fields that are not empty."""
    values = {field.name: getattr(item, field.name) for field in fields(item)}
    return {
        name: list(value) if name == "metrics" else value for name, value in values.items() if value not in ("", ())
    }


def add_suite(suite: Suite) -> None:
    """Make a suite known, from a plug-in. Raises PluginError for what is none, UsageError for a taken name."""
    if not isinstance(suite, Suite):
        raise PluginError(f"{type(suite).__name__} is no suite", hint="give a vlmbench.Suite")
    registry.suites.add(suite.name, suite)


def of_json(content: Mapping[str, Any]) -> Suite:
    """The suite that run.json tells of (Suite.to_dict)."""
    members = tuple(
        Member(**{**_known(Member, one), "metrics": tuple(one.get("metrics", ()))}) for one in content["members"]
    )
    return Suite(**{"title": "", "source": "", **_known(Suite, content), "members": members})


def _known(kind: type[Suite | Member], content: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a kind: a later version may write more."""
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in content.items() if name in names}
