"""The embedded samples of benchmarks about charts and documents, drawn by vlmbench.scenes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vlmbench.scenes.charts import bar_chart, chart_questions, draw_chart
from vlmbench.scenes.scene import Dice, sample_seeds

from .common import encoded, write

CHARTS = 16


def picture(pixels: Any) -> bytes:
    """Pixels as a PNG file: flat colours take little room."""
    from PIL import Image

    return encoded(Image.fromarray(pixels, "RGB"), "PNG")


def build_chartqa(folder: Path) -> None:
    """test/: a question that takes some thought (`human`) and one that is read off (`augmented`) about each chart."""
    rows: dict[str, list[dict[str, str]]] = {"human": [], "augmented": []}
    for number, seed in enumerate(sample_seeds("chartqa")[:CHARTS], 1):
        dice, name = Dice(seed), f"{number}.png"
        chart = bar_chart(dice)
        asked = list(chart_questions(dice, chart))
        for source, derived in (("human", True), ("augmented", False)):
            question = next(question for question in asked if question.derived == derived)
            rows[source].append({"imgname": name, "query": question.text, "label": question.answer})
        write(folder / "test" / "png" / name, picture(draw_chart(chart)))
    for source, found in rows.items():
        write(folder / "test" / f"test_{source}.json", json.dumps(found, indent=1) + "\n")
