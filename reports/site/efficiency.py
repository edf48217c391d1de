"""The efficiency columns of a leaderboard. None stands for what was not measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from vlmbench.base.errors import StoreError

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

ADDED = ("judge_usd", "energy_joules")
"""Columns that add up over the runs of one model."""


def costs(run: RunResult, stats: Mapping[str, Mapping[str, Any]]) -> dict[str, float | None]:
    """A number per column of COLUMNS, of all tasks of a run together. `stats`: its answer statistics by task."""
    facts = run.manifest.get("model", {}).get("facts", {})
    hardware = run.manifest.get("hardware") or {}
    energy = next((value for name in ENERGY for value in (facts.get(name), hardware.get(name)) if value), None)
    return {
        **_speeds(stats),
        "peak_memory_bytes": _number(facts.get("peak_memory_bytes")),
        "weight_bytes": _number(facts.get("weight_bytes")),
        "parameters": _number(facts.get("parameters")),
        "judge_usd": _number((run.manifest.get("judge") or {}).get("usd")),
        "energy_joules": _number(energy),
    }


def together(parts: Sequence[Mapping[str, float | None]], stats: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The columns of several runs of one model: what adds up is added, of what does not the most counts.

    `parts` are their own columns, `stats` the answer statistics of the tasks that are shown.
    """
    found: dict[str, float | None] = _speeds(stats)
    for name in COLUMNS.keys() - found.keys():
        known = [value for part in parts if (value := part[name]) is not None]
        found[name] = (sum(known) if name in ADDED else max(known)) if known else None
    return {name: found[name] for name in COLUMNS}


def _speeds(stats: Mapping[str, Mapping[str, Any]]) -> dict[str, float | None]:
    """The columns that come from the answers."""
    questions = sum(task["distinct"] for task in stats.values())
    seconds = sum(task["seconds"] for task in stats.values())
    words = sum(task["words"] for task in stats.values())
    thoughts = sum((task.get("reasoning_tokens") or 0.0) * task["distinct"] for task in stats.values())
    return {
        "per_second": questions / seconds if seconds else None,
        "seconds_per_word": seconds / words if seconds and words else None,
        "reasoning_tokens": thoughts / questions if thoughts else None,
    }


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


LATENCY = "latency.json"
"""In a run's folder: what `vlmbench latency --output RUN` measured."""
TIMES = ("words", "pixels", "answers", "prompt_tokens", "first", "per_token", "cpu")


def latency_of(run: RunResult) -> list[dict[str, Any]] | None:
    """The measured times of a run's model, where its folder has some. Raises StoreError for a file that is damaged."""
    path = run.folder / LATENCY
    try:
        rows = orjson.loads(path.read_bytes())["latency"]
        return [_timed(row) for row in rows]
    except FileNotFoundError:
        return None
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        hint = f"measure again: vlmbench latency MODEL --output {run.folder}"
        raise StoreError(f"no file of `vlmbench latency`: {error!r}", where=str(path), hint=hint) from None


def _timed(row: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of one setting, and nothing else."""
    low, high = row["first_range"]
    share = row["decoding"]
    return {
        **{name: float(row[name]) for name in TIMES},
        "first_range": [float(low), float(high)],
        "parts": {str(name): float(value) for name, value in row["parts"].items()},
        "decoding": None if share is None else float(share),
    }
