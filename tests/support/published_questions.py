"""Question files made of what published answer files say of the questions: python -m tests.support.published_questions

Two arguments: ANSWERS, with the benchmarks' repositories as `git clone` makes them (MMStar, SEED-Bench), and QUESTIONS,
which gets a folder for each benchmark, for `vlmbench score --data`. Ids and right answers are the published ones;
images, and texts that no answer file has, are stand-ins: a score does not read them.
"""

from __future__ import annotations

import base64
import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.support.toys import png
from vlmbench.data.answers.nested_rows import listed_rows
from vlmbench.data.sheets import read_sheet
from vlmbench.data.tables.columns import LETTERS
from vlmbench.data.tables.option_texts import mmstar as split_options


def image(number: int) -> str:
    """An image that no other row has."""
    return base64.b64encode(png((number >> 16, number >> 8 & 255, number & 255))).decode()


def write_table(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """A table with all rows' columns, in VLMEvalKit's form."""
    rows = list(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, dict.fromkeys(name for row in rows for name in row), delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)


def by_letter(options: Sequence[str]) -> dict[str, str]:
    """A column per option."""
    return dict(zip(LETTERS, options, strict=False))


def mmstar(answers: Path, folder: Path) -> None:
    """Of the sheet of LLaVA-NeXT-34B: all but the image."""
    rows = []
    for number, row in enumerate(read_sheet(answers / "MMStar" / "eval" / "submits" / "llava_next_yi_34b_MMStar.xlsx")):
        question, options = split_options(str(row.values["question"]))
        values = {name: row.values[name] for name in ("index", "answer", "category", "l2_category")}
        rows.append({**values, "question": question, **by_letter(options), "image": image(number)})
    write_table(folder / "MMStar.tsv", rows)


def seedbench(answers: Path, folder: Path) -> None:
    """Of GPT-4V's results: ids, of which videos' begin with v, and right letters."""
    questions = {}
    for row in listed_rows(answers / "SEED-Bench" / "evaluate_result" / "SEED-Bench-1" / "GPT-4V.json"):
        key = row.text("question_id")
        kind = "video" if key.startswith("v") else "image"
        options = {f"choice_{letter}": f"option {letter}" for letter in "abcd"}
        facts = {"question_id": key, "question": "?", "answer": row.text("gt_answer"), "data_type": kind}
        questions[key] = {**facts, **options, "question_type_id": 1, "data_id": f"{key}.png"}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "SEED-Bench.json").write_text(json.dumps({"questions": list(questions.values())}), encoding="utf-8")


BENCHMARKS = {"mmstar": mmstar, "seedbench": seedbench}

if __name__ == "__main__":
    _answers, _questions = map(Path, sys.argv[1:])
    for _name, _write in BENCHMARKS.items():
        _write(_answers, _questions / _name)
