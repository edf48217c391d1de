"""Writes MMBench's embedded sample: multiple-choice questions about drawn scenes, in English and Chinese.

The questions are of MMBench's kinds (six abilities, nine leaf abilities), each as often as it has options.
"""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vlmbench.scenes.scene import COLORS, GROUNDS, RELATIONS, STYLES, Dice, Scene, Thing, relation

from .common import jpeg, scenes, write

IMAGES, CULTURE = 27, 16
"""Pictures of MMBench and of CCBench."""
HEADER = (
    "index", "question", "hint", "A", "B", "C", "D", "answer", "category", "image", "source", "l2-category", "comment",
    "split",
)  # fmt: skip
ROTATION = 10**6

CHINESE = {
    "circle": "圆形", "square": "正方形", "triangle": "三角形", "star": "星星", "cross": "十字", "heart": "心形",
    "diamond": "菱形", "ring": "圆环", "moon": "月亮", "arrow": "箭头", "house": "房子", "hourglass": "沙漏",
    "red": "红色", "orange": "橙色", "yellow": "黄色", "green": "绿色", "cyan": "青色", "blue": "蓝色",
    "purple": "紫色", "white": "白色", "black": "黑色", "gray": "灰色", "brown": "棕色", "teal": "蓝绿色",
    "plain": "纯色", "shaded": "渐变", "checkered": "格子",
    "top left": "左上角", "top right": "右上角", "bottom left": "左下角", "bottom right": "右下角",
    "to the left of it": "左边", "to the right of it": "右边", "above it": "上方", "below it": "下方",
}  # fmt: skip
"""The words of questions and options. Numbers stay as they are."""


@dataclass(frozen=True)
class Choice:
    """A question with its options; the first one is right."""

    leaf: str
    ability: str
    english: str
    chinese: str
    """Both with `{0}`, `{1}` where the words go."""
    options: tuple[str, ...]
    words: tuple[str, ...] = ()
    hints: tuple[str, str] = ("", "")
    """In English and Chinese."""


Maker = Callable[[Scene, Dice], Choice | None]
SIDES = [f"{name} it" for name in RELATIONS]
SINGLE, CROSS = "finegrained_perception (instance-level)", "finegrained_perception (cross-instance)"


def _others(dice: Dice, right: str, every: Sequence[str], wanted: int = 3) -> tuple[str, ...]:
    return (right, *dice.shuffled([word for word in every if word != right])[:wanted])


def _one(things: Sequence[Thing], dice: Dice) -> Thing | None:
    return dice.pick(things) if things else None


def color(scene: Scene, dice: Dice) -> Choice | None:
    """`What color is the star?`"""
    if not (thing := _one(scene.unique(), dice)):
        return None
    text = "What color is the {0} in the picture?", "图中的{0}是什么颜色的？"
    return Choice("attribute_recognition", SINGLE, *text, _others(dice, thing.color, tuple(COLORS)), (thing.kind,))


def corner(scene: Scene, dice: Dice) -> Choice | None:
    """`Where in the picture is the star?`"""
    corners = [f"{row} {column}" for row in ("top", "bottom") for column in ("left", "right")]
    if not (thing := _one([t for t in scene.unique() if f"{t.row} {t.column}" in corners], dice)):
        return None
    text = "Where in the picture is the {0}?", "{0}在图中的什么位置？"
    return Choice(
        "object_localization", SINGLE, *text, _others(dice, f"{thing.row} {thing.column}", corners), (thing.kind,)
    )


def side(scene: Scene, dice: Dice) -> Choice | None:
    """`Where is the star relative to the moon?`"""
    pairs = [(a, name, b) for a in scene.unique() for b in scene.unique() if (name := relation(a, b))]
    if not pairs:
        return None
    a, name, b = dice.pick(pairs)
    text = "Where is the {0} in relation to the {1}?", "{0}在{1}的哪一边？"
    return Choice("spatial_relationship", CROSS, *text, _others(dice, f"{name} it", SIDES), (a.kind, b.kind))


def larger(scene: Scene, dice: Dice) -> Choice | None:
    """`Which is larger?`, of two."""
    large, small = ([t for t in scene.unique() if t.size == size] for size in ("large", "small"))
    if not large or not small:
        return None
    winner, loser = dice.pick(large), dice.pick(small)
    words = tuple(dice.shuffled((winner.kind, loser.kind)))
    text = "Which one is larger, the {0} or the {1}?", "{0}和{1}，哪一个更大？"
    return Choice("attribute_comparison", CROSS, *text, (winner.kind, loser.kind), words)


def style(scene: Scene, dice: Dice) -> Choice | None:
    """`How is the background painted?`"""
    text = "Which word describes the background of the picture?", "哪个词可以描述图片的背景？"
    return Choice("image_style", "coarse_perception", *text, _others(dice, scene.style, STYLES))


def ground(scene: Scene, dice: Dice) -> Choice | None:
    """`What color is the background?`"""
    text = "What color is the background of the picture?", "图片的背景是什么颜色的？"
    return Choice("image_scene", "coarse_perception", *text, _others(dice, scene.ground, tuple(GROUNDS)))


