"""What a run took: the efficiency columns of a leaderboard. None stands for what nobody measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..runs import RunResult

COLUMNS: Mapping[str, str] = {
    "per_second": "questions/s",
    "seconds_per_word": "s/word",
    "peak_memory_bytes": "peak memory",
    "weight_bytes": "weights",
    "parameters": "parameters",
    "judge_usd": "judge cost",
    "energy_joules": "energy",
}
"""Name in the data to words of a table's head."""

ENERGY = ("energy_joules", "energy_j")
"""What a machine that counts its energy may call it, in the model's facts or the hardware's."""


def costs(run: RunResult, glances: Mapping[str, Mapping[str, Any]]) -> dict[str, float | None]:
    """One number a column of COLUMNS; those of time are over all tasks of the run, each by its own answers."""
    facts = run.manifest.get("model", {}).get("facts", {})
    asked = sum(one["distinct"] for one in glances.values())
    seconds = sum(one["seconds"] for one in glances.values())
    words = sum(one["words"] for one in glances.values())
    known = run.manifest.get("hardware") or {}
    energy = next((found for name in ENERGY for found in (facts.get(name), known.get(name)) if found), None)
    return {
        "per_second": asked / seconds if seconds else None,
        "seconds_per_word": seconds / words if seconds and words else None,
        "peak_memory_bytes": _number(facts.get("peak_memory_bytes")),
        "weight_bytes": _number(facts.get("weight_bytes")),
        "parameters": _number(facts.get("parameters")),
        "judge_usd": _number((run.manifest.get("judge") or {}).get("usd")),
        "energy_joules": _number(energy),
    }


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
