"""HallusionBench: its layouts, groups, questions without a figure, judges, and what can be wrong with its files."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.toys import png
from vlmbench.base.errors import DataError
from vlmbench.base.samples import Response, Sample, Score, Status, Verdict
from vlmbench.data.files import Folder, Hub
from vlmbench.families import yes_no_judge
from vlmbench.scoring.verdicts import combine
from vlmbench.tasks.yes_no import hallusionbench_judge as judge
from vlmbench.tasks.yes_no.hallusionbench import HALLUSIONBENCH as TASK
from vlmbench.tasks.yes_no.hallusionbench_causes import NAMES

PICTURE = png((10, 20, 30))


def row(category: str, shown: str, figure: str, question: str, answer: str, **other: Any) -> dict[str, Any]:
    """A row of HallusionBench.json."""
    name = None if shown == "0" else f"./{category}/chart/1_{figure}.png"
    return {
        "category": category, "subcategory": "chart", "visual_input": shown, "set_id": "1", "figure_id": figure,
        "sample_note": "note", "question_id": question, "question": f"Is it {question}?", "gt_answer": answer,
        "gt_answer_details": f"It is {question}.", "filename": name, **other,
    }  # fmt: skip


ROWS = [
    row("VS", "0", "0", "0", "1"), row("VS", "0", "0", "1", "0"), row("VS", "1", "1", "0", "1"),
    row("VS", "2", "2", "0", "0"), row("VD", "1", "0", "0", "1"), row("VD", "2", "1", "0", "0"),
]  # fmt: skip


def samples(folder: Path, rows: list[dict[str, Any]] = ROWS, split: str = "all") -> list[Sample]:
    folder.mkdir(exist_ok=True)
    (folder / "HallusionBench.json").write_text(json.dumps(rows), "utf-8")
    for one in rows:
        if isinstance(one["filename"], str):
            path = folder / "hallusion_bench" / one["filename"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(PICTURE)
    return list(TASK.samples(Folder(folder), split))


def test_the_official_file(tmp_path: Path) -> None:
    found = samples(tmp_path)
    assert [len(sample.images) for sample in found] == [0, 0, 1, 1, 1, 1]
    assert TASK.build_request(found[0], "official").images == ()
    assert found[2].images[0].load() == PICTURE
    assert [sample.target for sample in found] == ["yes", "no", "yes", "no", "yes", "no"]
    assert found[2].id == "VS_chart_1_1_1_0" and found[2].cluster == "VS_chart_1"
    assert found[2].extra["groups"] == {"figure": 1, "question": 3, "question_with_figures": 2, "easy": 2}
    assert found[0].extra["figure"] == "" and found[4].extra["figure"] == "VD_chart_1_0"
    assert len(samples(tmp_path, split="image")) == 4


def test_the_table_and_the_hub_have_the_questions_with_a_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    official = {sample.id: sample for sample in samples(tmp_path / "official")}
    lines = ["index\tcategory\tl2-category\tquestion\timage\tanswer"]
    cell = base64.b64encode(PICTURE).decode()
    for one in ROWS[2:]:
        key = "_".join(one[name] for name in ("category", "subcategory", "visual_input", "set_id", "figure_id"))
        answer = {"1": "Yes", "0": "No"}[one["gt_answer"]]
        lines.append(f"{key}_{one['question_id']}\t{one['category']}\tx\t{one['question']}\t{cell}\t{answer}")
        cell = "VS_chart_1_1_1_0"  # a row may name the one that has its image
    (tmp_path / "HallusionBench.tsv").write_text("\n".join(lines) + "\n", "utf-8")
    table = TASK.samples(Folder(tmp_path), "image")
    assert [(s.id, s.target, s.tags) for s in table] == [
        (s.id, s.target, s.tags) for s in official.values() if s.images
    ]
    assert {s.images[0].load() for s in table} == {PICTURE}
    with pytest.raises(DataError, match=r"no HallusionBench\.json"):
        TASK.samples(Folder(tmp_path), "all")
    steps = TASK.grade(table[0], Response("Yes."), "official")
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert end.value.value.status is Status.JUDGE_FAILED and "HallusionBench.json" in end.value.value.note

    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets.disable_progress_bars()
    folder = tmp_path / "hub" / "lmms-lab" / "HallusionBench" / "data"
    folder.mkdir(parents=True)
    for name, rows in (("image", ROWS[2:]), ("non_image", ROWS[:2])):
        shown = [{**one, "image": {"bytes": PICTURE, "path": None} if one["filename"] else None} for one in rows]
        data = datasets.Dataset.from_list(shown)
        if name == "image":
            data = data.cast_column("image", datasets.Image(decode=False))
        data.to_parquet(str(folder / f"{name}-00000-of-00001.parquet"))
    hub = TASK.samples(Hub(tmp_path / "hub"), "all")
    assert {s.id: (s.target, s.tags, s.extra) for s in hub} == {
        s.id: (s.target, s.tags, s.extra) for s in official.values()
    }
    assert [len(s.images) for s in TASK.samples(Hub(tmp_path / "hub"), "image")] == [1] * 4


def scored(found: list[Sample], *values: float) -> dict[str, float]:
    pairs = [(sample, Score(value)) for sample, value in zip(found, values, strict=True)]
    return {metric.name: metric.value() for metric in TASK.summarise(pairs, "official")}


def test_groups_with_and_without_the_questions_without_a_figure(tmp_path: Path) -> None:
    """The first is wrong where no figure is shown: its text is wrong officially, and right among those with figures."""
    values = scored(samples(tmp_path), 0, 1, 1, 1, 1, 1)
    assert values["q_acc"] == pytest.approx(100 * 2 / 3) and values["q_acc_with_figures"] == 100
    assert values["f_acc"] == 100 and values["a_acc"] == pytest.approx(500 / 6)
    assert values["VD_q_acc"] == 100 and values["VS_q_acc"] == 50
    assert values["average"] == pytest.approx((values["a_acc"] + values["q_acc"] + values["f_acc"]) / 3)
    assert values["yes_bias"] == pytest.approx(-100 / 6) and values["false_yes_ratio"] == 0


@pytest.mark.parametrize(
    ("reply", "without", "with_figure"),
    [("Correct.", 1, 1), ("“incorrect”, not correct", 0, 0), ("unclear", 1, 0), ("What?", 1, 0)],
)
def test_an_unclear_answer_is_right_where_nothing_is_shown(
    reply: str, without: float, with_figure: float, tmp_path: Path
) -> None:
    for sample, value in zip(samples(tmp_path)[1:3], (without, with_figure), strict=True):
        steps = TASK.grade(sample, Response("Maybe"), "official")
        ask = next(steps)
        assert str(ask.messages[0][1]).endswith("Prediction answer:Maybe\nOutput:") and ask.max_tokens == 1024
        with pytest.raises(StopIteration) as end:
            steps.send(reply)
        assert combine([end.value.value]).value == value
        assert end.value.value.unread == (reply == "What?")


def judged(verdict: int, *same: float) -> Score:
    return combine([Verdict(float(verdict == judge.RIGHT), values=(float(verdict), *same))])


@pytest.mark.parametrize(
    ("place", "before", "score", "cause"),
    [
        (5, judge.RIGHT, judged(judge.WRONG, 1), "mixed_cause"),
        (5, judge.RIGHT, judged(judge.WRONG, 0), "visual_illusion"),
        (5, judge.UNCLEAR, judged(judge.WRONG), "visual_illusion"),  # whatever the judge would say of both answers
        (2, judge.WRONG, judged(judge.WRONG, 1), "language_hallucination"),
        (2, judge.WRONG, judged(judge.UNCLEAR), "mixed_cause"),
        (2, judge.RIGHT, judged(judge.WRONG, 1), "visual_illusion"),
        (3, judge.RIGHT, judged(judge.WRONG, 1), "language_hallucination"),
        (3, judge.RIGHT, judged(judge.WRONG), ""),
    ],
)
def test_causes_of_a_wrong_answer(place: int, before: int, score: Score, cause: str, tmp_path: Path) -> None:
    """Of one answer about an edited figure, beside the answer before the edit and right ones elsewhere."""
    found = samples(tmp_path)
    first = 0 if place < 4 else 4
    scores = {first: judged(before), place: score}
    pairs = [(sample, scores.get(at, judged(judge.RIGHT))) for at, sample in enumerate(found)]
    metrics = {metric.name: metric for metric in TASK.summarise(pairs, "official")}
    share = metrics["language_hallucination"]
    if cause:
        assert [name for name in NAMES if metrics[name].items[place][0]] == [cause] and not share.note
    else:
        assert share.note.startswith("1 answers left out") and len(share.items) == len(found) - 1
    assert "mixed_cause" not in {metric.name for metric in TASK.summarise(pairs, "lmms_eval")}


def test_answers_are_compared_with_those_before_the_edit(tmp_path: Path) -> None:
    found = samples(tmp_path)
    ids = [sample.id for sample in found]
    assert [TASK.compared_with(sample, "official") for sample in found] == ["", "", ids[0], ids[0], "", ids[4]]
    assert {TASK.compared_with(sample, "lmms_eval") for sample in found} == {""}
    shown = samples(tmp_path, split="image")  # without the questions that have no figure
    assert [TASK.compared_with(sample, "official") for sample in shown] == ["", "", "", ids[4]]
    pairs = [(sample, judged(judge.WRONG)) for sample in shown]
    assert "mixed_cause" not in {metric.name for metric in TASK.summarise(pairs, "official")}


@pytest.mark.parametrize(("reply", "same"), [("Same.", 1), ("not the same", 1), ("different", 0), ("", 0)])
def test_two_answers_are_the_same(reply: str, same: float) -> None:
    wrong = judged(judge.WRONG).verdicts[0]
    steps = TASK.compare(wrong, Response("It is red"), Response("It is green"), "official")
    assert str(next(steps).messages[0][1]).endswith("response1:It is red\nresponse2: It is green\nOutput:")
    with pytest.raises(StopIteration) as end:
        steps.send(reply)
    assert end.value.value.values == (judge.WRONG, same) and end.value.value.value == 0
    with pytest.raises(StopIteration) as end:
        next(TASK.compare(judged(judge.RIGHT).verdicts[0], Response("a"), Response("b"), "official"))
    assert end.value.value.values == (judge.RIGHT,)


def test_a_judge_is_asked_only_where_no_word_is_read(tmp_path: Path) -> None:
    sample = samples(tmp_path)[2]
    assert TASK.score(sample, Response("Yes, it is"), "vlmevalkit_judge").value == 1
    assert TASK.score(sample, Response("It seems so"), "vlmevalkit").value == 0
    assert TASK.score(sample, Response("It seems so"), "vlmevalkit_judge").status is Status.JUDGE_FAILED
    steps = TASK.grade(sample, Response("It seems so"), "vlmevalkit_judge")
    asks = [next(steps), *(steps.send("Yes or no") for _ in range(3))]
    assert [ask.temperature for ask in asks] == [0.0, 0.5, 1.0, 1.5]
    assert str(asks[0].messages[0][1]).endswith("Question: Is it 0??\nAnswer: It seems so\nYour output: ")
    with pytest.raises(StopIteration) as end:
        steps.send("Yes")
        steps.send("Yes")
    assert end.value.value.value == 1 and yes_no_judge.TEMPERATURES[4] == 2.0
    assert TASK.score(sample, Response("seems so"), "lmms_eval_intern").unread == "yes or no"
    assert judge.read("CORRECT") == judge.RIGHT


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gt_answer": "2"}, "field 'gt_answer': 0 or 1 was expected, not 2"),
        ({"question_id": None}, "field 'question_id': the field is null"),
        ({"filename": 3}, "field 'filename': text was expected"),
        ({"set_id": ""}, "field 'set_id': the id is empty"),
    ],
)
def test_broken_rows_name_their_place(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    rows = [*ROWS[:3], ROWS[3] | change]
    with pytest.raises(DataError) as error:
        samples(tmp_path, rows)
    assert message in str(error.value) and "item 4" in str(error.value)


def test_a_question_twice_or_a_foreign_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there twice"):
        samples(tmp_path, [*ROWS, ROWS[0]])
    (tmp_path / "HallusionBench.json").write_text('[{"question": "?", "image": "a.png"}]', "utf-8")
    with pytest.raises(DataError, match="no column 'category'"):
        TASK.samples(Folder(tmp_path), "all")
    (tmp_path / "HallusionBench.tsv").write_text("index\tquestion\timage\tanswer\n7\t?\tAAAA\tYes\n", "utf-8")
    (tmp_path / "HallusionBench.json").unlink()
    with pytest.raises(DataError, match="'7' has fewer than six parts"):
        TASK.samples(Folder(tmp_path), "image")
