"""Official layouts of documents and counts, whole and damaged, by the tests of tests/tasks/families/schemas."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.tasks.families.schemas import test_bad_files as bad
from tests.tasks.families.schemas import test_official as good
from tests.tasks.families.schemas.hub_layouts import IMAGES, two
from tests.tasks.families.schemas.layouts import Layout, write

ASKED = "What is written?"
LISTS = (["Open", "open"], ["Exit"])
TARGETS = (("Open", "open"), ("Exit",))
MADE = {"test/test_augmented.json": [{"imgname": "1.png", "query": "How many?", "label": "5"}]}
INFOGRAPHICS = ("image_local_name", "infographicsvqa_images")
REGULAR = "Regular Text Recognition"


def table(spec: str, name: str, answers: tuple[str, str], *targets: Any, **columns: Any) -> Layout:
    """VLMEvalKit's table."""
    row = {"index": (1, 2), "question": ASKED, "answer": answers, "image": IMAGES, **columns}
    return Layout(spec, "tsv", name, two(**row), targets, "index")


def challenge(
    spec: str, name: str, column: str, folder: str, key: str = "questionId", *, hidden: bool = False
) -> Layout:
    """A file of the Robust Reading Competition."""
    row: dict[str, Any] = {key: (1, 2), "question": ASKED, column: IMAGES, "answers": None if hidden else LISTS}
    targets = (None, None) if hidden else TARGETS
    return Layout(spec, "data", name, two(**row), targets, key, "answers", column, f"{folder}/{{}}.png")


LAYOUTS = (
    Layout("chartqa", "json", "test/test_human.json", two(imgname=IMAGES, query=ASKED, label=("3", "[1, 2]")),
           ("3", "[1, 2]", "5"), "", "label", "imgname", "test/png/{}.png", more=MADE),
    table("chartqa", "ChartQA_TEST.tsv", ("3", "[1, 2]"), "3", "[1, 2]", split=("test_human", "test_augmented")),
    challenge("docvqa", "val_v1.0_withQT.json", "image", "documents"),
    challenge("docvqa:test", "test_v1.0.json", "image", "documents", hidden=True),
    table("docvqa", "DocVQA_VAL.tsv", ("['Open', 'open']", "['Exit']"), *TARGETS),
    challenge("infovqa", "infographicsVQA_val_v1.0_withQT.json", *INFOGRAPHICS),
    challenge("infovqa:test", "infographicsVQA_test_v1.0.json", *INFOGRAPHICS, hidden=True),
    table("infovqa", "InfoVQA_VAL.tsv", ("['Open', 'open']", "['Exit']"), *TARGETS),
    challenge("stvqa", "test_task_3.json", "file_path", "test_task3_imgs", "question_id", hidden=True),
    Layout("ocrbench", "json", "OCRBench.json",
           two(dataset_name="svt", image_path=IMAGES, question=ASKED, answers=("Open", ["Exit"]), type=REGULAR),
           ("Open", ("Exit",)), "", "answers", "image_path", "OCRBench_Images/{}.png"),
    table("ocrbench", "OCRBench.tsv", ("['Open', 'open']", "['Exit']"), *TARGETS, category=REGULAR),
    table("countbenchqa", "CountBenchQA.tsv", ("3", "4"), "3", "4"),
    Layout("countbenchqa", "lines", "test.jsonl", two(text="c", question=ASKED, number=(3, 4), image=IMAGES),
           ("3", "4"), "", "number", images="{}.png"),
    Layout("pixmo_count", "lines", "test.jsonl", two(question=ASKED, answer=("3", "4"), image=IMAGES), ("3", "4"),
           images="{}.png"),
    Layout("tallyqa", "json", "test.json", two(answer=(3, 4), issimple=(True, False), question=ASKED, image=IMAGES),
           ("3", "4"), images="VG_100K/{}.png", name="VG_100K/{}.png"),
    table("tallyqa", "tallyqa_data.tsv", ("3", "4"), "3", "4"),
)  # fmt: skip
CHECKS: tuple[Callable[[Layout, Path], None], ...] = (
    good.test_files_are_read,
    bad.test_missing_files_are_named,
    bad.test_cut_and_foreign_files_are_refused,
    bad.test_unlabelled_questions_have_no_score_or_are_refused,
    bad.test_images_that_are_not_there_are_said_to_be_missing,
    bad.test_questions_without_an_image_are_refused,
)
of_every_layout = pytest.mark.parametrize("layout", LAYOUTS, ids=[layout.label for layout in LAYOUTS])


@pytest.mark.parametrize("check", CHECKS, ids=[check.__name__.removeprefix("test_") for check in CHECKS])
@of_every_layout
def test_layouts(check: Callable[[Layout, Path], None], layout: Layout, tmp_path: Path) -> None:
    check(layout, tmp_path)


@of_every_layout
def test_doubled_questions(layout: Layout, tmp_path: Path) -> None:
    """Rows without ids are numbered: a row that is there twice is asked twice."""
    if layout.id:
        bad.test_doubled_questions_are_refused(layout, tmp_path)
    else:
        write(layout, tmp_path, [*layout.rows, layout.rows[0]])
        assert len(bad.samples_of(layout, tmp_path)) == len(layout.targets) + 1


MUTATED = [
    (layout, name)
    for layout in LAYOUTS
    for name, make in bad.MUTATIONS.items()
    if make(layout.rows) != list(layout.rows)
]


@pytest.mark.parametrize(("layout", "mutation"), MUTATED, ids=[f"{layout.label}-{name}" for layout, name in MUTATED])
def test_rows_of_other_types(layout: Layout, mutation: str, tmp_path: Path) -> None:
    bad.test_rows_of_other_types_never_become_other_questions(layout, mutation, tmp_path)
