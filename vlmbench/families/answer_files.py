"""Answer files as data: how a benchmark reads predictions, and the formats in which it writes them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vlmbench.base.errors import DataError
from vlmbench.base.samples import Request, Sample
from vlmbench.data.answers.predictions import (
    answer_rows,
    id_and_answer,
    join,
    read_plain,
    refuse_two_models,
    write_rows,
)
from vlmbench.data.files import Row, read_json

IdTextRow = tuple[str, str, Row]
"""A sample's id, the answer, and where it was read."""


@dataclass(frozen=True)
class Answer:
    """One answer as a writer of files needs it."""

    sample: Sample
    text: str
    """As the model gave it."""
    parsed: str
    """What the protocol read it as."""
    protocol: str
    build_request: Callable[[Sample, str], Request] = field(repr=False, compare=False)
    """The benchmark's own."""

    @property
    def id(self) -> str:
        """The sample's id."""
        return self.sample.id

    @property
    def prompt(self) -> str:
        """What the model was asked. Only for formats that hold it: a protocol may refuse to ask some questions."""
        return self.build_request(self.sample, self.protocol).prompt


@dataclass(frozen=True)
class Format:
    """One file format that answers are written in."""

    suffix: str
    """Of the path; empty for a folder."""
    write: Callable[[Path, Sequence[Answer]], None]
    lossy: str = ""
    """What is written in place of an answer that was not read; `vlmbench export` warns of it."""


@dataclass(frozen=True)
class PlainRows:
    """Reads rows that name the question in one column and hold the answer in another, from any kind of table.

    The model's column is found by its name (vlmbench.data.answers.answer_columns). Missing, surplus and duplicate ids
    are refused.
    """

    ids: tuple[str, ...] = ("question_id", "id", "index")
    """Columns that may name the question."""
    never: tuple[str, ...] = ()
    """Columns that never hold the model's answers."""
    hint: str = ""

    def __call__(self, path: Path, samples: Sequence[Sample], protocol: str = "") -> Mapping[str, str]:
        """Sample id to text. Raises PredictionsError."""
        return join(read_plain(path, self.ids, samples, self.never), samples, path, self.hint)


def objects_or_rows(
    files: Iterable[Path],
    of_object: Callable[[Mapping[str, Any], Path], Sequence[IdTextRow]],
    ids: Sequence[str],
    samples: Sequence[Sample],
) -> list[IdTextRow]:
    """(id, text, row) of answer files, each either a JSON object that `of_object` knows, or rows.

    `of_object` gives nothing for an object that it does not know. Raises PredictionsError.
    """
    answers: list[IdTextRow] = []
    rows: list[Sequence[Row]] = []
    for file in files:
        try:
            content = read_json(file)
        except DataError:
            content = None
        if isinstance(content, dict) and (known := of_object(content, file)):
            answers += known
        else:
            rows.append(answer_rows(file))
            answers += id_and_answer(rows[-1], ids, samples)
    refuse_two_models(rows)
    return answers


def results_of(content: Mapping[str, Any], path: Path) -> Row:
    """The object under "results" as a row; an empty row where there is none."""
    results = content.get("results")
    return Row(results if isinstance(results, dict) else {}, str(path), "in 'results'")


def write_json(path: Path, content: object) -> None:
    """An indented JSON document. Folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False), encoding="utf-8")


def write_llava(path: Path, answers: Sequence[Answer]) -> None:
    """LLaVA's answer lines."""
    write_rows(path, ({"question_id": answer.id, "text": answer.text} for answer in answers))


def write_id_text(path: Path, answers: Sequence[Answer]) -> None:
    """Rows of id, question and text."""
    write_rows(path, ({"id": a.id, "question": a.sample.question, "text": a.text} for a in answers))


@dataclass(frozen=True)
class AnswerFiles:
    """The answer files of a benchmark: what it reads and writes, and both in words for its page in docs/."""

    read: Callable[[Path, Sequence[Sample], str], Mapping[str, str]] = PlainRows()
    """(path, samples, protocol or "" where it is not known) to text by sample id."""
    reads: str = "LLaVA's answer lines, or rows of id and text."
    formats: Mapping[str, Format] = field(default_factory=lambda: {"llava": Format(".jsonl", write_llava)})
    """By name, the usual one first."""
    writes: str = "LLaVA's answer lines."

    def format_of(self, path: Path) -> Format:
        """The format with the path's suffix, or else the usual one."""
        formats = list(self.formats.values())
        return next((one for one in formats if one.suffix == path.suffix), formats[0])


PLAIN = AnswerFiles()
