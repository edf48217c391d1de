"""Score existing answers without a model: python examples/score_existing_answers.py [FOLDER]

Writes answer files in the format of POPE's authors (one JSON object per line with `question` and `answer`, one file
per split) for two artificial models, one that always says yes and one that always says no, and scores each with
`vlmbench score`. Always-yes has an F1 of 66.7 at an accuracy of 50, so look at the yes ratio as well.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from vlmbench.base import registry, settings
from vlmbench.cli import main as cli
from vlmbench.plugins import specs as loading


def write_answers(folder: Path, says: str) -> None:
    """Write the answer files of a model that always gives the same answer."""
    choice = registry.choose_task("pope")
    samples = choice.task.samples(loading.open_data(choice, settings.load()), choice.split)
    folder.mkdir(parents=True, exist_ok=True)
    for split in dict.fromkeys(sample.tags["split"] for sample in samples):
        rows = [{"question": s.question, "answer": says} for s in samples if s.tags["split"] == split]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"answers_{split}.json").write_text(lines, encoding="utf-8")


def main(folder: Path) -> int:
    """Write and score both; the exit code is that of the last command that failed, or 0."""
    worst = 0
    for says in ("Yes, there is.", "No."):
        answers = folder / says.split(",")[0].strip(".").lower()
        write_answers(answers, says)
        print(f"\n$ vlmbench score pope@official --predictions {answers}")
        worst = cli.main(["score", "pope@official", "--predictions", str(answers)]) or worst
    return worst


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(main(Path(sys.argv[1])))
    with tempfile.TemporaryDirectory() as temporary:
        sys.exit(main(Path(temporary)))
