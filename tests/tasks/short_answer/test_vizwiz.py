"""VizWiz-VQA: layouts, words, what cannot be answered, answer and upload files, real photographs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.tasks.layouts import write_lines
from tests.tasks.short_answer.human_layouts import vizwiz_rows, write_json, write_vizwiz
from vlmbench.base.errors import DataError, PredictionsError
from vlmbench.base.samples import ChoiceScore, Response, Sample, Status
from vlmbench.cli import main as cli
from vlmbench.data.files import Folder, missing_images
from vlmbench.scoring.score import score_responses
from vlmbench.tasks.short_answer.vizwiz import MAJORITY, VIZWIZ, unanswerability

SUFFIX = (
    "\nWhen the provided information is insufficient, respond with 'Unanswerable'."
    "\nAnswer the question using a single word or phrase."
)


def samples(root: Path, split: str = "val") -> Sequence[Sample]:
    return VIZWIZ.samples(Folder(root), split)


def figures(found: Sequence[Sample], texts: Sequence[str], protocol: str = "official") -> dict[str, float]:
    scored = score_responses(VIZWIZ, protocol, [(s, Response(t)) for s, t in zip(found, texts, strict=True)])
    return {metric.name: metric.value() for metric in VIZWIZ.summarise(scored, protocol)}


@pytest.mark.parametrize("name", ["val.json", "Annotations/val.json", "vizwiz/val.json"])
def test_reading(tmp_path: Path, name: str) -> None:
    found = samples(write_vizwiz(tmp_path, name=name))
    assert found[0].id == found[0].cluster == "VizWiz_val_00000000.jpg"
    assert [s.extra["answerable"] for s in found] == [True, True, False, False]
    assert found[2].tags["answer_type"] == "unanswerable"


def test_words(tmp_path: Path) -> None:
    sample = samples(write_vizwiz(tmp_path))[0]
    asked = {name: VIZWIZ.build_request(sample, name) for name in VIZWIZ.protocols}
    question = "What COLOR is this?"
    minigpt = (
        f"[vqa] The question is '{question}' Based on the image, answer the question with a single word or phrase. "
        "and reply 'unanswerable' when the provided information is insufficient"
    )
    assert {name: request.prompt for name, request in asked.items()} == {
        **dict.fromkeys(("official", "vlmevalkit"), question),
        **dict.fromkeys(("llava", "unanswerability", "lmms_eval"), "What color is this?" + SUFFIX),
        **dict.fromkeys(("minigpt_v2", "tinygpt_v"), minigpt),
        "qwen_vl": question + " Answer:",
    }
    assert asked["unanswerability"].choices == ("unanswerable", "Unanswerable")
    assert not asked["llava"].choices


def test_figures(tmp_path: Path) -> None:
    found = samples(write_vizwiz(tmp_path))
    values = figures(found, ["red", "Unanswerable.", "unanswerable", "red"])
    assert values["accuracy"] == pytest.approx((100 + 0 + 100 + 30) / 4)
    assert values["average_precision"] == 50  # ties: half of those said to be so are
    assert values["f1"] == 50
    assert values["answer_type_unanswerable"] == pytest.approx(65)
    never = figures(found, ["red"] * 4)
    assert never["f1"] == 0 and never["average_precision"] == 50


def test_unanswerability(tmp_path: Path) -> None:
    found = samples(write_vizwiz(tmp_path))
    ranked = [
        Response(choices=(ChoiceScore("unanswerable", math.log(p), 1), ChoiceScore("Unanswerable", math.log(0.01), 1)))
        for p in (0.1, 0.6, 0.5, 0.8)
    ]
    scored = score_responses(VIZWIZ, "unanswerability", list(zip(found, ranked, strict=True)))
    assert [score.value for _, score in scored] == [1, 0, 1, 1]
    values = {metric.name: metric.value() for metric in VIZWIZ.summarise(scored, "unanswerability")}
    assert values["average_precision"] == pytest.approx(100 * (1 + 2 / 3) / 2)
    assert values["f1"] == pytest.approx(80) and values["accuracy"] == 75
    assert unanswerability(Response("Unanswerable.")) == 1.0 and unanswerability(Response("red")) == 0.0


def test_withheld(tmp_path: Path) -> None:
    rows = [{"image": f"VizWiz_test_{n:08d}.jpg", "question": "What?"} for n in range(3)]
    found = samples(write_vizwiz(tmp_path, rows, "test.json"), "test")
    for protocol in VIZWIZ.protocols:
        assert VIZWIZ.score(found[0], Response("red"), protocol).status is Status.UNLABELED
    VIZWIZ.export({s.id: "The Red?" for s in found}, found, "llava", tmp_path / "up.json")
    assert json.loads((tmp_path / "up.json").read_text())[0] == {"image": "VizWiz_test_00000000.jpg", "answer": "red"}


def test_upload_files_of_both_tasks_read_back(tmp_path: Path) -> None:
    found = samples(write_vizwiz(tmp_path))
    numbers = [{"image": s.id, "answerable": number} for s, number in zip(found, (0.9, 0.2, 0.4, 0), strict=True)]
    texts = VIZWIZ.read_predictions(write_json(tmp_path / "a.json", numbers), found)
    values = figures(found, [texts[s.id] for s in found], "unanswerability")
    assert values["average_precision"] == pytest.approx(100 * (1 + 2 / 3) / 2)
    assert values["f1"] == pytest.approx(80)
    VIZWIZ.export(texts, found, "unanswerability", tmp_path / "b.json")
    assert json.loads((tmp_path / "b.json").read_text()) == numbers
    VIZWIZ.export(dict.fromkeys(texts, "0.25"), found, "unanswerability", tmp_path / "c.json")  # as ranked answers come
    assert {row["answerable"] for row in json.loads((tmp_path / "c.json").read_text())} == {0.75}
    answers = [{"image": s.id, "answer": "red", "answerable": 0.5} for s in found]
    assert set(VIZWIZ.read_predictions(write_json(tmp_path / "a.json", answers), found).values()) == {"red"}
    lines = [{"question_id": s.id.removesuffix(".jpg"), "text": "red", "prompt": "?"} for s in found]
    assert set(VIZWIZ.read_predictions(write_lines(tmp_path / "a.jsonl", lines), found).values()) == {"red"}


def test_wrong_answer_files(tmp_path: Path) -> None:
    found = samples(write_vizwiz(tmp_path))
    good = [{"image": s.id, "answerable": 0.5} for s in found]
    for changed, told in (
        ({"image": found[0].id, "answerable": "much"}, "a number was expected"),
        ({"image": found[0].id, "answerable": "nan"}, "answerable is nan"),
        ({"image": "x.jpg", "answerable": 1}, "1 id answers no question of this split: x.jpg"),
        ({"image": found[0].id}, "needed: 'image' with 'answer'"),
    ):
        with pytest.raises(PredictionsError, match=told):
            VIZWIZ.read_predictions(write_json(tmp_path / "a.json", [changed, *good[1:]]), found)


def test_broken_files(tmp_path: Path) -> None:
    cases: list[tuple[Callable[[list[dict[str, Any]]], object], str]] = [
        (lambda rows: rows[1].pop("question"), "item 2, field 'question': the field is missing"),
        (lambda rows: rows[1].update(answers="red"), "item 2, field 'answers': a list was expected"),
        (lambda rows: rows[1].update(answers=[None]), "item 2, field 'answers': a list of answers"),
        (lambda rows: rows[1].update(answerable="x"), "item 2, field 'answerable': a whole number"),
        (lambda rows: rows[1].update(image=rows[0]["image"]), "is there twice"),
        (lambda rows: rows[1].update(image="/etc/x.jpg"), "not the name of an image"),
    ]
    for number, (change, told) in enumerate(cases):
        rows = vizwiz_rows()
        change(rows)
        with pytest.raises(DataError) as caught:
            samples(write_vizwiz(tmp_path / str(number), rows))
        assert told in str(caught.value)
    with pytest.raises(DataError, match=r"VizWiz's question file of val is not there(.|\n)*data fetch vizwiz"):
        samples(tmp_path)


def test_majority_answers(tmp_path: Path) -> None:
    """A file with one answer a question: taken as what all ten said, and the figures say so."""
    rows = [
        {"image": "a.jpg", "question": "?", "answer": "red"},
        {"image": "b.jpg", "question": "?", "answer": "unanswerable"},
    ]
    write_lines(tmp_path / "val_majority.jsonl", rows)
    found = samples(tmp_path)
    assert [s.target for s in found] == [("red",) * 10, ("unanswerable",) * 10]
    scored = score_responses(VIZWIZ, "official", [(s, Response("red")) for s in found])
    metrics = VIZWIZ.summarise(scored, "official")
    assert metrics[0].value() == 50 and metrics[0].note == MAJORITY


def test_real_files(shared: Path) -> None:
    root = shared / "real" / "vizwiz"
    found = samples(root)
    assert found and not missing_images(found)
    hidden = samples(root, "test")
    assert len(hidden) == 8000 and hidden[0].target is None


def test_a_run_is_exported_and_read_back(tmp_path: Path) -> None:
    """Both tasks' upload files from runs of a scripted model."""
    for protocol, field in (("llava", "answer"), ("unanswerability", "answerable")):
        run, out = tmp_path / protocol, tmp_path / f"{protocol}.json"
        spec = f"vizwiz@{protocol}"
        assert cli.main(["run", "--model", "echo,text=Unanswerable", "--tasks", spec, "--output", str(run)]) == 0
        assert cli.main(["export", str(run), "--output", str(out)]) == 0
        assert set(json.loads(out.read_text("utf-8"))[0]) == {"image", field}
        reader = "official" if protocol == "llava" else protocol
        scored = tmp_path / f"{protocol} scored"
        words = ["score", f"vizwiz@{reader}", "--predictions", str(out), "--output", str(scored)]
        assert cli.main(words) == 0
        before, after = (json.loads((folder / "scores.json").read_text("utf-8")) for folder in (run, scored))
        names = ("accuracy", "average_precision", "f1")
        assert [before[spec][name]["value"] for name in names] == [
            next(iter(after.values()))[name]["value"] for name in names
        ]


def test_a_withheld_split_cannot_be_scored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, out = tmp_path / "run", tmp_path / "up.json"
    words = ["run", "--model", "echo,text=red", "--tasks", "vizwiz:test", "--output", str(run)]
    assert cli.main(words) == 0
    assert "only the challenge's server (EvalAI 2185, closed) can score" in capsys.readouterr().err
    assert cli.main(["export", str(run), "--output", str(out)]) == 0
    assert cli.main(["score", "vizwiz:test", "--predictions", str(out)]) == 2
    assert "`vlmbench export` writes what the server takes" in capsys.readouterr().err
