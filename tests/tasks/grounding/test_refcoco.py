"""RefCOCO/+/g: layouts, prompts, readers, figures, answer files and what can be wrong with them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmbench.base.errors import DataError, PredictionsError
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Response, Sample
from vlmbench.data.files import Folder, Hub, missing_images
from vlmbench.models.echo import Echo
from vlmbench.parsing import boxes
from vlmbench.scoring.score import score_responses
from vlmbench.tasks.grounding.refcoco import REFCOCO

Rows = list[dict[str, Any]]


def row(image: int, thing: int, sents: str, bbox: Sequence[float] = (10, 20, 40, 40)) -> dict[str, Any]:
    """An expression in the layout of MiniGPT-4's files."""
    key = f"COCO_train2014_{image:012d}_{thing}"
    return {"img_id": key, "sents": sents, "bbox": list(bbox), "height": 100, "width": 200}


def rows() -> Rows:
    """Two pictures, three things, five expressions, two of them equal."""
    other = (100.0, 50.0, 100.0, 50.0)
    return [row(1, 7, "left man"), row(1, 7, "man"), row(1, 8, "right", other), row(2, 9, "cup"), row(2, 9, "cup")]


def write(root: Path, content: object, split: str = "refcoco_val") -> Path:
    """An official file."""
    root.mkdir(parents=True, exist_ok=True)
    path = root / f"{split}.json"
    path.write_text(json.dumps(content), "utf-8")
    return path


def samples(root: Path, split: str = "refcoco_val") -> Sequence[Sample]:
    return REFCOCO.samples(Folder(root), split)


@pytest.fixture
def found(tmp_path: Path) -> Sequence[Sample]:
    write(tmp_path / "data", rows())
    return samples(tmp_path / "data")


def test_rows(found: Sequence[Sample]) -> None:
    keys = ["1_7/1", "1_7/2", "1_8/1", "2_9/1", "2_9/2"]
    assert [sample.id.removeprefix("COCO_train2014_00000000000") for sample in found] == keys
    assert found[2].target == {"bbox": [100, 50, 100, 50], "width": 200, "height": 100}
    assert found[0].cluster == found[2].cluster == "COCO_train2014_000000000001.jpg"


@pytest.mark.parametrize("folder", ["refcoco+", ".", "eval_data", "refcoco/refcoco+", "refcoco"])
@pytest.mark.parametrize("pictures", ["train2014", "images"])
def test_layouts(tmp_path: Path, folder: str, pictures: str) -> None:
    write(tmp_path / folder, rows(), "refcoco+_testA")
    (tmp_path / "refcoco").mkdir(exist_ok=True)  # another set's folder, or this benchmark's
    root = tmp_path / "refcoco" if folder.startswith("refcoco/") or folder == "refcoco" else tmp_path
    (root / pictures).mkdir(parents=True)
    for name in (1, 2):
        (root / pictures / f"COCO_train2014_{name:012d}.jpg").write_bytes(b"a picture")
    found = samples(tmp_path, "refcoco+_testA")
    assert len(found) == 5 and not missing_images(found) and found[0].images[0].load() == b"a picture"


def test_the_split_is_named_where_another_is_there(tmp_path: Path) -> None:
    write(tmp_path, rows(), "refcocog_test")
    with pytest.raises(DataError, match=r"expressions of refcoco_val is not there(.|\n)*refcoco:refcocog_test"):
        samples(tmp_path)
    with pytest.raises(DataError, match="mixes in 5,000 things"):
        REFCOCO.samples(Hub(tmp_path), "refcoco_val")


CHANGES: Sequence[tuple[Mapping[str, Any], str]] = [
    ({"img_id": None}, "item 2, field 'img_id': the field is null"),
    ({"img_id": "../../x"}, "item 2, field 'img_id'"),
    ({"sents": 3}, "item 2, field 'sents': text was expected, not 3"),
    ({"bbox": [1, 2, 3]}, "item 2, field 'bbox': four numbers"),
    ({"bbox": [1, 2, 3, "x"]}, "item 2, field 'bbox': four numbers"),
    ({"bbox": [1, 2, 0, 5]}, "item 2, field 'bbox': the box is empty"),
    ({"width": 0}, "item 2, field 'width': the image's size is 0 x 100"),
    ({"height": "tall"}, "item 2, field 'height': a number was expected"),
]


