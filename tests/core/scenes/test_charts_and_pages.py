"""Drawn charts and pages: what is printed fits, and the answers follow from what is drawn."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from vlmbench.scenes.canvas import INK, PAPER, POINTS, Canvas, print_width
from vlmbench.scenes.charts import FOOT, STEP, bar_chart, chart_questions, draw_chart
from vlmbench.scenes.lettering import HEIGHT, WIDTH
from vlmbench.scenes.pages import draw_form, draw_poster, form, form_questions, operations, poster, poster_questions
from vlmbench.scenes.scene import COLORS, SIDE, TRAIN_SEEDS, Dice, sample_seeds

SEEDS = sample_seeds("charts in tests")[:60]


def covered(pixels: Any, color: tuple[int, int, int]) -> Any:
    """Where a picture has a colour."""
    return (pixels == np.array(color)).all(axis=2)


def test_every_letter_has_its_points() -> None:
    assert all(len(rows) == HEIGHT and {len(row) for row in rows} == {WIDTH} for rows in POINTS.values())
    canvas = Canvas()
    canvas.print("A%", 3, 4, scale=2)
    assert covered(canvas.pixels, INK)[4 : 4 + 2 * HEIGHT, 3 : 3 + print_width("A%", 2)].any(axis=1).all()
    assert (
        covered(canvas.pixels, INK)[4 : 4 + 2 * HEIGHT, 3 : 3 + print_width("A%", 2)].sum()
        == covered(canvas.pixels, INK).sum()
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_bars_are_as_high_as_their_values(seed: int) -> None:
    chart = bar_chart(Dice(seed))
    pixels, pitch = draw_chart(chart), SIDE // len(chart.labels)
    assert len(set(chart.values)) == len(chart.values) and seed not in TRAIN_SEEDS
    for place, (value, color) in enumerate(zip(chart.values, chart.colors, strict=True)):
        column = covered(pixels, COLORS[color])[:FOOT, place * pitch + pitch // 2]
        assert column.sum() == STEP * value and column[-1]
    assert covered(pixels, PAPER)[0].all()  # nothing is cut off above


@pytest.mark.parametrize("seed", SEEDS)
def test_answers_about_charts(seed: int) -> None:
    chart = bar_chart(Dice(seed))
    values = dict(zip(chart.labels, chart.values, strict=True))
    for question in chart_questions(Dice(seed + 1), chart):
        named = [values[label] for label in re.findall(r"\b[A-Z]{3}\b", question.text)]
        number = int(question.answer.rstrip("%")) if question.answer.rstrip("%").isdecimal() else None
        if "difference" in question.text:
            assert number == abs(named[0] - named[1])
        elif "greater" in question.text:
            assert question.answer == ("Yes" if named[0] > named[1] else "No")
        elif named:
            assert [number] == named and question.answer.endswith("%") == (chart.unit == "%")
        if "bars are shown" in question.text:
            assert number == len(values)
        if "highest value" in question.text:
            assert values[question.answer.upper()] == max(values.values())


@pytest.mark.parametrize("seed", SEEDS)
def test_answers_about_pages(seed: int) -> None:
    page = form(Dice(seed))
    printed = {page.title, *(value for _, value in page.entries)}
    assert all(question.answers[0] in printed for question in form_questions(Dice(seed + 1), page))
    assert covered(draw_form(page), INK)[1:-1, 1:-1].any() and covered(draw_form(page), PAPER)[:1].all()
    shares = dict(poster(Dice(seed)).shares)
    for question in poster_questions(Dice(seed + 1), poster(Dice(seed))):
        subjects = [word for word in re.findall(r"\b[A-Z]{3,}\b", question.text) if word in shares]
        kind = question.kinds[0]
        if kind == "non span":
            assert question.answers[1] == str(abs(shares[subjects[0]] - shares[subjects[1]]))
        elif kind == "question span":
            assert shares[question.answers[0]] == max(shares[subject] for subject in subjects)
        elif kind == "multiple spans":
            assert min(shares, key=shares.__getitem__) not in question.answers[0].split(", ")
        elif subjects:
            assert question.answers[0] == f"{shares[subjects[0]]}%"
        assert bool(operations(question)) == (kind != "image span")
    assert draw_poster(poster(Dice(seed))).shape == (SIDE, SIDE, 3)
