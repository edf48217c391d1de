"""The efficiency columns of a leaderboard. None stands for what was not measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..runs import RunResult

COLUMNS: Mapping[str, str] = {
    "per_second": "questions/s",
    "seconds_per_word": "s/word",
    "reasoning_tokens": "thinking tokens/answer",
    "peak_memory_bytes": "peak memory",
    "weight_bytes": "weights",
    "parameters": "parameters",
    "judge_usd": "judge cost",
    "energy_joules": "energy",
}
"""Name in the data to head of the column."""

ENERGY = ("energy_joules", "energy_j")
"""Names of measured energy in the model's facts or the hardware's."""


def costs(run: RunResult, stats: Mapping[str, Mapping[str, Any]]) -> dict[str, float | None]:
    """A number per column of COLUMNS, of all tasks of a run together. `stats`: its answer statistics by task."""
    facts = run.manifest.get("model", {}).get("facts", {})
    questions = sum(task["distinct"] for task in stats.values())
    seconds = sum(task["seconds"] for task in stats.values())
    words = sum(task["words"] for task in stats.values())
    hardware = run.manifest.get("hardware") or {}
    thoughts = sum((task.get("reasoning_tokens") or 0.0) * task["distinct"] for task in stats.values())
    energy = next((value for name in ENERGY for value in (facts.get(name), hardware.get(name)) if value), None)
    return {
        "per_second": questions / seconds if seconds else None,
        "seconds_per_word": seconds / words if seconds and words else None,
        "reasoning_tokens": thoughts / questions if thoughts else None,
        "peak_memory_bytes": _number(facts.get("peak_memory_bytes")),
        "weight_bytes": _number(facts.get("weight_bytes")),
        "parameters": _number(facts.get("parameters")),
        "judge_usd": _number((run.manifest.get("judge") or {}).get("usd")),
        "energy_joules": _number(energy),
    }


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
