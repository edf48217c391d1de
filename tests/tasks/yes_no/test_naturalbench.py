"""NaturalBench: its layouts, overlapping groups, reader, and what can be wrong with its files."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.toys import png
from vlmbench.base.errors import DataError
from vlmbench.base.samples import Response, Score
from vlmbench.data.files import Folder, Hub
from vlmbench.parsing.yes_no import earliest_word
from vlmbench.tasks.yes_no.naturalbench import ANSWERS, PATTERN, WORDS
from vlmbench.tasks.yes_no.naturalbench import NATURALBENCH as TASK

PICTURE = png((10, 20, 30))


def row(index: int, kind: str = "yes_no", **other: Any) -> dict[str, Any]:
    """A row of the hub's dataset."""
    answers = {field: WORDS[kind][PATTERN[slot]].title() for slot, field in enumerate(ANSWERS)}
    images = {f"Image_{n}": f"{index}_{n}.png" for n in (0, 1)}
    asked = {"Question_0": "Is it red?", "Question_1": "Is it blue?", "Question_Type": kind, "Source": "x"}
    return {"Index": index, **images, **asked, **answers, **other}


ROWS = [row(5), row(6, "multiple_choice")]


def write(folder: Path, rows: list[dict[str, Any]] = ROWS) -> Folder:
    (folder / "test.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows), "utf-8")
    for one in rows:
        for name in (one["Image_0"], one["Image_1"]):
            (folder / str(name)).write_bytes(PICTURE)
    return Folder(folder)


def test_a_row_is_four_questions(tmp_path: Path) -> None:
    samples = TASK.samples(write(tmp_path), "test")
    assert [s.target for s in samples] == ["yes", "no", "no", "yes", "A", "B", "B", "A"]
    assert [s.images[0].name for s in samples[:4]] == ["5_0.png", "5_1.png"] * 2
    assert [s.question for s in samples[:4]] == ["Is it red?"] * 2 + ["Is it blue?"] * 2
    assert samples[5].id == "5" and samples[5].cluster == "1"
    assert samples[5].extra == {
        "whole": "1", "question": "1_0", "image": "1_1", "groups": {"whole": 4, "question": 2, "image": 2}
    }  # fmt: skip
    assert TASK.build_request(samples[0], "official").prompt == "Is it red?Please answer Yes or No."
    assert TASK.build_request(samples[0], "vlmevalkit").prompt == "Is it red? Please answer Yes or No."
    assert TASK.build_request(samples[4], "official").prompt.endswith("corresponding to the correct option.")


def test_the_table_and_the_hub_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [(s.id, s.question, s.target, s.tags, s.extra, s.cluster) for s in TASK.samples(write(tmp_path), "test")]
    (tmp_path / "test.jsonl").unlink()
    cell = base64.b64encode(PICTURE).decode()
    lines = ["index\tquestion\tanswer\ttype\timage"]
    for key, question, target, tags, *_ in expected:
        lines.append(f"{key}\t{question}\t{target.title()}\t{tags['type']}\t{cell}")
    (tmp_path / "NaturalBenchDataset.tsv").write_text("\n".join(lines) + "\n", "utf-8")
    table = TASK.samples(Folder(tmp_path), "test")
    assert [(s.id, s.question, s.target, s.tags, s.extra, s.cluster) for s in table] == expected
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets.disable_progress_bars()
    image = {"bytes": PICTURE, "path": None}
    data = datasets.Dataset.from_list([{**one, "Image_0": image, "Image_1": image} for one in ROWS])
    for field in ("Image_0", "Image_1"):
        data = data.cast_column(field, datasets.Image(decode=False))
    folder = tmp_path / "BaiqiL" / "NaturalBench" / "data"
    folder.mkdir(parents=True)
    data.to_parquet(str(folder / "train-00000-of-00001.parquet"))
    hub = TASK.samples(Hub(tmp_path), "test")
    assert [(s.id, s.question, s.target, s.tags, s.extra, s.cluster) for s in hub] == expected
    assert hub[3].images[0].load() == PICTURE and hub[0].images[0].name != hub[1].images[0].name


def test_groups_overlap(tmp_path: Path) -> None:
    """One wrong answer of eight: a question, an image and a group are lost."""
    samples = TASK.samples(write(tmp_path), "test")
    scored = [(sample, Score(float(sample.id != "2"))) for sample in samples]
    values = {metric.name: metric.value() for metric in TASK.summarise(scored, "official")}
    assert [values[name] for name in ("acc", "q_acc", "i_acc", "g_acc")] == [87.5, 75, 75, 50]
    assert values["yes_no_g_acc"] == 0 and values["multiple_choice_g_acc"] == 100
    clusters = {tuple(metric.clusters) for metric in TASK.summarise(scored, "official") if metric.name == "q_acc"}
    assert clusters == {("0", "0", "1", "1")}
    lost = {m.name: (m.value(), m.note) for m in TASK.summarise(scored[1:], "official")}
    assert lost["g_acc"] == (100, "1 group left out: a question has no score")
    assert lost["i_acc"][0] == pytest.approx(100)


def test_a_model_that_always_says_yes_has_half_of_the_answers_and_nothing_else(tmp_path: Path) -> None:
    samples = TASK.samples(write(tmp_path, [row(n) for n in range(5)]), "test")
    scored = [(sample, TASK.score(sample, Response("Yes!"), "official")) for sample in samples]
    values = {metric.name: metric.value() for metric in TASK.summarise(scored, "official")}
    assert [values[name] for name in ("acc", "q_acc", "i_acc", "g_acc")] == [50, 0, 0, 0]


@pytest.mark.parametrize(
    ("text", "words", "read"),
    [
        ("Not at all, no", WORDS["yes_no"], "no"),
        ("NO, yes", WORDS["yes_no"], "no"),
        ("yes no", WORDS["yes_no"], "yes"),
        ("known", WORDS["yes_no"], ""),
        ("A cat, so B", WORDS["multiple_choice"], "A"),
        ("option_B", WORDS["multiple_choice"], ""),
        ("b.", WORDS["multiple_choice"], "B"),
    ],
)
def test_the_first_whole_word_counts(text: str, words: tuple[str, str], read: str) -> None:
    assert earliest_word(text, words) == read


BROKEN = [
    ({"Image_0_Question_0": "No"}, "question 4 is answered by no, which is not the pattern of right answers"),
    ({"Image_1_Question_1": "A"}, "field 'Image_1_Question_1': yes or no was expected, not 'A'"),
    ({"Question_Type": "open"}, "'open' is none of yes_no, multiple_choice"),
    ({"Index": 5}, "'5' is there twice"),
    ({"Image_1": "../a.png"}, "field 'Image_1': '../a.png' is not the name of an image"),
    ({"Question_1": None}, "field 'Question_1': the field is null"),
]


@pytest.mark.parametrize(("change", "message"), BROKEN, ids=[message[:30] for _, message in BROKEN])
def test_broken_rows(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    lines = [json.dumps(one) for one in (row(5), row(6) | change)]
    (tmp_path / "test.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    with pytest.raises(DataError) as error:
        TASK.samples(Folder(tmp_path), "test")
    assert message in str(error.value)


def test_a_foreign_table(tmp_path: Path) -> None:
    (tmp_path / "NaturalBenchDataset.tsv").write_text("index\tquestion\timage\n0\t?\tAAAA\n", "utf-8")
    with pytest.raises(DataError, match="no column 'answer'"):
        TASK.samples(Folder(tmp_path), "test")
    with pytest.raises(DataError, match="data fetch naturalbench"):
        TASK.samples(Folder(Path(__file__).parent), "test")
