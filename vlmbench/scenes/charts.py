"""Bar charts and the questions about them: what is written above a bar, and what follows from several bars."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from vlmbench.scenes.canvas import INK, Canvas
from vlmbench.scenes.scene import COLORS, SIDE, Dice

LABELS = ("TEA", "BUS", "KEY", "GYM", "SUN", "ICE", "FOG", "DEW", "MAY", "JUN", "OCT", "DEC")
SHADES = ("red", "orange", "green", "blue", "purple", "cyan")
"""Colours of bars."""
LARGEST = 20
STEP, FOOT = 3, SIDE - 12
"""Pixels for one unit, and where bars stand."""


@dataclass(frozen=True, slots=True)
class BarChart:
    """What a chart shows: a value per label, none twice."""

    labels: tuple[str, ...]
    values: tuple[int, ...]
    colors: tuple[str, ...]
    unit: str
    """What stands behind a number: `%` or nothing."""

    def said(self, place: int) -> str:
        """A value as the chart has it."""
        return f"{self.values[place]}{self.unit}"


@dataclass(frozen=True, slots=True)
class ChartQuestion:
    """A question with its answer."""

    text: str
    answer: str
    derived: bool
    """Whether it takes more than reading one number."""


def bar_chart(dice: Dice) -> BarChart:
    """Three or four bars, all of one colour or each of its own."""
    count = 3 + dice.below(2)
    colors = dice.shuffled(SHADES)[:count]
    if dice.chance(40):
        colors = colors[:1] * count
    values = dice.shuffled(range(1, LARGEST + 1))[:count]
    unit = "%" if dice.chance(35) else ""
    return BarChart(tuple(dice.shuffled(LABELS)[:count]), tuple(values), tuple(colors), unit)


def draw_chart(chart: BarChart) -> Any:
    """Pixels, (side, side, 3): labels below the bars, values above them."""
    canvas = Canvas()
    pitch = SIDE // len(chart.labels)
    canvas.box(2, FOOT, SIDE - 4, 1, INK)
    for place, (label, value, color) in enumerate(zip(chart.labels, chart.values, chart.colors, strict=True)):
        middle, height = place * pitch + pitch // 2, STEP * value
        canvas.box(middle - 6, FOOT - height, 13, height, COLORS[color])
        canvas.print_centred(label, middle, FOOT + 3)
        canvas.print_centred(chart.said(place), middle, FOOT - height - 9)
    return canvas.pixels


def chart_questions(dice: Dice, chart: BarChart) -> Iterator[ChartQuestion]:
    """Questions of every kind that fits the chart, in a drawn order."""
    places = dice.shuffled(range(len(chart.labels)))
    one, other = places[:2]
    label, second = chart.labels[one], chart.labels[other]
    top, bottom = chart.values.index(max(chart.values)), chart.values.index(min(chart.values))
    apart, more = abs(chart.values[one] - chart.values[other]), chart.values[one] > chart.values[other]
    found = [
        ChartQuestion(f"What is the value of {label}?", chart.said(one), False),
        ChartQuestion(f"What was the value for {second}?", chart.said(other), False),
        ChartQuestion("Which label has the highest value?", chart.labels[top].title(), False),
        ChartQuestion("Which label has the lowest value?", chart.labels[bottom].title(), False),
        ChartQuestion("How many bars are shown?", str(len(chart.labels)), True),
        ChartQuestion(f"What is the difference between {label} and {second}?", f"{apart}{chart.unit}", True),
        ChartQuestion(f"Is the value of {label} greater than that of {second}?", "Yes" if more else "No", True),
    ]
    if len(set(chart.colors)) > 1:
        found.append(ChartQuestion(f"What is the value of the {chart.colors[one]} bar?", chart.said(one), True))
        found.append(ChartQuestion("What is the color of the highest bar?", chart.colors[top].title(), True))
    yield from dice.shuffled(found)
