"""LLaVA's question files: what the row numbers stand for that its answer lines call question_id."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from vlmbench.base.errors import PredictionsError
from vlmbench.base.samples import Sample
from vlmbench.data.answers.answer_columns import answer_key, answer_text, plain
from vlmbench.data.answers.predictions import Answer, answer_rows, is_hidden
from vlmbench.data.files import ImageFile
from vlmbench.data.rows import Row

LEVELS = 3
"""In how many folders a question file is looked for: beside the answers, and above them."""


def folders(answers: Path, samples: Sequence[Sample]) -> list[Path]:
    """Where a question file may lie: beside the answers, some folders up, and in the data folder."""
    reads = [image.load for sample in samples[:1] for image in sample.images]
    roots = [read.root for read in reads if isinstance(read, ImageFile)]
    return list(dict.fromkeys([*list(answers.resolve().parents)[:LEVELS], *roots]))


def find(
    answers: Path, samples: Sequence[Sample], rows: Sequence[Row], fits: Callable[[Mapping[str, Row]], bool]
) -> dict[str, Row]:
    """The rows of the question file of some answers, by question_id; nothing where there is none.

    `fits` says whether a question file is of this benchmark. Raises PredictionsError when two files fit and differ.
    """
    numbers = {answer_key(row, "question_id") for row in rows if "question_id" in row.values}
    found: dict[str, Row] = {}
    first: Path | None = None
    for path in _candidates(answers, samples):
        questions = {answer_key(row, "question_id"): row for row in answer_rows(path)}
        if not numbers <= set(questions) or not fits(questions):
            continue
        if first is not None and any(_about(questions[key]) != _about(found[key]) for key in numbers):
            problem = f"two question files fit and say different things: {first} and {path}"
            raise PredictionsError(problem, where=str(answers), hint="move the one away that is not of these answers")
        if first is None:
            first, found = path, questions
    return found


def _about(question: Row) -> tuple[object, object]:
    return question.values.get("image"), question.values.get("text")


def _candidates(answers: Path, samples: Sequence[Sample]) -> Iterator[Path]:
    """Files whose first line is a row of a question file: question_id and image, and no answer."""
    for folder in folders(answers, samples):
        for path in sorted(folder.glob("*.jsonl")):
            if path != answers and not is_hidden(path) and _starts_as_questions(path):
                yield path


def _starts_as_questions(path: Path) -> bool:
    import json

    try:
        with path.open(encoding="utf-8") as file:
            first = json.loads(file.readline(100_000))
    except (OSError, ValueError):
        return False
    if not isinstance(first, dict) or not {"question_id", "image", "text"} <= set(first):
        return False
    return not {"answer_id", "model_id", "prompt", "answer"} & set(first)


def refuse_other_prompt(row: Row, question: Row) -> None:
    """Raise PredictionsError when an answer line repeats another prompt than its row of the question file."""
    if "prompt" not in row.values:
        return
    prompt, expected = answer_text(row, "prompt"), answer_text(question, "text")
    if plain(prompt) != plain(expected):
        problem = f"the row asks {prompt!r:.120}, but {question.where} is {expected!r:.120}"
        raise PredictionsError(problem, where=row.where, hint="use the question file that these answers were made with")


def by_image(
    answers: Sequence[Answer], samples: Sequence[Sample], path: Path, names: Sequence[str], suffix: str = ".jpg"
) -> Iterator[Answer]:
    """Answers to samples whose ids are names of images; all of `answers` are of one file, `path` where there are none.

    The answers name images as they are, without their suffix, or by their row in LLaVA's question file, whose usual
    `names` the hint gives. Raises PredictionsError for row numbers without that file, or for another prompt than its.
    """
    ids = {sample.id for sample in samples}
    file = Path(answers[0][2].file) if answers else path
    questions: Mapping[str, Row] = {}
    if answers and all(key.isdecimal() for key, _, _ in answers):
        rows = [row for _, _, row in answers]
        questions = find(file, samples, rows, lambda them: {answer_key(r, "image") for r in them.values()} <= ids)
        if not questions and not ids & {f"{key}{suffix}" for key, _, _ in answers}:
            what = f"the ids are row numbers ({answers[0][0]}, ...) of LLaVA's question file, which is not there"
            hint = f"put it ({' or '.join(names)}) beside the answers, one folder up, or into the data folder"
            raise PredictionsError(what, where=str(file), hint=hint)
    for key, text, row in answers:
        if key in questions:
            refuse_other_prompt(row, questions[key])
            key = answer_text(questions[key], "image")
        yield f"{key}{suffix}" if key not in ids and f"{key}{suffix}" in ids else key, text, row
