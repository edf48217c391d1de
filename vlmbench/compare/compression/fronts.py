"""Which forms of a model no other form beats, and the study as Markdown and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

COSTS = {"bytes": "MB", "flops": "GFLOPs per question", "latency": "ms to the first token"}
SCALES = {"bytes": 1e-6, "flops": 1e-9, "latency": 1e3}


def front(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Names of the points (cost, score) that no other point beats: none is as cheap and better, or as good and cheaper.

    Sorted by cost. Equal points are all kept.
    """
    kept = [
        name
        for name, (cost, score) in points.items()
        if not any(c <= cost and s >= score and (c, s) != (cost, score) for c, s in points.values())
    ]
    return sorted(kept, key=lambda name: points[name])


def fronts(cells: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, list[str]]]:
    """By task and cost: the names of the cells on the front. Where less is better, scores count negative."""
    found: dict[str, dict[str, list[str]]] = {}
    done = [cell for cell in cells if not cell["reason"]]
    for key in dict.fromkeys(key for cell in done for key in cell["tasks"]):
        found[key] = {}
        for cost in COSTS:
            points = {
                cell["name"]: (float(cell[cost]), (-1 if told["better"] == "less" else 1) * float(told["score"]))
                for cell in done
                if (told := cell["tasks"].get(key)) and told["score"] is not None and cell[cost] is not None
            }
            found[key][cost] = front(points)
    return found


def columns(study: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the table: a row for each cell, costs, then score and difference with its interval by task."""
    keys = list(study["fronts"])
    head = ["form", *COSTS.values()]
    head += [title for key in keys for title in (key, f"{key}: difference", f"{key}: on the front of")]
    rows = []
    for cell in study["cells"]:
        row = [cell["name"]]
        row += ["" if cell[cost] is None else f"{cell[cost] * SCALES[cost]:.4g}" for cost in COSTS]
        for key in keys:
            told = cell["tasks"].get(key)
            if cell["reason"] or told is None:
                row += [f"not possible: {cell['reason']}" if cell["reason"] else "", "", ""]
                continue
            row += [_number(told["score"]), _difference(told)]
            row += [", ".join(cost for cost, names in study["fronts"][key].items() if cell["name"] in names)]
        rows.append(row)
    return head, rows


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _difference(told: Mapping[str, Any]) -> str:
    if told.get("difference") is None:
        return ""
    interval = f" ({told['low']:+.2f} to {told['high']:+.2f})" if told["low"] is not None else ""
    return f"{told['difference']:+.2f}{interval}"


def markdown(study: Mapping[str, Any]) -> str:
    """The study as a Markdown table."""
    head, rows = columns(study)
    lines = [f"# What compression costs: {study['model']}", "", _line(head), _line(["---"] * len(head))]
    return "\n".join([*lines, *map(_line, rows), "", NOTE]) + "\n"


NOTE = (
    "Differences are paired with the first row, on the same questions, with 95 % intervals. Bytes are those of the "
    "weights in memory; FLOPs and latency are of one image and a question of 32 tokens. A form is on the front of a "
    "cost when no other form is as cheap and better, or as good and cheaper."
)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def as_csv(study: Mapping[str, Any]) -> str:
    """The study as CSV."""
    out = io.StringIO()
    head, rows = columns(study)
    csv.writer(out, lineterminator="\n").writerows([head, *rows])
    return out.getvalue()
