"""VQAv2, OK-VQA, TextVQA and VizWiz from the hub's schemas: parquet files beside the test, no network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from vlmbench.base.errors import DataError
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Sample
from vlmbench.data.files import Hub

pytest.importorskip("pyarrow")
IMAGE = {"bytes": b"encoded image", "path": None}
TEN = [{"answer": "red", "answer_confidence": "yes", "answer_id": number} for number in range(1, 11)]


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the library's cache and bars away."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets.disable_progress_bars()


def samples(root: Path, spec: str, name: str, split: str, rows: list[dict[str, Any]]) -> Sequence[Sample]:
    """Rows as one split of a hub dataset, read by the task."""
    import datasets

    path = root / name / "data" / f"{split}-00000-of-00001.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    data = datasets.Dataset.from_list([{**row, "image": IMAGE} for row in rows])
    data.cast_column("image", datasets.Image(decode=False)).to_parquet(str(path))
    choice = choose_task(spec)
    return choice.task.samples(Hub(root), choice.split)


def vqav2_row(number: int, **changes: Any) -> dict[str, Any]:
    row = {"question_type": "what color is the", "multiple_choice_answer": "red", "answers": TEN, "image_id": 42}
    return {**row, "answer_type": "other", "question_id": 42_000 + number, "question": "What color?", **changes}


def test_vqav2(tmp_path: Path) -> None:
    rows = [vqav2_row(0), vqav2_row(1), vqav2_row(2, image_id=43)]
    found = samples(tmp_path, "vqav2", "lmms-lab/VQAv2", "validation", rows)
    assert [s.id for s in found] == ["42000", "42001", "42002"] and found[0].target == ("red",) * 10
    assert found[0].cluster == found[1].cluster == "42" and found[0].images[0] == found[1].images[0]
    assert found[2].images[0].name == "COCO_val2014_000000000043.jpg"
    assert found[0].images[0].load() == b"encoded image"


def test_vqav2_withheld(tmp_path: Path) -> None:
    nothing = dict.fromkeys(("answers", "answer_type", "question_type", "multiple_choice_answer"))
    found = samples(tmp_path, "vqav2:test-dev", "lmms-lab-encoder/VQAv2", "testdev", [vqav2_row(0, **nothing)])
    assert found[0].target is None and found[0].images[0].name == "COCO_test2015_000000000042.jpg"


def test_okvqa(tmp_path: Path) -> None:
    row = {"question_id": "2971475", "question": "Which?", "answers": ["cat", "cat"] * 5}
    rows = [{**row, "question_type": "eight", "answer_type": "other"}]
    (found,) = samples(tmp_path, "okvqa", "lmms-lab/OK-VQA", "val2014", rows)
    assert found.id == "2971475" and found.target == ("cat",) * 10 and found.tags["question_type"] == "eight"
    with pytest.raises(DataError, match="split val only"):
        choose_task("okvqa").task.samples(Hub(tmp_path), "train")


def test_textvqa(tmp_path: Path) -> None:
    row = {"image_id": "00aa", "question": "What brand?", "answers": ["x"] * 10, "ocr_tokens": ["A", "B"]}
    rows = [{**row, "question_id": number} for number in (34_602, 34_603)]
    found = samples(tmp_path, "textvqa", "lmms-lab/textvqa", "validation", rows)
    assert found[1].id == "34603" and found[1].extra["ocr"] == "A, B" and found[0].images == found[1].images
    assert "Reference OCR token: A, B" in choose_task("textvqa").task.build_request(found[0], "llava").prompt


@pytest.mark.parametrize("answers", [[], None])
def test_textvqa_withheld(tmp_path: Path, answers: list[str] | None) -> None:
    row = {"image_id": "00aa", "question": "What brand?", "answers": answers, "ocr_tokens": ["A"], "question_id": 1}
    (found,) = samples(tmp_path, "textvqa:test", "lmms-lab/textvqa", "test", [row])
    assert found.target is None


def test_vizwiz(tmp_path: Path) -> None:
    row = {"question": "What is this?", "answers": ["unanswerable"] * 8 + ["red"] * 2, "category": "unanswerable"}
    rows = [{**row, "question_id": f"VizWiz_val_{number:08d}"} for number in range(2)]
    found = samples(tmp_path, "vizwiz", "lmms-lab/VizWiz-VQA", "val", rows)
    assert found[1].id == found[1].images[0].name == "VizWiz_val_00000001.jpg"
    assert found[0].extra["answerable"] is False and found[0].tags == {"answer_type": "unanswerable"}
    (test,) = samples(
        tmp_path,
        "vizwiz:test",
        "lmms-lab/VizWiz-VQA",
        "test",
        [{"question": "What?", "answers": None, "category": None, "question_id": "VizWiz_test_00000000"}],
    )
    assert test.target is None
    with pytest.raises(DataError, match="no column 'category'"):
        samples(
            tmp_path / "b", "vizwiz", "lmms-lab/VizWiz-VQA", "val", [{"question": "", "answers": [], "question_id": ""}]
        )
