"""GQA: official layouts, its many figures on cases small enough to count by hand, answer files, broken files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tasks.layouts import gqa_question, write_gqa, write_lines, yes_no
from vlmbench.base.errors import DataError, PredictionsError
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Response, Sample
from vlmbench.data.files import Folder, missing_images
from vlmbench.scoring.score import score_responses
from vlmbench.stats.figures import answer_distribution
from vlmbench.tasks.short_answer import gqa_metrics
from vlmbench.tasks.short_answer.gqa import GQA


def samples(root: Path, split: str = "testdev_balanced") -> Sequence[Sample]:
    return GQA.samples(Folder(root), split)


def figures(found: Sequence[Sample], texts: Mapping[str, str], protocol: str = "official") -> dict[str, float]:
    scored = score_responses(GQA, protocol, [(s, Response(texts[s.id])) for s in found if s.id in texts])
    return {metric.name: metric.value() for metric in GQA.summarise(scored, protocol)}


ROWS = {
    "1": gqa_question(entailed=["1", "2", "3"]),
    "2": yes_no("yes", imageId="n2", groups={"global": None, "local": "x"}),
    "3": yes_no("yes", isBalanced=False),
    "4": gqa_question(answer="blue", imageId="n2"),
}


def test_reading(tmp_path: Path) -> None:
    found = samples(write_gqa(tmp_path, ROWS))
    assert [s.id for s in found] == list(ROWS)
    assert dict(found[0].tags) == {
        "structural": "query",
        "semantic": "attr",
        "kind": "open",
        "steps": "2",
        "words": "5",
    }
    assert found[1].tags["kind"] == "binary" and found[1].cluster == "n2" and found[1].target == "yes"
    assert missing_images(found) == ["n1.jpg", "n2.jpg"]
    (tmp_path / "images").mkdir()
    (tmp_path / "images/n1.jpg").write_bytes(b"x")
    assert missing_images(found) == ["n2.jpg"] and found[0].images[0].load() == b"x"


@pytest.mark.parametrize(
    ("split", "name"),
    [
        ("testdev_balanced", "questions/testdev_balanced_questions.json"),
        ("val_balanced", "questions1.2/val_balanced_questions.json"),
        ("testdev", "testdev_all_questions.json"),
        ("val", "val_questions.json"),
        ("val", "gqa/val_all_questions.json"),
    ],
)
def test_question_files(tmp_path: Path, split: str, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    write_gqa(tmp_path, ROWS, name)
    assert len(samples(tmp_path, split)) == 4


def test_the_wrong_split(tmp_path: Path) -> None:
    write_gqa(tmp_path, ROWS, "val_all_questions.json")
    with pytest.raises(DataError, match=r"question file of testdev_balanced is not there(.|\n)*gqa:val"):
        samples(tmp_path)
    with pytest.raises(DataError, match="vlmbench data fetch gqa"):
        samples(tmp_path / "..", "train_balanced")


def test_broken_question_files(tmp_path: Path) -> None:
    cases: list[tuple[Callable[[dict[str, Any]], object], str]] = [
        (lambda row: row.pop("answer"), "key 4, field 'answer': the field is missing"),
        (lambda row: row.update(question=["a"]), "key 4, field 'question': text was expected"),
        (lambda row: row.update(isBalanced="true"), "key 4, field 'isBalanced': true or false was expected"),
        (lambda row: row.update(imageId="../../x"), "key 4, field 'imageId'"),
        (lambda row: row.update(semantic="select"), "key 4, field 'semantic'"),
        (lambda row: row["types"].pop("structural"), "key 4, in 'types', field 'structural'"),
    ]
    for number, (change, told) in enumerate(cases):
        rows = {**ROWS, "4": json.loads(json.dumps(ROWS["4"]))}
        change(rows["4"])
        with pytest.raises(DataError) as caught:
            samples(write_gqa(tmp_path / str(number), rows))
        assert told in str(caught.value)
    path = write_gqa(tmp_path, ROWS) / "testdev_balanced_questions.json"
    text = path.read_text()
    path.write_text(
        text.replace('"4":', '"1":', 1) if text.count('"4":') == 1 else text.replace(', "4": {"q', ', "1": {"q')
    )
    with pytest.raises(DataError, match="the key '1' is there twice"):
        samples(tmp_path)
    path.write_text(text[:-20])
    with pytest.raises(DataError, match="broken JSON"):
        samples(tmp_path)


def test_test_split_has_no_answers(tmp_path: Path) -> None:
    row = {"question": "What?", "imageId": "1", "isBalanced": True}
    with pytest.raises(DataError, match="field 'types': the field is missing"):
        samples(write_gqa(tmp_path, {"1": row}))


def test_prompts_and_generation(tmp_path: Path) -> None:
    sample = samples(write_gqa(tmp_path, ROWS))[0]
    asked = {name: GQA.build_request(sample, name) for name in GQA.protocols}
    question = sample.question
    short = question + "\nAnswer the question using a single word or phrase."
    instruction = f"[vqa] Based on the image, respond to this question with a short answer: {question}"
    assert {name: request.prompt for name, request in asked.items()} == {
        "official": question,
        **dict.fromkeys(("llava", "tinyllava", "lmms_eval", "vlmevalkit"), short),
        **dict.fromkeys(("minigpt_v2", "tinygpt_v"), instruction),
        "lavis": f"Question: {question} Short answer:",
        "qwen_vl": f"{question} Answer:",
    }
    tokens = {name: request.generation.max_new_tokens for name, request in asked.items()}
    assert tokens == {
        "official": 128, "llava": 128, "tinyllava": 128, "lmms_eval": 16, "vlmevalkit": 128,
        "minigpt_v2": 20, "tinygpt_v": 20, "lavis": 10, "qwen_vl": 10,
    }  # fmt: skip
    assert asked["lavis"].generation.num_beams == 5


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("red", "official llava tinyllava lmms_eval vlmevalkit minigpt_v2 tinygpt_v lavis qwen_vl"),
        ("Red.", "llava tinyllava lmms_eval tinygpt_v lavis qwen_vl"),
        ("RED", "llava tinyllava lmms_eval vlmevalkit minigpt_v2 tinygpt_v lavis qwen_vl"),
        (" red", "llava tinyllava lmms_eval vlmevalkit tinygpt_v lavis qwen_vl"),
        ("hatred", "tinygpt_v"),
        ("The lamp is red, I think", "tinygpt_v qwen_vl"),
        ("the red", "tinygpt_v lavis qwen_vl"),
        ("", ""),
    ],
)
def test_readers(tmp_path: Path, text: str, right: str) -> None:
    sample = samples(write_gqa(tmp_path, ROWS))[0]
    found = [name for name in GQA.protocols if GQA.score(sample, Response(text), name).value == 1.0]
    assert found == right.split()


def test_figures_by_hand(tmp_path: Path) -> None:
    found = samples(write_gqa(tmp_path, ROWS))
    values = figures(found, {"1": "red", "2": "no", "3": "yes", "4": "red"})
    assert values["accuracy"] == pytest.approx(100 / 3)  # the unbalanced one does not count
    assert (values["binary"], values["open"]) == (0, 50)
    assert values["consistency"] == 50  # of the two questions that the right one entails, one is right
    assert values["structural_query"] == 50 and values["structural_verify"] == 0 and values["words_5"] == 50
    # group color: red is true once and given twice, blue true once and never given: (1 + 1) * 2 / 2 / 100
    assert values["distribution"] == pytest.approx(0.02)
    assert "validity" not in values and "grounding" not in values
    assert figures(found, {"1": "red", "2": "no", "3": "yes", "4": "red"}, "lmms_eval")["accuracy"] == 50
    assert "consistency" not in figures(found, {"1": "red", "2": "no", "3": "yes", "4": "red"}, "qwen_vl")


@pytest.mark.parametrize(
    ("operations", "steps"),
    [
        (["select: lamp (1)", "query: color"], 2),
        (["select: lamp (1)", "query: name"], 1),
        (["select: lamp (1)", "choose name: lamp|table"], 1),
        (["select: lamp (1)", "choose color: red|blue"], 2),
        (["select: lamp (1)", "relate: _,on,s (-)", "exist: ?"], 2),
        (["select: existing (1)"], 0),  # the official code looks for the words anywhere in "operation: argument"
    ],
)
def test_steps(tmp_path: Path, operations: Sequence[str], steps: int) -> None:
    parts = [operation.partition(": ") for operation in operations]
    semantic = [{"operation": name, "argument": argument, "dependencies": []} for name, _, argument in parts]
    found = samples(write_gqa(tmp_path, {"1": gqa_question(semantic=semantic)}))
    assert found[0].tags["steps"] == str(steps)


def test_consistency_needs_all_entailed_questions(tmp_path: Path) -> None:
    rows = {"1": gqa_question(entailed=["2", "77"]), "2": yes_no("yes")}
    assert "consistency" not in figures(samples(write_gqa(tmp_path, rows)), {"1": "red", "2": "yes"})


def test_choices(tmp_path: Path) -> None:
    rows = dict(ROWS)
    rows["4"] = gqa_question(types={"detailed": "twoCommon", "semantic": "attr", "structural": "query"}, answer="color")
    write_gqa(tmp_path, rows)
    (tmp_path / "eval").mkdir()
    choices = {key: {"valid": ["red", "blue", "no", "yes"], "plausible": ["red"]} for key in ("1", "2")}
    (tmp_path / "eval/testdev_choices.json").write_text(json.dumps(choices))
    values = figures(samples(tmp_path), {"1": "red", "2": "no", "3": "maybe", "4": "shape"})
    assert values["validity"] == 100 and values["plausibility"] == pytest.approx(200 / 3)
    (tmp_path / "eval/testdev_choices.json").write_text(json.dumps({"1": choices["1"]}))
    with pytest.raises(DataError, match="no choices for question 2"):
        samples(tmp_path)


def attentions(path: Path, maps: Mapping[str, object]) -> Path:
    return write_lines(path, [{"questionId": key, "attention": value} for key, value in maps.items()], array=True)


def test_grounding(tmp_path: Path) -> None:
    rows = {"1": gqa_question(), "2": gqa_question(isBalanced=False)}
    write_gqa(tmp_path, rows)
    scene = {"width": 200, "height": 100, "objects": {"1": {"x": 0, "y": 0, "w": 100, "h": 50, "name": "lamp"}}}
    (tmp_path / "testdev_sceneGraphs.json").write_text(json.dumps({"n1": scene}))
    found = samples(tmp_path)
    path = attentions(tmp_path / "a.json", {"1": [[0.5, 0.25], [0.25, 0]]})
    grounded = GQA.with_attentions(found, path, Folder(tmp_path), "testdev_balanced")
    assert figures(grounded, {"1": "red", "2": "red"})["grounding"] == pytest.approx(100)  # twice: question and answer
    cases: list[tuple[Mapping[str, object], str]] = [
        ({}, "the file is empty"),
        ({"2": [[1.0]]}, "1 questions have no attention: 1"),
        ({"1": [[0, 0, 1, 1, 0.5]]}, "not a square table"),
        ({"1": [["x"]]}, "not a square table"),
    ]
    for maps, told in cases:
        wrong = attentions(tmp_path / "b.json", maps) if maps else write_lines(tmp_path / "b.json", [])
        with pytest.raises(PredictionsError, match=told):
            GQA.with_attentions(found, wrong, Folder(tmp_path), "testdev_balanced")
    (tmp_path / "testdev_sceneGraphs.json").write_text(json.dumps({"n1": scene | {"width": 0}}))
    with pytest.raises(DataError, match="the image's size is 0 x 100"):
        GQA.with_attentions(found, path, Folder(tmp_path), "testdev_balanced")
    (tmp_path / "testdev_sceneGraphs.json").unlink()
    with pytest.raises(DataError, match="scene graph file is not there"):
        GQA.with_attentions(found, path, Folder(tmp_path), "testdev_balanced")


def test_distribution_in_groups_of_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many pictures for one table: the value stays, fewer units are resampled."""
    rows = {str(i): gqa_question(imageId=f"n{i % 90}", answer=("red", "blue", "green")[i % 3]) for i in range(400)}
    found = samples(write_gqa(tmp_path, rows))
    scored = score_responses(GQA, "official", [(s, Response("red")) for s in found])
    whole = gqa_metrics.distribution(scored)[0]
    monkeypatch.setattr(answer_distribution, "CELLS", 6)
    grouped = gqa_metrics.distribution(scored)[0]
    assert (len(whole.items), len(grouped.items)) == (90, 50) and grouped.n == whole.n == 400
    assert grouped.value() == pytest.approx(whole.value())
    drawn = np.stack([whole.items.sum(axis=0), 2 * whole.items.sum(axis=0)])
    assert whole.combine(drawn) == pytest.approx([whole.value(), 2 * whole.value()])


