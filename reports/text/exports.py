"""The site's tables as files: Markdown, CSV, LaTeX and JSON.

Cells hold hostile text. Each format escapes what would end a cell, start markup, or run as a formula.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from vlmbench.base.process.terminal import clean
from vlmbench.scoring.shrunk import MEANING

from ..runs import level_words
from .table import coverage, grid, number

Cell = str | int | float | None


class Share(float):
    """A share: a number in CSV and JSON, a percentage for people, rounded to 100 only where it is exact."""


@dataclass(frozen=True)
class Table:
    """Rows of plain values under named columns."""

    name: str
    """The name of its files."""
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]


def files(tables: Sequence[Table]) -> dict[str, bytes]:
    """{path: content}: each table in each format."""
    return {
        f"{table.name}.{suffix}": write(table).encode("utf-8", "replace")
        for table in tables
        for suffix, write in FORMATS.items()
    }


def markdown(table: Table) -> str:
    """A pipe table under its title."""
    right = [name for column, name in enumerate(table.head) if _numeric(table, column)]
    rows = [[_shown(cell) for cell in row] for row in table.rows]
    return "\n".join([f"**{clean(table.title)}**", "", *grid(table.head, rows, right)]) + "\n"


def comma_separated(table: Table) -> str:
    """Values at full precision, empty where there is none; text that a spreadsheet would compute starts with '."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_inert(name) for name in table.head])
    writer.writerows([_inert(cell) if isinstance(cell, str) else cell for cell in row] for row in table.rows)
    return out.getvalue()


def latex(table: Table) -> str:
    """A tabular with the rules of booktabs."""
    columns = "".join("r" if _numeric(table, column) else "l" for column in range(len(table.head)))
    lines = [" & ".join(tex(_shown(cell)) for cell in row) + r" \\" for row in table.rows]
    head = " & ".join(tex(name) for name in table.head) + r" \\"
    return "\n".join(
        [
            f"% {clean(table.title)}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            head,
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def json(table: Table) -> str:
    """One object per row."""
    rows = [dict(zip(table.head, row, strict=True)) for row in table.rows]
    return orjson.dumps({"title": table.title, "rows": rows}, default=float, option=orjson.OPT_INDENT_2).decode() + "\n"


FORMATS: Mapping[str, Callable[[Table], str]] = {
    "md": markdown,
    "csv": comma_separated,
    "tex": latex,
    "json": json,
}
"""Suffix to writer."""

_TEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
}


def tex(text: str) -> str:
    """Text of which LaTeX acts on no character."""
    return "".join(_TEX.get(character, character) for character in text)


def _inert(text: str) -> str:
    """Text that a spreadsheet does not take for a formula."""
    text = clean(text)
    return f"'{text}" if text.lstrip()[:1] in ("=", "+", "-", "@") and text != "-" else text


def _shown(cell: Cell) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, Share):
        return coverage(cell)
    if isinstance(cell, float):
        return number(cell) if abs(cell) >= 0.1 or not cell else f"{cell:.2g}"
    return f"{cell:,}" if isinstance(cell, int) else clean(cell)


def _numeric(table: Table, column: int) -> bool:
    cells = [row[column] for row in table.rows if row[column] is not None]
    return bool(cells) and not any(isinstance(cell, str) for cell in cells)


def tables(
    report: Mapping[str, Any],
    details: Mapping[str, Mapping[str, Any]],
    compared: Mapping[tuple[str, str], Mapping[str, Any]],
) -> list[Table]:
    """The tables of a site: the leaderboard, every metric, what was published, differences of compared runs."""
    return [
        _leaderboard(report),
        _metrics(report, details),
        *([_labels(report)] if any(task["labels"] for run in report["runs"] for task in run["tasks"]) else []),
        *([_history(report)] if report["histories"] else []),
        *([_published(report)] if report["published"] else []),
        *([_differences(report, compared)] if any(comparison["tasks"] for comparison in compared.values()) else []),
        *([_recipes(report)] if report.get("recipes") else []),
    ]


