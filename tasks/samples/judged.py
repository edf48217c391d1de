"""The embedded samples of MM-Vet, LLaVA-Bench and MMHal-Bench: open questions about drawn scenes, with answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vlmbench.scenes.lettering import Board, board_size, with_boards
from vlmbench.scenes.questions import absent_kind, article
from vlmbench.scenes.scene import SIDE, Dice, Scene, Thing, pixels, relation

from .common import compact, encoded, jpeg, scenes, write

MMVET_IMAGES, LLAVA_IMAGES = 24, 16
CORNERS = {"triangle": 3, "square": 4, "diamond": 4}
WORDS = ("MILK", "BREAD", "WATER", "BOOKS", "TEA", "FISH")
NUMBER_WORDS = ("no", "one", "two", "three", "four", "five", "six")
PLACES: Mapping[tuple[str, str], str] = {
    ("top", "center"): "at the top",
    ("bottom", "center"): "at the bottom",
    ("middle", "left"): "on the left",
    ("middle", "right"): "on the right",
    ("middle", "center"): "in the center",
}

DrawnQuestion = tuple[str, str, tuple[str, ...], Any]
"""Question, answer, capabilities, pixels."""


def listed(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return f"{', '.join(items[:-1])} and {items[-1]}" if len(items) > 1 else items[0]


def _place(thing: Thing) -> str:
    return PLACES.get((thing.row, thing.column), f"at the {thing.row} {thing.column}")


def _looks(thing: Thing) -> str:
    return f"{thing.size} {thing.color} {thing.texture} {thing.kind}"


def description(scene: Scene) -> str:
    """Everything that the scene shows, in two sentences."""
    things = listed([f"{article(_looks(thing))} {_place(thing)}" for thing in scene.things])
    many = NUMBER_WORDS[len(scene.things)]
    return f"A drawing of {many} shapes on {article(f'{scene.style} {scene.ground} background')}. There is {things}."


def _lone(scene: Scene) -> Thing:
    """A thing that is the only one of its kind."""
    return scene.unique()[0]


# ---------------------------------------------------------------------------------------------------------- MM-Vet


def _signed(scene: Scene, *words: str) -> Any:
    """The scene behind one or two signs, one above the other."""
    boards = []
    for word, y in zip(words, (10, 62), strict=False):
        width, _ = board_size(word, 2)
        boards.append(Board(word, "yellow", 2, (SIDE - width) // 2, y))
    return with_boards(scene, tuple(boards))


def _color(scene: Scene, dice: Dice) -> DrawnQuestion:
    thing = _lone(scene)
    answer = "purple<OR>violet" if thing.color == "purple" else thing.color
    return f"What color is the {thing.kind}?", answer, ("rec",), pixels(scene)


def _every_kind(scene: Scene, dice: Dice) -> DrawnQuestion:
    kinds = list(dict.fromkeys(thing.kind for thing in scene.things))
    return "Which kinds of shapes can be seen?", "<AND>".join(kinds), ("rec",), pixels(scene)


def _corners(scene: Scene, dice: Dice) -> DrawnQuestion:
    thing = next((thing for thing in scene.unique() if thing.kind in CORNERS), None)
    if thing is None:
        return _color(scene, dice)
    question = f"How many corners does a shape like the one {_place(thing)} have?"
    count = CORNERS[thing.kind]
    return question, f"{count}<OR>{NUMBER_WORDS[count]}", ("rec", "know", "spat"), pixels(scene)


def _where(scene: Scene, dice: Dice) -> DrawnQuestion:
    pairs = [(a, b, name) for a in scene.unique() for b in scene.unique() if (name := relation(a, b))]
    a, b, name = dice.pick(pairs)
    return f"Where is the {a.kind}, seen from the {b.kind}?", name, ("rec", "spat"), pixels(scene)


def _word(scene: Scene, dice: Dice) -> DrawnQuestion:
    word = dice.pick(WORDS)
    return "What does the sign say?", word, ("ocr",), _signed(scene, word)


def _lower_word(scene: Scene, dice: Dice) -> DrawnQuestion:
    upper, lower = dice.shuffled(WORDS)[:2]
    return "What is written on the lower sign?", lower, ("ocr", "spat"), _signed(scene, upper, lower)


def _sum(scene: Scene, dice: Dice) -> DrawnQuestion:
    a, b = 2 + dice.below(7), 2 + dice.below(7)
    return "What is the sum of the two numbers?", str(a + b), ("ocr", "math"), _signed(scene, str(a), str(b))


def _difference(scene: Scene, dice: Dice) -> DrawnQuestion:
    a, b = 10 + dice.below(10), 2 + dice.below(7)
    question = "What is the upper number minus the lower number?"
    return question, str(a - b), ("ocr", "spat", "math"), _signed(scene, str(a), str(b))


def _described(scene: Scene, dice: Dice) -> DrawnQuestion:
    question = "Describe the picture for somebody who cannot see it."
    return question, description(scene), ("gen", "rec", "spat"), pixels(scene)


def _shopping(scene: Scene, dice: Dice) -> DrawnQuestion:
    word = dice.pick(WORDS[:3])
    answer = f"Any sentence that asks somebody to buy {word.lower()}."
    question = "Write a short note that asks a friend to buy what the sign says."
    return question, answer, ("ocr", "gen"), _signed(scene, word)


MMVET_QUESTIONS: tuple[Callable[[Scene, Dice], DrawnQuestion], ...] = (
    _color, _every_kind, _corners, _where, _word, _lower_word, _sum, _difference, _described, _shopping,
)  # fmt: skip


def build_mmvet(folder: Path) -> None:
    """`mm-vet.json`, `bard_set.json` and `images/`. Every third picture is asked about twice."""
    rows: dict[str, dict[str, Any]] = {}
    for number, scene in enumerate(scenes("mmvet", MMVET_IMAGES)):
        dice, name = Dice(scene.seed), f"v1_{len(rows)}.jpg"
        question, answer, capabilities, picture = MMVET_QUESTIONS[number % len(MMVET_QUESTIONS)](scene, dice)
        asked = [(question, answer, capabilities)]
        if number % 3 == 0 and "ocr" not in capabilities:
            asked.append(_described(scene, dice)[:3] if "gen" not in capabilities else _color(scene, dice)[:3])
        for question, answer, capabilities in asked:
            rows[f"v1_{len(rows)}"] = {
                "imagename": name,
                "question": question,
                "answer": answer,
                "capability": list(capabilities),
                "imagesource": "drawn",
            }
        write(folder / "images" / name, jpeg_of(picture))
    write(folder / "mm-vet.json", indented(rows))
    write(folder / "bard_set.json", compact([key for key in rows if not key.endswith("7")]))


def jpeg_of(picture: Any) -> bytes:
    """An array of pixels as a JPEG file."""
    from PIL import Image

    return encoded(Image.fromarray(picture))


def indented(rows: Mapping[str, Any]) -> str:
    """JSON with four blanks per level."""
    import json

    return json.dumps(rows, indent=4, ensure_ascii=False) + "\n"


# ----------------------------------------------------------------------------------------------------- LLaVA-Bench


def _conversation(scene: Scene, dice: Dice) -> tuple[str, str]:
    thing = _lone(scene)
    answer = f"The {thing.kind} is {thing.color}, {thing.size} and {thing.texture}. It is {_place(thing)}."
    return f"What can you tell me about the {thing.kind}?", answer


def _count(scene: Scene, dice: Dice) -> tuple[str, str]:
    many = NUMBER_WORDS[len(scene.things)]
    kinds = listed([article(thing.kind) for thing in scene.things])
    return "How many shapes are there, and which?", f"There are {many} shapes: {kinds}."


def _in_detail(scene: Scene, dice: Dice) -> tuple[str, str]:
    return "Describe this drawing in detail.", description(scene)


def _paint(scene: Scene, dice: Dice) -> tuple[str, str]:
    colors: dict[str, list[str]] = {}
    for thing in scene.things:
        colors.setdefault(thing.color, []).append(f"the {thing.kind}")
    needed = listed([f"{color} for {listed(things)}" for color, things in colors.items()])
    question = "Somebody wants to paint this picture. Which colors are needed, and for what?"
    return question, f"They need {needed}; and {scene.ground} for the background, which is {scene.style}."


def _removed(scene: Scene, dice: Dice) -> tuple[str, str]:
    left = [f"the {thing.color} {thing.kind} {_place(thing)}" for thing in scene.things if thing.size == "large"]
    gone = [f"the {thing.color} {thing.kind}" for thing in scene.things if thing.size == "small"]
    verb = "is" if len(left) == 1 else "are"
    answer = f"Left {verb} {listed(left)}." if left else "Nothing but the background is left."
    taken = f" Taken away: {listed(gone)}." if gone else " Nothing is taken away, for no shape is small."
    return "Suppose every small shape is taken away. What is left of the picture?", answer + taken


CATEGORIES: Mapping[str, tuple[Callable[[Scene, Dice], tuple[str, str]], ...]] = {
    "conv": (_conversation, _count),
    "detail": (_in_detail,),
    "complex": (_paint, _removed),
}


def build_llava_bench(folder: Path) -> None:
    """`questions.jsonl`, `context.jsonl`, `answers_gpt4.jsonl` (whose answers are ours) and `images/`."""
    questions: list[dict[str, Any]] = []
    contexts: list[dict[str, Any]] = []
    answers: list[dict[str, Any]] = []
    for number, scene in enumerate(scenes("llava_bench", LLAVA_IMAGES), start=1):
        name, dice = f"{number:03d}.jpg", Dice(scene.seed)
        contexts.append({"id": f"{number:03d}", "image": name, "caption": description(scene)})
        for category, makers in CATEGORIES.items():
            text, answer = makers[number % len(makers)](scene, dice)
            key = len(questions)
            questions.append({"question_id": key, "image": name, "category": category, "text": text})
            answers.append({"question_id": key, "prompt": text, "answer_id": f"drawn-{key}", "text": answer})
        write(folder / "images" / name, jpeg(scene))
    for path, rows in (("questions", questions), ("context", contexts), ("answers_gpt4", answers)):
        write(folder / f"{path}.jsonl", "".join(compact(row) + "\n" for row in rows))


# --------------------------------------------------------------------------------------------------------- MMHal-Bench


def _there_is_none(scene: Scene, dice: Dice) -> tuple[str, str]:
    kind = absent_kind(scene, dice)
    return f"What color is the {kind} in the picture?", f"There is no {kind} in this picture."


MMHAL_TYPES: Mapping[str, Callable[[Scene, Dice], tuple[str, str]]] = {
    "attribute": lambda scene, dice: (f"What color is the {_lone(scene).kind}?", f"It is {_lone(scene).color}."),
    "adversarial": _there_is_none,
    "counting": _count,
    "holistic": _in_detail,
}


def build_mmhal(folder: Path) -> None:
    """response_template.json and images/: open questions, and what is in the images in words."""
    rows = []
    for number, scene in enumerate(scenes("mmhal", 24)):
        kind, make = list(MMHAL_TYPES.items())[number % len(MMHAL_TYPES)]
        question, answer = make(scene, Dice(scene.seed))
        name = f"{number:03d}.jpg"
        contents = sorted({thing.kind.capitalize() for thing in scene.things})
        about = {"question_type": kind, "image_src": f"images/{name}", "image_content": contents}
        rows.append({**about, "question": question, "gt_answer": answer, "model_answer": ""})
        write(folder / "images" / name, jpeg(scene))
    write(folder / "response_template.json", json.dumps(rows, indent=1) + "\n")