@pytest.mark.parametrize(("key", "text"), [("questionId", "prediction"), ("question_id", "text"), ("id", "text")])
def test_answer_files(tmp_path: Path, key: str, text: str) -> None:
    found = samples(write_gqa(tmp_path, ROWS))
    rows = [{key: s.id, text: f"answer {s.id}"} for s in reversed(found)]
    path = write_lines(tmp_path / "a.json", rows, array=key == "questionId")
    assert GQA.read_predictions(path, found) == {s.id: f"answer {s.id}" for s in found}
    for content, told in (
        (rows[1:], "1 of 4 questions have no answer: 4"),
        ([*rows, {key: "9", text: "x"}], "1 id answers no question of this split: 9"),
        ([*rows, rows[0]], "'4' is answered twice"),
        ([{key: "1"}], "needed: 'questionId' with 'prediction'"),
    ):
        with pytest.raises(PredictionsError) as caught:
            GQA.read_predictions(write_lines(path, content), found)
        assert told in str(caught.value)


def test_embedded_sample() -> None:
    data = Folder.sample("gqa")
    for split in ("testdev_balanced", "testdev"):
        found = GQA.samples(data, split)
        assert len(found) >= 900 and len({s.cluster for s in found}) >= 60 and not missing_images(found)
    values = figures(found, {s.id: s.target for s in found})
    assert values["accuracy"] == values["consistency"] == values["validity"] == values["plausibility"] == 100
    assert values["distribution"] == 0 and choose_task("gqa").split == "testdev_balanced"
