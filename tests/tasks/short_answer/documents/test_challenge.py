"""DocVQA, InfographicVQA and ST-VQA: official files, the hub's columns, tables, and what the server takes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.tasks.layouts import hub_samples
from vlmbench.base.errors import DataError, ImageError, PredictionsError
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Response, Sample, Status
from vlmbench.base.task import Exports
from vlmbench.data.files import Folder
from vlmbench.families.base import Benchmark

CELL = "A" * 100
"""Stands for an image in a table."""
IMAGE_FIELDS = {"docvqa": "image", "infovqa": "image_local_name", "stvqa": "file_path"}
FILES = {
    "docvqa": "val_v1.0_withQT.json",
    "docvqa:test": "test_v1.0.json",
    "infovqa": "infographicsVQA_val_v1.0_withQT.json",
    "infovqa:test": "infographicsVQA_test_v1.0.json",
    "stvqa": "test_task_3.json",
}
KEYS = {"docvqa": "questionId", "infovqa": "questionId", "stvqa": "question_id"}


def row(spec: str, number: int, **changes: Any) -> dict[str, Any]:
    """An official row; in a test split without answers."""
    name = spec.partition(":")[0]
    folder = {"docvqa": "documents/", "infovqa": "", "stvqa": "coco-text/"}[name]
    found = {KEYS[name]: number, "question": "Who?", IMAGE_FIELDS[name]: f"{folder}{number}.png"}
    if "test" not in FILES[spec]:
        found["answers"] = ["Anna Otto", "Anna"]
    return found | changes


def write(root: Path, spec: str, *rows: dict[str, Any], within: str = "") -> None:
    """A file as the competition has it."""
    path = root / within / FILES[spec]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"dataset_name": "x", "data": rows}), "utf-8")


def read(root: Path, spec: str) -> list[Sample]:
    """The samples of a folder."""
    choice = choose_task(spec)
    return list(choice.task.samples(Folder(root), choice.split))


@pytest.mark.parametrize("spec", FILES)
def test_official_files_and_upload(spec: str, tmp_path: Path) -> None:
    write(tmp_path, spec, row(spec, 7), row(spec, 8))
    found = read(tmp_path, spec)
    assert [sample.id for sample in found] == ["7", "8"]
    with pytest.raises(ImageError, match=r"no image .*7\.png"):
        found[0].images[0].load()
    choice = choose_task(spec)
    task = choice.task
    score = task.score(found[0], Response(" Anna "), "official")
    if "test" in FILES[spec]:
        assert (score.status, score.value) == (Status.UNLABELED, None) and "server" in score.note
    else:
        assert score.value == 1 and found[0].target == ("Anna Otto", "Anna")
    assert isinstance(task, Exports)
    task.export({"7": " Anna ", "8": "İ"}, found, "official", tmp_path / "up.json")
    key = KEYS[spec.partition(":")[0]]
    assert json.loads((tmp_path / "up.json").read_text("utf-8")) == [
        {key: 7, "answer": "Anna"},
        {key: 8, "answer": "İ"},
    ]
    assert task.read_predictions(tmp_path / "up.json", found) == {"7": "Anna", "8": "İ"}
    with pytest.raises(PredictionsError, match="1 of 2 questions have no answer: 8"):
        task.export({"7": "a"}, found, "official", tmp_path / "up.json")


def test_where_downloads_put_the_files(tmp_path: Path) -> None:
    write(tmp_path, "docvqa", row("docvqa", 7), within="spdocvqa_qas")
    (tmp_path / "spdocvqa_images").mkdir()
    (tmp_path / "spdocvqa_images" / "7.png").write_bytes(b"a page")
    assert read(tmp_path, "docvqa")[0].images[0].load() == b"a page"
    write(tmp_path, "infovqa", row("infovqa", 7), within="infographicsvqa_qas")
    assert read(tmp_path, "infovqa")[0].images[0].name == "7.png"


def test_a_question_counts_under_each_of_its_types(tmp_path: Path) -> None:
    kinds = {"answer_type": ["image span", "non span"], "operation/reasoning": ["counting"]}
    write(tmp_path, "infovqa", row("infovqa", 7, **kinds), row("infovqa", 8, answer_type=["non span"], evidence=[]))
    task = choose_task("infovqa").task
    texts = {"7": "Anna", "8": "no"}
    scored = [(s, task.score(s, Response(texts[s.id]), "official")) for s in read(tmp_path, "infovqa")]
    values = {metric.name: metric.value() for metric in task.summarise(scored, "official")}
    assert values == {
        "anls": 50,
        "answer_type_image_span": 100,
        "answer_type_non_span": 50,
        "operation_counting": 100,
    }


@pytest.mark.parametrize("spec", ["docvqa", "infovqa", "stvqa"])
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"question": None}, "the field is null"),
        ({"answers": ["a", 5]}, "a list of texts was expected"),
        ({"answers": {"a": 1}}, "a text or a number was expected"),
        ({"image": "", "image_local_name": "", "file_path": ""}, "1 of 1 questions have no image: 7"),
    ],
)
def test_bad_rows(spec: str, changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    write(tmp_path, spec, row(spec, 7, **changes))
    with pytest.raises(DataError, match=re.escape(words)):
        read(tmp_path, spec)


@pytest.mark.parametrize("spec", ["docvqa", "infovqa", "stvqa"])
def test_foreign_and_doubled_files(spec: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not there"):
        read(tmp_path, spec)
    (tmp_path / FILES[spec]).write_text("[]", "utf-8")
    with pytest.raises(DataError):
        read(tmp_path, spec)
    write(tmp_path, spec, row(spec, 7), row(spec, 7))
    with pytest.raises(DataError, match="there twice"):
        read(tmp_path, spec)
    other = "docvqa" if spec != "docvqa" else "stvqa"
    write(tmp_path, spec, {**row(other, 7), "question_id": 7, "questionId": 7})
    with pytest.raises(DataError, match="no column"):
        read(tmp_path, spec)


def test_hub_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = {"question_types": ["form"], "docId": 1, "ucsf_document_id": "ab", "data_split": "val"}
    rows: list[dict[str, Any]] = [
        {"questionId": str(n), "question": "Who?", "answers": ["Anna"], "ucsf_document_page_no": str(n // 2), **page}
        for n in (1, 2, 3)
    ]
    found = hub_samples(tmp_path, "docvqa", "lmms-lab/DocVQA/DocVQA/validation", rows, monkeypatch)
    assert [s.cluster for s in found] == ["ab_0", "ab_1", "ab_1"] and found[1].images == found[2].images
    assert found[0].extra["question_type"] == ("form",) and found[0].target == ("Anna",)
    hidden: list[dict[str, Any]] = [
        {"questionId": "7", "question": "Who?", "answers": None, "image_url": "u", "ocr": "x"} for _ in range(1)
    ]
    (one,) = hub_samples(tmp_path, "infovqa:test", "lmms-lab/DocVQA/InfographicVQA/test", hidden, monkeypatch)
    assert (one.id, one.target, one.cluster, one.extra["answer_type"]) == ("7", None, "u", ())
    scenes: list[dict[str, Any]] = [{"question_id": "7", "question": "Who?"}]
    (one,) = hub_samples(tmp_path, "stvqa", "lmms-lab/ST-VQA/data/test", scenes, monkeypatch)
    assert (one.id, one.target) == ("7", None)


@pytest.mark.parametrize(("spec", "name"), [("docvqa", "DocVQA_VAL.tsv"), ("infovqa", "InfoVQA_VAL.tsv")])
def test_vlmevalkits_tables(spec: str, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(f"index\tquestion\tanswer\timage\n3\tWho?\t['Anna', \"O'Ra\"]\t{CELL}\n", "utf-8")
    (found,) = read(tmp_path, spec)
    assert (found.id, found.target) == ("3", ("Anna", "O'Ra"))
    (tmp_path / name).write_text(f"index\tquestion\tanswer\timage\n3\tWho?\t[open('x')]\t{CELL}\n", "utf-8")
    with pytest.raises(DataError, match="a list of texts, as Python writes it"):
        read(tmp_path, spec)


def test_where_the_codes_part() -> None:
    rules = {name: choose_task(f"docvqa@{name}").task for name in ("official", "big_vision", "moondream")}
    asked = Sample("1", "?", (), ("abcd",))
    for text, values in {"abxx": (0.5, 0, 0.5), " abcd": (1, 0.8, 1), "ABCD": (1, 1, 1)}.items():
        assert tuple(task.score(asked, Response(text), name).value for name, task in rules.items()) == values
    assert isinstance(rules["official"], Benchmark)
