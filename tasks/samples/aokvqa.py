"""The embedded sample of A-OKVQA in its official layout: options, and ten direct answers to each question."""

from __future__ import annotations

import json
from pathlib import Path

from . import by_family
from .common import scenes, write

PEOPLE, AGREE = 10, 8


def build_aokvqa(folder: Path) -> None:
    """`aokvqa_v1p0_val.json` and `val2017/`; four options where the question has as many."""
    rows = []
    for number, item in enumerate(by_family.with_options(scenes("aokvqa", by_family.COUNT)), 1):
        other = next(text for text in item.options if text != item.answer)
        rows.append(
            {
                "split": "val",
                "image_id": number,
                "question_id": f"scene{number}",
                "question": item.question,
                "choices": list(item.options),
                "correct_choice_idx": item.options.index(item.answer),
                "direct_answers": [item.answer] * AGREE + [other] * (PEOPLE - AGREE),
                "difficult_direct_answer": False,
            }
        )
        write(folder / "val2017" / f"{number:012d}.jpg", item.image)
    write(folder / "aokvqa_v1p0_val.json", json.dumps(rows, ensure_ascii=False, indent=1) + "\n")
