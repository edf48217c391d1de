"""`evaluate(..., gate=BASELINE)`: the gate that may end an evaluation, from keywords, and what it made of the run.

The keywords are the options of `vlmbench run --gate`, and mean the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from vlmbench.base.errors import StoreError, UsageError

if TYPE_CHECKING:
    from vlmbench.compare.early.early_gate import EarlyGate

Drops = float | str | Mapping[str, float | str]
"""In the metric's own unit, as `1%` of its range, or such by task and part: `{"": "1%", "pope:adversarial": 2.0}`."""


class GateOptions(TypedDict, total=False):
    """Keywords of `evaluate` that say what a gate allows, as the command's options do."""

    anchor: str | Path
    max_drop: Drops
    max_total_drop: Drops
    min_detectable_drop: Drops
    must_hold: str | Sequence[str]
    metric: str
    alpha: float
    power: float
    min_coverage: float
    max_status: str | Mapping[str, str]


def opened(baseline: str | Path | None, options: GateOptions, seed: int, perturb: str) -> EarlyGate | None:
    """The gate against a baseline; None without one. Raises UsageError for options that do not fit."""
    if baseline is None:
        if options:
            raise UsageError(f"{', '.join(options)}: for a gate alone", hint="name the baseline: gate='baseline.json'")
        return None
    from vlmbench.compare.early.early_gate import EarlyGate, refuse_perturbed
    from vlmbench.runs.storage.remote_store import fetch_run_or_file

    refuse_perturbed(perturb)
    anchor = options.get("anchor")
    earlier = None if anchor is None else fetch_run_or_file(str(anchor))
    return EarlyGate(fetch_run_or_file(str(baseline)), _rules(options), seed, earlier)


def _rules(options: GateOptions) -> Any:
    from vlmbench.compare.gates.parts import read_names
    from vlmbench.compare.gates.rules import GateRules, given_amounts, read_limits

    hold, limits = options.get("must_hold", ()), options.get("max_status", {})
    plain: dict[str, Any] = {
        name: options[name] for name in ("metric", "alpha", "power", "min_coverage") if name in options
    }
    return GateRules(
        given_amounts(options.get("max_drop", "1%"), "max_drop"),
        given_amounts(options.get("min_detectable_drop"), "min_detectable_drop"),
        max_total_drop=given_amounts(options.get("max_total_drop"), "max_total_drop"),
        must_hold=read_names(hold if isinstance(hold, str) else ",".join(hold)),
        max_status=read_limits(limits if isinstance(limits, str) else ",".join(f"{k}={v}" for k, v in limits.items())),
        **plain,
    )


@dataclass(frozen=True)
class GateResult:
    """What a gate made of a run: from `evaluate(gate=...)`, `run --gate`, or `check`."""

    outcome: str
    """`pass`, `fail`, or `unknown`: too few items to tell."""
    reasons: Mapping[str, Sequence[str]]
    """By task, in sentences."""
    asked: Mapping[str, float]
    """By task, the share of its questions that were asked."""
    content: Mapping[str, Any]
    """What check.json holds: settings, tests, limits, p-values."""

    @classmethod
    def of(cls, folder: Path, summary: Mapping[str, Any]) -> GateResult | None:
        """What is kept in a run's folder; None where no gate looked at it, or where that cannot be read."""
        from vlmbench.runs.storage.run_files import read_check

        try:
            content = read_check(folder)
        except StoreError:
            return None
        if content is None:
            return None
        reasons = {key: list(entry["reasons"]) for key, entry in content["by_task"].items()}
        return cls(str(content["outcome"]), reasons, {key: _asked(summary.get(key, {})) for key in reasons}, content)

    @property
    def passed(self) -> bool:
        """Whether it was shown that nothing fell by more than allowed: `assert result.gate.passed, result.gate`."""
        return self.outcome == "pass"

    def __str__(self) -> str:
        """The outcome, and why, task by task."""
        lines = [f"{key}: {reason}" for key, told in self.reasons.items() for reason in told]
        return "\n".join([self.outcome, *lines])


def _asked(entry: Mapping[str, Any]) -> float:
    counts = entry.get("statuses", {})
    total = sum(counts.values())
    return 1 - counts.get("not_asked", 0) / total if total else 1.0
