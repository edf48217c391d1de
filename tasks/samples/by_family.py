"""Embedded samples of benchmarks that are tables of rules: `build(task, folder)` draws questions, writes their files.

What is asked follows from the family (options, yes or no, a short answer), how it is written from the reader of files:
what is written here is read back by it. A benchmark with a layout of its own has its own builder (`build.BUILDERS`).
"""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmbench.data.tables.columns import LETTERS, Columns
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.data.tables.image_table import ROTATION, ImageTable
from vlmbench.data.tables.layouts import Layouts
from vlmbench.data.tables.row_files import TABLES, RowFiles
from vlmbench.families.base import Benchmark
from vlmbench.families.multiple_choice import MultipleChoice
from vlmbench.families.yes_no import YesNo
from vlmbench.scenes.gqa_questions import ask_many
from vlmbench.scenes.questions import existence
from vlmbench.scenes.scene import Dice, Scene

from . import mmbench_files, several_images
from .common import jpeg, scenes, write

COUNT = 24
"""Questions of a sample, each about a scene of its own."""


@dataclass(frozen=True)
class Item:
    """A drawn question."""

    image: bytes
    question: str
    answer: str
    """The right option's text, or the answer."""
    kind: str
    """Stands in all columns that scores are broken down by."""
    options: tuple[str, ...] = ()


# --------------------------------------------------------------------------------------------------- what is asked


def with_options(pictures: Sequence[Scene]) -> list[Item]:
    """Questions with two to four options in a drawn order."""
    items = []
    for scene, choice in mmbench_files.questions(pictures):
        options = tuple(Dice(scene.seed + 1).shuffled(choice.options))
        question = choice.english.format(*choice.words)
        items.append(Item(jpeg(scene), question, choice.options[0], choice.leaf, options))
    return items


def yes_no(pictures: Sequence[Scene]) -> list[Item]:
    """Whether something is there."""
    asked = [(scene, existence(scene, Dice(scene.seed))) for scene in pictures]
    return [Item(jpeg(scene), question.text, question.answer, "existence") for scene, question in asked if question]


def short_answers(pictures: Sequence[Scene]) -> list[Item]:
    """Questions of GQA's kinds."""
    asked = [(scene, ask_many(scene, Dice(scene.seed), 1)[0]) for scene in pictures]
    return [Item(jpeg(scene), question.text, question.answer, question.types[1]) for scene, question in asked]


QUESTIONS: tuple[tuple[type, Callable[[Sequence[Scene]], list[Item]]], ...] = (
    (MultipleChoice, with_options),
    (YesNo, yes_no),
    (Benchmark, short_answers),
)
"""By family, the most special first."""

# -------------------------------------------------------------------------------------------------- how it is written


def row_of(columns: Columns, item: Item, key: int, shift: int = 0) -> dict[str, Any]:
    """A row without its image. `shift` rotates the options by so many places."""
    options = item.options[shift:] + item.options[:shift]
    row: dict[str, Any] = {columns.id: key} if columns.id else {}
    row[columns.question] = item.question
    if options and isinstance(columns.options, str):
        row[columns.options] = list(options)
    elif options:
        row |= {letter: text for letter, text in zip(columns.options, options, strict=False)}
    place = options.index(item.answer) if options else 0
    row[columns.answer] = {"letter": LETTERS[place], "index": place, "bracketed": f"({LETTERS[place]})"}.get(
        columns.answer_is, item.answer
    )
    if not options:
        row[columns.answer] = item.answer
    return row | dict.fromkeys(columns.tags.values(), item.kind)


def write_image_table(folder: Path, files: ImageTable, split: str, items: Sequence[Item]) -> None:
    """A TSV with the images inside; of a circular benchmark with a row per rotation."""
    columns = files.columns
    rows = []
    for shift in range(max(len(item.options) for item in items) if files.rotated else 1):
        for number, item in enumerate(items, 1):
            if not shift or shift < len(item.options):
                image = str(number) if shift else base64.b64encode(item.image).decode("ascii")
                rows.append(row_of(columns, item, number + shift * ROTATION, shift) | {"image": image})
    _write_table(folder / files.files[split].path, rows)


def write_hub_rows(folder: Path, files: HubDataset, split: str, items: Sequence[Item]) -> None:
    """The dataset's columns as JSON lines, and the images beside them."""
    rows = [row_of(files.columns, item, n) | {files.images[0]: f"images/{n}.jpg"} for n, item in enumerate(items, 1)]
    write(folder / f"{split}.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    for number, item in enumerate(items, 1):
        write(folder / "images" / f"{number}.jpg", item.image)


def write_row_files(folder: Path, files: RowFiles, split: str, items: Sequence[Item]) -> None:
    """The question file in the form that its name says, and the images in the first of their folders."""
    path = folder / files.files[split][0].path
    rows = [row_of(files.columns, item, n) | {files.image: f"{n}.jpg"} for n, item in enumerate(items, 1)]
    if path.suffix in TABLES:
        _write_table(path, rows)
    elif path.suffix == ".jsonl":
        write(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    else:
        keyed = {str(number): row for number, row in enumerate(rows, 1)}
        write(path, json.dumps(keyed if files.keyed_by else rows, ensure_ascii=False, indent=1) + "\n")
    for number, item in enumerate(items, 1):
        write(folder / files.folders[0] / f"{number}.jpg", item.image)


def _write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    header = list(dict.fromkeys(name for row in rows for name in row))
    file = io.StringIO()
    separator = "\t" if path.suffix == ".tsv" else ","
    writer = csv.DictWriter(file, header, restval="", delimiter=separator, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write(path, file.getvalue())


WRITERS: Mapping[type, Callable[[Path, Any, str, Sequence[Item]], None]] = {
    ImageTable: write_image_table,
    HubDataset: write_hub_rows,
    RowFiles: write_row_files,
}


def build(task: Benchmark[Any], folder: Path, count: int = COUNT) -> None:
    """Write the sample of a benchmark's default split. Raises KeyError for a reader of files without a writer here."""
    files = task.files.hub.get(task.splits[0]) if isinstance(task.files, Layouts) else task.files
    if task.name in several_images.IDS and isinstance(task, MultipleChoice) and isinstance(files, HubDataset):
        several_images.build(task, files, folder)
        return
    questions = next(make for family, make in QUESTIONS if isinstance(task, family))
    split, files = task.splits[0], task.files
    if isinstance(files, Layouts):  # VLMEvalKit's table where there is one: a single file
        files = next(
            (reader for reader in files.readers[split] if isinstance(reader, ImageTable)), files.readers[split][0]
        )
    WRITERS[type(files)](folder, files, split, questions(scenes(task.name, count)))
