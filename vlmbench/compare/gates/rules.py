"""What a gate is asked for: allowed drops of tasks and of their parts, floors, what must hold.

A drop is in the metric's own unit (`mme=20`) or in percent of its range (`1%`). A part (a breakdown's bar, a guard) has
the same share of its own range as the headline, unless it has a drop of its own (`pope:adversarial=2`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from vlmbench.base.errors import UnknownNameError, UsageError
from vlmbench.base.registry import bare_name
from vlmbench.base.samples import Status
from vlmbench.runs.storage.reload import StoredTask
from vlmbench.stats.noninferiority import Margins
from vlmbench.stats.pairs import amounts
from vlmbench.stats.pairs.amounts import Amount

USUAL = Amount(1.0, percent=True)
"""The drop that is allowed by default: 1 point of a rate, 20 of MME's perception."""
RANGE = 100.0
"""Of a rate."""
Amounts = Mapping[str, Amount | float]
"""By task, `task:part`, or "" for all others; a plain number is in the metric's own unit."""


@dataclass(frozen=True)
class Scale:
    """What a tested metric is called, and the ranges that its drops are counted in."""

    span: float = RANGE
    """From its least to its largest value."""
    names: Collection[str] = ()
    """Of a part: what a rule may call it. Empty for what is asked for itself."""
    whole: float = RANGE
    """The span of its task's headline."""


PLAIN = Scale()


@dataclass(frozen=True)
class GateRules:
    """What a gate asks for."""

    max_drop: Amounts
    """Where it has nothing for a task, 1 % of the range."""
    min_detectable_drop: Amounts
    """The drop that must not slip through; where it is missing, twice the allowed drop (1 % of the range for none)."""
    alpha: float = 0.05
    power: float = 0.8
    metric: str = "headline"
    min_coverage: float = 1.0
    max_status: Mapping[str, str] = field(default_factory=dict)
    """By status: how many samples may end so, as a number or a share (`5`, `1%`)."""
    max_total_drop: Amounts = field(default_factory=dict)
    """The drop since the anchor that is acceptable; where it is missing, twice `max_drop` (1 % for none)."""
    must_hold: Sequence[str] = ()
    """Parts that must be shown not to have fallen, as headlines must: `adversarial`, `pope:yes_ratio`."""

    def margins(
        self, key: str, tests: int, scale: Scale = PLAIN, *, total: bool = False, share: float = 1.0
    ) -> Margins:
        """What holds for a task, or a part of it; in `total`, since its anchor. `share` of alpha is for these tests.

        Raises UsageError where a drop must be found that is allowed.
        """
        allowed = _of(self.max_drop, key, scale)
        allowed = USUAL.of(scale.span) if allowed is None else allowed
        if total:
            total_drop = _of(self.max_total_drop, key, scale)
            allowed = (2 * allowed or USUAL.of(scale.span)) if total_drop is None else total_drop
            found = 2 * allowed or USUAL.of(scale.span)
            return Margins(allowed, found, self.alpha, self.power, tests, share)
        detectable = _of(self.min_detectable_drop, key, scale)
        detectable = (2 * allowed or USUAL.of(scale.span)) if detectable is None else detectable
        if detectable <= allowed and not scale.names:
            problem = f"{key}: a drop of {detectable:g} must be detectable while one of {allowed:g} is allowed"
            raise UsageError(problem, hint="give --min-detectable-drop more than --max-drop")
        return Margins(allowed, max(detectable, allowed), self.alpha, self.power, tests, share)

    def to_json(self) -> dict[str, Any]:
        """For scripts: amounts as numbers in the own unit, or as `1 %`."""
        plain = asdict(self)
        for name in ("max_drop", "min_detectable_drop", "max_total_drop"):
            plain[name] = {key: _plain(one) for key, one in getattr(self, name).items()}
        return plain


@dataclass(frozen=True)
class Floor:
    """A floor under a run that is broken."""

    key: str
    kind: str
    """`coverage`, or the status that came too often."""
    what: str


def sensible(rules: GateRules) -> None:
    """Raise UsageError for rules that contradict themselves."""
    for name, share in (("--alpha", rules.alpha), ("--power", rules.power)):
        if not 0 < share < 1:
            raise UsageError(f"{name} {share:g} is not between 0 and 1", hint="0.05 and 0.8 are usual")
    for option, drops in (("--max-drop", rules.max_drop), ("--max-total-drop", rules.max_total_drop)):
        if any(not 0 <= _amount(drop).number < float("inf") for drop in drops.values()):
            raise UsageError(f"{option} is below 0", hint="give the drop that is allowed, as a positive number")
    if not 0 <= rules.min_coverage <= 1:
        raise UsageError(f"--min-coverage {rules.min_coverage:g} is no share", hint="give a number from 0 to 1")


