"""evalscope's reports: the figures of a benchmark, over all of its questions and by subset."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from vlmbench.runs.imports.readers.files import File, as_list, as_mapping, number, words
from vlmbench.runs.imports.readers.nouns import Figure, PeerRow

DIGITS = 4
"""Decimals of a report's scores."""


def is_report(file: File) -> bool:
    """Whether a file is a report."""
    return b'"metrics"' in file.head and "dataset_name" in file.top and bool(as_list(file.top.get("metrics")))


def subsets(report: File) -> dict[str, int]:
    """Each subset that a report tells of, with its number of questions."""
    found: dict[str, int] = {}
    for metric in as_list(report.top.get("metrics")):
        for category in as_list(as_mapping(metric).get("categories")):
            for subset in as_list(as_mapping(category).get("subsets")):
                told = as_mapping(subset)
                found[words(told.get("name"))] = int(number(told.get("num")) or 0)
    return found


def metric_name(metric: Mapping[str, Any]) -> tuple[str, Mapping[str, Any], str]:
    """(name, dimensions, as it is shown)."""
    identity = as_mapping(metric.get("identity"))
    name = words(identity.get("name") or metric.get("name"))
    dimensions = as_mapping(identity.get("dimensions"))
    shown = f"{name} {dict(sorted(dimensions.items()))}" if dimensions else name
    return name, dimensions, shown.replace("'", '"')


def figures(
    metric: Mapping[str, Any], rows: Sequence[PeerRow], failed: Mapping[str, str], yes_no: bool
) -> list[Figure]:
    """One metric of a report: over all, and by subset. `failed`: metrics that could not be computed, and why."""
    name, dimensions, shown = metric_name(metric)
    own = name.lower() if yes_no else _row_metric(name, dimensions, rows)
    broken = next((error for key, error in failed.items() if name.lower() == key.lower()), "")
    note = f"it failed: {broken}" if broken else ""
    plain = any(not 0 <= row.scores.get(own, 0) <= 1 for row in rows)
    scale = 1.0 if plain else 0.01
    found = [Figure(shown, number(metric.get("score")), own, scale, digits=DIGITS, note=note)]
    for category in as_list(metric.get("categories")):
        for subset in as_list(as_mapping(category).get("subsets")):
            told = as_mapping(subset)
            label = words(told.get("name"))
            bar = f"{label}_{own}" if yes_no else f"subset_{label}_{own}"
            stated = number(told.get("score"))
            found.append(Figure(f"{shown}: {label}", stated, bar if own else "", scale, digits=DIGITS, note=note))
    return found


def _row_metric(name: str, dimensions: Mapping[str, Any], rows: Sequence[PeerRow]) -> str:
    """What reviews call a metric of a report; empty where they have none."""
    known = {key.lower(): key for row in rows for key in row.scores}
    short = {"recall": "r", "precision": "p", "f1": "f"}.get(words(dimensions.get("statistic")), "")
    variant = words(dimensions.get("ngram") or dimensions.get("variant"))
    spelled = "-".join(part for part in (name.lower(), variant, short) if part)
    bare = re.sub(r"^(mean|average)_?", "", name.lower())
    aliases = (spelled, name.lower(), bare, {"accuracy": "acc"}.get(name.lower(), ""), f"avg_{name.lower()}")
    found = next((known[alias] for alias in aliases if alias in known), "")
    return found or (
        next(iter(known.values())) if len(known) == 1 and name.lower().endswith(("accuracy", "acc")) else ""
    )
