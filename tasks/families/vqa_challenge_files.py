"""The files of the VQA challenge (VQAv2, OK-VQA): questions and annotations in two JSON objects, joined by id.

Format: visualqa.org/vqa_v1_download.html; GT-Vision-Lab/VQA PythonHelperTools/vqaTools/vqa.py@a013f004.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmbench.base.errors import DataError
from vlmbench.base.samples import ImageRef, Sample
from vlmbench.data.files import Folder, Row, read_json, unique
from vlmbench.data.predictions import named

from .short_answer import human_answers

SUBSETS = ("train2014", "val2014", "test2015")
"""Folders of pictures."""


@dataclass(frozen=True)
class Part:
    """One split of such a benchmark."""

    subset: str
    """The folder of its pictures: `val2014`."""
    questions: tuple[str, ...]
    """Names its question file may have, the official one first."""
    annotations: tuple[str, ...] = ()
    """Likewise; none where the answers are withheld."""


def places(names: Sequence[str], *folders: str) -> list[str]:
    """Where files may lie below the data folder, the usual place first."""
    return [folder + name for name in names for folder in ("", *folders)]


def read_samples(data: Folder, task: str, split: str, part: Part) -> list[Sample]:
    """All questions of a split, in the file's order. Raises DataError."""
    hint = f"`vlmbench data status {task}:{split}` says what is missing"
    path = data.need(
        f"{task}'s question file of {split}", *places(part.questions, "Questions/", "questions/"), hint=hint
    )
    head, listed = _listed(path, "questions")
    rows = unique(((row.key("question_id"), row) for row in listed), "question_id")
    notes: Mapping[str, Row] = {}
    kinds: Mapping[str, Any] = {}
    if part.annotations:
        names = places(part.annotations, "Annotations/", "annotations/")
        file = data.need(f"{task}'s annotation file of {split}", *names, hint=hint)
        notes_head, found = _listed(file, "annotations")
        notes = unique(((row.key("question_id"), row) for row in found), "question_id")
        said_kinds = notes_head.get("question_types")
        kinds = said_kinds if isinstance(said_kinds, dict) else {}
        _check_same(rows, notes, path, file)
    said = head.get("data_subtype")
    known = said.replace("test-dev", "test") if isinstance(said, str) and said else part.subset
    official = path.name == part.questions[0] or said
    subsets = (known,) if official else (known, *(name for name in SUBSETS if name != known))
    return _samples(data, rows, notes if part.annotations else None, kinds, subsets)


def question_ids(path: Path) -> list[str]:
    """The ids of a question file."""
    return [row.key("question_id") for row in _listed(path, "questions")[1]]


def _samples(
    data: Folder,
    rows: Mapping[str, Row],
    notes: Mapping[str, Row] | None,
    kinds: Mapping[str, Any],
    subsets: Sequence[str],
) -> list[Sample]:
    pictures: dict[int, ImageRef] = {}
    made: list[Sample] = []
    for key, row in rows.items():
        image = row.integer("image_id")
        if image not in pictures:
            pictures[image] = _picture(data, row, image, subsets)
        note = None if notes is None else notes[key]
        made.append(
            Sample(
                id=key,
                question=row.text("question"),
                images=(pictures[image],),
                target=None if note is None else human_answers(note),
                tags={} if note is None else tags(note, kinds),
                cluster=str(image),
            )
        )
    return made


def tags(note: Row, kinds: Mapping[str, Any]) -> dict[str, str]:
    """Types of a question and of its answer; OK-VQA's file says what its codes of question types mean."""
    kind = note.text("question_type")
    return {"answer_type": note.text("answer_type"), "question_type": str(kinds.get(kind, kind))}


def _picture(data: Folder, row: Row, image: int, subsets: Sequence[str]) -> ImageRef:
    """`COCO_val2014_000000123456.jpg`; of several possible subsets the first whose picture is there."""
    places = {f"COCO_{subset}_{image:012d}.jpg": (subset, f"images/{subset}", "images", ".") for subset in subsets}
    first, *others = places
    there = [name for name in places if others and data.find(*(f"{place}/{name}" for place in places[name]))]
    name = there[0] if there else first
    return data.picture(row, name, *places[name], field="image_id")


def _listed(path: Path, field: str) -> tuple[Mapping[str, Any], list[Row]]:
    """(the other fields, the rows of one list) of a JSON object."""
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get(field), list):
        raise DataError(f"an object with a list {field!r} was expected", where=str(path), hint="get the official file")
    rows = []
    for number, values in enumerate(content[field], 1):
        if not isinstance(values, dict):
            where = f"{path}, {field}, item {number}"
            raise DataError(f"an object was expected, not {values!r:.40}", where=where, hint="get the file again")
        rows.append(Row(values, str(path), f"{field}, item {number}"))
    if not rows:
        raise DataError(f"the list {field!r} is empty", where=str(path), hint="get the file again")
    return {name: value for name, value in content.items() if name != field}, rows


def _check_same(asked: Mapping[str, Row], notes: Mapping[str, Row], questions: Path, annotations: Path) -> None:
    """Questions and annotations must be of the same ids, as the official scorer asserts."""
    hint = f"use the question file and the annotation file of one split ({questions.name}, {annotations.name})"
    if absent := [key for key in asked if key not in notes]:
        what = f"{len(absent)} questions have no annotation: {named(sorted(absent))}"
        raise DataError(what, where=str(annotations), hint=hint)
    if extra := [key for key in notes if key not in asked]:
        what = f"{len(extra)} annotations have no question: {named(sorted(extra))}"
        raise DataError(what, where=str(questions), hint=hint)
