"""SugarCrepe: its files, captions ranked and asked for in both orders, and what can be wrong with its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.toys import png
from vlmbench.base.errors import DataError
from vlmbench.base.samples import ChoiceScore, Response, Sample, Score
from vlmbench.data.files import Folder, Hub
from vlmbench.tasks.multiple_choice.sugarcrepe import FILES
from vlmbench.tasks.multiple_choice.sugarcrepe import SUGARCREPE as TASK

ROW = {"filename": "1.jpg", "caption": "A red dog.", "negative_caption": "A blue dog."}


def write(folder: Path, **change: Any) -> Folder:
    for name in FILES:
        (folder / f"{name}.json").write_text(json.dumps({"0": ROW, "7": ROW | {"filename": "2.jpg"} | change}), "utf-8")
    (folder / "val2017").mkdir(exist_ok=True)
    for number in (1, 2):
        (folder / "val2017" / f"{number}.jpg").write_bytes(png((number, 2, 3)))
    return Folder(folder)


def first(folder: Path) -> Sample:
    return TASK.samples(write(folder), "add_att")[0]


def test_files_and_splits(tmp_path: Path) -> None:
    data = write(tmp_path)
    samples = TASK.samples(data, "all")
    assert len(samples) == 14 and [s.id for s in TASK.samples(data, "swap_obj")] == ["swap_obj/0", "swap_obj/7"]
    assert samples[0].choices == ("A blue dog.", "A red dog.") and samples[0].target == "B"
    assert samples[1].images[0].load() == png((2, 2, 3)) and TASK.sizes["all"].questions == 7_511


@pytest.mark.parametrize(
    ("wrong", "right", "value"), [(-2.0, -1.0, 1), (-1.0, -2.0, 0), (-1.0, -1.0, 0), (-1.0, float("nan"), 0)]
)
def test_a_tie_is_wrong(wrong: float, right: float, value: float, tmp_path: Path) -> None:
    sample = first(tmp_path)
    request = TASK.build_request(sample, "official")
    assert request.choices == sample.choices and request.prompt == ""
    ranked = tuple(ChoiceScore(text, score, 5) for text, score in zip(request.choices, (wrong, right), strict=True))
    assert TASK.score(sample, Response(choices=ranked), "official").value == value


@pytest.mark.parametrize(
    ("text", "values"),
    [("(1)", (1, 0)), ("2", (0, 1)), ("Caption (2) fits", (0, 1)), ("A red dog", (1, 1)), ("12", (0, 0)),
     ("a blue dog.", (0, 0)), ("", (0, 0)), ("A red dog. or a blue dog.", (0, 0))],
)  # fmt: skip
def test_asked_in_both_orders(text: str, values: tuple[float, float], tmp_path: Path) -> None:
    sample = first(tmp_path)
    asked = [TASK.build_request(sample, protocol).prompt for protocol in ("positive_first", "negative_first")]
    head = "Which caption best describes the image?\n(1) "
    assert asked[0] == head + "A red dog.\n (2) A blue dog.\nOutput (1) or (2)."
    assert asked[1] == head + "A blue dog.\n (2) A red dog.\nOutput (1) or (2)."
    scores = [TASK.score(sample, Response(text), protocol) for protocol in ("positive_first", "negative_first")]
    assert tuple(score.value for score in scores) == values


def test_figures_are_of_files(tmp_path: Path) -> None:
    samples = TASK.samples(write(tmp_path), "all")[:3]
    scored = [(sample, Score(value)) for sample, value in zip(samples, (1.0, 1.0, 0.0), strict=True)]
    values = {metric.name: metric.value() for metric in TASK.summarise(scored, "official")}
    assert values == {
        "mean_accuracy": 50, "accuracy": pytest.approx(200 / 3), "file_add_att": 100, "file_add_obj": 0
    }  # fmt: skip


BROKEN = [
    ({"caption": "A blue dog."}, "both captions are the same"),
    ({"filename": "../2.jpg"}, "field 'filename': '../2.jpg' is not the name of an image"),
    ({"negative_caption": None}, "field 'negative_caption': the field is null"),
]


@pytest.mark.parametrize(("change", "message"), BROKEN)
def test_broken_rows(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        TASK.samples(write(tmp_path, **change), "add_att")
    assert message in str(error.value) and "key 7" in str(error.value)


def test_missing_files(tmp_path: Path) -> None:
    data = write(tmp_path)
    (tmp_path / "swap_att.json").unlink()
    with pytest.raises(DataError, match=r"SugarCrepe's swap_att is not there(.|\n)*data fetch sugarcrepe"):
        TASK.samples(data, "all")
    with pytest.raises(DataError, match=r"HuggingFaceM4/SugarCrepe_add_att: no test-\*\.parquet"):
        TASK.samples(Hub(tmp_path), "all")
