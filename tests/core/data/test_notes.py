"""Data of another size than the official one, and questions that are there twice: said beside the score, on stderr."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from tests.tasks.layouts import write_pope
from vlmbench import TableTask
from vlmbench.base import registry
from vlmbench.base.errors import DataError
from vlmbench.base.samples import Sample
from vlmbench.base.task import Size
from vlmbench.cli import main as cli
from vlmbench.data import notes
from vlmbench.data.files import Folder, read_samples

SAMPLES = [Sample(str(n), f"What {n}?", (), "a") for n in range(10)]


def told(size: Size | None, samples: list[Sample] = SAMPLES, label: str = "/data", **others: Size) -> list[str]:
    task = TableTask("mine", "a.csv", columns=(None, "question", "answer"))
    task.sizes = ({} if size is None else {"all": size}) | others
    return notes.notes(task, "all", samples, label)


NOT_COUNTED = {"coco_detection"}
"""Benchmarks whose number of questions is published nowhere: pairs of an image and a category in it."""


def test_sizes() -> None:
    assert told(Size(10)) == told(None) == told(Size(11), label="sample") == []
    assert told(Size(12)) == ["10 questions, and the official all has 12: 2 too few"]
    assert told(Size(9, note="of 2024")) == ["10 questions, and the official all has 9 (of 2024): 1 too many"]
    (note,) = told(Size(12), old=Size(10))
    assert note.endswith("2 too few; old has as many: another set of questions?")


def test_repeats() -> None:
    again = [*SAMPLES, replace(SAMPLES[3], id="x"), replace(SAMPLES[4], id="y", target="b")]
    assert told(None, again) == ["1 question is there twice, with image and answer: 3 and x"]
    assert told(Size(12), again) == []  # RefCOCO's own files have such rows


@pytest.mark.parametrize("name", registry.tasks.builtin)
def test_every_task_has_sizes_to_compare_with(name: str) -> None:
    """A copy of the embedded sample is too small for each split whose size is known, and says so."""
    task = registry.choose_task(name).task
    assert set(task.sizes) <= set(task.splits)
    assert set(task.sizes) == set(task.splits) - set(cast(Any, task).unsized)
    data = Folder.sample(name)
    samples = task.samples(data, task.splits[0])
    assert not notes.notes(task, task.splits[0], samples, data.label)
    told = notes.notes(task, task.splits[0], samples, "/data")
    if name in NOT_COUNTED:
        assert not told and not task.sizes
        return
    note, *_ = told
    assert note.startswith(f"{len(samples):,} questions, and the official {task.splits[0]} has ")


def test_a_cut_question_file_is_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """POPE's files cut at a line end are a smaller benchmark under the same name; --limit says nothing wrong."""
    root = write_pope(tmp_path / "data")
    output = tmp_path / "run"
    words = ["--tasks", "pope", "--data", str(root), "--limit", "3", "--min-coverage", "0", "--output", str(output)]
    cli.main(["run", "--model", "echo,text=yes", *words, "--json"])
    out, err = capsys.readouterr()
    count = len(registry.choose_task("pope").task.samples(Folder(root), "coco"))
    note = f"{count} questions, and the official coco has 9,000 ("
    assert json.loads(out)["pope"]["notes"][0].startswith(note) and f"vlmbench: pope: {note}" in err
    assert json.loads((output / "run.json").read_text())["tasks"]["pope"]["notes"][0].startswith(note)
    answers = tmp_path / "answers"
    assert cli.main(
        ["run", "--model", "echo,text=yes", *words[:4], "--min-coverage", "0", "--output", str(output) + "2"]
    ) in (0, 1)
    assert cli.main(["export", str(output) + "2", "--output", str(answers)]) == 0
    capsys.readouterr()
    assert cli.main(["score", "pope", "--data", str(root), "--predictions", str(answers), "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["pope"]["notes"][0].startswith(note) and note in err


@pytest.mark.slow
@pytest.mark.parametrize("name", registry.tasks.builtin)
def test_a_split_that_the_embedded_sample_lacks_is_told_with_those_that_it_has(name: str) -> None:
    task, data = registry.choose_task(name).task, Folder.sample(name)
    assert read_samples(task, data, task.splits[0])
    for split in task.splits[1:]:
        try:
            read_samples(task, data, split)
        except DataError as error:
            assert error.what == f"the embedded sample has no {name}:{split}"
            assert error.hint.startswith(f"it has {task.splits[0]}")
