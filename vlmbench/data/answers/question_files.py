"""LLaVA's question files: what the row numbers stand for that its answer lines call question_id."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from vlmbench.base.errors import PredictionsError
from vlmbench.base.samples import Sample
from vlmbench.data.answers.answer_columns import answer_key, answer_text, plain
from vlmbench.data.answers.predictions import answer_rows, is_hidden
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
