"""The embedded samples of VQAv2 and OK-VQA: drawn scenes, ten human-like answers, the challenge's file layout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vlmbench.scenes.gqa_questions import name_asked
from vlmbench.scenes.questions import attribute_asked, attribute_verified, existence, side_verified
from vlmbench.scenes.scene import Dice, Scene

from .common import compact, jpeg, scenes, write
from .people import ask, sure

IMAGES = 30
HIDDEN = 4
"""Of VQAv2's pictures, how many are test-dev's, whose answers are not given."""
TYPES = (
    "what color is the", "what pattern", "what size", "what is the", "what", "how many", "how large", "is there a",
    "is there", "is the", "do you", "does the", "which", "on which",
)  # fmt: skip
"""Beginnings of questions, the more special first; as in the challenge's list, where they occur there."""
INFO = {
    "description": "Drawn scenes with made-up human answers, in the layout of the VQA dataset.",
    "url": "",
    "version": "2.0",
    "year": 2026,
    "contributor": "vlmbench",
    "date_created": "2026-11-21 00:00:00",
}
LICENSE = {"url": "", "name": "as vlmbench itself"}


def picture_id(scene: Scene) -> int:
    """A number like COCO's."""
    return 500_000 + scene.seed % 100_000


def _header(subset: str) -> dict[str, Any]:
    return {"info": INFO, "data_type": "mscoco", "data_subtype": subset, "license": LICENSE}


def _question_type(text: str) -> str:
    return next((start for start in TYPES if text.lower().startswith(start)), "none of the above")


def _answer_type(answer: str) -> str:
    return "yes/no" if answer in ("yes", "no") else "number" if answer.isdecimal() else "other"


# ----------------------------------------------------------------------------------------------------------- VQAv2


def vqav2_questions(scene: Scene) -> list[tuple[str, str]]:
    """(question, answer): two that are yes or no, a count, two others; fewer where the scene has no room."""
    dice = Dice(scene.seed)
    found: list[tuple[str, str]] = []
    for maker in (existence, dice.pick((attribute_verified, side_verified)), attribute_asked, name_asked):
        question = maker(scene, dice)
        if question is not None:
            found.append((question.text, question.answer))
    kind = dice.pick(scene.things).kind
    if dice.chance(50):
        found.append((f"How many {plural(kind)} are there?", str(scene.count(kind))))
    else:
        found.append(("How many things are in the picture?", str(len(scene.things))))
    return list(dict(found).items())


def plural(kind: str) -> str:
    """More than one of a kind."""
    return kind + ("es" if kind.endswith(("s", "x")) else "s")


def _question_rows(pictures: Sequence[Scene]) -> Iterator[tuple[Scene, dict[str, Any], str]]:
    for scene in pictures:
        for number, (text, answer) in enumerate(vqav2_questions(scene)):
            key = picture_id(scene) * 1000 + number
            yield scene, {"image_id": picture_id(scene), "question": text, "question_id": key}, answer


def annotation(dice: Dice, row: Mapping[str, Any], answer: str) -> dict[str, Any]:
    """What ten people said, as the challenge writes it."""
    said = ask(dice, answer)
    people = [
        {"answer": text, "answer_confidence": sure(dice, answer, text), "answer_id": number}
        for number, text in enumerate(said, 1)
    ]
    return {
        "question_type": _question_type(row["question"]),
        "multiple_choice_answer": answer,
        "answers": people,
        "image_id": row["image_id"],
        "answer_type": _answer_type(answer),
        "question_id": row["question_id"],
    }


def build_vqav2(folder: Path) -> None:
    """val with annotations, test-dev without; pictures in `val2014/` and `test2015/`."""
    pictures = scenes("vqav2", IMAGES)
    parts = {"val2014": pictures[:-HIDDEN], "test-dev2015": pictures[-HIDDEN:]}
    for subset, shown in parts.items():
        rows = list(_question_rows(shown))
        head = _header(subset)
        questions = {"info": INFO, "task_type": "Open-Ended", **head, "questions": [row for _, row, _ in rows]}
        write(folder / f"v2_OpenEnded_mscoco_{subset}_questions.json", compact(questions))
        if subset == "val2014":
            notes = [annotation(Dice(row["question_id"]), row, answer) for _, row, answer in rows]
            write(folder / f"v2_mscoco_{subset}_annotations.json", compact({**head, "annotations": notes}))
        place = subset.replace("test-dev", "test")
        for scene in shown:
            write(folder / place / f"COCO_{place}_{picture_id(scene):012d}.jpg", jpeg(scene))