@pytest.mark.parametrize(("change", "told"), CHANGES, ids=[told for _, told in CHANGES])
def test_broken_files(tmp_path: Path, change: Mapping[str, Any], told: str) -> None:
    content = rows()
    content[1] |= change
    path = write(tmp_path, content)
    with pytest.raises(DataError) as caught:
        samples(tmp_path)
    assert told in str(caught.value) and str(path) in str(caught.value)


def test_prompts(found: Sequence[Sample]) -> None:
    asked = REFCOCO.build_request(found[0], "minigpt_v2")
    assert asked.prompt == "[refer] give me the location of left man" and asked.generation.max_new_tokens == 20
    asked = REFCOCO.build_request(found[0], "lmms_eval")
    assert asked.prompt.endswith("the region this sentence describes: left man")


def figures(found: Sequence[Sample], texts: Sequence[str], protocol: str = "minigpt_v2") -> dict[str, float]:
    scored = score_responses(REFCOCO, protocol, [(s, Response(t)) for s, t in zip(found, texts, strict=True)])
    return {metric.name: metric.value() for metric in REFCOCO.summarise(scored, protocol)}


def test_figures(found: Sequence[Sample]) -> None:
    right = ["{<5><20><25><60>}", "{<5><20><25><60>}.", "{<50><50><100><100>}", "{<5><20><25><60>}", "nothing"]
    values = figures(found, right)
    assert (values["accuracy"], values["valid_boxes"]) == (80, 80) and values["mean_iou"] == pytest.approx(80)
    shares = ["[0.05, 0.2, 0.25, 0.6]"] * 2 + ["[0.5, 0.5, 1, 1]", "[0.05, 0.2, 0.25, 0.6]", "{<5><20><25><60>}"]
    values = figures(found, shares, "lmms_eval")
    assert values["accuracy"] == values["accuracy_at_0.9"] == values["centre_accuracy"] == 80
    assert figures(found, [f"[{50 * 2.5}, 200, 125, 600]"] * 5, "vlmevalkit")["accuracy"] == 0


def test_a_score_keeps_its_box(found: Sequence[Sample]) -> None:
    score = REFCOCO.score(found[0], Response("{<5><20><25><60>}"), "minigpt_v2")
    assert json.loads(score.parsed_answer) == [10, 20, 50, 60] and score.note == "IoU 1.0, centred"
    score = REFCOCO.score(found[0], Response("[0.05, 0.2, 0.175, 0.6]"), "lmms_eval")
    assert json.loads(score.parsed_answer) == [10, 20, 35, 60] and (score.value, score.note[:7]) == (1, "IoU 0.6")
    assert REFCOCO.score(found[0], Response("no"), "lmms_eval").parsed_answer == ""


# ------------------------------------------------------------------------------------------------------ answer files


def read(path: Path, found: Sequence[Sample]) -> list[str]:
    texts = REFCOCO.read_predictions(path, found)
    return [texts[sample.id] for sample in found]


def test_official_answers(tmp_path: Path, found: Sequence[Sample]) -> None:
    keys = [sample.extra["img_id"] for sample in found]
    content = {keys[0]: ["a", "b"], keys[3]: ["c"]}  # malformed answers were dropped: the thing between them, and one
    path = write(tmp_path, content, "answers")
    assert read(path, found) == ["a", "b", "", "c", ""]
    with pytest.raises(PredictionsError, match=f"key {keys[2]}: 2 answers to 1 expressions"):
        read(write(tmp_path, content | {keys[2]: ["d", "e"]}, "answers"), found)
    with pytest.raises(PredictionsError, match="1 img_ids are not in this split: COCO_7"):
        read(write(tmp_path, content | {"COCO_7": []}, "answers"), found)
    with pytest.raises(PredictionsError, match="a list of texts was expected"):
        read(write(tmp_path, content | {keys[2]: "d"}, "answers"), found)
    with pytest.raises(PredictionsError, match="there is no answer in it"):
        read(write(tmp_path, {}, "answers"), found)


