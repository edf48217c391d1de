"""The HTML report of one or more runs: leaderboard, breakdowns and every sample with its picture, in one file."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vlmbench import __version__
from vlmbench.errors import StoreError

from .page import render
from .payload import images_payload, run_payload
from .published import for_page, read
from .runs import SAMPLE_NOTE, RunResult, load

SCRIPTS = (
    "core.js",
    "charts.js",
    "training.js",
    "scores.js",
    "leaderboard.js",
    "run.js",
    "filters.js",
    "samples.js",
    "detail.js",
    "main.js",
)
"""In order: each builds on those before it. A new kind of page is a new file that adds itself to vb.views."""


def write(runs: Sequence[Path], output: Path) -> Path:
    """Write output/index.html, which needs no other file and no network; returns its path.

    Raises UsageError or StoreError when a folder holds no finished run, StoreError when the page cannot be written.
    """
    page = build(load(runs))
    path = output / "index.html"
    temporary = output / "index.html.tmp"
    try:
        output.mkdir(parents=True, exist_ok=True)
        temporary.write_text(page, encoding="utf-8", newline="\n")
        temporary.replace(path)
    except OSError as error:
        raise StoreError(
            f"cannot write the report: {error.strerror or error}",
            where=str(output),
            cure="name an --output folder that can be written, on a disk with room",
        ) from None
    return path


def build(runs: Sequence[RunResult]) -> str:
    """The whole page as text."""
    summaries: list[dict[str, Any]] = []
    blocks: dict[str, Any] = {}
    for run in runs:
        summary, records = run_payload(run)
        summaries.append(summary)
        blocks.update(records)
    pictures = images_payload(runs, list(blocks.values()))
    report = {
        "made": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "vlmbench": __version__,
        "sample_note": SAMPLE_NOTE,
        "runs": summaries,
        "published": _published(runs),
    }
    title = " · ".join(dict.fromkeys(run.label for run in runs)) if len(runs) <= 3 else f"{len(runs)} runs"
    return render(
        "report.html",
        scripts=SCRIPTS,
        data={"report": report, "pictures": pictures, **blocks},
        title=f"{title} · vlmbench",
        version=__version__,
        made=report["made"],
    )


def _published(runs: Sequence[RunResult]) -> dict[str, list[dict[str, Any]]]:
    """By task, what papers and tools printed for its benchmark and split."""
    figures = read()
    found = {task.key: for_page(figures, task) for run in runs for task in run.tasks}
    return {key: rows for key, rows in found.items() if rows}
