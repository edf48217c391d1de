"""RefCOCO's answer files to answers by sample id, and back.

MiniGPT-4's script saves one object: img_id to the answers about that thing, in the order of its expressions;
malformed answers are dropped and count as misses. All expressions of an img_id mean the same box, so which answer
belongs to which of them does not matter to the score; those without one get an empty text, which is a miss.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vlmbench.base.errors import DataError, PredictionsError
from vlmbench.base.samples import Sample
from vlmbench.data.files import Row, read_json
from vlmbench.data.predictions import answer_files, answer_text, find_column, id_and_answer, join, named, read_files
from vlmbench.data.unnumbered_answers import Unanswered
from vlmbench.families.answer_files import Answer, AnswerFiles, Format


def _read(path: Path, samples: Sequence[Sample], protocol: str) -> Mapping[str, str]:
    files = answer_files(path)
    if len(files) == 1 and files[0].suffix == ".json":
        try:
            content = read_json(files[0])
        except DataError:
            content = None  # lines of JSON: told apart, or told broken, by answer_rows
        if isinstance(content, dict) and not {"id", "img_id"} & set(content):
            return _by_thing(content, samples, files[0])
    answers = [answer for rows in read_files(path) for answer in _answers(rows, samples)]
    return join(answers, samples, path)


def _by_thing(content: Mapping[str, Any], samples: Sequence[Sample], path: Path) -> dict[str, str]:
    ids: dict[str, list[str]] = {}
    for sample in samples:
        ids.setdefault(sample.extra["img_id"], []).append(sample.id)
    if extra := [key for key in content if key not in ids]:
        what = f"{len(extra)} img_ids are not in this split: {named(extra)}"
        raise PredictionsError(what, where=str(path), hint="is it the same split? refcoco:SPLIT names another")
    if not content:
        raise PredictionsError("there is no answer in it", where=str(path), hint="check --predictions")
    found: dict[str, str] = {}
    for key, of_thing in ids.items():
        texts = content.get(key, [])
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise PredictionsError("a list of texts was expected", where=f"{path}, key {key}", hint="see MiniGPT-4's")
        if len(texts) > len(of_thing):
            what = f"{len(texts)} answers to {len(of_thing)} expressions"
            raise PredictionsError(what, where=f"{path}, key {key}", hint="give one answer an expression")
        found.update(zip(of_thing, [*texts, *[""] * len(of_thing)], strict=False))
    return found


def _answers(rows: Sequence[Row], samples: Sequence[Sample]) -> Iterator[tuple[str, str, Row]]:
    """Rows of id and text, or of img_id, expression and answer; equal expressions in the file's order."""
    if not find_column(rows, "img_id") or find_column(rows, "id"):
        yield from id_and_answer(rows, ("id",), samples)
        return
    waiting = Unanswered(samples, lambda sample: (sample.extra["img_id"], sample.question))
    for thing, text, row in id_and_answer(rows, ("img_id",), samples):
        expression = answer_text(row, "sents")
        sample = waiting.take((thing, expression))
        yield sample.id if sample else f"{thing} {expression!r}", text, row


def _write(path: Path, answers: Sequence[Answer]) -> None:
    """Malformed answers too: they are misses either way."""
    found: dict[str, list[str]] = {}
    for answer in answers:
        found.setdefault(answer.sample.extra["img_id"], []).append(answer.text)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")


ANSWERS = AnswerFiles(
    _read,
    "MiniGPT-4's object of answers by img_id; rows of img_id, expression and answer; rows of id and text.",
    {"minigpt4": Format(".json", _write)},
    "The object of answers by img_id that MiniGPT-4's script saves.",
)