def _leaderboard(report: Mapping[str, Any]) -> Table:
    costs = list(next((run["costs"] for run in report["runs"]), {}))
    if all(run["costs"].get("reasoning_tokens") is None for run in report["runs"]):
        costs = [name for name in costs if name != "reasoning_tokens"]
    head = [
        "task",
        "run",
        "protocol",
        "data",
        "metric",
        "value",
        "low",
        "high",
        "n",
        "if missing wrong",
        "if missing right",
        "low with missing",
        "high with missing",
    ]
    head += ["first rank", "last rank", "gap to the best", "low gap", "high gap", "best or not told apart"]
    head += ["too few to tell", "coverage", *costs, "finished", "commit", "notes"]
    runs = {run["id"]: run for run in report["runs"]}
    rows: list[list[Cell]] = []
    for line in report["rows"]:
        for key, name in line["cells"].items():
            run, column = runs[name], report["columns"][key]
            task = next(one for one in run["tasks"] if one["key"] == key)
            bar, gap = task["bar"], column["gaps"].get(line["id"]) or {}
            row = [key, line["label"], task["protocol"], task["data"], task["headline"], bar["value"]]
            row += [bar["low"], bar["high"], bar["n"], *(bar["bounds"] or (None, None))]
            row += [*(bar["bounds_interval"] or (None, None)), *column["ranks"].get(line["id"], [None, None])]
            row += [0.0 if line["id"] == column["best"] else gap.get("value"), gap.get("low"), gap.get("high")]
            row += ["yes" if line["id"] in column[name] else "" for name in ("bold", "few")]
            row += [Share(task["coverage"]), *(line["costs"][name] for name in costs), run["finished"], run["commit"]]
            rows.append([*row, "; ".join(task["notes"]) or None])
    order = {task: place for place, task in enumerate(dict.fromkeys(row[0] for row in rows))}
    rows.sort(key=lambda row: (order[row[0]], -_least(row)))
    return Table("leaderboard", f"Leaderboard, {report['built']}. Intervals are {_levels(report)}.", head, rows)


def _levels(report: Mapping[str, Any]) -> str:
    return level_words(task["level"] for run in report["runs"] for task in run["tasks"])


def _least(row: Sequence[Cell]) -> float:
    """A row's value for sorting: where questions have no score, what it would be if they were all wrong."""
    value = row[5] if row[9] is None else row[9]
    return float(value) if isinstance(value, int | float) else -1e99


def _metrics(report: Mapping[str, Any], details: Mapping[str, Mapping[str, Any]]) -> Table:
    head = ["run", "task", "metric", "breakdown", "label", "value", "low", "high", "n", "why no interval"]
    head += ["if missing wrong", "if missing right", "low with missing", "high with missing"]
    every = [task for run in report["runs"] for task in details[run["id"]]["tasks"].values()]
    shrink = any(bar["shrunk"] for task in every for one in task["breakdowns"] for bar in one["bars"])
    head += ["shrunk value", "shrunk low", "shrunk high", "why not shrunk"] if shrink else []
    rows: list[list[Cell]] = []
    for run in report["runs"]:
        for key, task in details[run["id"]]["tasks"].items():
            bars = [("", bar) for bar in task["metrics"]]
            bars += [(one["name"], bar) for one in task["breakdowns"] for bar in one["bars"]]
            for breakdown, bar in bars:
                numbers = [bar[name] for name in ("value", "low", "high", "n")]
                missing = [end for name in ("bounds", "bounds_interval") for end in bar[name] or (None, None)]
                names = [run["label"], key, bar["name"], breakdown, bar["label"]]
                drawn = (
                    [(bar["shrunk"] or {}).get(name) for name in ("value", "low", "high", "reason")] if shrink else []
                )
                rows.append([*names, *numbers, bar["reason"] or None, *missing, *drawn])
    title = f"Every metric and breakdown. Intervals are {_levels(report)}."
    return Table("metrics", f"{title} Shrunk: {MEANING}." if shrink else title, head, rows)


def _labels(report: Mapping[str, Any]) -> Table:
    estimates = ("value", "people", "bias")
    head = ["task", "run", "metric", "judge", "judge and labels", "low", "high", "labels alone", "low alone"]
    head += [
        "high alone",
        "bias",
        "low bias",
        "high bias",
        "weighted kappa",
        "Krippendorff's alpha",
        "labels",
        "needed",
    ]
    rows: list[list[Cell]] = []
    for run in report["runs"]:
        for task in (task for task in run["tasks"] if task["labels"]):
            one = task["labels"]
            ends = [(one.get(name) or {}).get(end) for name in estimates for end in ("value", "low", "high")]
            agreement = [one["kappa"], one["krippendorff_alpha"], one["labels"], one.get("needed")]
            rows.append([task["key"], run["label"], one["metric"], one["judge"], *ends, *agreement])
    return Table(
        "labels", "The judge and people's labels together; needed: labels more that halve the width.", head, rows
    )


