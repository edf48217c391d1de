"""MMHal-Bench: its layouts, its judge's words, answer files and lists of replies, and what can be wrong with them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.toys import png
from vlmbench.base.errors import DataError, PredictionsError
from vlmbench.base.samples import Response, Sample
from vlmbench.data.files import Folder, Hub
from vlmbench.scoring.verdicts import combine
from vlmbench.tasks.judged.mmhal import MMHAL as TASK
from vlmbench.tasks.judged.mmhal import TYPES
from vlmbench.tasks.judged.mmhal_judge import rated

PICTURE = png((10, 20, 30))
ROWS: list[dict[str, Any]] = [
    {
        "question_type": TYPES[n % 8], "image_src": f"https://x.org/1/{n}.jpg", "image_content": ["Cat", "Tree"],
        "question": f"Which {n}?", "gt_answer": f"This {n}.", "model_answer": "",
    }
    for n in range(9)
]  # fmt: skip


def write(folder: Path, rows: list[dict[str, Any]] = ROWS) -> Folder:
    (folder / "response_template.json").write_text(json.dumps(rows), "utf-8")
    (folder / "images").mkdir(exist_ok=True)
    for number in range(len(rows)):
        (folder / "images" / f"{number}.jpg").write_bytes(PICTURE)
    return Folder(folder)


def test_both_files(tmp_path: Path) -> None:
    samples = TASK.samples(write(tmp_path), "test")
    assert [(s.id, s.tags["type"], s.target) for s in samples[:2]] == [
        ("0", "attribute", "This 0."), ("1", "adversarial", "This 1.")
    ]  # fmt: skip
    assert samples[0].images[0].load() == PICTURE and samples[0].extra == {"contents": ["Cat", "Tree"]}
    cell = base64.b64encode(PICTURE).decode()
    rows = [{name: value for name, value in row.items() if name != "question_type"} | {"image": cell} for row in ROWS]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "mmhal-bench_with_image.jsonl").write_text(lines, "utf-8")
    inside = TASK.samples(Folder(tmp_path), "test")
    assert [(s.id, s.tags, s.target) for s in inside] == [(s.id, s.tags, s.target) for s in samples]
    assert inside[8].images[0].load() == PICTURE and inside[8].tags["type"] == "attribute"
    with pytest.raises(DataError, match="hf download Shengcao1006/MMHal-Bench"):
        TASK.samples(Hub(tmp_path), "test")


@pytest.mark.parametrize(
    ("reply", "rating", "unread"),
    [("Rating: 6, good", 6, False), ("RATING: 0", 0, False), ("rating: 10", 1, False), ("**Rating**: 4", 0, True),
     ("Rating:4", 0, True), ("Rating: 3 or rating: 4", 0, True), ("", 0, True), ("Rating: 7", 0, True)],
)  # fmt: skip
def test_ratings(reply: str, rating: float, unread: bool) -> None:
    verdict = rated(reply)
    assert (verdict.value, verdict.unread) == (rating, unread)


def test_the_judge_is_told_what_is_in_the_image(tmp_path: Path) -> None:
    sample = TASK.samples(write(tmp_path), "test")[0]
    ask = next(TASK.grade(sample, Response("A {question} dog"), "official"))
    words = str(ask.messages[0][1])
    assert "### Image Contents\nCat, Tree\n\n### Question\nWhich 0?\n" in words
    assert words.endswith("### LMM Response to Evaluate\nA {question} dog\n")


def values(samples: list[Sample], *replies: str) -> dict[str, float]:
    scored = [(sample, combine([rated(reply)])) for sample, reply in zip(samples, replies, strict=True)]
    return {metric.name: metric.value() for metric in TASK.summarise(scored, "official")}


def test_figures(tmp_path: Path) -> None:
    found = values(list(TASK.samples(write(tmp_path), "test"))[:4], "rating: 6", "rating: 3", "rating: 2", "none")
    assert found["score"] == 2.75 and found["hallucination_rate"] == 50 and found["comparison_score"] == 2


def test_answers_and_replies_in_the_scripts_forms(tmp_path: Path) -> None:
    samples = list(TASK.samples(write(tmp_path), "test"))
    texts = {sample.id: f"answer {sample.id}" for sample in samples}
    TASK.export(texts, samples, "official", tmp_path / "out.json")
    assert TASK.read_predictions(tmp_path / "out.json", samples) == texts
    assert TASK.read_verdicts(tmp_path / "out.json", samples, "official") is None
    (tmp_path / "replies.json").write_text(json.dumps(["Rating: 5"] * 9), "utf-8")
    verdicts = TASK.read_verdicts(tmp_path / "replies.json", samples, "official")
    assert verdicts is not None and {key: runs[0].value for key, runs in verdicts.items()} == dict.fromkeys(texts, 5)
    for content in (["Rating: 5"] * 8, json.loads((tmp_path / "out.json").read_text())[:8]):
        (tmp_path / "short.json").write_text(json.dumps(content), "utf-8")
        with pytest.raises(PredictionsError, match="8 answers, and 9 questions"):
            TASK.read_verdicts(tmp_path / "short.json", samples, "official")
            TASK.read_predictions(tmp_path / "short.json", samples)


BROKEN = [
    ({"question_type": "colour"}, "field 'question_type': 'colour' is none of attribute"),
    ({"image_content": "Cat"}, "field 'image_content': a list was expected"),
    ({"gt_answer": None}, "field 'gt_answer': the field is null"),
    ({"image_src": None}, "field 'image_src': the field is null"),
    ({"question": "Which 1?", "image_src": "https://x.org/1/1.jpg"}, "is there twice"),
]


@pytest.mark.parametrize(("change", "message"), BROKEN, ids=[message[:25] for _, message in BROKEN])
def test_broken_rows(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        TASK.samples(write(tmp_path, [ROWS[0] | change, *ROWS[1:]]), "test")
    assert message in str(error.value)
