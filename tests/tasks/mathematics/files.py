"""Small copies of the files of MathVista, MathVision and MathVerse: their authors', the hub's, VLMEvalKit's."""

from __future__ import annotations

from typing import Any

from tests.tasks.families.schemas.layouts import KEY, Layout, Rows, Shown

FACTS: dict[str, Any] = {
    "split": "testmini", "language": "english", "img_width": 100, "img_height": 80, "source": "GEOS",
    "category": "math-targeted-vqa", "task": "geometry problem solving", "context": "geometry diagram",
    "grade": "high school",
}  # fmt: skip


def vista(pid: str, kind: str, answer: str, **more: Any) -> dict[str, Any]:
    """A problem of MathVista, without its image."""
    chosen = more.pop("choices", None)
    return {
        "pid": pid, "question": f"What is {pid}?", "choices": chosen, "unit": None, "precision": None, "answer": answer,
        "question_type": "multi_choice" if chosen else "free_form", "answer_type": kind,
        "metadata": {**FACTS, "skills": ["geometry reasoning", "numeric commonsense"][: int(pid)]}, **more,
    }  # fmt: skip


VISTA = [
    vista("1", "text", "60°", choices=["30°", "60°", "60°"], image=Shown(1)),
    vista("2", "integer", "14", unit="cm", image=Shown(2)),
    vista("3", "float", "1.25", precision=2, image=Shown(1)),
    vista("4", "list", "[1, 2]", image=Shown(2)),
]
VISTA_TARGETS = ["B", "14", "1.25", "[1, 2]"]


def on_the_hub(rows: Rows) -> Rows:
    """With the image as a path and as itself, a number of decimal places like 2.0, and the query."""
    return [
        {**row, "image": f"images/{row['pid']}.jpg", "decoded_image": row["image"], "query": "Hint: ...",
         "precision": None if row["precision"] is None else float(row["precision"])}
        for row in rows
    ]  # fmt: skip


HINT = "Hint: Please answer the question and provide the correct option letter, e.g., A, B, C, D, at the end."
LISTED = "\nChoices:\n(A) 30°\n(B) 60°\n(C) 60°"
VISTA_KIT: list[dict[str, Any]] = [
    {
        "index": n, "image": row["image"], "answer": row["answer"], "answer_option": "C" if n == 1 else None,
        "question": f"{HINT}\nQuestion: {row['question']}{LISTED if n == 1 else ''}",
        "choices": str(row["choices"] or []), "question_type": row["question_type"], "answer_type": row["answer_type"],
        "task": FACTS["task"], "category": FACTS["category"], "skills": str(row["metadata"]["skills"]), "unit": None,
    }
    for n, row in enumerate(VISTA, 1)
]  # fmt: skip
VISION: list[dict[str, Any]] = [
    {"id": "1", "question": "Which?\n<image1>", "options": ["1", "2", "3", "4", "5"], "answer": "C", "solution": None,
     "level": 2, "subject": "arithmetic", "image": Shown(1)},
    {"id": "2", "question": "How many?\n<image1>", "options": [], "answer": "2\\sqrt{3}", "solution": None,
     "level": 5, "subject": "algebra", "image": Shown(2)},
]  # fmt: skip
VISION_TARGETS: list[str] = ["C", "2\\sqrt{3}"]
VISION_KIT: list[dict[str, Any]] = [
    {"index": row["id"], "question": row["question"], "image": row["image"], "answer": row["answer"],
     "choices": str(row["options"]), "category": row["subject"]}
    for row in VISION
]  # fmt: skip
VERSIONS = ("Text Dominant", "Text Lite", "Vision Intensive", "Vision Dominant", "Vision Only")


