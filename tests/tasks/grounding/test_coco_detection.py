"""COCO detection: files, how boxes are matched (counted by hand), figures, and what can be wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from vlmbench.base.errors import DataError
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Response, Sample
from vlmbench.data.files import Folder, Hub
from vlmbench.families.grounding.detection import Counts, counted
from vlmbench.parsing.boxes import from_size, minigpt_boxes
from vlmbench.perturbations.perturbations import apply, parse_one
from vlmbench.scoring.score import score_responses
from vlmbench.tasks.grounding.coco_detection import COCO_DETECTION as TASK
from vlmbench.tasks.samples.refcoco_files import bounds

BOX = {"id": 1, "image_id": 1, "category_id": 7, "bbox": [10, 20, 30, 40], "iscrowd": 0}


def files(root: Path, *annotations: Mapping[str, Any], image: Mapping[str, Any] | None = None) -> Folder:
    """Two images, 100 x 200 and empty, two categories, and these annotations."""
    images = [
        {"id": 1, "file_name": "1.jpg", "width": 100, "height": 200, **(image or {})},
        {"id": 2, "file_name": "2.jpg", "width": 50, "height": 50},
    ]
    categories = [{"id": 7, "name": "cat"}, {"id": 9, "name": "traffic light"}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    path = root / "annotations" / "instances_val2017.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(content), "utf-8")
    return Folder(root)


def test_questions_and_targets(tmp_path: Path) -> None:
    second = {**BOX, "id": 2, "bbox": [0, 0, 5, 5]}
    crowd = {**BOX, "id": 3, "bbox": [50, 50, 50, 150], "iscrowd": 1}
    light = {**BOX, "id": 4, "category_id": 9, "image_id": 2}
    only_crowd = {**crowd, "id": 5, "image_id": 2}
    data = files(tmp_path, light, BOX, second, crowd, only_crowd)
    found = TASK.samples(data, "val2017")
    assert [(s.id, s.question, s.cluster, s.tags["things"]) for s in found] == [
        ("1/7", "cat", "1.jpg", "several"),
        ("2/9", "traffic light", "2.jpg", "one"),
    ], "a crowd by itself is no question"
    target = {"boxes": [(10, 20, 30, 40), (0, 0, 5, 5)], "crowd": [(50, 50, 50, 150)], "width": 100, "height": 200}
    assert found[0].target == target
    request = TASK.build_request(found[1], "minigpt_v2")
    assert request.prompt == "[detection] traffic light" and request.generation.max_new_tokens == 512
    assert TASK.example_answer(found[0], "minigpt_v2") == "<p>cat</p> {<10><10><40><30>}<delim>{<0><0><5><2>}"


BROKEN: tuple[tuple[dict[str, Any], dict[str, Any], str], ...] = (
    ({"bbox": [1, 2, 3]}, {}, "annotations, item 1, field 'bbox': four numbers"),
    ({"bbox": [1, 2, -3, 4]}, {}, "annotations, item 1, field 'bbox': four numbers"),
    ({"image_id": 3}, {}, "annotations, item 1, field 'image_id': no image '3'"),
    ({"category_id": 1}, {}, "annotations, item 1, field 'image_id': no image '1', or no category '1'"),
    ({"iscrowd": "no"}, {}, "annotations, item 1, field 'iscrowd'"),
    ({}, {"width": 0}, "images, item 1, field 'width': the image's size is 0 x 200"),
    ({}, {"file_name": "../1.jpg"}, "images, item 1, field 'file_name'"),
)


@pytest.mark.parametrize(("change", "image", "told"), BROKEN)
def test_broken_files(tmp_path: Path, change: dict[str, Any], image: dict[str, Any], told: str) -> None:
    data = files(tmp_path, {**BOX, **change}, image=image)
    with pytest.raises(DataError) as caught:
        TASK.samples(data, "val2017")
    assert told in str(caught.value) and "instances_val2017.json" in str(caught.value)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="vlmbench data fetch coco_detection:val2014"):
        TASK.samples(Folder(tmp_path), "val2014")
    with pytest.raises(DataError, match="no copy on the hub"):
        TASK.samples(Hub(tmp_path), "val2017")


# ----------------------------------------------------------------------------------------------------------- matching

LEFT, RIGHT = (0.0, 0.0, 10.0, 10.0), (20.0, 0.0, 10.0, 10.0)
TARGET = {"boxes": [LEFT, RIGHT], "crowd": [(0.0, 50.0, 100.0, 50.0)], "width": 100.0, "height": 100.0}
EXACT_LEFT, EXACT_RIGHT = (0.0, 0.0, 10.0, 10.0), (20.0, 0.0, 30.0, 10.0)
HALF_LEFT = (0.0, 0.0, 10.0, 5.0)
UNDER_HALF = (0.0, 0.0, 10.0, 4.9)
FAR, ON_CROWD, EDGE_OF_CROWD = (80.0, 0.0, 90.0, 10.0), (40.0, 60.0, 50.0, 70.0), (40.0, 44.0, 50.0, 54.0)


@pytest.mark.parametrize(
    ("found", "right", "boxes"),
    [
        ((), 0, 0),
        ((EXACT_LEFT, EXACT_RIGHT), 2, 2),
        ((HALF_LEFT,), 1, 1),
        ((UNDER_HALF,), 0, 1),
        ((EXACT_LEFT, EXACT_LEFT, EXACT_LEFT), 1, 3),  # a thing is found once
        ((HALF_LEFT, EXACT_LEFT), 1, 2),  # the first takes it, though the second fits better
        ((FAR, EXACT_RIGHT), 1, 2),
        ((ON_CROWD, ON_CROWD, EXACT_RIGHT), 1, 1),  # neither for nor against
        ((EDGE_OF_CROWD,), 0, 1),  # four of ten rows lie on the crowd
    ],
)
def test_counts_by_hand(found: tuple[Any, ...], right: int, boxes: int) -> None:
    counts = counted(found, TARGET, 0.5)
    assert counts == Counts(right, boxes, 2)
    assert counts.f1 == pytest.approx(2 * right / (boxes + 2)) and Counts.from_note(counts.note) == counts


def test_the_nearest_free_box_is_taken() -> None:
    near = {**TARGET, "boxes": [(0.0, 0.0, 10.0, 10.0), (0.0, 0.0, 10.0, 12.0)]}
    assert counted([(0, 0, 10, 12), (0, 0, 10, 10)], near, 0.9) == Counts(2, 2, 2), "the exact one, not the first"


def test_reader() -> None:
    text = "<p>cat</p> {<0><0><50><100>} <delim> { <1> <2><3><4>} [0.1, 0.2, 0.3, 0.4] {<5><6><7>}<unk>"
    assert minigpt_boxes(text, 200, 100) == [(0, 0, 100, 100), (2, 2, 6, 4)]


def test_figures(tmp_path: Path) -> None:
    data = files(tmp_path, BOX, {**BOX, "id": 2, "image_id": 2}, {**BOX, "id": 3, "image_id": 2, "bbox": [0, 0, 5, 5]})
    samples = TASK.samples(data, "val2017")
    texts = ["{<10><10><40><30>}<delim>{<0><0><9><9>}", "none"]  # one of two right, one there; none of two
    scored = score_responses(TASK, "minigpt_v2", [(s, Response(t)) for s, t in zip(samples, texts, strict=True)])
    assert [(score.unread, score.note) for _, score in scored] == [
        ("", "1 right of 2 boxes, 1 there"),
        ("box", "0 right of 0 boxes, 2 there"),
    ]
    assert json.loads(scored[0][1].parsed_answer) == [[10, 20, 40, 60], [0, 0, 9, 18]]
    values = {metric.name: metric.value() for metric in TASK.summarise(scored, "minigpt_v2")}
    assert values == pytest.approx(
        {
            "f1": 100 / 3,  # the mean of two thirds and none
            "precision": 50,
            "recall": 100 / 3,
            "valid_boxes": 50,
            "things_one": 200 / 3,
            "things_several": 0,
        }
    )
    ends = [TASK.extremes(sample, "minigpt_v2", 0) for sample in samples]
    best = {
        m.name: m.value()
        for m in TASK.summarise([(s, b) for s, (_, b) in zip(samples, ends, strict=True)], "minigpt_v2")
    }
    assert set(best.values()) == {100.0}


# ------------------------------------------------------------------------------------------------------------- sample


def test_the_sample_shows_what_it_asks_for() -> None:
    """Every box is that of a drawn thing, found again apart; the files are small."""
    from vlmbench.scenes.scene import make_scene, sample_seeds
    from vlmbench.tasks.samples.refcoco_files import IMAGES, THINGS

    root = Folder.sample("coco_detection").root
    assert sum(path.stat().st_size for path in root.rglob("*") if path.is_file()) < 400_000
    scenes = [scene for seed in sample_seeds("coco_detection") if (scene := make_scene(seed, *THINGS))]
    scenes = [scene for scene in scenes if len({t.kind for t in scene.things}) < len(scene.things)][:IMAGES]
    right: dict[str, list[list[int]]] = {}
    for number, scene in enumerate(scenes, 1):
        for thing in scene.things:
            right.setdefault(f"{number:012d} {thing.kind}".replace("0000000000", "0000009000"), []).append(
                bounds(thing)
            )
    samples = TASK.samples(Folder(root), "val2017")
    found = {f"{Path(s.cluster).stem} {s.question}": [list(box) for box in s.target["boxes"]] for s in samples}
    assert found == right and sum(len(boxes) > 1 for boxes in right.values()) >= 24


def test_a_changed_image_is_left_out_with_the_reason() -> None:
    choice = choose_task("coco_detection")
    samples: list[Sample] = list(choice.task.samples(Folder.sample("coco_detection"), choice.split))[:3]
    for word in ("crop", "rotate"):
        found = apply(choice, samples, samples, parse_one(word))
        assert not found.requests and [("set of boxes" in why, count) for why, count in found.skipped.items()] == [
            (True, 3)
        ]
    assert len(apply(choice, samples, samples, parse_one("blur")).requests) == 3


def test_an_example_gets_full_marks() -> None:
    for sample in TASK.samples(Folder.sample("coco_detection"), "val2017"):
        text = TASK.example_answer(sample, "minigpt_v2")
        assert len(minigpt_boxes(text, 96, 96)) == len(sample.target["boxes"])
        assert TASK.score(sample, Response(text), "minigpt_v2").value == 1.0
        assert from_size(sample.target["boxes"][0])[2] <= 96