USES = {
    "hourglass": ("Which thing in the picture could tell the time?", "图中的哪个东西可以用来计时？"),
    "house": ("Which thing in the picture could people live in?", "图中的哪个东西可以住人？"),
    "arrow": ("Which thing in the picture is used to show a direction?", "图中的哪个东西用来指示方向？"),
}


def use(scene: Scene, dice: Dice) -> Choice | None:
    """`Which thing could tell the time?`"""
    here = sorted({thing.kind for thing in scene.things})
    if not (known := [kind for kind in here if kind in USES]):
        return None
    kind = dice.pick(known)
    return Choice("function_reasoning", "attribute_reasoning", *USES[kind], _others(dice, kind, here))


def left_over(scene: Scene, dice: Dice) -> Choice | None:
    """`How many things are left without the star?`"""
    if not (thing := _one(scene.unique(), dice)):
        return None
    right = len(scene.things) - 1
    near = [str(right + step) for step in (-1, 1, 2)]
    text = "If the {0} is taken away, how many things are left?", "如果把{0}拿走，还剩下几个东西？"
    return Choice("future_prediction", "logic_reasoning", *text, _others(dice, str(right), near), (thing.kind,))


def fall(scene: Scene, dice: Dice) -> Choice | None:
    """`Which thing would land on the moon?`"""
    found = []
    for below in scene.unique():
        over = [t for t in scene.things if relation(t, below) == "above"]
        if len(over) == 1 and over[0] in scene.unique():
            found.append((over[0], below))
    if not found:
        return None
    above, below = dice.pick(found)
    others = sorted({t.kind for t in scene.things} - {below.kind})
    hints = "Suppose that every thing falls straight down.", "假设每个东西都垂直下落。"
    text = "Which thing would land on the {0}?", "哪个东西会落在{0}上？"
    return Choice(
        "physical_relation", "relation_reasoning", *text, _others(dice, above.kind, others, 2), (below.kind,), hints
    )


MAKERS: tuple[Maker, ...] = (color, corner, side, larger, style, ground, use, left_over, fall)


def questions(pictures: Sequence[Scene]) -> list[tuple[Scene, Choice]]:
    """A question a picture; the kinds take turns, and one that does not fit gives way to the next."""
    found: list[tuple[Scene, Choice]] = []
    for number, scene in enumerate(pictures):
        dice = Dice(scene.seed)
        turn = [*MAKERS[number % len(MAKERS) :], *MAKERS[: number % len(MAKERS)]]
        found.append((scene, next(choice for make in turn if (choice := make(scene, dice)))))
    return found


def rows(pictures: Sequence[Scene], chinese: bool, category: str = "") -> list[tuple[str, ...]]:
    """The rows of one language: every question, then all of them with their options turned, and so on. `category`: of
    all; "": each question's own.

    Turned rows point to the first one's picture, but for the first question, whose rows carry it themselves.
    """
    made: dict[int, tuple[str, ...]] = {}
    for number, (scene, choice) in enumerate(questions(pictures), 1):
        index = 100 + number
        given = Dice(scene.seed + 1).shuffled(range(len(choice.options)))
        picture = base64.b64encode(jpeg(scene)).decode("ascii")
        text = (choice.chinese if chinese else choice.english).format(*_in(choice.words, chinese))
        for turn in range(len(given)):
            order = given[turn:] + given[:turn]
            options = _in([choice.options[at] for at in order], chinese)
            cells = (*options, *[""] * (4 - len(options)), "ABCD"[order.index(0)])
            cell = picture if not turn or number == 1 else str(index)
            kinds = (category, "") if category else (choice.leaf, choice.ability)
            rest = (kinds[0], cell, "drawn scenes", kinds[1], "", "dev")
            row = (str(index + turn * ROTATION), text, choice.hints[chinese], *cells, *rest)
            made[index + turn * ROTATION] = row
    return [made[index] for index in sorted(made)]


def _in(words: Sequence[str], chinese: bool) -> list[str]:
    return [CHINESE.get(word, word) if chinese else word for word in words]


def table(lines: Sequence[tuple[str, ...]]) -> str:
    """A TSV file's text."""
    file = io.StringIO()
    csv.writer(file, delimiter="\t", lineterminator="\n").writerows([HEADER, *lines])
    return file.getvalue()


def build_mmbench(folder: Path) -> None:
    """`MMBench_DEV_EN.tsv`, `MMBench_DEV_CN.tsv` and, with drawn scenes in the place of Chinese culture,
    `CCBench.tsv`.
    """
    pictures = scenes("mmbench", IMAGES)
    for name, chinese in (("EN", False), ("CN", True)):
        write(folder / f"MMBench_DEV_{name}.tsv", table(rows(pictures, chinese)))
    drawn = scenes("ccbench", CULTURE)
    write(folder / "CCBench.tsv", table(rows(drawn, True, category="sketch_reasoning")))
