"""How long SEED-Bench takes to read and score: `python -m tests.performance.scoring.seedbench_speed`.

Processor time of one core for 17,997 questions, as in the authors' file of GPT-4V's answers: questions and answers
read, every answer scored under `lmms_eval`, all figures with their breakdowns and intervals.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from tests.performance.scoring.measure import print_seconds_of_files

ROWS, IMAGES = 17_997, 14_240
LETTERS = "ABCD"


def write(root: Path) -> tuple[Path, Path]:
    """The question file and answers."""
    dice = random.Random(0)
    rows: list[dict[str, Any]] = []
    for number in range(ROWS):
        kind, dimension = ("image", 1 + number % 9) if number < IMAGES else ("video", 10 + number % 3)
        words = {f"choice_{letter.lower()}": f"{letter} thing {dice.randrange(999)}" for letter in LETTERS}
        row = {"question_id": str(number), "question": "Which of these is seen?", "answer": dice.choice(LETTERS)}
        rows.append({**row, **words, "data_id": f"{number}.jpg", "data_type": kind, "question_type_id": dimension})
    (root / "SEED-Bench.json").write_text(json.dumps({"questions": rows}), "utf-8")
    forms = ("{}", "{}.", "({})", "{}. thing")
    lines = [
        json.dumps({"question_id": row["question_id"], "text": dice.choice(forms).format(dice.choice(LETTERS))})
        for row in rows
    ]
    (root / "answers.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    return root, root / "answers.jsonl"


if __name__ == "__main__":
    print_seconds_of_files("seedbench:all@lmms_eval", write)
