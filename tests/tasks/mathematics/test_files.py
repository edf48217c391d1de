"""MathVista, MathVision, MathVerse: their layouts, what is wrong with damaged files, answer files and results."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.tasks.families.schemas.layouts import Layout, Rows, write
from tests.tasks.mathematics.files import HINT, HUB, LAYOUTS, VERSE, VISTA
from vlmbench.base.errors import DataError, PredictionsError
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Response, Sample, Status
from vlmbench.data.files import Folder, Hub
from vlmbench.tasks.mathematics.mathverse import MATHVERSE
from vlmbench.tasks.mathematics.mathvision import MATHVISION
from vlmbench.tasks.mathematics.mathvista import MATHVISTA
from vlmbench.tasks.mathematics.mathvista_queries import query


def read(layout: Layout, root: Path, rows: Rows | None = None) -> list[Sample]:
    """The samples of a layout's files."""
    write(layout, root, rows)
    choice = choose_task(layout.spec)
    return list(choice.task.samples(Hub(root) if layout.form == "parquet" else Folder(root), choice.split))


@pytest.mark.parametrize("layout", LAYOUTS, ids=[layout.label for layout in LAYOUTS])
def test_layouts(layout: Layout, tmp_path: Path) -> None:
    samples = read(layout, tmp_path)
    assert [sample.target for sample in samples] == list(layout.targets)
    assert all(image.load() for sample in samples for image in sample.images)
    assert all(len(sample.images) == (layout.spec != "mathverse:text_only") for sample in samples)
    task = choose_task(layout.spec).task
    for sample in samples:
        for protocol in task.protocols:
            assert task.build_request(sample, protocol).prompt


