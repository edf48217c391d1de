"""The files of the VQA challenge (VQAv2, OK-VQA): questions and annotations in two JSON objects, joined by id.

Format: visualqa.org/vqa_v1_download.html; GT-Vision-Lab/VQA PythonHelperTools/vqaTools/vqa.py@a013f004.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from sys import intern
from typing import Any

from vlmbench.base.errors import DataError
from vlmbench.base.samples import ImageRef, Sample
from vlmbench.base.task import DataFile
from vlmbench.data.answers.predictions import named
from vlmbench.data.files import Folder, Hub, Row
from vlmbench.data.official.files import (
    by_key,
    coco_images,
    data_file,
    each_by_key,
    hub_questions,
    places,
    rows_of_list,
)
from vlmbench.data.official.json_list import RowsInParts

LICENCE = "CC BY 4.0 (annotations); COCO terms of use, images from Flickr under their own licences"
UNASKED = "_unasked"
"""In a sample's `extra`: ids that an upload file has to answer besides those of the samples, with nothing."""
SUBSETS = ("train2014", "val2014", "test2015")
"""Folders of images."""


@dataclass(frozen=True)
class Part:
    """One split of such a benchmark."""

    subset: str
    """The folder of its images: `val2014`."""
    count: int
    """Its questions."""
    images: str
    """Its images, in words."""
    questions: Sequence[str]
    """Names its question file may have, the official one first."""
    questions_url: str
    annotations: Sequence[str] = ()
    """Likewise; none where the answers are withheld."""
    annotations_url: str = ""
    part_of: str = ""
    """The split whose other questions an upload file has to answer with nothing."""


def coco_part(
    subset: str,
    count: int,
    images: str,
    urls: Sequence[str],
    *,
    prefix: str = "",
    plain_names: bool = False,
    part_of: str = "",
) -> Part:
    """A split about COCO images, whose files have the names that VQA's tools look for.

    `subset`: split and year, `val2014`. `urls`: of the questions, and of the annotations where they are published.
    `plain_names`: the files may also be called questions.json and annotations.json.
    """
    questions = (f"{prefix}OpenEnded_mscoco_{subset}_questions.json", *(["questions.json"] if plain_names else []))
    annotations = (f"{prefix}mscoco_{subset}_annotations.json", *(["annotations.json"] if plain_names else []))
    folder = subset.replace("test-dev", "test")
    if len(urls) == 1:
        return Part(folder, count, images, questions, urls[0], part_of=part_of)
    return Part(folder, count, images, questions, urls[0], annotations, urls[1], part_of)


@dataclass(frozen=True)
class VqaChallenge:
    """Where such a benchmark's files lie, and what its hub dataset is called."""

    parts: Mapping[str, Part]
    hub: Sequence[str]
    hub_splits: Mapping[str, str]
    hub_shares_images: bool = True
    """Whether the hub's rows name their image, so that several can be about one."""

    def required_files(self, split: str) -> list[DataFile]:
        """Questions, annotations where they are published, and images."""
        part = self.parts[split]
        file = partial(data_file, licence=LICENCE, split=split)
        files = [file(_questions(part), f"{part.count:,} questions", part.questions_url)]
        if part.annotations:
            files.append(file(_annotations(part), "annotations", part.annotations_url))
        if part.part_of:
            whole = self.parts[part.part_of]
            what = f"ids of {whole.subset}, which upload files answer with nothing"
            files.append(file(_questions(whole), what, whole.questions_url, optional=True))
        return [*files, coco_images(part.subset, part.images, split, LICENCE)]

    def samples(self, data: Folder | Hub, split: str, task: str) -> list[Sample]:
        """All questions of a split, in the file's order; without human answers where they are not published."""
        if isinstance(data, Hub):
            return self._from_hub(data, split)
        part = self.parts[split]
        hint = f"`vlmbench data status {task}:{split}` says what is missing"
        path = data.need(f"{task}'s question file of {split}", *_questions(part), hint=hint)
        head, questions = rows_of_list(path, "questions")
        rows = by_key(questions, "question_id")
        notes: Mapping[str, Note] = {}
        if part.annotations:
            file = data.need(f"{task}'s annotation file of {split}", *_annotations(part), hint=hint)
            notes = _notes(file)
            _refuse_other_ids(rows, notes, path, file)
        images = _Images(data, _subsets(head, part, path))
        found = [_sample(key, row, images(row), row.key("image_id"), notes.get(key)) for key, row in rows.items()]
        whole = data.find(*_questions(self.parts[part.part_of])) if part.part_of else None
        if whole is None:
            return found
        every = (row.key("question_id") for row in rows_of_list(whole, "questions")[1])
        unasked = dict.fromkeys(key for key in every if key not in rows)
        return [replace(sample, extra={UNASKED: unasked}) for sample in found]

    def _from_hub(self, data: Hub, split: str) -> list[Sample]:
        if split not in self.hub_splits:
            what = f"the hub has this benchmark's split {' and '.join(self.hub_splits)} only, not {split}"
            raise DataError(what, hint="use --data DIR for the other")
        fields = ["question_id", "question", "answers", "question_type", "answer_type"]
        fields += ["image_id"] if self.hub_shares_images else []

        def image_name(row: Row) -> str:
            if not self.hub_shares_images:
                return f"{row.key('question_id')}.jpg"
            return _image_name(self.parts[split].subset, row.integer("image_id"))

        rows = hub_questions(data, self.hub, self.hub_splits[split], fields, image_name)
        cluster = "image_id" if self.hub_shares_images else "question_id"
        return [
            _sample(key, row, (image,), row.key(cluster), _note(row) if row.has("answers") else None)
            for key, row, image in rows
        ]


