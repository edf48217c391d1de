"""The embedded sample of MME-RealWorld-Lite in its official layout: options with their letters in one list."""

from __future__ import annotations

import json
from pathlib import Path

from vlmbench.data.tables.columns import LETTERS

from . import by_family
from .common import scenes, write

NONE = "This image doesn't feature the content."
"""The last option of every question."""


def build_mme_realworld_lite(folder: Path) -> None:
    """`MME_RealWorld_Lite.json` and `imgs/`."""
    items = by_family.with_options(scenes("mme_realworld_lite", by_family.COUNT))
    rows = []
    for number, item in enumerate(items, 1):
        options = (*item.options, NONE)
        rows.append(
            {
                "Question_id": f"scene/{number}",
                "Image": f"{number}.jpg",
                "Text": item.question,
                "Question Type": "Multiple Choice",
                "Answer choices": [f"({LETTERS[place]}) {text}" for place, text in enumerate(options)],
                "Ground truth": LETTERS[options.index(item.answer)],
                "Category": item.kind,
                "Subtask": "Monitoring",
                "Task": "Perception",
            }
        )
        write(folder / "imgs" / f"{number}.jpg", item.image)
    write(folder / "MME_RealWorld_Lite.json", json.dumps(rows, ensure_ascii=False, indent=1) + "\n")
