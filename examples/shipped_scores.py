"""What the models that ship reach on the embedded samples, with pictures and without, as a markdown table.

    python examples/shipped_scores.py FOLDER      (a minute a model; runs that are finished are not asked again)

`blind` is the same model asked about grey pictures: what is left of the score without looking. The samples show that
everything works; their figures are not comparable with papers.
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
JUDGED = ("mmvet", "llava_bench")
"""Graded by a judge, which does not ship."""


def scores(model: str, tasks: str, folder: Path) -> dict[str, dict[str, Any]]:
    """Scores with pictures and without, asked where they are not there yet."""
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
    """A row a task, a column a run."""
    lines = [f"| task | metric | questions | {' | '.join(runs)} |", f"|---|---|---|{'---|' * len(runs)}"]
    for task in next(iter(runs.values())):
        entries = [found[task] for found in runs.values()]
        headline = entries[0]["headline"]
        told = f"`{task}@{entries[0]['protocol']}` | {headline} | {entries[0][headline]['n']:,}"
        lines.append(f"| {told} | {' | '.join(map(cell, entries))} |")
    return "\n".join(lines)


def main() -> int:
    """Run what is missing, then print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--tasks", default=",".join(task for task in tasks.builtin if task not in JUDGED), help="default: all"
    )
    options = parser.parse_args()
    runs: dict[str, dict[str, Any]] = {}
    for model in MODELS:
        runs |= scores(model, options.tasks, options.folder / model)
    print(table(runs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
