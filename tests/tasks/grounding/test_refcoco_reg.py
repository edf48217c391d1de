"""RefCOCO the other way round: things, questions with boxes, references, answer files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Response, Sample
from vlmbench.data.files import Folder
from vlmbench.perturbations.perturbations import apply, parse_one
from vlmbench.tasks.grounding.refcoco_reg import REFCOCO_REG as TASK
from vlmbench.tasks.samples.build import BUILDERS

ROWS: list[dict[str, Any]] = [
    {"img_id": f"COCO_train2014_{image:012d}_{thing}", "sents": sents, "bbox": bbox, "height": 100, "width": 200}
    for image, thing, sents, bbox in (
        (1, 7, "left man", [10, 20, 40.5, 40]),
        (1, 8, "right", [100, 50, 100, 50]),
        (1, 7, "man in red", [10, 20, 40.5, 40]),
        (2, 9, "cup", [1, 1, 2, 2]),
    )
]


@pytest.fixture
def things(tmp_path: Path) -> list[Sample]:
    (tmp_path / "refcoco_val.json").write_text(json.dumps(ROWS), "utf-8")
    return list(TASK.samples(Folder(tmp_path), "refcoco_val"))


def test_a_question_per_thing(things: list[Sample]) -> None:
    assert [(sample.id[-3:], sample.target) for sample in things] == [
        ("1_7", ("left man", "man in red")),
        ("1_8", ("right",)),
        ("2_9", ("cup",)),
    ]
    assert things[0].cluster == things[1].cluster != things[2].cluster


def test_boxes_in_the_question(things: list[Sample]) -> None:
    """Hundredths are cut off: 50.5 of 200 is 25.25; LLaVA pads the image above and below by 50."""
    assert TASK.build_request(things[0], "minigpt_v2").prompt == "[identify] what is this {<5><20><25><60>}"
    asked = TASK.build_request(things[0], "llava").prompt
    assert asked == "Please provide a short description for this region: [0.05, 0.35, 0.25, 0.55]."


def test_figures_are_those_of_captions(things: list[Sample]) -> None:
    texts = ["Man in red.", "right", "a dog"]
    scored = [(s, TASK.score(s, Response(t), "minigpt_v2")) for s, t in zip(things, texts, strict=True)]
    assert [score.value for _, score in scored] == [1, 1, 0]
    values = {metric.name: metric.value() for metric in TASK.summarise(scored, "minigpt_v2")}
    assert values["rouge_l"] == pytest.approx(200 / 3) and values["bleu_1"] == pytest.approx(100 * 4 / 6)


def test_answers_there_and_back(tmp_path: Path, things: list[Sample]) -> None:
    texts = {sample.id: f"thing {n}" for n, sample in enumerate(things)}
    path = tmp_path / "answers.json"
    TASK.export(texts, things, "minigpt_v2", path)
    assert json.loads(path.read_text("utf-8"))[1] == {"image_id": things[1].id, "caption": "thing 1"}
    assert TASK.read_predictions(path, things) == texts


def test_the_sample(tmp_path: Path) -> None:
    root = Folder.sample("refcoco_reg").root
    assert sum(path.stat().st_size for path in root.rglob("*") if path.is_file()) < 400_000
    BUILDERS["refcoco_reg"](tmp_path)
    for path in root.glob("*.json"):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()
    found = TASK.samples(Folder(root), "refcoco_val")
    other = choose_task("refcoco").task.samples(Folder.sample("refcoco"), "refcoco_val")
    pictures = [{sample.images[0].load() for sample in samples} for samples in (found, other)]
    assert not pictures[0] & pictures[1], "its scenes are its own"


def test_a_box_in_the_question_refuses_crops(things: list[Sample]) -> None:
    choice = choose_task("refcoco_reg")
    samples = list(choice.task.samples(Folder.sample("refcoco_reg"), choice.split))[:2]
    found = apply(choice, samples, samples, parse_one("crop"))
    assert not found.requests and [("names a box" in why, count) for why, count in found.skipped.items()] == [(True, 2)]