def names_known(rules: GateRules, keys: Iterable[str], parts: Mapping[str, Collection[str]]) -> None:
    """Raise UnknownNameError for an amount of a task or part that the runs lack: it would hold for nothing.

    `parts`: by task key, what its parts may be called.
    """
    keys = list(dict.fromkeys(keys))
    known = [*keys, *dict.fromkeys(map(bare_name, keys))]
    given = (
        ("--max-drop", rules.max_drop),
        ("--min-detectable-drop", rules.min_detectable_drop),
        ("--max-total-drop", rules.max_total_drop),
    )
    for option, drops in given:
        for name in (name for name in drops if name and name not in known):
            task, part = of_part(name, known)
            if not task:
                more = f"{option} names tasks, by key or by name, or a part of one: pope:adversarial"
                raise UnknownNameError("task of these runs", name, known, more)
            there = {one for key, names in parts.items() if task in (key, bare_name(key)) for one in names}
            if part not in there:
                raise UnknownNameError(f"part of {task}", part, there, f"there are: {', '.join(sorted(there))}")


def of_part(name: str, known: Iterable[str]) -> tuple[str, str]:
    """(task, part) of `task:part`; ("", name) where no known task is named. Keys may hold colons themselves."""
    tasks = [key for key in known if name.startswith(f"{key}:")]
    task = max(tasks, key=len, default="")
    return task, name[len(task) + 1 :] if task else name


def floors(task: StoredTask, rules: GateRules, *, early: bool = False) -> list[Floor]:
    """The floors that a task's run breaks; of a run that its gate ended (`early`), among the questions asked."""
    broken = []
    coverage = float(task.scores.get("coverage", 0.0))
    if early:
        asked = len(task.items) - _statuses(task).get(Status.NOT_ASKED, 0)
        coverage = round(coverage * len(task.items)) / max(1, asked)
    if coverage < rules.min_coverage:
        counts = ", ".join(f"{name} {count:,}" for name, count in _statuses(task).items())
        problem = f"{min(100 * coverage, 99.9):.1f} % of the samples have a score, {100 * rules.min_coverage:g} % must"
        broken.append(Floor(task.key, "coverage", f"{problem} ({counts})"))
    for name, limit in rules.max_status.items():
        count, total = _statuses(task).get(name, 0), len(task.items)
        share = limit.endswith("%")
        if count > (float(limit[:-1]) / 100 * total if share else float(limit)):
            broken.append(Floor(task.key, name, f"{count:,} of {total:,} samples ended as {name}; allowed: {limit}"))
    return broken


def read_amounts(text: str, option: str) -> dict[str, Amount]:
    """`1%`, or `1%,mme=20,pope:adversarial=2`: by task or part, "" for all others. Raises UsageError."""
    return amounts.parse(text, option)


def read_limits(text: str) -> dict[str, str]:
    """`error=0,truncated=1%`: by status. Raises UsageError."""
    limits: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, limit = part.partition("=")
        if name not in set(Status) or not limit.removesuffix("%").replace(".", "", 1).isdigit():
            hint = f"write --max-status error=0,truncated=1%; statuses: {', '.join(Status)}"
            raise UsageError(f"cannot read {part!r} in --max-status", hint=hint)
        limits[name] = limit
    return limits


def given_amounts(value: float | str | Mapping[str, float | str] | None, option: str) -> dict[str, Amount]:
    """Amounts as Python callers give them: a number in the own unit, `1%`, or such by task. Raises UsageError."""
    if value is None:
        return {}
    by_task = value if isinstance(value, Mapping) else {"": value}
    return {name: amounts.parse(str(one), option)[""] for name, one in by_task.items()}


def _of(drops: Amounts, key: str, scale: Scale) -> float | None:
    """The amount for a task, or for one of its parts, in the unit of what is tested; None where there is none."""
    tasks = (key, bare_name(key))
    own = [f"{task}:{name}" for name in scale.names for task in tasks]
    if named := next((name for name in own if name in drops), ""):
        return _amount(drops[named]).of(scale.span)
    name = next((name for name in (*tasks, "") if name in drops), None)
    if name is None:
        return None
    amount = _amount(drops[name])
    if scale.names and not amount.percent:
        return amount.number / scale.whole * scale.span
    return amount.of(scale.span)


def _amount(value: Amount | float) -> Amount:
    return value if isinstance(value, Amount) else Amount(value)


def _plain(value: Amount | float) -> float | str:
    amount = _amount(value)
    return str(amount) if amount.percent else amount.number


def _statuses(task: StoredTask) -> dict[str, int]:
    counts: dict[str, int] = dict.fromkeys(map(str, Status), 0)
    for item in task.items:
        counts[str(item.score.status)] += 1
    return {name: count for name, count in counts.items() if count}
