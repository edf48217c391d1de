"""A row that is there twice, in any file of any benchmark: refused with both places, or said beside the score."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.core.data.copied_samples import copy_sample
from vlmbench.base import registry
from vlmbench.base.errors import DataError
from vlmbench.data import notes
from vlmbench.data.files import Folder

pytestmark = pytest.mark.slow

SUFFIXES = (".json", ".jsonl", ".tsv", ".csv", ".txt")
FEW = 2
"""Rows of each file that are put there twice, one after the other."""

REFERENCES = {"refcoco_reg"}
"""Benchmarks whose rows are references of one thing: official files have equal ones, said by two people."""


def lists_of(content: Any, trail: str = "") -> Iterator[tuple[str, list[Any]]]:
    """The lists of rows or ids in a JSON document, not those inside a row."""
    if isinstance(content, list):
        yield trail, content
    elif isinstance(content, dict) and not trail.count("/"):
        for name, value in content.items():
            if isinstance(value, list) and value and isinstance(value[0], dict | str):
                yield f"{trail}/{name}", value


def doubled_keys(text: str, rng: random.Random) -> Iterator[str]:
    """An object of objects with one of its entries twice."""
    content = json.loads(text)
    if isinstance(content, dict) and all(isinstance(value, dict) for value in content.values()):
        for key in rng.sample(sorted(content), min(FEW, len(content))):
            entry = f"{json.dumps(key)}: {json.dumps(content[key])}"
            yield "{" + entry + ", " + json.dumps(content)[1:]


def doubled(path: Path, rng: random.Random) -> Iterator[str]:
    """The file's text with one row, id or key more, which is there already."""
    text = path.read_text("utf-8")
    if path.suffix != ".json" or not text.lstrip().startswith(("[", "{")) or "\n{" in text.strip():
        lines = text.splitlines(keepends=True)
        first = 1 if path.suffix in (".tsv", ".csv") else 0
        for at in rng.sample(range(first, len(lines)), min(FEW, len(lines) - first)):
            yield "".join([*lines[: at + 1], lines[at].rstrip("\n") + "\n", *lines[at + 1 :]])
            yield "".join(lines).rstrip("\n") + "\n" + lines[at]
        return
    yield from doubled_keys(text, rng)
    content = json.loads(text)
    for _, rows in lists_of(content):
        for at in rng.sample(range(len(rows)), min(FEW, len(rows))):
            rows.append(rows[at])
            yield json.dumps(content)
            rows.pop()
            rows.insert(at, rows[at])
            yield json.dumps(content)
            rows.pop(at)


@pytest.mark.parametrize("name", registry.tasks.builtin)
def test_a_row_that_is_there_twice(name: str, tmp_path: Path) -> None:
    """Never one sample more without a word, in any file, for any split that the file serves."""
    task = registry.choose_task(name).task
    root = tmp_path / name
    copy_sample(name, root)
    data, rng = Folder(root), random.Random(3)
    counts = {}
    for split in task.splits:
        try:
            counts[split] = len(task.samples(data, split))
        except DataError:
            continue  # a split of which the package has no sample
    tried, files = 0, [path for path in sorted(root.rglob("*")) if path.suffix in SUFFIXES]
    for path in files if len(files) < 40 else rng.sample(files, 40):
        own = path.read_text("utf-8")
        for text in doubled(path, rng):
            path.write_text(text, encoding="utf-8")
            for split, count in counts.items():
                try:
                    samples = task.samples(data, split)
                except DataError as error:
                    assert path.name in str(error)
                    assert re.search(r"twice|more than two questions|answers", str(error)), str(error)
                    tried += 1
                    continue
                told = notes.notes(task, split, samples, str(root))
                assert len(samples) == count or any("there twice" in note for note in told), (path.name, split, told)
                tried += len(samples) != count
        path.write_text(own, encoding="utf-8")
    assert tried or name in REFERENCES, files