# ---------------------------------------------------------------------------------------------------------- OK-VQA

QUESTION_TYPES = {
    "one": "Vehicles and Transportation",
    "two": "Brands, Companies and Products",
    "three": "Objects, Material and Clothing",
    "four": "Sports and Recreation",
    "five": "Cooking and Food",
    "six": "Geography, History, Language and Culture",
    "seven": "People and Everyday life",
    "eight": "Plants and Animals",
    "nine": "Science and Technology",
    "ten": "Weather and Climate",
    "other": "Other",
}
KNOWN: Mapping[str, tuple[tuple[str, str], ...]] = {
    "hourglass": (
        ("three", "Which of these things was once used to tell the time?"),
        ("three", "Which of these is filled with sand?"),
    ),
    "moon": (("nine", "Which of these goes around the earth?"), ("ten", "Which of these moves the tides of the sea?")),
    "house": (("seven", "In which of these do people live?"), ("seven", "Which of these has a roof?")),
    "heart": (("six", "Which of these stands for love?"), ("nine", "Which of these pumps blood?")),
    "ring": (("seven", "Which of these is given at a wedding?"), ("three", "Which of these is worn on a finger?")),
    "arrow": (("four", "Which of these is shot with a bow?"), ("one", "Which of these on a road sign shows the way?")),
    "star": (
        ("seven", "Which of these tells how good a hotel is?"),
        ("nine", "Which of these is a sun, seen from far away?"),
    ),
    "cross": (("six", "Which of these stands on the roof of many churches?"),),
    "diamond": (("three", "Which of these has the name of the hardest stone?"),),
    "triangle": (("nine", "Which of these has angles that add up to 180 degrees?"),),
    "square": (("four", "Which of these has the form of a chessboard?"),),
}
"""What is known of a kind and not to be seen, by OK-VQA's codes of question types."""


def okvqa_questions(scene: Scene) -> list[tuple[str, str, str]]:
    """(type, question, answer) of two kinds that are there once."""
    dice = Dice(scene.seed)
    kinds = [thing.kind for thing in scene.unique() if thing.kind in KNOWN]
    return [(*dice.pick(KNOWN[kind]), kind) for kind in dice.shuffled(kinds)[:2]]


def _okvqa_note(dice: Dice, kind: str, key: int, image: int, answer: str) -> dict[str, Any]:
    people: list[dict[str, Any]] = []
    for text in ask(dice, answer, 5):
        confidence = sure(dice, answer, text)
        for _ in range(2):  # each of five people stands there twice
            number = len(people) + 1
            said = {"raw_answer": text, "answer": text, "answer_confidence": confidence, "answer_id": number}
            people.append(said)
    return {
        "image_id": image,
        "answer_type": "other",
        "question_type": kind,
        "question_id": key,
        "answers": people,
        "confidence": 3,
    }


def build_okvqa(folder: Path) -> None:
    """val2014, in the layout of the challenge's first version."""
    questions: list[dict[str, Any]] = []
    notes: list[dict[str, Any]] = []
    for scene in scenes("okvqa", IMAGES):
        found, image = okvqa_questions(scene), picture_id(scene)
        for number, (kind, text, answer) in enumerate(found):
            key = image * 10 + 5 + number
            questions.append({"image_id": image, "question": text, "question_id": key})
            notes.append(_okvqa_note(Dice(key), kind, key, image, answer))
        if found:
            write(folder / "val2014" / f"COCO_val2014_{image:012d}.jpg", jpeg(scene))
    head = _header("val2014")
    asked = {**head, "task_type": "Open-Ended", "questions": questions}
    write(folder / "OpenEnded_mscoco_val2014_questions.json", compact(asked))
    answered = {**head, "question_types": QUESTION_TYPES, "annotations": notes}
    write(folder / "mscoco_val2014_annotations.json", compact(answered))
