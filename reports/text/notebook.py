"""What a notebook shows of a run: HTML fragments with every text escaped, and the line that stands for it elsewhere."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.base.process.terminal import clean

from ..runs import SAMPLE_NOTE, TaskResult, task_results
from .compare import p_text, signed
from .table import coverage, interval, interval_head, number

if TYPE_CHECKING:
    import pandas as pd

HEAD = ("task", "protocol", "metric", "value", "interval", "n", "coverage")
LONGEST = 400
"""Characters of a question, an answer or a target."""


def scores(manifest: Mapping[str, Any], summary: Mapping[str, Any], *, html: bool) -> str:
    """The headlines of a run: a table, or `tinyllava: pope 98.6 [97.0, 99.4], gqa 89.7 [87.2, 91.7]`."""
    results = task_results(manifest, summary)
    model = clean(str(manifest.get("model", {}).get("name", "?")))
    if not html:
        return f"{model}: {', '.join(_words(result) for result in results)}"
    head = [*HEAD[:4], interval_head(result.level for result in results), *HEAD[5:]]
    note = f"<p><em>{escape(SAMPLE_NOTE)}</em></p>" if any(result.embedded for result in results) else ""
    return f"<h4>{escape(model)}</h4>{note}{_table(head, [_row(result) for result in results])}"


def _words(result: TaskResult) -> str:
    best = result.best
    whole = "" if result.coverage == 1 else f" ({coverage(result.coverage)} of the samples)"
    around = "" if best.low is None else f" {interval(best)}"
    return f"{clean(result.key)} {number(best.value)}{around}{whole}"


def _row(result: TaskResult) -> list[str]:
    best = result.best
    cells = [result.key, result.protocol, result.headline, number(best.value), interval(best), f"{best.n:,}"]
    return [*cells, coverage(result.coverage)]


def differences(frame: pd.DataFrame) -> str:
    """A comparison's table of headlines (Compared.table)."""
    rows = [
        [
            str(task),
            row["metric"],
            _number(row["before"]),
            _number(row["after"]),
            signed(row["difference"]),
            f"[{signed(row['low'])}, {signed(row['high'])}]" if row["low"] == row["low"] is not None else "-",
            p_text(None if row["p"] is None or row["p"] != row["p"] else row["p"]),
            row["verdict"],
        ]
        for task, row in frame.iterrows()
    ]
    head = ["task", "metric", "before", "after", "difference", "interval", "p (Holm)", "verdict"]
    return _table(head, rows)


def _number(value: float) -> str:
    return number(None if value != value else value)


def samples(cards: Sequence[Mapping[str, Any]], total: int) -> str:
    """Questions side by side with their images; `cards` as api/samples.py makes them, the first of `total`."""
    style = "display:flex;flex-wrap:wrap;gap:12px"
    more = f"<p>{total - len(cards):,} more: [{len(cards)}:]</p>" if total > len(cards) else ""
    return f'<div style="{style}">{"".join(map(_card, cards))}</div>{more}' if cards else "<p>no such question</p>"


def _card(card: Mapping[str, Any]) -> str:
    images = "".join(
        f'<img src="data:image/jpeg;base64,{base64.b64encode(Path(path).read_bytes()).decode()}" alt="" '
        'style="max-width:200px;max-height:160px">'
        for path in card["images"]
    )
    value = "no score" if card["value"] is None else f"{card['value']:g}"
    lines = [("question", card["question"]), ("answer", card["answer"]), ("target", card["target"])]
    text = "".join(f"<div><b>{name}</b> {escape(str(told)[:LONGEST])}</div>" for name, told in lines)
    head = f"<small>{escape(card['id'])} · {escape(card['status'])} · {value}</small>"
    return f'<div style="width:220px;overflow-wrap:anywhere">{images}{head}{text}</div>'


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"
