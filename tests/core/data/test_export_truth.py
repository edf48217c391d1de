"""No exporter invents a right answer: with unlabelled questions its files hold none, in any format of any benchmark."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vlmbench.base import registry
from vlmbench.base.errors import VlmbenchError
from vlmbench.base.samples import Sample
from vlmbench.base.task import Exports
from vlmbench.data.files import Folder
from vlmbench.data.sheets import read_sheet

EMPTY = (None, "", "null")
FORMATS = [
    (name, protocol, form)
    for name in registry.tasks.builtin
    for task in (registry.choose_task(name).task,)
    if isinstance(task, Exports)
    for protocol in list(task.protocols)[:: 1 if name in ("vsr", "hateful_memes", "iconqa") else len(task.protocols)]
    for form in task.formats
]
"""Protocols matter where an exporter reads the answers first."""


def cells(content: Any, trail: str = "") -> Iterator[tuple[str, Any]]:
    """(place, value) of all values in a JSON document."""
    if isinstance(content, dict | list):
        pairs = content.items() if isinstance(content, dict) else enumerate(content)
        for name, value in pairs:
            yield from cells(value, f"{trail}/{name}")
    else:
        yield trail, content


def held(path: Path) -> dict[str, Any]:
    """What a file holds, or all files of a folder, by place."""
    found: dict[str, Any] = {}
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.suffix == ".xlsx":
            content: Any = [dict(row.values) for row in read_sheet(file)]
        elif file.suffix in (".csv", ".tsv", ".txt"):
            with file.open(encoding="utf-8", newline="") as lines:
                content = list(csv.reader(lines, delimiter="," if file.suffix == ".csv" else "\t"))
        elif file.suffix == ".jsonl":
            content = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        else:
            content = json.loads(file.read_text("utf-8"))
        found |= dict(cells(content, file.name if path.is_dir() else ""))
    return found


def exported(task: Any, samples: Sequence[Sample], protocol: str, path: Path) -> dict[str, Any]:
    """The same answers under some right answers."""
    task.export({sample.id: "yes" for sample in samples}, samples, protocol, path)
    return held(path)


@pytest.mark.parametrize(("name", "protocol", "form"), FORMATS)
def test_unlabelled_questions_are_exported_without_a_truth(name: str, protocol: str, form: str, tmp_path: Path) -> None:
    """The places that move with the right answers are where a file keeps them; unlabelled, they must be empty."""
    task: Any = registry.choose_task(name).task
    split = "test_seen" if name == "hateful_memes" else task.splits[0]
    samples = list(task.samples(Folder.sample(name), split))
    suffix = task.formats[form]
    targets = [sample.target for sample in samples]
    other = next((target for target in targets if target != targets[0]), targets[0])
    as_they_are = exported(task, samples, protocol, tmp_path / f"a{suffix}")
    one = exported(task, [replace(s, target=targets[0]) for s in samples], protocol, tmp_path / f"b{suffix}")
    two = exported(task, [replace(s, target=other) for s in samples], protocol, tmp_path / f"c{suffix}")
    truths = [place for place in one if not one[place] == two[place] == as_they_are[place]]
    try:
        without = exported(task, [replace(s, target=None) for s in samples], protocol, tmp_path / f"d{suffix}")
    except VlmbenchError:
        return  # refused: the format cannot say that it is not known
    assert len(without) == len(as_they_are)
    assert {without[place] for place in truths} <= set(EMPTY), truths[:3]
