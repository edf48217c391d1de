"""The embedded samples of MathVista, MathVision and MathVerse: drawn problems in their official files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vlmbench.scenes.canvas import Canvas
from vlmbench.scenes.problems import Problem, options, problem
from vlmbench.scenes.scene import SIDE, Dice, sample_seeds

from .common import write
from .documents import picture

COUNT, VERSE_COUNT = 24, 7
"""Problems of a sample; those of MathVerse are there in six versions."""
CONTEXTS = {"geometry": "geometry diagram", "function": "function plot", "puzzle": "puzzle test"}
TASKS = {
    "geometry": "geometry problem solving",
    "function": "figure question answering",
    "puzzle": "visual question answering",
}
SKILLS: Mapping[str, Sequence[str]] = {
    "geometry": ("geometry reasoning", "arithmetic reasoning"),
    "function": ("algebraic reasoning",),
    "puzzle": ("arithmetic reasoning", "logical reasoning"),
}
SUBJECTS = {
    "area": "metric geometry - area", "length": "metric geometry - length", "value": "algebra", "count": "counting",
    "list": "arithmetic",
}  # fmt: skip
FIELDS = {"area": "Area", "length": "Length", "value": "Property", "count": "Applied", "list": "Applied"}
PLANE = {"geometry": "Plane Geometry", "function": "Functions", "puzzle": "Plane Geometry"}


def drawn(task: str, count: int) -> list[tuple[int, Dice, Problem]]:
    """(number from 1, dice, problem)."""
    found = []
    for number, seed in enumerate(sample_seeds(task)[:count]):
        dice = Dice(seed)
        found.append((number + 1, dice, problem(dice, number)))
    return found


def build_mathvista(folder: Path) -> None:
    """testmini.json and images/: every other problem whose answer is a whole number has options."""
    rows: dict[str, dict[str, Any]] = {}
    for number, dice, one in drawn("mathvista", COUNT):
        name = f"images/{number}.png"
        chosen = options(dice, int(one.answer), 4) if one.answer_type == "integer" and number % 2 else None
        rows[str(number)] = {
            "question": one.question,
            "image": name,
            "choices": chosen,
            "unit": None,
            "precision": 1 if one.answer_type == "float" else None,
            "answer": one.answer,
            "question_type": "multi_choice" if chosen else "free_form",
            "answer_type": "text" if chosen else one.answer_type,
            "pid": str(number),
            "metadata": {
                "split": "testmini",
                "language": "english",
                "img_width": SIDE,
                "img_height": SIDE,
                "source": "drawn",
                "category": "math-targeted-vqa",
                "task": TASKS[one.kind],
                "context": CONTEXTS[one.kind],
                "grade": "elementary school",
                "skills": list(SKILLS[one.kind]),
            },
        }
        write(folder / name, picture(one.pixels))
    write(folder / "testmini.json", json.dumps(rows, indent=1) + "\n")


def build_mathvision(folder: Path) -> None:
    """test.jsonl and images/: half of the problems have five options; circles have an answer with pi."""
    rows = []
    for number, dice, one in drawn("mathvision", COUNT):
        name = f"images/{number}.png"
        chosen = options(dice, int(one.answer), 5) if one.answer_type == "integer" and number % 2 else []
        question = one.question.replace(" Take 3.14 for pi.", "") if one.latex else one.question
        right = "ABCDE"[chosen.index(one.answer)] if chosen else one.latex or one.answer
        rows.append(
            {
                "id": str(number),
                "question": f"{question}\n<image1>",
                "options": chosen,
                "answer": right,
                "solution": None,
                "level": 1 + number % 5,
                "subject": SUBJECTS[one.about],
                "image": name,
            }
        )
        write(folder / name, picture(one.pixels))
    write(folder / "test.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


# ----------------------------------------------------------------------------------------------------------- MathVerse

VERSIONS = ("Text Dominant", "Text Lite", "Vision Intensive", "Vision Dominant", "Vision Only")
TEXT_ONLY = "Text Only"
DIRECT, REASONED = (
    "{}lease directly answer the question and provide the final value, e.g., 1, 2.5, 300.",
    "{}lease first conduct reasoning, and then answer the question and provide the final value, e.g., 1, 2.5, 300, at "
    "the end.",
)
SHOWN = "According to the question shown in the image, "
LINE = 30
"""Letters of a line in an image that has its question inside."""


def build_mathverse(folder: Path) -> None:
    """testmini.json, testmini_text_only.json and images/: the more is told, the less must be seen."""
    rows: list[dict[str, Any]] = []
    texts = []
    for number, _, one in drawn("mathverse", VERSE_COUNT):
        names = f"images_version_1-4/image_{number}.png", f"images_version_6/image_{number}.png"
        write(folder / "images" / names[0], picture(one.pixels))
        write(folder / "images" / names[1], picture(with_question(one)))
        for version in VERSIONS:
            image = names[version == "Vision Only"]
            rows.append(verse_row(one, number, version, image) | {"sample_index": str(len(rows) + 1)})
        texts.append(verse_row(one, number, TEXT_ONLY, "") | {"sample_index": str(number)})
    write(folder / "testmini.json", json.dumps(rows, indent=1) + "\n")
    write(folder / "testmini_text_only.json", json.dumps(texts, indent=1) + "\n")


def verse_row(one: Problem, number: int, version: str, image: str) -> dict[str, Any]:
    """A version of a problem."""
    told = version in (VERSIONS[0], TEXT_ONLY)
    question = "" if version == "Vision Only" else f"{one.told} {one.question}" if told else one.question
    queries = [
        f"{form.format('P')}\nQuestion: {question}" if question else SHOWN + form.format("p")
        for form in (DIRECT, REASONED)
    ]
    return {
        "problem_index": str(number),
        "problem_version": version,
        "question": question,
        "image": image,
        "answer": one.answer,
        "question_type": "free-form",
        "metadata": {"split": "testmini", "source": "drawn", "subject": PLANE[one.kind], "subfield": FIELDS[one.about]},
        "query_wo": queries[0],
        "query_cot": queries[1],
        "question_for_eval": question or one.question,
    }


def with_question(one: Problem) -> Any:
    """Pixels of the figure with its question printed below."""
    canvas = Canvas(side=2 * SIDE)
    canvas.pixels[:SIDE, SIDE // 2 : SIDE // 2 + SIDE] = one.pixels
    words, lines = one.question.upper().translate({ord(mark): None for mark in "?,"}).split(), [""]
    for word in words:
        if len(lines[-1]) + len(word) >= LINE:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    for place, line in enumerate(lines):
        canvas.print(line, 6, SIDE + 12 + 14 * place)
    return canvas.pixels
