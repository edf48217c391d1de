"""Drawn documents and the questions about them: forms with named entries, small tables, posters with shares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from vlmbench.scenes.canvas import INK, PAPER, Canvas
from vlmbench.scenes.scene import COLORS, SIDE, Dice

TITLES = ("INVOICE", "ORDER", "MEMO", "REPORT", "LETTER", "TICKET")
NAMES = ("ANNA", "OTTO", "EVA", "PAUL")
MONTHS = ("MAY", "JUN", "OCT", "DEC")
GOODS = ("MILK", "BREAD", "TEA", "BOOKS", "FISH", "JUICE")
SUBJECTS = ("TEA", "MILK", "JUICE", "WATER", "FISH", "BREAD")
ROW = 14
"""Pixels from a line of print to the next."""


@dataclass(frozen=True, slots=True)
class PageQuestion:
    """A question about a page; any of the answers is right."""

    text: str
    answers: tuple[str, ...]
    kinds: tuple[str, ...]
    """What it is about, in the words of the benchmark that asks so."""


@dataclass(frozen=True, slots=True)
class Form:
    """A title over entries with names, or over a table of goods and numbers."""

    title: str
    entries: tuple[tuple[str, str], ...]
    table: bool


@dataclass(frozen=True, slots=True)
class Poster:
    """Shares of subjects, each with a colour; none twice."""

    shares: tuple[tuple[str, int], ...]
    colors: tuple[str, ...]


def form(dice: Dice) -> Form:
    """A form, or a table."""
    title = dice.pick(TITLES)
    if dice.chance(40):
        goods = dice.shuffled(GOODS)[:4]
        return Form(title, tuple((one, str(2 + dice.below(88))) for one in goods), True)
    values = {
        "NAME": dice.pick(NAMES),
        "DATE": f"{1 + dice.below(28)} {dice.pick(MONTHS)}",
        "TOTAL": f"${10 + dice.below(890)}",
        "PAGE": str(1 + dice.below(9)),
        "ROOM": str(10 + dice.below(89)),
    }
    shown = ("NAME", "DATE", "TOTAL", dice.pick(("PAGE", "ROOM")))
    return Form(title, tuple((name, values[name]) for name in shown), False)


def draw_form(page: Form) -> Any:
    """Pixels, (side, side, 3)."""
    canvas = Canvas()
    canvas.frame(1, 1, SIDE - 2, SIDE - 2)
    canvas.print_centred(page.title, SIDE // 2, 8)
    canvas.box(8, 19, SIDE - 16, 1, INK)
    for place, (name, value) in enumerate(page.entries):
        y = 26 + place * ROW
        canvas.print(name if page.table else f"{name}:", 8, y)
        canvas.print(value, 56 if page.table else 48, y)
    return canvas.pixels


def form_questions(dice: Dice, page: Form) -> Iterator[PageQuestion]:
    """Questions about entries and the title, in a drawn order."""
    kind = "table/list" if page.table else "form"
    found = [PageQuestion("What is the title of this page?", spellings(page.title), ("layout",))]
    for name, value in page.entries:
        text = f"What is the number of {name}?" if page.table else f"What is the {name.lower()} on this page?"
        found.append(PageQuestion(text, spellings(value), (kind,)))
    yield from dice.shuffled(found)


def poster(dice: Dice) -> Poster:
    """Three subjects."""
    shares = [5 * share for share in dice.shuffled(range(2, 19))[:3]]
    subjects = dice.shuffled(SUBJECTS)[:3]
    colors = dice.shuffled(("red", "blue", "purple", "green"))[:3]
    return Poster(tuple(zip(subjects, shares, strict=True)), tuple(colors))


def draw_poster(page: Poster) -> Any:
    """Pixels, (side, side, 3): a share in large print on its colour, and the subject beside it."""
    canvas = Canvas()
    for place, ((subject, share), color) in enumerate(zip(page.shares, page.colors, strict=True)):
        y = 2 + place * 31
        canvas.box(2, y, 46, 29, COLORS[color])
        canvas.print_centred(f"{share}%", 25, y + 8, PAPER, scale=2)
        canvas.print(subject, 53, y + 11)
    return canvas.pixels


def poster_questions(dice: Dice, page: Poster) -> Iterator[PageQuestion]:
    """Questions with InfographicVQA's types of answers, evidence and operations, in a drawn order."""
    (one, first), (other, second) = dice.shuffled(page.shares)[:2]
    ranked = [subject for subject, _ in sorted(page.shares, key=lambda pair: -pair[1])]
    more = one if first > second else other
    pair = tuple(f"{a}, {b}" for a, b in (ranked[:2], ranked[1::-1]))
    color = page.colors[[subject for subject, _ in page.shares].index(one)]
    found = [
        PageQuestion(f"What percentage is shown for {one}?", (f"{first}%", str(first)), ("image span", "textual")),
        PageQuestion(f"Which has the higher share, {one} or {other}?", spellings(more), ("question span", "textual")),
        PageQuestion("Which two have the highest shares?", pair, ("multiple spans", "textual")),
        PageQuestion(
            f"By how much do {one} and {other} differ, in percent?", percent(first - second), ("non span", "textual")
        ),
        PageQuestion(f"What share stands on {color}?", (f"{first}%", str(first)), ("image span", "figure")),
    ]
    yield from dice.shuffled(found)


def spellings(text: str) -> tuple[str, ...]:
    """A text as it is printed, and with small letters."""
    return tuple(dict.fromkeys((text, text.title())))


def percent(difference: int) -> tuple[str, ...]:
    """A difference of two shares."""
    return f"{abs(difference)}%", str(abs(difference))


def operations(question: PageQuestion) -> Sequence[str]:
    """What must be done to answer a question about a poster."""
    by_answer = {"question span": ("comparison",), "multiple spans": ("comparison",), "non span": ("arithmetic",)}
    return by_answer.get(question.kinds[0], ())
