"""CountBenchQA, TallyQA and PixMo-Count: layouts, what is wrong with some, and how answers are read as counts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.tasks.layouts import IMAGE, hub_samples
from vlmbench.base.errors import DataError, ImageError
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Response, Sample, Status
from vlmbench.data.files import Folder, Hub
from vlmbench.parsing import numbers

CELL = "A" * 100
"""Stands for an image in a table."""


def read(root: Path, name: str) -> list[Sample]:
    """The samples of a folder."""
    return list(choose_task(name).task.samples(Folder(root), "test"))


def tally_row(number: int, **changes: Any) -> dict[str, Any]:
    """An official row of TallyQA."""
    row = {"answer": 3, "data_source": "amt", "image": f"VG_100K/{number}.jpg", "image_id": number, "issimple": True}
    return {**row, "question": "How many?", "question_id": 7, **changes}


def write_tally(root: Path, *rows: dict[str, Any]) -> Path:
    """The official file."""
    (root / "test.json").write_text(json.dumps(rows), "utf-8")
    return root


@pytest.mark.parametrize(
    ("text", "numeral", "digits", "count"),
    [
        ("Three", "3", "Three", "3"),
        ("none", "0", "none", ""),
        ("2.5", "2.5", "2", "2"),
        ("-1", "-1", "1", "1"),
        ("21 cats", "21 cats", "21", ""),
        ("1 0", "1 0", "1", "1"),
        ("one-way", "one-way", "one-way", "1"),
        ("twentyone", "twentyone", "twentyone", ""),
        ("between two and 4", "between two and 4", "4", "2"),
        ("\uff13", "\uff13", "\uff13", ""),
        ("", "", "", ""),
    ],
)
def test_readers_of_counts(text: str, numeral: str, digits: str, count: str) -> None:
    assert (numbers.numeral(text), numbers.first_digits(text), numbers.first_count(text)) == (numeral, digits, count)


def test_tallyqa_official_file(tmp_path: Path) -> None:
    write_tally(tmp_path, tally_row(1), tally_row(2, issimple=False, answer=0, image="val2014/COCO_1.jpg"))
    (tmp_path / "VG_100K").mkdir()
    (tmp_path / "VG_100K" / "1.jpg").write_bytes(b"an image")
    one, two = read(tmp_path, "tallyqa")  # question ids need not be unique: rows are numbered
    assert [(s.id, s.target, s.tags["complexity"], s.tags["count"]) for s in (one, two)] == [
        ("1", "3", "simple", "3"),
        ("2", "0", "complex", "0"),
    ]
    assert one.images[0].load() == b"an image"
    with pytest.raises(ImageError, match=r"no image val2014/COCO_1\.jpg"):
        two.images[0].load()
    task = choose_task("tallyqa").task
    scored = [(s, task.score(s, Response("I see three."), "vlmevalkit")) for s in (one, two)]
    values = {metric.name: metric.value() for metric in task.summarise(scored, "vlmevalkit")}
    parts = {"complexity_complex": 0, "complexity_simple": 100, "count_0": 0, "count_3": 100}
    assert values == {"accuracy": 50, **parts}


def test_counts_are_in_the_order_of_numbers(tmp_path: Path) -> None:
    write_tally(tmp_path, *(tally_row(1, answer=answer) for answer in (10, 9, 2)))
    task = choose_task("tallyqa").task
    scored = [(s, task.score(s, Response("2"), "moondream")) for s in read(tmp_path, "tallyqa")]
    names = [metric.name for metric in task.summarise(scored, "moondream") if metric.breakdown == "count"]
    assert names == ["count_2", "count_9", "count_10"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"answer": [3]}, "a text or a number was expected"),
        ({"question": None}, "the field is null"),
        ({"image": None}, "1 of 1 questions have no image"),
        ({"image": "../1.jpg"}, "not the name of an image inside"),
    ],
)
def test_bad_rows(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=re.escape(words)):
        read(write_tally(tmp_path, tally_row(1, **changes)), "tallyqa")


def test_a_question_without_an_answer_has_no_score(tmp_path: Path) -> None:
    (found,) = read(write_tally(tmp_path, tally_row(1, answer=None)), "tallyqa")
    score = choose_task("tallyqa").task.score(found, Response("3"), "big_vision")
    assert (score.status, score.value, "count" in found.tags) == (Status.UNLABELED, None, False)
    row = tally_row(1)
    del row["issimple"]
    with pytest.raises(DataError, match="no column 'issimple'"):
        read(write_tally(tmp_path, row), "tallyqa")


def test_tables(tmp_path: Path) -> None:
    (tmp_path / "tallyqa_data.tsv").write_text(f"index\timage\tquestion\tanswer\n0\t{CELL}\tHow many?\t3\n", "utf-8")
    (tmp_path / "CountBenchQA.tsv").write_text(f"index\timage\tquestion\tanswer\n5\t{CELL}\tHow many?\t3\n", "utf-8")
    (one,), (two,) = read(tmp_path, "tallyqa"), read(tmp_path, "countbenchqa")
    assert (one.id, one.target, dict(one.tags)) == ("0", "3", {"count": "3"})
    assert (two.id, two.target, dict(two.tags)) == ("5", "3", {"count": "3"})
    task = choose_task("countbenchqa").task
    assert task.build_request(two, "lmms_eval_caption").prompt == "How many?\nAnswer with a single number."


def test_hub_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[dict[str, Any]] = [{"text": "Three cats", "question": "How many cats?", "number": 3}]
    (found,) = hub_samples(tmp_path, "countbenchqa", "vikhyatk/CountBenchQA/data/test", rows, monkeypatch)
    task = choose_task("countbenchqa").task
    prompts = [task.build_request(found, name).prompt for name in ("lmms_eval", "lmms_eval_caption", "big_vision")]
    assert prompts[0].startswith("Look at the image carefully") and prompts[0].endswith("text. How many cats?")
    assert prompts[1:] == ["Three cats\n\nHow many cats?\nAnswer with a single number.", "answer en How many cats?"]
    values = [task.score(found, Response("13"), name).value for name in task.protocols]
    assert values == [0, 0, 1, 0, 0]  # VLMEvalKit finds the 3 in it
    rows = [{"question": "<image>How many dogs?", "answer": "3"}]
    (found,) = hub_samples(tmp_path, "pixmo_count", "kcz358/pixmo-count/data/test", rows, monkeypatch)
    task = choose_task("pixmo_count").task
    assert task.build_request(found, "lmms_eval").prompt == "How many dogs?\nAnswer with a single number."


def test_a_hub_dataset_with_a_row_per_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [
        {"question": "How many?", "answer": 3, "is_simple": True},
        {"question": "And?", "answer": 0, "is_simple": False},
    ]
    place = "vikhyatk/tallyqa-test/data/test"
    found = hub_samples(tmp_path, "tallyqa", place, [{"qa": asked}, {"qa": asked[:1]}], monkeypatch)
    assert [(s.id, s.target, s.tags["complexity"], s.cluster) for s in found] == [
        ("1", "3", "simple", "1"),
        ("2", "0", "complex", "1"),
        ("3", "3", "simple", "2"),
    ]
    assert found[0].images == found[1].images and found[2].images[0].load() == IMAGE["bytes"]
    with pytest.raises(DataError, match="a list of questions was expected"):
        hub_samples(tmp_path / "b", "tallyqa", place, [{"qa": "none"}], monkeypatch)
    with pytest.raises(DataError, match="no column 'is_simple'"):
        hub_samples(tmp_path / "c", "tallyqa", place, [{"qa": [{"question": "?", "answer": 1}]}], monkeypatch)
    with pytest.raises(DataError, match="cannot load"):
        choose_task("tallyqa").task.samples(Hub(tmp_path / "d"), "test")
