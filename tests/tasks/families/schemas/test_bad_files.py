"""Damaged files of every layout: an error that says where and what to do, or a sample that is known to lack a score."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.tasks.families.schemas.layouts import KEY, Layout, Rows, Shown, shown_in, write
from tests.tasks.families.schemas.official_layouts import OFFICIAL
from vlmbench.base.errors import DataError, ImageError
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import ImageRef, Response, Sample, Status
from vlmbench.data.files import Folder, missing_images
from vlmbench.data.images.decoding import decode

LABELS = [layout.label for layout in OFFICIAL]
of_every_layout = pytest.mark.parametrize("layout", OFFICIAL, ids=LABELS)


def samples_of(layout: Layout, root: Path) -> list[Sample]:
    choice = choose_task(layout.spec)
    return list(choice.task.samples(Folder(root), choice.split))


def refused(layout: Layout, root: Path) -> DataError:
    """The error of a reader, which names a file or folder and says what to do."""
    with pytest.raises(DataError) as caught:
        samples_of(layout, root)
    error = caught.value
    assert str(root) in error.where or error.hint, str(error)
    return error


def decoded(image: ImageRef) -> object:
    """The image, as a model gets it. Raises ImageError."""
    return decode(image.load(), image.name)


def changed(rows: Rows, **columns: Any) -> list[dict[str, Any]]:
    """The rows, the first with other values."""
    first, *others = rows
    return [{**first, **columns}, *map(dict, others)]


@of_every_layout
def test_missing_files_are_named(layout: Layout, tmp_path: Path) -> None:
    path = write(layout, tmp_path)
    path.unlink()
    if layout.form == "each":
        for other in tmp_path.rglob("*.json"):
            other.unlink()
    error = refused(layout, tmp_path)
    assert error.hint
    for name in layout.more:
        write(layout, tmp_path)
        (tmp_path / name).unlink()
        refused(layout, tmp_path)


@of_every_layout
def test_cut_and_foreign_files_are_refused(layout: Layout, tmp_path: Path) -> None:
    path = write(layout, tmp_path)
    content = path.read_bytes()
    for share in (0.3, 0.6, 0.85):
        path.write_bytes(content[: int(len(content) * share)])
        try:
            found = samples_of(layout, tmp_path)
        except DataError as error:
            assert error.where
            continue
        assert layout.form in ("tsv", "csv", "lines")
        if len(found) == len(layout.targets):  # a table that ends in the middle of its last image
            with pytest.raises(ImageError):
                decoded(found[-1].images[0])
    for foreign in (b"", b"not a table", b'{"a": 1}', b"\xff\xfe\x00", b'[{"other": 1}]', b"a\tb\n1\t2\n", b"[1, 2]"):
        path.write_bytes(foreign)
        refused(layout, tmp_path)


@of_every_layout
def test_doubled_questions_are_refused(layout: Layout, tmp_path: Path) -> None:
    if layout.form in ("each", "by question"):
        pytest.skip("files and objects hold a question once: names of files, texts of questions")
    write(layout, tmp_path, [*layout.rows, layout.rows[0]])
    refused(layout, tmp_path)


@of_every_layout
def test_unlabelled_questions_have_no_score_or_are_refused(layout: Layout, tmp_path: Path) -> None:
    """An empty answer is never a wrong one."""
    if layout.answer not in layout.rows[0]:
        pytest.skip("its right answers stand in another file: tests/tasks/yes_no/test_amber_d.py")
    empty: Mapping[str, Any] = {layout.answer: "" if layout.form in ("tsv", "csv") else None}
    write(layout, tmp_path, changed(layout.rows, **empty))
    try:
        found = samples_of(layout, tmp_path)
    except DataError as error:
        assert error.where
        return
    choice = choose_task(layout.spec)
    assert found[0].target is None
    score = choice.task.score(found[0], Response("A"), choice.protocol)
    assert (score.status, score.value) == (Status.UNLABELED, None)


@of_every_layout
def test_answers_beyond_the_options_are_refused(layout: Layout, tmp_path: Path) -> None:
    """A letter, an index or a word that is none of the options."""
    if layout.answer not in layout.rows[0]:
        pytest.skip("its right answers stand in another file: tests/tasks/yes_no/test_amber_d.py")
    first = layout.rows[0][layout.answer]
    wrong = {int: 9, list: ["only one"]}.get(type(first), "(Z)" if str(first).startswith("(") else "Z")
    write(layout, tmp_path, changed(layout.rows, **{layout.answer: wrong}))
    if layout.spec.startswith(("mmhal", "sugarcrepe")):  # any text is a right answer, or a caption
        assert samples_of(layout, tmp_path)
        return
    refused(layout, tmp_path)


@of_every_layout
def test_images_that_are_not_there_are_said_to_be_missing(layout: Layout, tmp_path: Path) -> None:
    write(layout, tmp_path)
    shown = next(one for row in layout.rows for value in row.values() for one in shown_in(value))
    if layout.in_files:
        (tmp_path / layout.images.format(shown.number)).unlink()
        found = samples_of(layout, tmp_path)
        assert missing_images(found)
    else:
        broken = {name: value for name, value in layout.rows[0].items() if any(shown_in(value))}
        cells = {
            name: "A" * 70 + "*" if isinstance(value, Shown) else ["A" * 70 + "*"] for name, value in broken.items()
        }
        write(layout, tmp_path, changed(layout.rows, **cells))
        try:
            found = samples_of(layout, tmp_path)
        except DataError:
            return
    with pytest.raises(ImageError) as caught:
        for sample in found:
            for image in sample.images:
                image.load()
    assert caught.value.hint


@of_every_layout
def test_questions_without_an_image_are_refused(layout: Layout, tmp_path: Path) -> None:
    """A list that names no image for a question: an error, or a status when it is asked."""
    blank: dict[str, Any] = {layout.image: "" if layout.form in ("tsv", "csv") else None}
    rows = changed(layout.rows, **blank)
    if layout.image not in layout.rows[0]:
        pytest.skip("no column names its images: they have the names of the questions")
    write(layout, tmp_path, rows)
    if layout.spec.startswith("hallusionbench") and layout.form == "json":
        assert not samples_of(layout, tmp_path)[0].images  # as 178 of its questions
        return
    refused(layout, tmp_path)


QUESTIONS = ("question", "query", "Question", "Text", "text", "Question_0")
IDS = ("index", "id", "idx", "question_id", "questionId", "Question_id", "Index", "lndex")
MUTATIONS: Mapping[str, Callable[[Rows], Rows]] = {
    "no rows": lambda rows: rows[:0],
    "a number for a question": lambda rows: changed(rows, **{name: 7 for name in rows[0] if name in QUESTIONS}),
    "no question": lambda rows: changed(rows, **{name: None for name in rows[0] if name in QUESTIONS}),
    "an object for an id": lambda rows: changed(rows, **{name: {"a": 1} for name in rows[0] if name in IDS}),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
@of_every_layout
def test_rows_of_other_types_never_become_other_questions(layout: Layout, mutation: str, tmp_path: Path) -> None:
    rows = MUTATIONS[mutation](layout.rows)
    if layout.form in ("each", "by question") or rows == list(layout.rows):
        pytest.skip("questions are names of a file, or this layout has no such column")
    write(layout, tmp_path, rows)
    try:
        found = samples_of(layout, tmp_path)
    except DataError as error:
        assert error.what and (error.where or error.hint)
        return
    assert mutation != "no rows" and layout.form in ("tsv", "csv"), "a table holds texts: 7 is one"
    assert all(isinstance(sample.question, str) for sample in found)


def test_the_keys_of_an_object_are_its_ids() -> None:
    assert all(KEY in row for layout in OFFICIAL if layout.form == "keyed" for row in layout.rows)
