"""The embedded sample of CharXiv: drawn bar charts, with a question about the data and four about the look."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vlmbench.scenes.charts import BarChart, bar_chart, chart_questions, draw_chart
from vlmbench.scenes.scene import Dice, sample_seeds

from .common import compact, write
from .judged import jpeg_of

IMAGES = 24
NONE = "Not Applicable"
SUBJECTS = ("cs", "econ", "eess", "math", "physics", "q-bio", "q-fin", "stat")
TEXT, WORDS, NUMBER = 1, 2, 4
"""Kinds of answers: a text in the chart, other words, a number."""


def described(chart: BarChart) -> dict[int, str]:
    """By template, the right answer for a drawn chart, which has labels below its bars and nothing else."""
    return {
        1: NONE,
        2: NONE,
        3: NONE,
        4: chart.labels[0],
        5: chart.labels[-1],
        10: NONE,
        12: NONE,
        17: str(len(chart.labels)),
        18: "1 by 1",
        19: "1",
    }


def _kind(answer: str, chart: BarChart) -> int:
    if answer.upper() in chart.labels:
        return TEXT
    return NUMBER if answer.isdecimal() else WORDS


def build_charxiv(folder: Path) -> None:
    """`{reasoning,descriptive,image_metadata}_val.json` and `images/`."""
    reasoning: dict[str, Any] = {}
    descriptive: dict[str, Any] = {}
    papers: dict[str, Any] = {}
    for number, seed in enumerate(sample_seeds("charxiv")[:IMAGES]):
        dice, key = Dice(seed), str(number)
        chart = bar_chart(dice)
        asked = next(chart_questions(dice, chart))
        answer = asked.answer.removesuffix("%")
        reasoning[key] = {
            "figure_id": number,
            "query": asked.text,
            "answer": answer,
            "inst_category": _kind(answer, chart),
            "qa_source": 3 if asked.derived else 1,
        }
        known = described(chart)
        templates = dice.shuffled(known)[:4]
        descriptive[key] = {
            "figure_id": number,
            "num_subplots": 1,
            "subplot_loc": [0, 0],
            "qids": templates,
            "answers": [known[template] for template in templates],
        }
        papers[key] = {"category": SUBJECTS[number % len(SUBJECTS)], "year": str(20 + number % 4), "figure_id": number}
        write(folder / "images" / f"{key}.jpg", jpeg_of(draw_chart(chart)))
    for name, rows in (("reasoning", reasoning), ("descriptive", descriptive), ("image_metadata", papers)):
        write(folder / f"{name}_val.json", compact(rows))
