"""MMMU-Pro and MuirBench: prompts by setting, images at marks, readers, files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.toys import png
from vlmbench.base.errors import DataError
from vlmbench.base.registry import TaskChoice
from vlmbench.base.samples import Response, in_order
from vlmbench.data.files import Folder
from vlmbench.parsing.letters import mmmu as letters
from vlmbench.perturbations import perturbations
from vlmbench.perturbations.perturbations import parse_one
from vlmbench.tasks.multiple_choice.several_images.mmmu import IMAGES
from vlmbench.tasks.multiple_choice.several_images.mmmu_pro import MMMU_PRO
from vlmbench.tasks.multiple_choice.several_images.muirbench import MUIRBENCH

OPTIONS = [f"thing {number}" for number in range(9)]
PRO: dict[str, Any] = {
    "id": "test_Art_Theory_7", "subject": "Art_Theory", "answer": "J",
    "question": "<image 2> or <image 1>, or <image 2>?",
    "options": repr([*OPTIONS, "<image 3>"]), "image_1": "1.png", "image_2": "2.png", "image_3": "3.png",
}  # fmt: skip
VISION = {"id": "test_Art_1", "subject": "Art", "answer": "B", "options": "['x', 'y']", "image": "1.png"}
MUIR: dict[str, Any] = {
    "idx": "0", "task": "Ordering", "image_relation": "Partial", "question": "<image><image> Which is next?",
    "options": ["<image>", "<image>", "None of them"], "answer": "B",
    "image_list": ["1.png", "2.png", "3.png", "4.png"],
}  # fmt: skip


def folder(path: Path, split: str, *rows: Mapping[str, Any], empty: tuple[str, ...] = ()) -> Folder:
    for number in (1, 2, 3, 4):
        (path / f"{number}.png").write_bytes(png((number, 0, 0)))
    (path / f"{split}.jsonl").write_text(
        "\n".join(json.dumps({**dict.fromkeys(empty), **row}) for row in rows), "utf-8"
    )
    return Folder(path)


def test_mmmu_pro_shows_an_image_for_each_mark_in_their_order(tmp_path: Path) -> None:
    (sample,) = MMMU_PRO.samples(folder(tmp_path, "standard_10", PRO, empty=IMAGES), "standard_10")
    assert sample.tags == {"subject": "Art_Theory", "discipline": "Art and Design"} and sample.target == "J"
    official = MMMU_PRO.build_request(sample, "official")
    assert [image.name[0] for image in official.images] == ["2", "1", "2", "3"]
    assert official.prompt.startswith("[image] or [image], or [image]?\nA. thing 0\n")
    assert official.prompt.endswith("J. [image]\nAnswer with the option letter from the given choices directly.")
    lmms = MMMU_PRO.build_request(sample, "lmms_eval")
    assert [image.name[0] for image in lmms.images] == ["1", "2", "3"] and "J. <image 3>\n\nAnswer with" in lmms.prompt
    kit = MMMU_PRO.build_request(sample, "vlmevalkit")
    parts = in_order(kit.prompt, [f"[{image.name[0]}]" for image in kit.images], kit.image_places)
    assert parts[:4] == ["Question: ", "[2]", " or ", "[1]"]
    assert parts[-2:] == ["[3]", "\nAnswer directly with the option letter from the given choices. "]


@pytest.mark.parametrize("protocol", MMMU_PRO.protocols)
def test_mmmu_pro_in_the_image(protocol: str, tmp_path: Path) -> None:
    (sample,) = MMMU_PRO.samples(folder(tmp_path, "vision", VISION), "vision")
    request = MMMU_PRO.build_request(sample, protocol)
    assert len(request.images) == 1 and not any(request.image_places)
    assert "x" not in request.prompt.split() and "A. " not in request.prompt
    assert ("step by step" in request.prompt) == protocol.endswith("_cot")
    right = MMMU_PRO.score(sample, Response("B"), protocol)
    loose = MMMU_PRO.score(sample, Response("It is (B)"), protocol)
    assert right.value == 1 and loose.value == float(not protocol.startswith("lmms_eval"))
    unread = MMMU_PRO.score(sample, Response("hm"), protocol)
    assert ("random" in unread.note) == protocol.startswith("official")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("Hm.\nAnswer: $C", "C"),
        ("Answer: A\nAnswer: (B)", "B"),
        ("Answer: A or B", ""),
        ("So B", "B"),
        ("answer: it", ""),
    ],
)
def test_vlmevalkit_reads_the_last_line(text: str, read: str) -> None:
    assert letters.vlmevalkit_cot(text, {"A": "one", "B": "two", "C": "three"}) == read


def test_mmmu_pro_files(tmp_path: Path) -> None:
    samples = MMMU_PRO.samples(folder(tmp_path, "vision", VISION, VISION | {"id": "test_Art_2"}), "vision")
    rows = [{"id": "test_Art_1", "response": {"error": "timeout"}}, {"id": "test_Art_2", "response": "B"}]
    (tmp_path / "gpt.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    texts = MMMU_PRO.read_predictions(tmp_path / "gpt.jsonl", samples)
    assert texts == {"test_Art_1": "", "test_Art_2": "B"}
    MMMU_PRO.export(texts, samples, "official", tmp_path / "out.jsonl")
    first = json.loads((tmp_path / "out.jsonl").read_text("utf-8").splitlines()[1])
    assert first == {"id": "test_Art_2", "options": ["x", "y"], "answer": "B", "response": "B"}
    assert MMMU_PRO.read_predictions(tmp_path / "out.jsonl", samples) == texts


def test_muirbench_puts_images_at_their_marks(tmp_path: Path) -> None:
    (sample,) = MUIRBENCH.samples(folder(tmp_path, "test", MUIR), "test")
    assert sample.choices == ("<image 3>", "<image 4>", "None of them")
    official = MUIRBENCH.build_request(sample, "official")
    assert official.prompt == (
        "Question: <image><image> Which is next?\nChoices:\n(A) <image>\n(B) <image>\n(C) None of them\n"
        "Hint: Please provide the correct option letter, such as A, B, C, D, directly.\nAnswer:"
    )
    kit = MUIRBENCH.build_request(sample, "vlmevalkit")
    parts = in_order(kit.prompt, [f"[{image.name[0]}]" for image in kit.images], kit.image_places)
    assert parts[:7] == ["[1]", "[2]", " Which is next?\nA. ", "[3]", "\nB. ", "[4]", parts[6]]
    with pytest.raises(DataError, match="the text has <image> as number 4, and there are 3 images"):
        task = MUIRBENCH.samples(folder(tmp_path, "test", MUIR | {"image_list": ["1.png", "2.png", "3.png"]}), "test")
        MUIRBENCH.build_request(task[0], "vlmevalkit")


def test_options_are_compared_with_answers_as_they_are_written(tmp_path: Path) -> None:
    samples = MUIRBENCH.samples(folder(tmp_path, "test", MUIR | {"options": ["a cat", "<image> 5", "no"]}), "test")
    text = "I think it is <image> 5"
    assert [MUIRBENCH.score(samples[0], Response(text), p).parsed_answer for p in ("official", "vlmevalkit")] == [
        "B",
        "B",
    ]
    choice = TaskChoice(MUIRBENCH, "test", "official")
    for sample, _ in perturbations.apply(choice, samples, samples, parse_one("option-order")).requests:
        assert MUIRBENCH.score(sample, Response(text), "official").value == 1


@pytest.mark.parametrize(
    ("text", "official", "lmms"), [("B", 1, 1), ("(B)", 1, 0), ("b", 0, 1), ("B. It", 0, 1), ("The answer is B", 1, 0)]
)
def test_muirbench_readers(text: str, official: float, lmms: float, tmp_path: Path) -> None:
    (sample,) = MUIRBENCH.samples(folder(tmp_path, "test", MUIR), "test")
    values = tuple(MUIRBENCH.score(sample, Response(text), protocol).value for protocol in ("official", "lmms_eval"))
    assert values == (official, lmms)
