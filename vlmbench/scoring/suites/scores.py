"""A suite's entry in scores.json, computed from its members' entries there.

The average has a value only where every member is there and has one; a note says what is lacking otherwise. Its
interval is MOVER's (stats/combined.py): members count as independent, the metrics of one member as dependent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from vlmbench.base.samples import Status
from vlmbench.scoring.suites.suite import AVERAGE, NO_FORMULA, Member, Suite, of_json
from vlmbench.stats.combined import Part, weighted_sum
from vlmbench.stats.intervals import LEVEL, Estimate

NOT_BUILT_IN, ARE_NOT_BUILT_IN = "is not in vlmbench", "are not in vlmbench"
NOT_RUN, WERE_NOT_RUN = "was not run", "were not run"
SERVER, SERVERS = "is scored by its server alone", "are scored by their servers alone"


def entries(suites: Mapping[str, Mapping[str, Any]], scores: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of scores.json for the suites of run.json, by key. `scores` are the tasks' entries."""
    return {key: entry(of_json(content), scores) for key, content in suites.items()}


def entry(suite: Suite, scores: Mapping[str, Any]) -> dict[str, Any]:
    """One suite's entry: {average: {value, low, high, n}, coverage, headline, level, members, missing, formula, ...}.

    `coverage` is the lowest of the members that were run. `statuses` is empty, since samples belong to the members.
    """
    here = [scores[one.task] for one in suite.members if one.task in scores]
    lacking = {one.benchmark: reason for one in suite.members if (reason := _lacking(one, scores))}
    notes = [suite.note] if suite.note else []
    average: dict[str, Any] = {"value": None, "low": None, "high": None, "n": 0}
    if not suite.formula or lacking:
        reasons = [] if suite.formula else [NO_FORMULA]
        reasons += _sentences(lacking)
        average["note"] = f"no average: {'; '.join(reasons)}"
        notes.insert(0, average["note"])
    else:
        average = weighted_sum(_groups(suite, scores)).to_json()
    return {
        AVERAGE: average,
        "members": [_told(one, scores) for one in suite.members],
        "missing": list(lacking),
        "formula": suite.formula_text,
        "formula_source": suite.formula_source,
        "source": suite.source,
        "notes": notes,
        "coverage": min((float(one["coverage"]) for one in here), default=0.0),
        "statuses": {},
        "headline": AVERAGE,
        "level": next((one["level"] for one in here if "level" in one), LEVEL),
    }


def _sentences(lacking: Mapping[str, str]) -> list[str]:
    """`MMStar is not in vlmbench`; members that lack for the same reason share one."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in lacking.items():
        by_reason.setdefault(reason, []).append(name)
    plural = {NOT_BUILT_IN: ARE_NOT_BUILT_IN, NOT_RUN: WERE_NOT_RUN, SERVER: SERVERS}
    return [
        f"{', '.join(names)} {plural.get(reason, reason) if len(names) > 1 else reason}"
        for reason, names in by_reason.items()
    ]


def metric_names(member: Member, headline: str) -> tuple[str, ...]:
    """The metrics that a member's figure is the mean of."""
    return member.metrics or (headline,)


def _lacking(member: Member, scores: Mapping[str, Any]) -> str:
    """Why a member has no figure, as words behind its name; empty where it has one."""
    if not member.task:
        return NOT_BUILT_IN
    found = scores.get(member.task)
    if found is None:
        return NOT_RUN
    for name in metric_names(member, found["headline"]):
        if _value(found, name) is not None:
            continue
        statuses = found["statuses"]
        if statuses.get(str(Status.UNLABELED)):
            return SERVER
        if not statuses.get(str(Status.OK)):
            counts = ", ".join(f"{status} {count:,}" for status, count in statuses.items()) or "no sample"
            return f"failed: no sample has a score ({counts})"
        return f"has no {name}"
    return ""


def _value(found: Mapping[str, Any], name: str) -> float | None:
    metric = found.get(name)
    value = metric.get("value") if isinstance(metric, dict) else None
    return None if value is None or not math.isfinite(value) else float(value)


def _groups(suite: Suite, scores: Mapping[str, Any]) -> list[list[Part]]:
    """The weighted estimates, those of one task together: they are of the same answers."""
    groups: dict[str, list[Part]] = {}
    for share, member in zip(suite.shares(), suite.members, strict=True):
        found = scores[member.task]
        names = metric_names(member, found["headline"])
        parts = [(share / len(names), _estimate(found[name])) for name in names]
        groups.setdefault(member.task, []).extend(parts)
    return list(groups.values())


def _estimate(metric: Mapping[str, Any]) -> Estimate:
    return Estimate(float(metric["value"]), metric["low"], metric["high"], int(metric["n"]))


def _told(member: Member, scores: Mapping[str, Any]) -> dict[str, Any]:
    """A member and its own figure, before it is divided."""
    found = scores.get(member.task)
    names = metric_names(member, found["headline"]) if found else member.metrics
    values = [_value(found, name) for name in names] if found else []
    known = [value for value in values if value is not None]
    value = math.fsum(known) / len(known) if known and len(known) == len(values) else None
    told = {"benchmark": member.benchmark, "task": member.task or None, "metrics": list(names), "figure": value}
    return told | {"divide_by": member.divide_by, "weight": member.weight}