def test_rows_of_answers(tmp_path: Path, found: Sequence[Sample]) -> None:
    content = [r | {"answer": str(n)} for n, r in enumerate(rows())]
    assert read(write(tmp_path, content, "answers"), found) == ["0", "1", "2", "3", "4"]
    with pytest.raises(PredictionsError, match=r"1 of 5 questions have no answer: COCO_train2014_000000000002_9/2"):
        read(write(tmp_path, content[:-1], "answers"), found)
    with pytest.raises(PredictionsError, match=r"1 id answers no question of this split: .*'cup'"):
        read(write(tmp_path, [*content, content[-1]], "answers"), found)
    own = [{"id": sample.id, "text": sample.id} for sample in reversed(found)]
    assert read(write(tmp_path, own, "answers"), found) == [sample.id for sample in found]


def test_there_and_back(tmp_path: Path, found: Sequence[Sample]) -> None:
    texts = {sample.id: f"{{<{n}>}}\n" for n, sample in enumerate(found)}
    REFCOCO.export(texts, found, "minigpt_v2", tmp_path / "below" / "answers.json")
    assert REFCOCO.read_predictions(tmp_path / "below" / "answers.json", found) == texts


# ---------------------------------------------------------------------------------------------------------- readers


@given(st.text(max_size=60) | st.from_regex(r"[{\[(]<?-?[0-9.]{1,400}(>?[, <]+-?[0-9.e]{1,9}){2,4}[>})\]]?"))
def test_no_answer_breaks_a_reader(text: str) -> None:
    sample = Sample("x/1", "it", (), {"bbox": [1.0, 2.0, 3.0, 4.0], "width": 10.0, "height": 10.0}, cluster="x")
    for protocol in REFCOCO.protocols:
        score = REFCOCO.score(sample, Response(text), protocol)
        assert score.value in (0.0, 1.0)
        REFCOCO.summarise([(sample, score)], protocol)


_FIELDS = st.none() | st.text(max_size=5) | st.floats() | st.integers() | st.lists(st.floats(), max_size=5)


@settings(max_examples=50)
@given(st.lists(st.fixed_dictionaries(dict.fromkeys(rows()[0], _FIELDS)), min_size=1, max_size=2))
def test_any_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: Rows) -> None:
    root = tmp_path_factory.mktemp("fuzz")
    write(root, content)
    try:
        samples(root)
    except DataError as error:
        assert "refcoco_val.json" in str(error)


def test_iou() -> None:
    assert boxes.iou((0, 0, 2, 2), (1, 1, 3, 3)) == 1 / 7
    assert boxes.iou_inclusive((0, 0, 1, 1), (1, 1, 2, 2)) == 1 / 7
    assert boxes.iou((0, 0, 0, 0), (0, 0, 0, 0)) == 0 == boxes.iou((0, 0, 1, 1), (1, 1, 2, 2))
    assert boxes.from_size((1, 2, 3, 4)) == (1, 2, 4, 6)


@pytest.mark.parametrize("split", ["refcoco_testB", "refcoco+_testB", "refcocog_val"])
def test_real_files(shared: Path, split: str) -> None:
    """Loading, asking and scoring with answers made from the right boxes."""
    choice = choose_task(f"refcoco:{split}")
    found = choice.task.samples(Folder(shared / "real" / "refcoco"), split)
    assert not missing_images(found)
    script = {}
    for sample in found:
        x1, y1, x2, y2 = boxes.from_size(sample.target["bbox"])
        width, height = sample.target["width"], sample.target["height"]
        sides = (100 * x1 / width, 100 * y1 / height, 100 * x2 / width, 100 * y2 / height)
        script[sample.id] = "{" + "".join(f"<{round(side)}>" for side in sides) + "}"
    answered = Echo(script=script).answer([[choice.task.build_request(sample, choice.protocol) for sample in found]])
    by_id = {request.sample_id: response for request, response in answered}
    scored = score_responses(choice.task, choice.protocol, [(sample, by_id[sample.id]) for sample in found])
    assert [score.value for _, score in scored] == [1.0] * len(found)
