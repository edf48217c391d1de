"""Small pieces of Markdown for the printed pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def cell(text: object) -> str:
    """A text that may stand in a table's cell."""
    return str(text).replace("|", "\\|").replace("\n", " ")


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table. Columns that are empty throughout are left out."""
    found = list(rows)
    kept = [n for n in range(len(heads)) if any(row[n] for row in found)]
    lines = [f"| {' | '.join(heads[n] for n in kept)} |", "|" + "---|" * len(kept)]
    return lines + [f"| {' | '.join(cell(row[n]) for n in kept)} |" for row in found]


def code(text: str) -> str:
    """A text as inline code, whatever it holds."""
    if not text:
        return "(nothing)"
    ticks = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{ticks}{text}{ticks}" if len(ticks) == 1 else f"{ticks} {text} {ticks}"


def fence(text: str) -> list[str]:
    """A text verbatim, in a fence longer than any that it holds."""
    ticks = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return [f"{ticks}text", *text.split("\n"), ticks]


def joined(names: Iterable[str]) -> str:
    """Names as inline code, with commas."""
    return ", ".join(code(name) for name in names)
