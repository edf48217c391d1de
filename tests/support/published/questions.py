"""Question files made of what published answer files say of the questions: python -m tests.support.published.questions

Two arguments: ANSWERS, with the benchmarks' repositories as `git clone` makes them (MMStar, SEED-Bench, MMMU,
BLINK_Benchmark), and QUESTIONS, which gets a folder for each benchmark, for `vlmbench score --data`. Ids and right
answers are the published ones; images, and texts that no answer file has, are stand-ins: a score does not read them.
"""

from __future__ import annotations

import base64
import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
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


def write_lines(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """JSON lines, as hub datasets are kept in a folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def images(name: str, count: int) -> dict[str, str | None]:
    """The columns of `count` images, of which the first one is there; one is called `image`."""
    empty: dict[str, str | None] = dict.fromkeys(f"image_{number}" for number in range(2, count + 1))
    return {"image_1" if empty else "image": f"{name}.png", **empty}


def mmmu(answers: Path, folder: Path) -> None:
    """Of LLaVA-1.5-13B's outputs: options and right answers, in the order of the subjects."""
    rows = []
    for file in sorted((answers / "MMMU" / "mmmu" / "example_outputs" / "llava1.5_13b").glob("*/output.json")):
        for row in json.loads(file.read_text("utf-8")):
            kind = "multiple-choice" if "index2ans" in row else "open"
            options = {"options": str(list(row.get("index2ans", {}).values())), "answer": str(row["answer"])}
            shown = {"question": "<image 1>", "question_type": kind, **images(row["id"], 7)}
            rows.append({"id": row["id"], **options, **shown})
    write_lines(folder / "val.jsonl", rows)


def mmmu_pro(answers: Path, folder: Path) -> None:
    """Of GPT-4o's outputs, which have all but the images; each file has an order of its own, that of its draws."""
    for name, file in MMMU_PRO.items():
        lines = (answers / "MMMU" / "mmmu-pro" / "output" / file).read_text("utf-8").splitlines()
        names = ("id", "options", "answer", "subject", *(("question",) if "standard" in name else ()))
        shown = partial(images, count=7 if "standard" in name else 1)
        split = name.rpartition("_")[0]
        rows = [{key: row[key] for key in names} | shown(row["id"]) for row in map(json.loads, lines)]
        write_lines(folder / name / f"{split}.jsonl", rows)


def blink(answers: Path, folder: Path) -> None:
    """Of the file of right answers: each task has as many options as letters are right in it."""
    right = json.loads((answers / "BLINK_Benchmark" / "eval" / "val_answers.json").read_text("utf-8"))
    task = {key: key.partition("_")[2].rpartition("_")[0] for key in right}
    last = {name: max(right[key] for key in right if task[key] == name) for name in set(task.values())}
    rows = []
    for key, answer in right.items():
        options = [f"option {letter}" for letter in LETTERS if f"({letter})" <= last[task[key]]]
        facts = {"idx": key, "sub_task": task[key], "question": "?", "prompt": "", "choices": options}
        rows.append({**facts, "answer": answer, **images(key, 4)})
    write_lines(folder / "val.jsonl", rows)


BENCHMARKS = {"mmstar": mmstar, "seedbench": seedbench, "mmmu": mmmu, "mmmu_pro": mmmu_pro, "blink": blink}
MMMU_PRO = {
    "standard_10_direct": "gpt-4o_standard(10 options)_direct.jsonl",
    "standard_10_cot": "gpt-4o_standard(10 options)_cot.jsonl",
    "vision_direct": "gpt-4o_vision_direct.jsonl",
    "vision_cot": "gpt-4o_vision_cot.jsonl",
}
"""By split and prompt."""


if __name__ == "__main__":
    _answers, _questions = map(Path, sys.argv[1:])
    for _name, _write in BENCHMARKS.items():
        _write(_answers, _questions / _name)
