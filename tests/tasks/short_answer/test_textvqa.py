"""TextVQA: layouts, prompts with and without OCR tokens, answer files joined by picture and question."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.tasks.layouts import write_lines
from tests.tasks.short_answer.human_layouts import textvqa_rows, write_json, write_textvqa
from vlmbench.base.errors import DataError, PredictionsError
from vlmbench.base.samples import Response, Sample, Status
from vlmbench.cli import main as cli
from vlmbench.data.files import Folder, missing_images
from vlmbench.families.shared_protocols import SMOLVLM
from vlmbench.scoring.score import score_responses
from vlmbench.tasks.short_answer.textvqa import TEXTVQA

SHORT = "\nAnswer the question using a single word or phrase."
OCR = {"00aa": ["STOP", "5T0P"], "00bb": []}


def samples(root: Path, split: str = "val") -> Sequence[Sample]:
    return TEXTVQA.samples(Folder(root), split)


def test_reading(tmp_path: Path) -> None:
    found = samples(write_textvqa(tmp_path, ocr=OCR))
    assert [s.id for s in found] == ["34602", "34603", "34604"]
    assert found[0].cluster == found[1].cluster == "00aa" and not missing_images(found)
    assert found[0].extra["ocr"] == "STOP, 5T0P" and found[2].extra["ocr"] == ""
    scored = score_responses(TEXTVQA, "official", [(s, Response("Stop,")) for s in found])
    assert [score.value for _, score in scored] == [1.0, 1.0, 1.0]


def test_prompts(tmp_path: Path) -> None:
    found = samples(write_textvqa(tmp_path, ocr=OCR))
    prompts = {name: TEXTVQA.build_request(found[0], name).prompt for name in TEXTVQA.protocols}
    question, small = "what does the Sign say?", "What does the sign say?"
    tokens = "\nReference OCR token: STOP, 5T0P"
    assert prompts == {
        "official": question,
        "llava": small + tokens + SHORT,
        "tinyllava": small + tokens + SHORT,
        "llava_no_ocr": small + SHORT,
        "lmms_eval": small + SHORT,
        "lmms_eval_ocr": small + tokens + SHORT,
        "vlmevalkit": question + SHORT,
        "qwen_vl": question + " Answer:",
        "smolvlm": SMOLVLM["textvqa"](question + SHORT),
    }
    assert TEXTVQA.build_request(found[2], "llava").prompt == small + "\nReference OCR token: " + SHORT


def test_braces_in_words_stay(tmp_path: Path) -> None:
    rows = [{**row, "question": "what is {ocr} {}?"} for row in textvqa_rows()[:1]]
    found = samples(write_textvqa(tmp_path, rows, {"00aa": ["{}", "{ocr}"]}))
    asked = "What is {ocr} {}?\nReference OCR token: {}, {ocr}" + SHORT
    assert TEXTVQA.build_request(found[0], "llava").prompt == asked


def test_without_tokens(tmp_path: Path) -> None:
    found = samples(write_textvqa(tmp_path))
    with pytest.raises(DataError, match=r"shows OCR tokens(.|\n)*textvqa@llava_no_ocr"):
        TEXTVQA.build_request(found[0], "llava")
    assert TEXTVQA.score(found[0], Response("stop"), "llava").value == 1.0  # answers that exist are scored anyway
    write_textvqa(tmp_path, ocr={"00aa": []})
    with pytest.raises(DataError, match="no OCR tokens of image 00bb"):
        samples(tmp_path)


def test_tokens_of_llava(tmp_path: Path) -> None:
    rows = [
        {
            "question_id": image,
            "image": f"{image}.jpg",
            "text": f"what?\nReference OCR token: {', '.join(OCR[image])}{SHORT}",
        }
        for image in OCR
    ]
    write_lines(write_textvqa(tmp_path) / "llava_textvqa_val_v051_ocr.jsonl", rows)
    assert [s.extra["ocr"] for s in samples(tmp_path)] == ["STOP, 5T0P", "STOP, 5T0P", ""]


def test_withheld(tmp_path: Path) -> None:
    rows = [{name: row[name] for name in ("question", "image_id", "question_id")} for row in textvqa_rows()]
    write_json(tmp_path / "TextVQA_0.5.1_test.json", {"data": rows})
    found = samples(tmp_path, "test")
    assert TEXTVQA.score(found[0], Response("x"), "official").status is Status.UNLABELED
    TEXTVQA.export({s.id: "Stop," for s in found}, found, "lmms_eval", tmp_path / "up.json")
    assert json.loads((tmp_path / "up.json").read_text())[0] == {"question_id": 34_602, "answer": "stop"}


def test_broken_files(tmp_path: Path) -> None:
    cases: list[tuple[Callable[[list[dict[str, Any]]], object], str]] = [
        (lambda rows: rows[1].pop("image_id"), "data, item 2, field 'image_id': the field is missing"),
        (lambda rows: rows[1].update(answers=["a"] * 9), "9 answers, where the official scorer demands 10"),
        (lambda rows: rows[1].update(question_id=34_602), "is there twice"),
        (lambda rows: rows[1].update(image_id="../x"), "not the name of an image"),
    ]
    for number, (change, told) in enumerate(cases):
        rows = textvqa_rows()
        change(rows)
        with pytest.raises(DataError) as caught:
            samples(write_textvqa(tmp_path / str(number), rows))
        assert told in str(caught.value)
    contents: list[Any] = [[], {"data": 3}, {"data": [3]}]
    for content in contents:
        write_json(tmp_path / "TextVQA_0.5.1_val.json", content)
        with pytest.raises(DataError, match="was expected"):
            samples(tmp_path)


def llava_rows(found: Sequence[Sample], answers: Mapping[str, str]) -> list[dict[str, Any]]:
    """LLaVA's lines: the picture's id, and the question in the prompt."""
    return [
        {
            "question_id": s.extra["image_id"],
            "prompt": s.question + "\nReference OCR token: A" + SHORT,
            "text": answers[s.id],
        }
        for s in found
    ]


def test_answer_files(tmp_path: Path) -> None:
    found = samples(write_textvqa(tmp_path, ocr=OCR))
    right = {s.id: f"answer {s.id}" for s in found}
    rows = llava_rows(found, right)
    assert TEXTVQA.read_predictions(write_lines(tmp_path / "a.jsonl", rows[::-1]), found) == right
    plain = [{"question_id": int(key), "answer": text} for key, text in right.items()]
    assert TEXTVQA.read_predictions(write_json(tmp_path / "a.json", plain), found) == right
    for changed, told in (
        ({**rows[0], "prompt": "what?"}, "the prompt is none of those"),
        ({**rows[0], "question_id": "00cc"}, "1 id answers no question of this split: image 00cc"),
        (rows[1], "1 id answers no question"),
    ):
        with pytest.raises(PredictionsError, match=told):
            TEXTVQA.read_predictions(write_lines(tmp_path / "a.jsonl", [changed, *rows[1:]]), found)


def test_answers_are_scored_without_tokens(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`score` needs no prompt: a protocol that shows OCR tokens can be scored on data that lack them."""
    found = samples(write_textvqa(tmp_path / "data"))
    answers = write_lines(tmp_path / "a.jsonl", llava_rows(found, {s.id: "Stop" for s in found}))
    words = ["textvqa@llava", "--predictions", str(answers), "--data", str(tmp_path / "data"), "--json"]
    assert cli.main(["score", *words]) == 0
    assert json.loads(capsys.readouterr().out)["textvqa@llava"]["accuracy"]["value"] == 100
    assert cli.main(["run", "--model", "echo", "--tasks", "textvqa@llava", "--data", str(tmp_path / "data")]) == 2
    assert "textvqa@llava_no_ocr" in capsys.readouterr().err
