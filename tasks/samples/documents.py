"""The embedded samples of benchmarks about charts and documents, drawn by vlmbench.scenes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vlmbench.scenes.canvas import Canvas
from vlmbench.scenes.charts import bar_chart, chart_questions, draw_chart
from vlmbench.scenes.lettering import Board, line, with_boards
from vlmbench.scenes.pages import draw_form, draw_poster, form, form_questions, operations, poster, poster_questions
from vlmbench.scenes.scene import GROUNDS, SIDE, STYLES, Dice, Scene, sample_seeds

from . import textvqa
from .common import encoded, write

CHARTS = 16
PAGES = 12


def picture(pixels: Any) -> bytes:
    """Pixels as a PNG file: flat colours take little room."""
    from PIL import Image

    return encoded(Image.fromarray(pixels, "RGB"), "PNG")


def build_chartqa(folder: Path) -> None:
    """test/: a question that takes some thought (`human`) and one that is read off (`augmented`) about each chart."""
    rows: dict[str, list[dict[str, str]]] = {"human": [], "augmented": []}
    for number, seed in enumerate(sample_seeds("chartqa")[:CHARTS], 1):
        dice, name = Dice(seed), f"{number}.png"
        chart = bar_chart(dice)
        asked = list(chart_questions(dice, chart))
        for source, derived in (("human", True), ("augmented", False)):
            question = next(question for question in asked if question.derived == derived)
            rows[source].append({"imgname": name, "query": question.text, "label": question.answer})
        write(folder / "test" / "png" / name, picture(draw_chart(chart)))
    for source, found in rows.items():
        write(folder / "test" / f"test_{source}.json", json.dumps(found, indent=1) + "\n")


def build_docvqa(folder: Path) -> None:
    """val_v1.0_withQT.json and documents/: two questions about each page."""
    data: list[dict[str, Any]] = []
    for number, seed in enumerate(sample_seeds("docvqa")[:PAGES], 1):
        dice, name = Dice(seed), f"page{number:04d}_1"
        page = form(dice)
        for question in list(form_questions(dice, page))[:2]:
            row = {"questionId": 49_000 + len(data), "question": question.text, "question_types": [*question.kinds]}
            row |= {"image": f"documents/{name}.png", "docId": number, "ucsf_document_id": name.partition("_")[0]}
            data.append(row | {"ucsf_document_page_no": "1", "answers": [*question.answers], "data_split": "val"})
        write(folder / "documents" / f"{name}.png", picture(draw_form(page)))
    head = {"dataset_name": "docvqa", "dataset_version": "1.0", "dataset_split": "val"}
    write(folder / "val_v1.0_withQT.json", json.dumps({**head, "data": data}, indent=1) + "\n")


def build_infovqa(folder: Path) -> None:
    """infographicsVQA_val_v1.0_withQT.json and infographicsvqa_images/: two questions about each poster."""
    data: list[dict[str, Any]] = []
    for number, seed in enumerate(sample_seeds("infovqa")[:PAGES], 1):
        dice, name = Dice(seed), f"{10_000 + number}.png"
        page = poster(dice)
        for question in list(poster_questions(dice, page))[:2]:
            answer_type, evidence = question.kinds
            row = {"questionId": 60_000 + len(data), "question": question.text, "image_local_name": name}
            row |= {"answers": [*question.answers], "answer_type": [answer_type], "evidence": [evidence]}
            data.append(row | {"operation/reasoning": [*operations(question)], "data_split": "val"})
        write(folder / "infographicsvqa_images" / name, picture(draw_poster(page)))
    head = {"dataset_name": "infographicVQA", "dataset_version": "1.0", "dataset_split": "val"}
    write(folder / "infographicsVQA_val_v1.0_withQT.json", json.dumps({**head, "data": data}, indent=1) + "\n")


def sign(dice: Dice, seed: int, boards: tuple[Board, ...]) -> bytes:
    """Boards in front of a drawn background."""
    from PIL import Image

    scene = Scene(seed, (), dice.pick(tuple(GROUNDS)), dice.pick(STYLES))
    return encoded(Image.fromarray(with_boards(scene, boards), "RGB"))


def build_stvqa(folder: Path) -> None:
    """test_task_3.json and its images. Unlike the official test, the rows have answers: a sample is to be scored."""
    data: list[dict[str, Any]] = []
    for number, seed in enumerate(sample_seeds("stvqa")[: 2 * PAGES], 1):
        dice = Dice(seed)
        boards = textvqa.boards(dice)
        question, answer = dice.pick(textvqa.questions(dice, boards))
        dataset = ("coco-text", "icdar", "vizwiz")[number % 3]
        row = {"file_path": f"{dataset}/{number}.jpg", "file_name": f"{number}.jpg", "question_id": 58_000 + number}
        data.append(row | {"question": question.capitalize(), "dataset": dataset, "answers": [answer]})
        write(folder / dataset / f"{number}.jpg", sign(dice, seed, boards))
    head = {"dataset_name": "st-vqa", "task_name": "task 3 - open dictionary", "task": 3}
    write(folder / "test_task_3.json", json.dumps({**head, "data": data}, indent=1) + "\n")


# ------------------------------------------------------------------------------------------------------------ OCRBench

WRITTEN = "what is written in the image?"
ENTRY = "what is the {}? Answer this question using the text in the image directly."
LATEX = "Please write out the expression of the formula in the image using LaTeX format."
KINDS: Mapping[str, str] = {
    "Regular Text Recognition": "IIIT5K",
    "Irregular Text Recognition": "svtp",
    "Artistic Text Recognition": "WordArt",
    "Handwriting Recognition": "IAM",
    "Digit String Recognition": "ORAND",
    "Non-Semantic Text Recognition": "NonSemanticText",
    "Scene Text-centric VQA": "textVQA",
    "Doc-oriented VQA": "docVQA",
    "Key Information Extraction": "SROIE",
    "Handwritten Mathematical Expression Recognition": "HME100k",
}
"""Types of questions, each with one of the datasets that it comes from."""


def sum_of(dice: Dice) -> tuple[bytes, str]:
    """A formula on paper, and as text."""
    one, other = 1 + dice.below(9), 1 + dice.below(9)
    mark, result = ("+", one + other) if dice.chance(60) else ("-", one - other)
    text = f"{one} {mark} {other} = {result}"
    canvas = Canvas()
    canvas.print_centred(text.replace(" ", ""), SIDE // 2, 38, scale=2)
    return picture(canvas.pixels), text


def ocrbench_item(kind: str, dice: Dice, seed: int) -> tuple[bytes, str, str | list[str]]:
    """An image, a question about its text, and the answer or answers."""
    if kind == "Scene Text-centric VQA":
        boards = textvqa.boards(dice)
        question, answer = dice.pick(textvqa.questions(dice, boards))
        return sign(dice, seed, boards), question.capitalize(), answer
    if kind == "Handwritten Mathematical Expression Recognition":
        image, answer = sum_of(dice)
        return image, LATEX, answer
    if kind in ("Doc-oriented VQA", "Key Information Extraction"):
        page = form(dice)
        entry = next(one for one in form_questions(dice, page) if one.kinds != ("layout",))
        text, answers = entry.text, [*entry.answers]
        if kind == "Key Information Extraction" and not page.table:
            name, value = dice.pick(page.entries)
            text, answers = ENTRY.format(name.lower()), [value]
        return picture(draw_form(page)), text, answers if len(answers) > 1 else answers[0]
    word = dice.pick(textvqa.WORDS)
    if kind == "Digit String Recognition":
        word = str(1_000 + dice.below(9_000))
    elif kind == "Non-Semantic Text Recognition":
        word = "".join(dice.pick("BCDFGHKLMNPRSTVWXZ") for _ in range(4))
    return sign(dice, seed, line(dice, (word,), dice.pick(textvqa.BRIGHT), 4, SIDE - 4)), WRITTEN, word


def build_ocrbench(folder: Path) -> None:
    """OCRBench.json and OCRBench_Images/: three questions of each type. Ids are unique within a dataset, as theirs."""
    rows: list[dict[str, Any]] = []
    for at, seed in enumerate(sample_seeds("ocrbench")[: 3 * len(KINDS)]):
        kind, dataset = list(KINDS.items())[at // 3]
        image, question, answers = ocrbench_item(kind, Dice(seed), seed)
        suffix = "png" if image.startswith(b"\x89PNG") else "jpg"
        name = f"{dataset}/{at % 3}.{suffix}"
        row = {"dataset_name": dataset, "id": at % 3, "image_path": name, "question": question, "answers": answers}
        rows.append(row | {"type": kind})
        write(folder / "OCRBench_Images" / name, image)
    write(folder / "OCRBench.json", json.dumps(rows, indent=1) + "\n")