def _history(report: Mapping[str, Any]) -> Table:
    runs = {run["id"]: run for run in report["runs"]}
    head = ["history", "task", "run", "finished", "commit", "metric", "value", "low", "high", "coverage"]
    head += ["change", "p of drift", "drift since"]
    rows: list[list[Cell]] = []
    for one in report["histories"]:
        for key in dict.fromkeys(task["key"] for name in one["runs"] for task in runs[name]["tasks"]):
            trend = one["trends"][key]
            steps = {step["run"]: step for step in trend["steps"]}
            since = {alarm["run"]: alarm["since"] for alarm in trend["alarms"]}
            for name in one["runs"]:
                run, step = runs[name], steps.get(name)
                for task in (task for task in run["tasks"] if task["key"] == key):
                    bar = task["bar"]
                    values = [bar["value"], bar["low"], bar["high"], Share(task["coverage"])]
                    drift = [-step["fall"] if step else None, step["p"] if step else None]
                    names = [one["name"], key, run["label"], run["finished"], run["commit"], task["headline"]]
                    rows.append([*names, *values, *drift, runs[since[name]]["label"] if name in since else None])
    title = "Runs of one model over time. change: paired with the run before, better is positive."
    return Table("history", title, head, rows)


def _published(report: Mapping[str, Any]) -> Table:
    head = ["task", "model", "metric", "value", "protocol", "source", "certainty", "why not comparable"]
    rows: list[list[Cell]] = [
        [key, *(row[name] for name in ("model", "metric", "value", "protocol", "source", "certainty", "why"))]
        for key, figures in report["published"].items()
        for row in figures
    ]
    return Table("published", "Published figures for the same benchmarks and splits.", head, rows)


def _recipes(report: Mapping[str, Any]) -> Table:
    head = ["recipe", "task", "metric", "seeds", "mean", "low", "high"]
    head += ["error of questions", "of answers", "of seeds", "n"]
    level = level_words(task["level"] for recipe in report["recipes"] for task in recipe["tasks"])
    rows: list[list[Cell]] = []
    for recipe in report["recipes"]:
        for task in recipe["tasks"]:
            parts = task["parts"]
            errors = [parts[name] for name in ("between_questions", "within_questions", "between_runs")]
            ends = [task[name] for name in ("value", "low", "high")]
            rows.append([recipe["name"], task["key"], task["metric"], parts["count"], *ends, *errors, task["n"]])
    return Table("recipes", f"Means over training seeds. Intervals are {level}, over questions and seeds.", head, rows)


def _differences(report: Mapping[str, Any], compared: Mapping[tuple[str, str], Mapping[str, Any]]) -> Table:
    labels = {one["id"]: one["label"] for one in (*report["runs"], *report["rows"])}
    head = ["before", "after", "task", "metric", "breakdown", "label", "value before", "value after", "difference"]
    head += ["low", "high", "p", "p (Holm)", "margin", "p of the same (Holm)", "verdict", "better", "test", "n"]
    level = level_words(task["level"] for comparison in compared.values() for task in comparison["tasks"])
    rows: list[list[Cell]] = []
    for (before, after), comparison in compared.items():
        for task in comparison["tasks"]:
            for metric in (*task["differences"], *task["breakdowns"]):
                paired = metric["paired"]
                names = [labels[before], labels[after], task["key"], metric["name"]]
                ends = [paired["difference"][name] for name in ("value", "low", "high")]
                values = [
                    metric.get("breakdown", ""),
                    metric.get("label", ""),
                    metric["before"],
                    metric["after"],
                    *ends,
                ]
                same = metric.get("equivalence") or {}
                tests = [paired["p"], metric.get("p_holm"), same.get("margin"), same.get("p_holm")]
                tests += [metric.get("verdict"), metric.get("better", "more"), paired["method"], paired["n"]]
                rows.append([*names, *values, *tests])
    return Table(
        "differences",
        f"Paired differences (after less before). Intervals are {level}; p (Holm): over a task's metrics or bars.",
        head,
        rows,
    )
