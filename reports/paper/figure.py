"""The figure: one panel a benchmark, one line a model, its score as a dot with its interval.

By matplotlib, an extra, as vector graphics; the same table gives the same bytes. Others' text is drawn as it stands:
no dollar sign in it starts a formula.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from vlmbench.base.process.terminal import clean

from .table import Head, Line, PaperTable

ACROSS = 4
"""Panels in a row."""
WIDTH = 7.0
"""Inches: the text width of a page with two columns."""
LINE, PANEL = 0.2, 0.62
"""Inches of a model's line, and of what a panel needs besides."""
LABEL = 30
"""Characters of a model's name."""
FORMATS = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}
"""Suffix to what must not be written: the same table gives the same file."""
SETTINGS: Any = {
    "font.size": 7,
    "axes.titlesize": 7.5,
    "svg.hashsalt": "vlmbench",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
}


def available() -> bool:
    """Whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def write(table: PaperTable, folder: Path, name: str = "figure") -> list[Path]:
    """Write the figure in all formats; returns the files. Needs matplotlib."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    heads = [head for head in table.heads if any(_value(line, head) is not None for line in table.lines)]
    down = math.ceil(len(heads) / ACROSS)
    across = min(ACROSS, len(heads))
    lines = list(reversed(table.lines))  # the first on top
    paths = []
    with mpl.rc_context(SETTINGS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # a box stands in its place
        size = (WIDTH, down * (PANEL + LINE * len(lines)))
        figure = Figure(figsize=size, layout="constrained")
        axes: Any = figure.subplots(down, across, squeeze=False, sharey=True)
        for at, place in enumerate(axes.flat):
            if at < len(heads):
                _panel(place, heads[at], lines)
            else:
                place.set_visible(False)
        for suffix, metadata in FORMATS.items():
            path = folder / f"{name}.{suffix}"
            figure.savefig(path, format=suffix, metadata=metadata)
            paths.append(path)
    return paths


def _value(line: Line, head: Head) -> float | None:
    return line.cells[head.key].bar.value if head.key in line.cells else None


def _panel(place: Any, head: Head, lines: Sequence[Line]) -> None:
    for at, line in enumerate(lines):
        cell = line.cells.get(head.key)
        if cell is None or cell.bar.value is None:
            continue
        bar, colour = cell.bar, "#2d5bd0" if cell.bold else "#5c6773"
        if bar.low is not None and bar.high is not None:
            place.plot([bar.low, bar.high], [at, at], color=colour, linewidth=1.1, solid_capstyle="butt")
        hollow = cell.few or bool(line.source)
        place.plot(
            [bar.value], [at], marker="o", markersize=3.4, color=colour, markerfacecolor="white" if hollow else colour
        )
    place.set_title(_short(head.name), loc="left", parse_math=False)
    place.set_xlabel(_short(head.metric), parse_math=False)
    place.set_yticks(range(len(lines)), [_short(line.label) for line in lines], parse_math=False)
    place.tick_params(axis="y", length=0)
    place.set_ylim(-0.6, len(lines) - 0.4)
    place.grid(axis="x", color="#e4e7ec", linewidth=0.6)
    place.set_axisbelow(True)


def _short(words: str) -> str:
    line = " ".join(clean(words).split())
    return line if len(line) <= LABEL else line[: LABEL - 1] + "…"
