"""MM-Vet's answer files: results JSON, LLaVA's lines, and the official script's grade files.

Results: `{"v1_0": "text", ...}`. LLaVA: lines of `question_id` (7 stands for v1_7) and `text`. Grades: `{"v1_0":
{"model": [...], "content": [...], "score": [...]}}`, one entry a run; an answer cut short by a crash has fewer.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from vlmbench.base.errors import DataError, PredictionsError
from vlmbench.base.samples import Sample, Verdict
from vlmbench.data.files import Row, read_json, read_keyed
from vlmbench.data.predictions import (
    answer_rows,
    as_predictions_error,
    id_and_answer,
    join,
    named,
    refuse_two_models,
)
from vlmbench.families.answer_files import Answer, AnswerFiles, Format
from vlmbench.families.judged import Verdicts
from vlmbench.parsing.numbers import first_word_number, number

from .mmvet_judge import is_grade

GRADES = ("model", "content", "score")


def _read(path: Path, samples: Sequence[Sample], protocol: str) -> Mapping[str, str]:
    _one_file(path)
    rows = answer_rows(path)
    refuse_two_models([rows])
    answers = id_and_answer(rows, ("question_id", "id"), samples)
    return join(((f"v1_{key}" if key.isdecimal() else key, text, row) for key, text, row in answers), samples, path)


def _one_file(path: Path) -> None:
    if path.is_dir():
        what = "a folder, where one file was expected"
        raise PredictionsError(what, where=str(path), hint="name the results or the grade file in it")
    if not path.is_file():
        raise PredictionsError("no such file", where=str(path), hint="check --predictions")


def read_grades(path: Path, samples: Sequence[Sample], protocol: str) -> Verdicts | None:
    """Verdicts of a grade file by sample id; None when the file is none. Raises PredictionsError."""
    _one_file(path)
    try:
        content = read_json(path)
    except DataError:
        return None
    if not isinstance(content, dict) or not content or not all(map(_has_grades, content.values())):
        return None
    with as_predictions_error():
        rows = read_keyed(path, GRADES[2])
        every = {key: _verdicts(row) for key, row in rows.items()}
    asked = join(((key, "", rows[key]) for key in every), samples, path)
    verdicts = {key: runs for key, runs in every.items() if key in asked}
    counts = {len(runs) for runs in verdicts.values()}
    if len(counts) > 1:
        short = [key for key, runs in verdicts.items() if len(runs) < max(counts)]
        what = f"{max(counts)} runs, but fewer of {named(short)}"
        raise PredictionsError(what, where=str(path), hint="let the official script finish its runs")
    return verdicts


def _has_grades(value: object) -> bool:
    return isinstance(value, dict) and GRADES[2] in value


def _verdicts(row: Row) -> tuple[Verdict, ...]:
    """The grades as the script recorded them: a reply that was never read has 0, whatever it says."""
    models, contents, grades = (row.listing(name) for name in GRADES)
    if not len(models) == len(contents) == len(grades) or not grades:
        raise row.error("score", f"{len(grades)} grades, {len(contents)} replies, {len(models)} models")
    found = []
    for model, content, grade in zip(models, contents, grades, strict=True):
        value = float(grade) if isinstance(grade, int | float) and not isinstance(grade, bool) else None
        if isinstance(grade, str) and grade.lower() == "nan":
            value = number(grade)
        if value is None or value < 0 or value > 1:
            raise row.error("score", f"a number from 0 to 1 was expected, not {grade!r:.40}")
        unread = not is_grade(first_word_number(str(content))) or math.isnan(value)
        found.append(Verdict(value, replies=(str(content),), model=str(model), unread=unread))
    return tuple(found)


def _write(path: Path, answers: Sequence[Answer]) -> None:
    texts = {answer.id: answer.text for answer in answers}
    path.write_text(json.dumps(texts, indent=2, ensure_ascii=False) + "\n", "utf-8")


ANSWERS = AnswerFiles(
    _read,
    "A results JSON, LLaVA's answer lines, or rows of id and text.",
    {"results": Format(".json", _write)},
    "The results JSON that the official script and the authors' grading page take.",
)
