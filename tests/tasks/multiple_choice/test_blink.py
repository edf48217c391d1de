"""BLINK: configurations by task, prompts, the judge, the official rule and files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.toys import png
from vlmbench.base.errors import DataError
from vlmbench.base.samples import Response, Sample, Status
from vlmbench.data.files import Folder, Hub
from vlmbench.parsing.letters import benchmarks
from vlmbench.tasks.multiple_choice.several_images.blink import BLINK, TASKS

IMAGES = tuple(f"image_{number}" for number in (1, 2, 3, 4))
PROMPT = "Look at both images.\nWhich point?\nSelect from the following choices.\n(A) left\n(B) right"


def row(task: str, number: int = 1, **more: Any) -> dict[str, Any]:
    """A row of the hub."""
    named = {"idx": f"val_{task}_{number}", "sub_task": task, "question": "Which point?", "choices": ["left", "right"]}
    return {**dict.fromkeys(IMAGES), **named, "answer": "(B)", "prompt": PROMPT, **more}


def folder(path: Path, *rows: dict[str, Any], split: str = "val") -> Folder:
    (path / "1.png").write_bytes(png((1, 1, 1)))
    (path / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return Folder(path)


SEEN: dict[str, Any] = {"image_1": "1.png", "image_2": "1.png"}


def test_a_configuration_per_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets.disable_progress_bars()
    for place, name in enumerate(TASKS):
        path = tmp_path / "BLINK-Benchmark/BLINK" / name / "val-00000-of-00001.parquet"
        path.parent.mkdir(parents=True)
        image = {"bytes": png((place, 0, 0)), "path": None}
        data = datasets.Dataset.from_list([row(name, image_1=image, image_2=image)])
        for column in IMAGES:
            data = data.cast_column(column, datasets.Image(decode=False))
        data.to_parquet(str(path))
    samples = BLINK.samples(Hub(tmp_path), "val")
    assert [sample.tags["task"] for sample in samples] == [*TASKS] and len(TASKS) == 14
    assert samples[3].images[1].load() == png((3, 0, 0)) and samples[3].target == "B"


def test_prompts_follow_the_options_when_these_change_places(tmp_path: Path) -> None:
    (sample,) = samples = BLINK.samples(folder(tmp_path, row("Jigsaw", **SEEN)), "val")
    request = BLINK.build_request(sample, "official")
    assert request.prompt == PROMPT and len(request.images) == 2 and not request.image_places
    turned = replace(sample, choices=sample.choices[::-1], target="A")
    assert BLINK.build_request(turned, "official").prompt == PROMPT.replace("left", "x").replace(
        "right", "left"
    ).replace("x", "right")
    assert BLINK.build_request(sample, "lmms_eval").prompt.startswith(
        "Note: You only need to respond with A, B without"
    )
    assert BLINK.build_request(samples[0], "vlmevalkit").prompt.startswith(
        "Question: Which point?\nOptions:\nA. left\n"
    )


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("B", "B"),
        ("E", "E"),
        ("(B)", "B"),
        (" B", ""),
        ("It is (A) left", "A"),
        ("(A) or (B)?\n\nIt is (B) then", "B"),
        ("(A) it is.\n\nNot sure", "A"),
        ("(A) and (B)", ""),
        ("(C) it is", ""),
        ("The answer is (A).", ""),
        ("", ""),
    ],
)
def test_the_official_rule(text: str, read: str) -> None:
    assert benchmarks.blink(text, {"A": "left", "B": "right"}) == read


def ask(sample: Sample, text: str, reply: str = "") -> tuple[str, float | None]:
    """What the judge is asked, and the verdict."""
    dialogue, asked = BLINK.grade(sample, Response(text), "official"), ""
    try:
        asked = next(dialogue).texts[0]
        dialogue.send(reply)
    except StopIteration as done:
        return asked, done.value.value
    raise AssertionError("a second question")


def test_the_judge_is_asked_once_and_must_say_no_more(tmp_path: Path) -> None:
    (sample,) = BLINK.samples(folder(tmp_path, row("Jigsaw", **SEEN)), "val")
    assert BLINK.score(sample, Response("right"), "official").status is Status.JUDGE_FAILED
    assert BLINK.score(sample, Response("right"), "official_rule").value == 0
    asked, verdict = ask(sample, "the {options} right one", "(B)")
    end = "Which point?\nSelect from the following choices?\nOptions: (A) left\n(B) right\n(Z) Failed\n"
    assert asked.endswith(f"{end}Answer: the {{options}} right one\nYour output: ") and verdict == 1
    assert [ask(sample, "right", reply)[1] for reply in ("B", "(B) right", "(A)")] == [0, 0, 0]
    assert ask(sample, "(B)") == ("", 1) and ask(sample, "E") == ("", 0)
    assert ask(replace(sample, choices=tuple("uvwxyz")), "no idea") == ("", 0)


def test_the_mean_over_tasks_and_over_questions(tmp_path: Path) -> None:
    rows = [row("Jigsaw", n, **SEEN) for n in range(3)] + [row("Counting", **SEEN)]
    samples = BLINK.samples(folder(tmp_path, *rows), "val")
    scored = [(s, BLINK.score(s, Response(t), "official_rule")) for s, t in zip(samples, "BBBA", strict=True)]
    values = {metric.name: metric.value() for metric in BLINK.summarise(scored, "official_rule")}
    assert values == {"average": 50, "accuracy": 75, "task_Jigsaw": 100, "task_Counting": 0}


def test_hidden_answers_are_exported_in_brackets(tmp_path: Path) -> None:
    rows = [row("Jigsaw", n, answer="hidden", **SEEN) for n in (1, 2)]
    samples = BLINK.samples(folder(tmp_path, *rows, split="test"), "test")
    assert [sample.target for sample in samples] == [None, None]
    answers = {samples[0].id: "(A) left", samples[1].id: "who knows"}
    BLINK.export(answers, samples, "official_rule", tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text("utf-8")) == {"val_Jigsaw_1": "(A)", "val_Jigsaw_2": ""}
    with pytest.raises(DataError, match="'D' is none of A, B"):
        BLINK.samples(folder(tmp_path, row("Jigsaw", answer="(D)", **SEEN)), "val")
    with pytest.raises(DataError, match="'image_1' is empty, and 'image_2' is not"):
        BLINK.samples(folder(tmp_path, row("Jigsaw", image_2="1.png")), "val")
