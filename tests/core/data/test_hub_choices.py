"""Hub datasets of VSR, IconQA, ScienceQA and MME, from local parquet files of the same schemas."""

from __future__ import annotations

import urllib.error
from pathlib import Path
from typing import Any

import pytest

from vlmbench.base.errors import DataError, ImageError
from vlmbench.base.registry import choose_task
from vlmbench.data.files import Hub

pytest.importorskip("pyarrow")


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the library's cache and bars away."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets.disable_progress_bars()


def write(path: Path, rows: list[dict[str, Any]], *pictures: str) -> None:
    """One parquet file; columns of pictures are typed as the hub's."""
    import datasets

    path.parent.mkdir(parents=True, exist_ok=True)
    data = datasets.Dataset.from_list(rows)
    for name in pictures:
        data = data.cast_column(name, datasets.Image(decode=False))
    data.to_parquet(str(path))


def picture(content: str) -> dict[str, Any]:
    """An encoded image as the hub has it."""
    return {"bytes": content.encode(), "path": None}


def science(question: str, image: dict[str, Any] | None) -> dict[str, Any]:
    """A row of lmms-lab/ScienceQA."""
    return {
        "image": image, "question": question, "choices": ["push", "pull"], "answer": 1, "hint": "",
        "task": "closed choice", "grade": "grade2", "subject": "natural science", "topic": "physics",
        "category": "c", "skill": "s", "lecture": "", "solution": "",
    }  # fmt: skip


def test_scienceqa(tmp_path: Path) -> None:
    base = tmp_path / "lmms-lab/ScienceQA"
    rows = [science("One?", picture("one")), science("Two?", None)]
    write(base / "ScienceQA-FULL/test-0.parquet", rows, "image")
    write(base / "ScienceQA-IMG/test-0.parquet", rows[:1], "image")
    task = choose_task("scienceqa").task
    first, second = task.samples(Hub(tmp_path), "test")
    assert first.images[0].load() == b"one" and not second.images and second.target == "B"
    assert [sample.question for sample in task.samples(Hub(tmp_path), "image")] == ["One?"]


def icon(key: str, kind: str, choices: str, answer: str, *shown: str) -> dict[str, Any]:
    """A row of lmms-lab/ICON-QA."""
    names = ("query_image", "choice_image_0", "choice_image_1")
    found = {name: picture(one) for name, one in zip(names, shown, strict=False)}
    row = {"question_id": key, "question": "Which?", "choices": choices, "answer": answer, "ques_type": kind}
    row |= {"label": "S.1", "grade": "prek", "skills": "counting"}
    return {**row, **{name: found.get(name) for name in names}}


@pytest.mark.parametrize(("answers", "letter"), [(("1", "0"), "B"), (("three", "1,000"), "B")])
def test_iconqa(tmp_path: Path, answers: tuple[str, str], letter: str) -> None:
    """The column of answers holds places or texts: all rows together tell which."""
    rows = [
        icon("7", "choose_txt", "two,three", answers[0], "a"),
        icon("9", "choose_img", "", "1", "q", "x", "y"),
        icon("11", "fill_in_blank", "", "8,488", "b"),
    ]
    names = ("query_image", "choice_image_0", "choice_image_1")
    write(tmp_path / "lmms-lab/ICON-QA/data/test-0.parquet", rows, *names)
    task = choose_task("iconqa").task
    text, shown, blank = task.samples(Hub(tmp_path), "test")
    assert text.target == letter and text.choices == ("two", "three") and blank.target == "8,488"
    assert shown.target == "B" and [one.load() for one in shown.images] == [b"q", b"x", b"y"]
    assert [sample.id for sample in task.samples(Hub(tmp_path), "choose_img_test")] == ["9"]
    rows[0]["answer"] = "four"
    write(tmp_path / "b/lmms-lab/ICON-QA/data/test-0.parquet", rows, *names)
    with pytest.raises(DataError, match="row 1, field 'answer': 'four' is none of the options"):
        task.samples(Hub(tmp_path / "b"), "test")


def test_mme(tmp_path: Path) -> None:
    def row(subtask: str, name: str, answer: str) -> dict[str, Any]:
        question = f"Is it {answer}? Please answer yes or no."
        key = {"question_id": f"{subtask}/{name}", "image": picture(name)}
        return {**key, "question": question, "answer": answer, "category": subtask}

    rows = [row(s, "0001.png", a) for s in ("code_reasoning", "OCR") for a in ("Yes", "No")]
    write(tmp_path / "lmms-lab/MME/data/test-0.parquet", rows, "image")
    task = choose_task("mme").task
    samples = task.samples(Hub(tmp_path), "test")
    assert [sample.id for sample in samples[:2]] == ["OCR/0001.png#1", "OCR/0001.png#2"]
    assert samples[1].target == "no" and samples[1].images[0].load() == b"0001.png"
    write(tmp_path / "b/lmms-lab/MME/data/test-0.parquet", [*rows, rows[0]], "image")
    with pytest.raises(DataError, match="has more than two questions"):
        task.samples(Hub(tmp_path / "b"), "test")
    write(tmp_path / "c/lmms-lab/MME/data/test-0.parquet", [{**rows[0], "category": "poetry"}], "image")
    with pytest.raises(DataError, match="'poetry' is no subtask"):
        task.samples(Hub(tmp_path / "c"), "test")


def test_vsr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub has statements and links: pictures are fetched one by one, from COCO alone."""
    row = {
        "image": "1.jpg", "image_link": "http://images.cocodataset.org/train2017/1.jpg", "caption": "The cat is on it.",
        "label": 1, "relation": "on", "subj": "cat", "obj": "it", "annotator_id": 1,
    }  # fmt: skip
    write(tmp_path / "cambridgeltl/vsr_zeroshot/test-0.parquet", [row])
    task = choose_task("vsr").task
    (one,) = task.samples(Hub(tmp_path), "zeroshot")
    assert (one.target, one.tags["category"]) == ("true", "Topological")

    def refuse(*_: object, **__: object) -> None:
        raise urllib.error.URLError("no network here")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    with pytest.raises(ImageError, match=r"train2017/1\.jpg: cannot fetch it: .*no network here"):
        one.images[0].load()
    write(tmp_path / "b/cambridgeltl/vsr_zeroshot/test-0.parquet", [{**row, "image_link": "file:///etc/passwd"}])
    with pytest.raises(DataError, match="is no address of COCO's images"):
        task.samples(Hub(tmp_path / "b"), "zeroshot")


def test_hateful_memes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="use --data DIR"):
        choose_task("hateful_memes").task.samples(Hub(tmp_path), "dev_seen")