def _questions(part: Part) -> list[str]:
    return places(part.questions, "Questions/", "questions/")


def _annotations(part: Part) -> list[str]:
    return places(part.annotations, "Annotations/", "annotations/")


def _subsets(head: Mapping[str, Any], part: Part, path: Path) -> Sequence[str]:
    """Where images may be: in the subset that the file is of; all of them where neither name nor content says."""
    said = head.get("data_subtype")
    known = said.replace("test-dev", "test") if isinstance(said, str) and said else part.subset
    official = path.name == part.questions[0] or said
    return (known,) if official else (known, *(name for name in SUBSETS if name != known))


def _image_name(subset: str, image: int) -> str:
    return f"COCO_{subset}_{image:012d}.jpg"


class _Images:
    """Images by their number, each once; of several possible subsets the first whose image is there."""

    def __init__(self, data: Folder, subsets: Sequence[str]) -> None:
        self.data, self.subsets = data, subsets
        self.known: dict[int, tuple[ImageRef]] = {}

    def __call__(self, row: Row) -> tuple[ImageRef]:
        number = row.integer("image_id")
        if number not in self.known:
            where = {
                _image_name(subset, number): (subset, f"images/{subset}", "images", ".") for subset in self.subsets
            }
            first, *others = where
            there = (name for name in where if others and self.data.find(*(f"{f}/{name}" for f in where[name])))
            name = next(there, first)
            self.known[number] = (self.data.image(row, name, *where[name], field="image_id"),)
        return self.known[number]


Note = tuple[tuple[str, ...], Mapping[str, str]]
"""What is kept of an annotation: the human answers, and the tags, which questions of one kind share."""


def _notes(path: Path) -> Mapping[str, Note]:
    """Annotations by the id of their question. OK-VQA's file says what its codes of question types mean."""
    rows = RowsInParts(path, "annotations")
    kinds: dict[tuple[str, str], dict[str, str]] = {}
    found = {}
    for key, row in each_by_key(rows, "question_id"):
        kind = row.text("answer_type"), row.text("question_type")
        found[key] = human_answers(row), kinds.setdefault(kind, {"answer_type": kind[0], "question_type": kind[1]})
    if isinstance(meanings := rows.head.get("question_types"), dict):
        for tags in kinds.values():
            tags["question_type"] = str(meanings.get(tags["question_type"], tags["question_type"]))
    return found


def _note(row: Row) -> Note:
    tags = {name: row.text(name) for name in ("answer_type", "question_type")}
    return human_answers(row), tags


def _sample(key: str, row: Row, images: tuple[ImageRef], cluster: str, note: Note | None) -> Sample:
    """One question, with its annotation where there is one."""
    target, tags = note or (None, {})
    return Sample(key, row.text("question"), images, target, tags=tags, cluster=intern(cluster))


def human_answers(row: Row, field: str = "answers") -> tuple[str, ...]:
    """The human answers of a row: a list of texts, or of objects with `answer`. Raises DataError."""
    items = row.listing(field)
    try:
        found = tuple([intern(item["answer"]) for item in items])
    except (TypeError, KeyError):  # texts, or a fault
        texts = []
        for item in items:
            text = item.get("answer") if isinstance(item, dict) else item
            if not isinstance(text, str):
                problem = f"a list of answers was expected, but it holds {item!r:.60}"
                raise row.error(field, problem) from None
            texts.append(intern(text))
        found = tuple(texts)
    if not found:
        raise row.error(field, "there are no answers")
    return found


def _refuse_other_ids(rows: Mapping[str, Row], notes: Mapping[str, Note], questions: Path, annotations: Path) -> None:
    """Questions and annotations must be of the same ids, as the official scorer asserts."""
    hint = f"use the question file and the annotation file of one split ({questions.name}, {annotations.name})"
    if absent := [key for key in rows if key not in notes]:
        what = f"{len(absent)} questions have no annotation: {named(sorted(absent))}"
        raise DataError(what, where=str(annotations), hint=hint)
    if extra := [key for key in notes if key not in rows]:
        what = f"{len(extra)} annotations have no question: {named(sorted(extra))}"
        raise DataError(what, where=str(questions), hint=hint)
