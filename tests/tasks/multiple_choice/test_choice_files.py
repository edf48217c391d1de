"""Official and hub layouts of multiple-choice benchmarks, in small made-up copies; and what is wrong with some."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.tasks.layouts import hub_samples as of_hub
from vlmbench.base.errors import DataError, ImageError
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Response, Sample, Status
from vlmbench.data.files import Folder
from vlmbench.stats.figures.macro import macro

IMAGE = {"bytes": b"encoded image", "path": None}


def of_folder(root: Path, spec: str) -> list[Sample]:
    """The samples of a folder."""
    choice = choose_task(spec)
    return list(choice.task.samples(Folder(root), choice.split))


def seed_row(number: int, **changes: Any) -> dict[str, Any]:
    """A question of SEED-Bench."""
    options = dict(zip(("choice_a", "choice_b", "choice_c", "choice_d"), ("red", "blue", "green", "grey"), strict=True))
    row = {"question_id": str(number), "question": "Which?", "answer": "B", "question_type_id": 1, "data_type": "image"}
    return {**row, **options, "data_id": f"{number}.jpg", **changes}


def write_seed(root: Path, *rows: dict[str, Any]) -> Path:
    """The official file."""
    (root / "SEED-Bench.json").write_text(json.dumps({"questions": rows, "question_type": {}}), "utf-8")
    return root


def test_seedbench_official_file(tmp_path: Path) -> None:
    write_seed(tmp_path, seed_row(1), seed_row(2, data_type="video", question_type_id=10, data_id="a.webm"))
    (found,) = of_folder(tmp_path, "seedbench")
    assert (found.target, found.tags["dimension"], found.images[0].name) == ("B", "1", "1.jpg")
    every = of_folder(tmp_path, "seedbench:all")
    assert [sample.images[0].name for sample in every] == ["1.jpg", "2.png"]
    with pytest.raises(ImageError, match=r"no image 1\.jpg"):
        found.images[0].load()
    assert choose_task("seedbench").task.build_request(found, "official").choices == ("red", "blue", "green", "grey")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"answer": "E"}, "'E' is none of A, B, C, D"),
        ({"choice_b": ""}, "2 to 4 options"),
        ({"question": None}, "the field is null"),
        ({"data_type": "sound"}, "no row with data_type image"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=re.escape(words)):
        of_folder(write_seed(tmp_path, seed_row(1, **changes)), "seedbench")


def test_doubled_and_unlabeled_rows(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"twice|duplicate|again"):
        of_folder(write_seed(tmp_path, seed_row(1), seed_row(1)), "seedbench")
    header = "index\tquestion\tA\tB\timage\n"
    (tmp_path / "MMT-Bench_ALL.tsv").write_text(f"{header}1\tWhich?\tred\tblue\t{'A' * 100}\n", "utf-8")
    (found,) = of_folder(tmp_path, "mmt_bench:all")
    score = choose_task("mmt_bench").task.score(found, Response("A"), "vlmevalkit")
    assert (score.status, score.value) == (Status.UNLABELED, None)


def test_letters_beyond_the_options_are_said_to_be_unread(tmp_path: Path) -> None:
    (found,) = of_folder(write_seed(tmp_path, seed_row(1)), "seedbench")
    task = choose_task("cvbench").task
    score = task.score(found, Response("The answer is B."), "lmms_eval")
    assert (score.value, score.parsed_answer, score.unread) == (0.0, "T", "option")


def test_hub_mmstar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"index": 0, "answer": "B", "category": "math", "l2_category": "geometry"}
    texts = ["Which?\nOptions: A: red, or so, B: blue, C: nan", "Hint: x\nQuestion: Which?\nChoices:\n(A) 1\n(B) 2"]
    rows = [{**row, "index": number, "question": text} for number, text in enumerate(texts)]
    found = of_hub(tmp_path, "mmstar", "Lin-Chen/MMStar/data/val", rows, monkeypatch)
    assert [sample.choices for sample in found] == [("red, or so", "blue"), ("1", "2")]
    task = choose_task("mmstar").task
    assert [task.build_request(sample, "official").prompt for sample in found] == texts
    assert "Question: Which?\nOptions:\nA. red, or so\n" in task.build_request(found[0], "vlmevalkit").prompt


def test_hub_realworldqa(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = "Where?\n\nA. Left\nB. Right\nPlease answer directly."
    rows = [{"question": listed, "answer": "B"}, {"question": "How many?", "answer": "Three"}]
    place = "lmms-lab/RealWorldQA/data/test"
    found = of_hub(tmp_path, "realworldqa", place, rows, monkeypatch)
    task = choose_task("realworldqa").task
    assert (found[0].choices, found[0].question, found[1].choices) == (("Left", "Right"), "Where?", ())
    assert task.build_request(found[0], "lmms_eval").prompt == listed
    said = [("(B)", "three."), ("B", "Three"), ("The answer is B", "it is three")]
    values = [
        [task.score(s, Response(t), "lmms_eval").value for s, t in zip(found, pair, strict=True)] for pair in said
    ]
    assert values == [[1, 1], [1, 1], [1, 0]]
    assert task.score(found[1], Response("Three"), "vlmevalkit").status is Status.UNPARSED
    with pytest.raises(DataError, match="no options were found"):
        of_hub(tmp_path / "b", "realworldqa", place, [{"question": "Which?", "answer": "B"}], monkeypatch)


def test_hub_ai2d_and_seedbench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"question": "Which?", "options": ["a", "b"], "answer": "1"}
    (found,) = of_hub(tmp_path, "ai2d", "lmms-lab/ai2d/data/test", [row], monkeypatch)
    assert found.target == "B" and found.images[0].load() == b"encoded image"
    rows = [{**seed_row(n, data_type=kind), "image": [IMAGE]} for n, kind in enumerate(("image", "video"), 1)]
    (seed,) = of_hub(tmp_path, "seedbench", "lmms-lab/SEED-Bench/data/test", rows, monkeypatch)
    assert seed.id == "1"


def test_ai2d_raw(tmp_path: Path) -> None:
    folder = tmp_path / "ai2d" / "questions"
    folder.mkdir(parents=True)
    (tmp_path / "ai2d" / "ai2d_test_ids.csv").write_text("7\n", "utf-8")
    question = {"abcLabel": False, "answerTexts": ["a", "b", "c", "d"], "correctAnswer": 2, "questionId": "7.png-0"}
    content = {"imageName": "7.png", "questions": {"Which?": question}}
    (folder / "7.png.json").write_text(json.dumps(content), "utf-8")
    (found,) = of_folder(tmp_path, "ai2d:raw")
    assert (found.id, found.question, found.target, found.images[0].name) == ("7.png-0", "Which?", "C", "7.png")


def test_vstar_lines(tmp_path: Path) -> None:
    text = "Which?\n(A) red\n(B) blue\nAnswer with the option's letter from the given choices directly."
    row = {"question_id": 0, "image": "direct_attributes/1.jpg", "text": text, "category": "x", "label": "A"}
    (tmp_path / "test_questions.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    (found,) = of_folder(tmp_path, "vstar")
    assert (found.choices, found.target, found.question) == (("red", "blue"), "A", "Which?")
    assert choose_task("vstar").task.build_request(found, "cambrian").prompt == text


def test_means_of_means() -> None:
    paths = [("2D", "ADE"), ("2D", "ADE"), ("2D", "COCO"), ("3D", "Omni")]
    metric = macro("m", [1, 0, 1, 0], paths, list("abcd"))
    assert metric.value() == pytest.approx(100 * ((0.5 + 1) / 2 + 0) / 2)
    without = metric.combine(metric.items[[0, 1, 3]].sum(axis=0))
    assert float(without) == pytest.approx(100 * (0.5 + 0) / 2)  # a resample that met no question on COCO
