"""Ten people who answer a question about a drawn scene: most give the right answer, a few something near it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vlmbench.scenes.scene import Dice

PEOPLE = 10

NEAR: Mapping[str, tuple[str, ...]] = {
    "yes": ("no",), "no": ("yes",),
    "red": ("dark red", "orange"), "orange": ("yellow", "red"), "yellow": ("gold", "light yellow"),
    "green": ("dark green",), "cyan": ("light blue", "teal", "blue"), "blue": ("dark blue", "navy"),
    "purple": ("violet", "pink"), "white": ("gray", "silver"),
    "circle": ("ball", "round"), "square": ("box", "cube"), "triangle": ("pyramid",), "star": ("starfish",),
    "cross": ("plus", "plus sign"), "heart": ("love",), "diamond": ("rhombus", "kite"), "ring": ("donut", "circle"),
    "moon": ("crescent", "crescent moon"), "arrow": ("up arrow", "pointer"), "house": ("home", "building"),
    "hourglass": ("bow tie", "timer"),
    "small": ("little", "tiny"), "large": ("big",), "solid": ("plain",), "striped": ("stripes", "lines"),
    "dotted": ("dots", "polka dots"), "left": ("right",), "right": ("left",),
    "unanswerable": ("unsuitable", "unsuitable image", "too blurry"),
}  # fmt: skip
"""What somebody might say instead, and be counted wrong or right by how many say it."""


def near(answer: str) -> tuple[str, ...]:
    """Answers near the right one; a number's are its neighbours."""
    if answer.isdecimal():
        return (str(int(answer) + 1), str(max(0, int(answer) - 1)))
    return NEAR.get(answer, ("unsure",))


def ask(dice: Dice, answer: str, people: int = PEOPLE, others: Sequence[str] = ()) -> list[str]:
    """The answers of so many people: at least two thirds of them, rounded up, say what is right."""
    most = people - -(-2 * people // 3)
    astray = min(most, dice.pick((0, 0, 0, 0, 1, 1, 1, 2, 2, 3)))
    words = others or near(answer)
    return dice.shuffled([answer] * (people - astray) + [dice.pick(words) for _ in range(astray)])


def sure(dice: Dice, answer: str, said: str) -> str:
    """How confident somebody says to be."""
    return "yes" if said == answer and dice.chance(90) else dice.pick(("maybe", "maybe", "no"))
