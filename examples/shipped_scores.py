"""Scores of the included models on the embedded samples, with and without images, as a Markdown table.

    python examples/shipped_scores.py FOLDER      (about a minute; finished runs are not repeated)

`blind` is the same model with grey images, which shows how much of the score needs the image. The samples show that
everything works; their scores are not comparable with those in papers.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any

from vlmbench.base.registry import tasks
from vlmbench.cli.main import main as vlmbench

MODELS = ("tinyllava", "tinygptv")


def judged(name: str) -> bool:
    """Whether a task is graded by a judge, which is not included."""
    return next(iter(tasks.get(name).protocols.values())).judge is not None


def scores(model: str, tasks: str, folder: Path) -> dict[str, dict[str, Any]]:
    """Scores with and without images; finished runs are not repeated."""
    words = ["run", "--model", model, "--tasks", tasks, "--perturb", "blind", "--output", str(folder)]
    with contextlib.redirect_stdout(io.StringIO()):
        code = vlmbench(words)
    if code:
        sys.exit(code)
    files = {model: folder, f"{model}, blind": folder / "perturbations" / "blind"}
    return {name: json.loads((place / "scores.json").read_text(encoding="utf-8")) for name, place in files.items()}


def cell(entry: dict[str, Any]) -> str:
    """A headline with its interval."""
    metric = entry[entry["headline"]]
    if metric["value"] is None:
        return "-"
    span = "" if metric["low"] is None else f" [{metric['low']:.1f}, {metric['high']:.1f}]"
    return f"{metric['value']:.1f}{span}"


def table(runs: dict[str, dict[str, Any]]) -> str:
    """One row per task, one column per run."""
    lines = [f"| task | metric | questions | {' | '.join(runs)} |", f"|---|---|---|{'---|' * len(runs)}"]
    for task in next(iter(runs.values())):
        entries = [found[task] for found in runs.values()]
        headline = entries[0]["headline"]
        row = f"`{task}@{entries[0]['protocol']}` | {headline} | {entries[0][headline]['n']:,}"
        lines.append(f"| {row} | {' | '.join(map(cell, entries))} |")
    return "\n".join(lines)


def main() -> int:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--tasks", default=",".join(task for task in tasks.builtin if not judged(task)), help="default: all"
    )
    options = parser.parse_args()
    runs: dict[str, dict[str, Any]] = {}
    for model in MODELS:
        runs |= scores(model, options.tasks, options.folder / model)
    print(table(runs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
