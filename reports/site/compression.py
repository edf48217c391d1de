"""What compression costs, as one page that opens from disk: a plot for each task and cost, and the table."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vlmbench.compare.compression import fronts

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 520, 300, 60, 14, 120, 40
STYLE = (
    "body{font:15px system-ui,sans-serif;margin:2em auto;max-width:1150px;padding:0 1em;color:#1c2733;background:#fff}"
    "table{border-collapse:collapse;font-size:13px}td,th{border:1px solid #c9d2dc;padding:3px 7px;text-align:right}"
    "td:first-child,th:first-child{text-align:left}svg{max-width:100%;margin:0 1em 1em 0}.box{overflow-x:auto}"
)


def page(study: Mapping[str, Any]) -> str:
    """The whole page; all names are escaped."""
    head, rows = fronts.columns(study)
    title = html.escape(f"What compression costs: {study['model']}")
    plots = "".join(_plot(study, key, cost) for key in study["fronts"] for cost in fronts.COSTS)
    table = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    names = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        f"<h1>{title}</h1>{plots}<div class=box><table><tr>{names}</tr>{table}</table></div>"
        f"<p>{html.escape(fronts.NOTE)}</p></html>\n"
    )


def _plot(study: Mapping[str, Any], key: str, cost: str) -> str:
    """Score by cost: a point for each form, whiskers of the difference's interval, and the front as a line."""
    cells = [cell for cell in study["cells"] if not cell["reason"] and cell[cost] is not None and key in cell["tasks"]]
    cells = [cell for cell in cells if cell["tasks"][key]["score"] is not None]
    if not cells:
        return ""
    xs = [cell[cost] * fronts.SCALES[cost] for cell in cells]
    told = [cell["tasks"][key] for cell in cells]
    ranges = [_range(one, told[0]["score"]) for one in told]
    x_of = Scale(xs, LEFT, WIDTH - RIGHT, zero=True)
    y_of = Scale([end for pair in ranges for end in pair], HEIGHT - BOTTOM, TOP, zero=False)
    on = study["fronts"][key][cost]
    parts = list(_axes(key, fronts.COSTS[cost], x_of, y_of))
    places = {c["name"]: (x_of(x), y_of(one["score"])) for c, x, one in zip(cells, xs, told, strict=True)}
    line = " ".join(f"{places[name][0]:.1f},{places[name][1]:.1f}" for name in on)
    parts.append(f'<polyline points="{line}" fill="none" stroke="#c2571a"/>')
    for cell, (low, high) in zip(cells, ranges, strict=True):
        x, y = places[cell["name"]]
        color = "#c2571a" if cell["name"] in on else "#3f6ea8"
        name = html.escape(cell["name"])
        parts.append(f'<path d="M{x:.1f},{y_of(low):.1f}V{y_of(high):.1f}" stroke="{color}" opacity=".5"/>')
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{color}"><title>{name}</title></circle>')
        parts.append(f'<text x="{x + 6:.1f}" y="{y - 4:.1f}" font-size="9">{name}</text>')
    head = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img" font-family="system-ui">'
    return f"{head}{''.join(parts)}</svg>"


def _range(told: Mapping[str, Any], base: float) -> tuple[float, float]:
    """The ends of a score's whiskers: the whole model's score and the ends of the difference."""
    if told.get("difference") is None or told["low"] is None:
        return told["score"], told["score"]
    return min(base + told["low"], told["score"]), max(base + told["high"], told["score"])


class Scale:
    """Values to places."""

    def __init__(self, values: Sequence[float], start: float, end: float, *, zero: bool) -> None:
        self.low, self.high = 0.0 if zero else min(values), max(values)
        self.start, self.end = start, end

    def __call__(self, value: float) -> float:
        """The place of a value."""
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return self.start + share * (self.end - self.start)


def _axes(key: str, label: str, x_of: Scale, y_of: Scale) -> Iterator[str]:
    bottom = HEIGHT - BOTTOM
    yield f'<path d="M{LEFT},{TOP}V{bottom}H{WIDTH - RIGHT}" fill="none" stroke="#5b6b7c"/>'
    for value in (x_of.low, x_of.high):
        yield f'<text x="{x_of(value):.1f}" y="{bottom + 14}" font-size="10" text-anchor="middle">{value:.4g}</text>'
    for value in dict.fromkeys((y_of.low, y_of.high)):
        yield f'<text x="{LEFT - 5}" y="{y_of(value) + 3:.1f}" font-size="10" text-anchor="end">{value:.4g}</text>'
    middle = (LEFT + WIDTH - RIGHT) / 2
    title = html.escape(f"{key} by {label}")
    yield f'<text x="{middle}" y="{HEIGHT - 8}" font-size="11" text-anchor="middle">{title}</text>'