def verse(number: int, version: str, image: Shown | str) -> dict[str, Any]:
    """A version of a problem of MathVerse."""
    told = "" if version == "Vision Only" else "How long is x?"
    return {
        "sample_index": str(number + 1), "problem_index": str(number // 5 + 1), "problem_version": version,
        "question": told, "image": image, "answer": "AB"[number // 5], "question_type": "multi-choice",
        "metadata": {"split": "testmini", "source": "GeoQA", "subject": "Plane Geometry", "subfield": "Length"},
        "query_wo": f"Directly. {told}", "query_cot": f"With reasons. {told}", "question_for_eval": "How long is x?",
    }  # fmt: skip


VERSE = [verse(number, VERSIONS[number % 5], Shown(number + 1)) for number in range(10)]
VERSE_TARGETS = ["A"] * 5 + ["B"] * 5
TEXTS = [verse(0, "Text Only", ""), {**verse(5, "Text Only", ""), "sample_index": "2"}]
VERSE_KIT = [{**row, "index": n, "metadata": str(row["metadata"])} for n, row in enumerate(VERSE, 1)]
for row in VERSE_KIT:
    del row["sample_index"]


def unlabelled(rows: Rows) -> Rows:
    """As test splits are: the answers are empty."""
    return [{**row, "answer": ""} for row in rows]


LAYOUTS = (
    Layout("mathvista", "keyed", "testmini.json", [{**row, KEY: row["pid"]} for row in VISTA], VISTA_TARGETS, "pid",
           images="images/{}.jpg", name="images/{}.jpg"),
    Layout("mathvista:test", "keyed", "data/test.json", unlabelled([{**row, KEY: row["pid"]} for row in VISTA]),
           [None] * 4, "pid", images="data/images/{}.jpg", name="images/{}.jpg"),
    Layout("mathvista", "tsv", "MathVista_MINI.tsv", VISTA_KIT, ["C", "14", "1.25", "[1, 2]"], "index"),
    Layout("mathvision", "lines", "test.jsonl", VISION, VISION_TARGETS, "id", images="images/{}.jpg",
           name="images/{}.jpg"),
    Layout("mathvision:testmini", "lines", "data/testmini.jsonl", VISION, VISION_TARGETS, "id"),
    Layout("mathvision", "tsv", "MathVision.tsv", VISION_KIT, VISION_TARGETS, "index"),
    Layout("mathverse", "json", "testmini.json", VERSE, VERSE_TARGETS, "sample_index"),
    Layout("mathverse:vision_only", "json", "data/testmini.json", VERSE, ["A", "B"], "sample_index"),
    Layout("mathverse:text_only", "json", "testmini_text_only.json", TEXTS, ["A", "B"], "sample_index"),
    Layout("mathverse", "tsv", "MathVerse_MINIV.tsv", VERSE_KIT, VERSE_TARGETS, "index"),
    Layout("mathverse:text_lite", "tsv", "MathVerse_MINITLite.tsv", VERSE_KIT[1::5], ["A", "B"], "index"),
)  # fmt: skip
HUB = (
    Layout("mathvista", "parquet", "AI4Math/MathVista/data/testmini", on_the_hub(VISTA), VISTA_TARGETS, "pid"),
    Layout("mathvista:test", "parquet", "AI4Math/MathVista/data/test", unlabelled(on_the_hub(VISTA)), [None] * 4,
           "pid"),
    *(
        Layout(f"mathvision:{split}", "parquet", f"MathLLMs/MathVision/data/{split}",
               [{**row, "image": "images/1.jpg", "decoded_image": row["image"]} for row in VISION], VISION_TARGETS,
               "id")
        for split in ("test", "testmini")
    ),
    Layout("mathverse", "parquet", "AI4Math/MathVerse/testmini/testmini", VERSE, VERSE_TARGETS, "sample_index"),
    Layout("mathverse:text_dominant", "parquet", "CaraJ/MathVerse-lmmseval/testmini/testmini", VERSE, ["A", "B"],
           "sample_index"),
    Layout("mathverse:text_only", "parquet", "AI4Math/MathVerse/testmini_text_only/testmini_text_only", TEXTS,
           ["A", "B"], "sample_index"),
)  # fmt: skip
