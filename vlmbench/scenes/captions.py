"""What training reads about drawn scenes: captions, descriptions, and rows in LLaVA's conversation format."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from vlmbench.scenes.gqa_questions import ask
from vlmbench.scenes.questions import article, exists
from vlmbench.scenes.scene import KINDS, Dice, Scene, Thing

SUFFIX = "\nAnswer the question using a single word or phrase."
"""LLaVA's wish for a short answer."""
DESCRIBE = "Describe the image."

Turn = tuple[str, str]


def phrase(thing: Thing) -> str:
    """`a small red striped star at the top left`."""
    return f"a {thing.size} {thing.color} {thing.texture} {thing.kind} at the {thing.row} {thing.column}"


def caption(scene: Scene) -> str:
    """Everything that is there, in reading order."""
    things = ", ".join(phrase(thing) for thing in scene.things)
    return f"{things.capitalize()}, on a {scene.style} {scene.ground} background."


def description(scene: Scene, dice: Dice) -> Turn:
    """All that can be said about one thing, asked for by its kind or by its place."""
    by_kind, thing = dice.chance(60), dice.pick(scene.things)
    if by_kind and scene.count(thing.kind) == 1:
        words = dice.shuffled((thing.size, thing.color, thing.texture))
        text = f"The {thing.kind} is {words[0]}, {words[1]} and {words[2]}, at the {thing.row} {thing.column}."
        return f"Describe the {thing.kind}.", text
    text = f"{article(thing.size).capitalize()} {thing.color} {thing.texture} {thing.kind}."
    return f"What is at the {thing.row} {thing.column}?", text


def short_turns(scene: Scene, dice: Dice, count: int, existence: int, suffix: str = "") -> list[Turn]:
    """Questions with one-word answers, `existence` of them whether something is there."""
    turns = [exists(scene, kind) for kind in _half_there(scene, dice, existence)]
    turns += [ask(scene, dice) for _ in range(count - existence)]
    return [(question.reworded(dice).text + suffix, question.answer) for question in turns]


def _half_there(scene: Scene, dice: Dice, count: int) -> Iterable[str]:
    present = sorted({thing.kind for thing in scene.things})
    absent = [kind for kind in KINDS if kind not in present]
    return [dice.pick(present if dice.chance(50) else absent) for _ in range(count)]


def llava_row(name: str, image: str, turns: Sequence[Turn]) -> dict[str, Any]:
    """A row as LLaVA's training files have it: the picture's tag in the first question."""
    says = []
    for index, (question, answer) in enumerate(turns):
        tag = "<image>\n" if index == 0 else ""
        says += [{"from": "human", "value": f"{tag}{question}"}, {"from": "gpt", "value": answer}]
    return {"id": name, "image": image, "conversations": says}
