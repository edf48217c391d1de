"""Small made-up benchmarks with ten human answers, in the official file layouts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PEOPLE = ("red",) * 6 + ("dark red",) * 3 + ("Red.",)


def write_json(path: Path, content: Any) -> Path:
    """Any JSON file, its folders made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), "utf-8")
    return path


def people(answers: Sequence[str] = PEOPLE) -> list[dict[str, Any]]:
    """Human answers as the VQA challenge writes them."""
    return [{"answer": text, "answer_confidence": "yes", "answer_id": number} for number, text in enumerate(answers, 1)]


def vqa_rows(count: int = 4) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Questions and annotations, two a picture."""
    questions, notes = [], []
    for number in range(count):
        image, key = 100 + number // 2, 100_000 + number
        questions.append({"image_id": image, "question": f"What color is thing {number}?", "question_id": key})
        note = {"question_type": "what color", "answer_type": ("other", "yes/no")[number % 2], "answers": people()}
        notes.append({**note, "image_id": image, "question_id": key, "multiple_choice_answer": "red"})
    return questions, notes


def write_vqa(
    root: Path,
    questions: Any = None,
    notes: Any = None,
    names: tuple[str, str] = ("v2_OpenEnded_mscoco_val2014_questions.json", "v2_mscoco_val2014_annotations.json"),
    **head: Any,
) -> Path:
    """The two files of a VQA split, and empty pictures in val2014/."""
    asked, noted = vqa_rows()
    write_json(root / names[0], {"questions": asked if questions is None else questions, **head})
    write_json(root / names[1], {"annotations": noted if notes is None else notes, **head})
    for image in (100, 101):
        path = root / "val2014" / f"COCO_val2014_{image:012d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"a picture")
    return root


def textvqa_rows() -> list[dict[str, Any]]:
    """Three questions on two pictures; two ask the same of different pictures."""
    return [
        {
            "question": question,
            "image_id": image,
            "image_classes": ["Sign"],
            "answers": ["stop"] * 9 + ["STOP!"],
            "question_id": 34_602 + number,
            "set_name": "val",
        }
        for number, (image, question) in enumerate(
            [("00aa", "what does the Sign say?"), ("00aa", "what brand?"), ("00bb", "what does the Sign say?")]
        )
    ]


def write_textvqa(root: Path, rows: Any = None, ocr: Mapping[str, Sequence[str]] | None = None) -> Path:
    """TextVQA's val file, its OCR file if wanted, and empty pictures."""
    write_json(root / "TextVQA_0.5.1_val.json", {"data": textvqa_rows() if rows is None else rows})
    if ocr is not None:
        found = [{"image_id": image, "ocr_tokens": list(tokens)} for image, tokens in ocr.items()]
        write_json(root / "TextVQA_Rosetta_OCR_v0.2_val.json", {"data": found})
    for image in ("00aa", "00bb"):
        path = root / "train_images" / f"{image}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"a picture")
    return root


def vizwiz_rows() -> list[dict[str, Any]]:
    """Four questions, the last two unanswerable."""
    known = [{"answer": "red", "answer_confidence": "yes"}] * 10
    unknown = [{"answer": "unanswerable", "answer_confidence": "yes"}] * 9 + [{"answer": "red"}]
    return [
        {
            "image": f"VizWiz_val_{number:08d}.jpg",
            "question": "What COLOR is this?",
            "answers": known if number < 2 else unknown,
            "answer_type": "other" if number < 2 else "unanswerable",
            "answerable": int(number < 2),
        }
        for number in range(4)
    ]


def write_vizwiz(root: Path, rows: Any = None, name: str = "val.json") -> Path:
    """VizWiz's annotation file."""
    write_json(root / name, vizwiz_rows() if rows is None else rows)
    return root