@pytest.mark.parametrize("layout", HUB, ids=[layout.label for layout in HUB])
def test_hub(layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets.disable_progress_bars()
    samples = read(layout, tmp_path)
    assert [sample.target for sample in samples] == list(layout.targets)
    assert all(image.load() for sample in samples for image in sample.images)


def test_facts_of_problems(tmp_path: Path) -> None:
    one, two, three, four = read(LAYOUTS[0], tmp_path)
    assert one.choices == ("30°", "60°", "60°") and one.tags["task"] == "geometry problem solving"
    assert one.extra["skills"] == "geometry reasoning" and two.extra["skills"].endswith("; numeric commonsense")
    assert query(one) == f"{HINT}\nQuestion: What is 1?\nChoices:\n(A) 30°\n(B) 60°\n(C) 60°"
    assert query(two).endswith("Question: What is 2? (Unit: cm)") and "two decimal places" in query(three)
    assert four.extra["answer_type"] == "list" and three.extra["precision"] == "2"
    (tmp_path / "kit").mkdir()
    table = read(LAYOUTS[2], tmp_path / "kit")
    assert query(table[0]) == query(one) and table[2].extra["precision"] == "2" and table[0].question == "What is 1?"
    assert [sample.extra["skills"] for sample in table] == [
        sample.extra["skills"] for sample in (one, two, three, four)
    ]


def test_versions(tmp_path: Path) -> None:
    samples = read(LAYOUTS[6], tmp_path)
    assert [sample.cluster for sample in samples] == ["1"] * 5 + ["2"] * 5, "the versions of a problem are one cluster"
    assert samples[4].question == "How long is x?" and samples[4].extra["stated"] == "", "it is in the image alone"
    assert samples[0].tags == {
        "problem_version": "Text Dominant", "subject": "Plane Geometry", "subfield": "Length",
        "subject_subfield": "Plane Geometry-Length", "question_type": "multi-choice",
    }  # fmt: skip


Change = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize(
    ("layout", "change", "words"),
    [
        (0, lambda row: row.pop("question"), "question"),
        (0, lambda row: row.pop("answer_type"), "answer_type"),
        (0, lambda row: row.update(answer_type="number"), "is none of text, integer"),
        (0, lambda row: row.update(answer="90°"), "none of the options"),
        (0, lambda row: row.update(choices=None), "have options"),
        (0, lambda row: row.update(choices=["60°"]), "options"),
        (0, lambda row: row.update(choices="30"), "a list of texts"),
        (0, lambda row: row.update(metadata={"skills": [3]}), "skills"),
        (0, lambda row: row.update(image="images/nowhere.jpg"), None),
        (3, lambda row: row.pop("answer"), "answer"),
        (3, lambda row: row.update(answer="F"), "none of A, B"),
        (3, lambda row: row.update(options="ABCDE"), "options"),
        (0, lambda row: row.update(image=None), "no image"),
        (3, lambda row: row.pop("image"), "no image"),
        (5, lambda row: row.update(choices="__import__('os')"), "a list of texts"),
        (6, lambda row: row.pop("problem_version"), "problem_version"),
        (6, lambda row: row.pop("query_wo"), "query_wo"),
        (6, lambda row: row.update(sample_index=VERSE[1]["sample_index"]), "twice"),
    ],
)
def test_damaged_rows(layout: int, change: Change, words: str | None, tmp_path: Path) -> None:
    first, *rest = (dict(row) for row in LAYOUTS[layout].rows)
    change(first)
    if words is None:
        samples = read(LAYOUTS[layout], tmp_path, [first, *rest])
        with pytest.raises(Exception, match="nowhere"):
            samples[0].images[0].load()
        return
    with pytest.raises(DataError, match=words) as caught:
        read(LAYOUTS[layout], tmp_path, [first, *rest])
    assert tmp_path.name in str(caught.value.where)


@pytest.mark.parametrize("layout", LAYOUTS, ids=[layout.label for layout in LAYOUTS])
def test_damaged_files(layout: Layout, tmp_path: Path) -> None:
    choice = choose_task(layout.spec)
    with pytest.raises(DataError, match="is not there"):
        choice.task.samples(Folder(tmp_path), choice.split)
    path = write(layout, tmp_path)
    for content in (path.read_bytes()[:-30], b"", b"\xff\xfe broken", b"{}", b"[]"):
        path.write_bytes(content)
        with pytest.raises(DataError):
            choice.task.samples(Folder(tmp_path), choice.split)


# --------------------------------------------------------------------------------------------------------- answer files

TASKS = ((MATHVISTA, 0, "pid"), (MATHVISION, 3, "id"), (MATHVERSE, 6, "sample_index"))


@pytest.mark.parametrize(("task", "layout", "key"), TASKS, ids=[task.name for task, *_ in TASKS])
def test_exports_are_read_back(task: Any, layout: int, key: str, tmp_path: Path) -> None:
    samples = read(LAYOUTS[layout], tmp_path)
    answers = {sample.id: f"The answer is {number}.\nReally." for number, sample in enumerate(samples)}
    path = tmp_path / f"out{next(iter(task.formats.values()))}"
    task.export(answers, samples, next(iter(task.protocols)), path)
    assert task.read_predictions(path, samples) == answers
    with pytest.raises(PredictionsError, match="no answer"):
        task.export({}, samples, next(iter(task.protocols)), path)
    rows = tmp_path / "rows.jsonl"
    lines = [json.dumps({key: sample_id, "prediction": text}) for sample_id, text in answers.items()]
    rows.write_text("\n".join(lines), "utf-8")
    assert task.read_predictions(rows, samples) == answers
    rows.write_text("\n".join(lines[1:]), "utf-8")
    with pytest.raises(PredictionsError, match="1 of"):
        task.read_predictions(rows, samples)
    rows.write_text("\n".join([*lines, lines[0]]), "utf-8")
    with pytest.raises(PredictionsError, match="twice"):
        task.read_predictions(rows, samples)


def test_unlabelled_answers_are_exported(tmp_path: Path) -> None:
    samples = read(LAYOUTS[1], tmp_path)
    assert {MATHVISTA.score(s, Response("B"), "rules").status for s in samples} == {Status.UNLABELED}
    MATHVISTA.export({sample.id: "B" for sample in samples}, samples, "rules", tmp_path / "test_out.json")
    rows = json.loads((tmp_path / "test_out.json").read_text("utf-8"))
    assert rows["1"]["response"] == "B" and rows["1"]["choices"] == ["30°", "60°", "60°"]
    assert rows["3"]["precision"] == 2 and rows["2"]["metadata"]["skills"] == VISTA[1]["metadata"]["skills"]


def results(path: Path, **changes: Any) -> Path:
    """Official results of MathVista; a change of None takes an extraction away."""
    found = {"1": "(C) sixty", "2": 14, "3": "1.249", "4": "[1, 2]", **changes}
    rows = {
        key: {"pid": key, "response": "long", **({} if text is None else {"extraction": text})}
        for key, text in found.items()
    }
    path.write_text(json.dumps(rows), "utf-8")
    return path


def test_extractions_of_a_judge(tmp_path: Path) -> None:
    samples = read(LAYOUTS[0], tmp_path)
    path = results(tmp_path / "out.json")
    verdicts = MATHVISTA.read_verdicts(path, samples, "official")
    assert verdicts is not None and [verdicts[s.id][0].value for s in samples] == [1, 1, 1, 1], "equal options count"
    assert MATHVISTA.read_predictions(path, samples) == {str(n): "long" for n in range(1, 5)}
    verdicts = MATHVISTA.read_verdicts(results(path, **{"2": None}), samples, "official")
    assert verdicts is not None and verdicts["2"][0].status is Status.JUDGE_FAILED
    nothing = results(path, **dict.fromkeys("1234"))
    assert MATHVISTA.read_verdicts(nothing, samples, "official") is None
    for change, words in (({"2": ["14"]}, "a text was expected"), ({"9": "A"}, "no question of this split")):
        with pytest.raises(PredictionsError, match=words):
            MATHVISTA.read_verdicts(results(path, **change), samples, "official")
    rows = json.loads(results(path).read_text("utf-8"))
    del rows["3"]
    path.write_text(json.dumps(rows), "utf-8")
    with pytest.raises(PredictionsError, match="1 of 4 questions have no answer: 3"):
        MATHVISTA.read_verdicts(path, samples, "official")


def test_judgements_of_a_judge(tmp_path: Path) -> None:
    samples = read(LAYOUTS[6], tmp_path)
    rows = [
        {"sample_index": s.id, "model_answer": "A", "extraction": "A", "judgement": n % 2}
        for n, s in enumerate(samples)
    ]
    path = tmp_path / "score.json"
    path.write_text(json.dumps(rows), "utf-8")
    verdicts = MATHVERSE.read_verdicts(path, samples, "official")
    assert verdicts is not None and [verdicts[s.id][0].value for s in samples] == [0, 1] * 5
    assert set(MATHVERSE.read_predictions(path, samples).values()) == {"A"}
    del rows[3]["judgement"]
    path.write_text(json.dumps(rows), "utf-8")
    verdicts = MATHVERSE.read_verdicts(path, samples, "official")
    assert verdicts is not None and verdicts["4"][0].status is Status.JUDGE_FAILED
    rows[3]["judgement"] = 2
    path.write_text(json.dumps(rows), "utf-8")
    with pytest.raises(PredictionsError, match="0 or 1"):
        MATHVERSE.read_verdicts(path, samples, "official")
    path.write_text(json.dumps([{"sample_index": s.id, "model_answer": "A"} for s in samples]), "utf-8")
    assert MATHVERSE.read_verdicts(path, samples, "official") is None
