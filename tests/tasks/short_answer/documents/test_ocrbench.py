"""OCRBench: its file, table and hub rows, points, and answers without unique ids."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.tasks.layouts import hub_samples
from vlmbench.base.errors import DataError, PredictionsError
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Response, Sample
from vlmbench.data.files import Folder

REGULAR, FORMULA = "Regular Text Recognition", "Handwritten Mathematical Expression Recognition"
CELL = "A" * 100
"""Stands for an image in a table."""


def row(number: int, kind: str = REGULAR, **changes: Any) -> dict[str, Any]:
    """An official row; the ids of two datasets overlap."""
    found = {
        "dataset_name": "HME100k" if kind == FORMULA else "IIIT5K",
        "id": 7,
        "image_path": f"a/{number}.jpg",
        "question": "what is written?",
    }
    return {**found, "answers": "Open", "type": kind, **changes}


def read(root: Path, *rows: dict[str, Any]) -> list[Sample]:
    """The samples of an official file."""
    if rows:
        (root / "OCRBench.json").write_text(json.dumps(rows), "utf-8")
    return list(choose_task("ocrbench").task.samples(Folder(root), "test"))


def values(samples: list[Sample], texts: list[str], protocol: str = "official") -> dict[str, float]:
    """The figures of some answers."""
    task = choose_task("ocrbench").task
    scored = [(s, task.score(s, Response(t), protocol)) for s, t in zip(samples, texts, strict=True)]
    return {metric.name: metric.value() for metric in task.summarise(scored, protocol)}


def test_points(tmp_path: Path) -> None:
    found = read(tmp_path, row(1), row(2, answers=["a b", "A\nB"]), row(3, FORMULA, answers="x ^ 2\n"))
    assert [sample.id for sample in found] == ["1", "2", "3"] and found[1].target == ("a b", "A\nB")
    assert values(found, ["It is OPENED", "ab", "$x^2$"]) == pytest.approx(
        {
            "score": 2000 / 3,
            "text_recognition": 150,
            "regular_text_recognition": 25,
            "handwritten_mathematical_expression_recognition": 100,
        }
    )
    assert values(found[2:], ["X^2"])["score"] == 0  # letter case counts in formulas


def test_full_width_letters(tmp_path: Path) -> None:
    found = read(tmp_path, row(1, answers="12 元"))
    assert [values(found, ["\uff11\uff12\u3000元"], name)["score"] for name in ("official", "lmms_eval")] == [0, 1000]


def test_official_results_have_no_unique_ids(tmp_path: Path) -> None:
    rows = [row(1), row(2, question="what is it?"), row(2, answers=["x"])]
    found = read(tmp_path, *rows)
    path = tmp_path / "results.json"
    results = [{**one, "predict": str(at), "result": 0} for at, one in enumerate(rows)]
    path.write_text(json.dumps(results[::-1]), "utf-8")
    task = choose_task("ocrbench").task
    assert task.read_predictions(path, found) == {"1": "0", "2": "1", "3": "2"}
    path.write_text(json.dumps([*results[:2], {**results[2], "predict": 0}]), "utf-8")
    with pytest.raises(PredictionsError, match="1 of 3 questions have no answer: 3"):
        task.read_predictions(path, found)
    path.write_text(json.dumps([{"id": number, "prediction": f"{number}!"} for number in (1, 2, 3)]), "utf-8")
    assert task.read_predictions(path, found) == {"1": "1!", "2": "2!", "3": "3!"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"type": "Spelling"}, "'Spelling' is none of the ten types"),
        ({"type": None}, "the field is null"),
        ({"answers": [1]}, "a list of texts was expected"),
        ({"image_path": None}, "1 of 1 questions have no image"),
        ({"image_path": "/etc/a.jpg"}, "not the name of an image inside"),
    ],
)
def test_bad_rows(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=re.escape(words)):
        read(tmp_path, row(1, **changes))


def test_vlmevalkits_table_and_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"index\timage\tquestion\tanswer\tcategory\n0\t{CELL}\twhat?\t['Open', 'x']\t{FORMULA}\n"]
    (tmp_path / "OCRBench.tsv").write_text("".join(lines), "utf-8")
    (found,) = read(tmp_path)
    assert (found.id, found.target, found.tags["question_type"]) == ("0", ("Open", "x"), FORMULA)
    rows: list[dict[str, Any]] = [
        {"dataset": "svt", "question": "what?", "question_type": REGULAR, "answer": ["Open"]} for _ in range(2)
    ]
    hub = hub_samples(tmp_path, "ocrbench", "echo840/OCRBench/data/test", rows, monkeypatch)
    assert [(s.id, s.target, s.tags["dataset"]) for s in hub] == [("1", ("Open",), "svt"), ("2", ("Open",), "svt")]
