"""Review files of LLaVA's script: verdicts that exist already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vlmbench.base.errors import PredictionsError
from vlmbench.base.samples import Sample
from vlmbench.data.predictions import answer_files, answer_key, answer_rows, answer_text, join
from vlmbench.data.rows import Row
from vlmbench.families.judged import Verdicts

from .llava_bench_judge import FAILED, REVIEWS

REVIEW = ("content", "answer1_id", "answer2_id", "tuple")
"""Fields that a row of a review file has, and a row of answers has not."""


def read(path: Path, samples: Sequence[Sample], protocol: str) -> Verdicts | None:
    """Verdicts by sample id: each file, by name, is one run of the judge. None for files of answers."""
    runs = [(file, answer_rows(file)) for file in answer_files(path)]
    reviews = [any(field in row.values for row in rows for field in REVIEW) for _, rows in runs]
    if not any(reviews):
        return None
    if not all(reviews):
        raise PredictionsError(
            "reviews and other files are mixed", where=str(path), hint="name a folder of reviews, or one file"
        )
    _refuse_two_models([rows for _, rows in runs])
    for row in (row for _, rows in runs for row in rows):
        _refuse_other_scale(row, protocol)
    texts = [
        join(((answer_key(row, "question_id"), answer_text(row, "content"), row) for row in rows), samples, file)
        for file, rows in runs
    ]
    verdict = REVIEWS[protocol].verdict
    return {s.id: tuple(replace(verdict(run[s.id]), replies=(run[s.id],)) for run in texts) for s in samples}


def _refuse_two_models(runs: Sequence[Sequence[Row]]) -> None:
    """Raise PredictionsError when two runs of the judge are about different answers: answer2_id names the model's."""
    first: dict[object, Row] = {}
    for rows in runs:
        for row in rows:
            key, graded = row.values.get("question_id"), row.values.get("answer2_id")
            before = first.setdefault(str(key), row)
            known = before.values.get("answer2_id")
            if before.file != row.file and graded and known and graded != known:
                what = f"it reviews another answer (answer2_id {graded!r:.40}) than {before.where} ({known!r:.40})"
                raise PredictionsError(what, where=row.where, hint="name the reviews of one model's answers alone")


def _refuse_other_scale(row: Row, protocol: str) -> None:
    """Raise PredictionsError for grades that this judge cannot have given: the prompt asks for 1 to 10."""
    review = REVIEWS[protocol]
    grades = review.verdict(answer_text(row, "content")).values
    if review.keeps_failures and grades != FAILED and not all(0 <= grade <= 10 for grade in grades):
        what = f"the grades are {' and '.join(f'{grade:g}' for grade in grades)}, and the scale is 1 to 10"
        raise PredictionsError(what, where=row.where, hint="are these reviews of another prompt?")
