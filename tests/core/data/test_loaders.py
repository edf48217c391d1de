"""Over all benchmarks: a mistyped field, a lone surrogate or an odd name in any row is a DataError, or of one picture.

Never a traceback, never a question less or a question without its picture.
"""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.core.data.copied_samples import copy_sample
from vlmbench.base import registry
from vlmbench.base.errors import DataError, ImageError
from vlmbench.base.samples import Sample
from vlmbench.data import encoding
from vlmbench.data.files import Folder, read_samples

PICTURE_FIELDS = {"image", "img", "imagename", "image_id", "imageId", "img_id"}
VALUES: tuple[Any, ...] = (
    "\ud800x",
    "a\x00b",
    "n" * 300,
    10**400,
    -1,
    1.5,
    True,
    None,
    [],
    {},
    [["x"]],
    "",
    "../x",
    "--5",
)


LARGE = 50_000
"""Letters of a file from which on fewer values are tried."""


def rows_of(content: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """The rows of a JSON document: objects in its lists, or the values of an object of objects."""
    if isinstance(content, list):
        yield from (row for row in content if isinstance(row, dict))
    elif isinstance(content, dict):
        if content and all(isinstance(value, dict) for value in content.values()):
            yield from content.values()
        elif depth == 0:
            for value in content.values():
                yield from rows_of(value, 1)


def documents(path: Path) -> list[Any]:
    text = path.read_text("utf-8")
    if path.suffix == ".json" and text.lstrip()[:1] in "[{" and "\n{" not in text.strip():
        return [json.loads(text)]
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def save(path: Path, content: list[Any], lines: bool) -> None:
    text = "".join(json.dumps(one) + "\n" for one in content) if lines else json.dumps(content[0])
    path.write_text(text, encoding="utf-8")


def used(task: Any, samples: list[Sample]) -> None:
    """What a run does with each sample before it is asked."""
    for sample in samples:
        request = task.build_request(sample, next(iter(task.protocols)))
        encoding.check_encodable(task.name, [(sample, request)])
    pictures = {picture.name: picture for sample in samples for picture in sample.images}
    for picture in pictures.values():
        with contextlib.suppress(ImageError):
            picture.load()


@pytest.fixture(params=registry.tasks.builtin)
def copied(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Any, Folder, list[Path]]:
    """(task, its embedded data without pictures, the JSON files of it)."""
    task = registry.choose_task(request.param).task
    root = tmp_path / request.param
    copy_sample(task.name, root)
    return task, Folder(root), [path for path in sorted(root.rglob("*")) if path.suffix in (".json", ".jsonl")]


def test_a_mistyped_picture_column(copied: tuple[Any, Folder, list[Path]]) -> None:
    """In one row or in all: refused. Questions that have no image anywhere stay as they are."""
    task, data, files = copied
    for path in files:
        content, own = documents(path), path.read_text("utf-8")
        lines = len(content) > 1
        rows = [row for document in content for row in ([document] if lines else rows_of(document))]
        shown = [row for row in rows if any(row.get(field) for field in PICTURE_FIELDS)]
        for some in (shown, shown[1:2]):
            for row in some:
                for field in PICTURE_FIELDS & set(row):
                    row[f"{field}s"] = row.pop(field)
            save(path, content, lines)
            for split in task.splits[:2] if some else ():
                before = whole(task, data, split, path, own, content, lines)
                try:
                    samples = read_samples(task, data, split)
                except DataError:
                    continue
                assert [len(sample.images) for sample in samples] == before, (path.name, split)
            for row in some:
                for field in [name for name in row if name.removesuffix("s") in PICTURE_FIELDS]:
                    row[field.removesuffix("s")] = row.pop(field)
        path.write_text(own, encoding="utf-8")


def whole(
    task: Any, data: Folder, split: str, path: Path, own: str, content: list[Any], lines: bool
) -> list[int] | None:
    """How many pictures each question has in the undamaged files; None for a split that is not there."""
    path.write_text(own, encoding="utf-8")
    try:
        found = [len(sample.images) for sample in read_samples(task, data, split)]
    except DataError:
        found = None
    save(path, content, lines)
    return found


def test_any_value_in_any_field(copied: tuple[Any, Folder, list[Path]]) -> None:
    """A surrogate, a NUL, a number of 400 digits, another type: nothing but a DataError, reading and before asking."""
    task, data, files = copied
    rng = random.Random(7)
    for path in files:
        content, own = documents(path), path.read_text("utf-8")
        lines = len(content) > 1
        rows = [row for document in content for row in ([document] if lines else rows_of(document))]
        large = len(own) > LARGE
        for row in rng.sample(rows, min(1, len(rows))):
            for field in rng.sample(sorted(row), min(len(row), 3 if large else 20)):
                kept = row[field]
                for value in rng.sample(VALUES, 1 if large else 4):
                    row[field] = value
                    save(path, content, lines)
                    for split in task.splits[: 1 if large else 2]:
                        try:
                            used(task, list(read_samples(task, data, split)))
                        except DataError as error:
                            assert str(error)
                row[field] = kept
        path.write_text(own, encoding="utf-8")


def test_files_that_a_mac_adds_are_passed_over(copied: tuple[Any, Folder, list[Path]]) -> None:
    """A folder zipped on a Mac has `._NAME` beside each file, which is no question file and no image."""
    task, data, _ = copied
    found = {}
    for split in task.splits:
        with contextlib.suppress(DataError):
            found[split] = list(task.samples(data, split))
    assert found
    for path in [path for path in data.root.rglob("*") if path.is_file()]:
        path.with_name(f"._{path.name}").write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X")
    for folder in [data.root, *(path for path in data.root.rglob("*") if path.is_dir())]:
        (folder / ".DS_Store").write_bytes(b"\x00\x00\x00\x01Bud1")
    for split, samples in found.items():
        assert list(task.samples(data, split)) == samples
