"""Verdicts of a judge that exist already: reviews of pairs of answers, and lists of grades by run of the judge.

A reader is called with (path, samples, protocol) and gives the verdicts by sample id; None for a file of answers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vlmbench.base.errors import DataError, PredictionsError
from vlmbench.base.samples import Sample, Verdict
from vlmbench.data.answers.predictions import (
    answer_files,
    answer_key,
    answer_rows,
    answer_text,
    as_predictions_error,
    join,
    named,
    one_file,
)
from vlmbench.data.files import Row, read_json, read_keyed
from vlmbench.families.judged.grades import PairReview, Verdicts
from vlmbench.parsing.numbers import number

GRADES = ("model", "content", "score")
"""Fields of a grade list: which judge, what it replied, and the grade that the script read; an entry per run."""
REVIEW = ("content", "answer1_id", "answer2_id", "tuple")
"""Fields that a row of a review file has, and a row of answers has not."""


@dataclass(frozen=True)
class GradeLists:
    """Reads `{"v1_0": {"model": [...], "content": [...], "score": [...]}}`, as MM-Vet's script saves it.

    The grades count as the script recorded them: a reply in which it read none has 0, whatever the reply says. An
    answer that was cut short by a crash has fewer than the others, which is refused.
    """

    says_grade: Callable[[str], bool]
    """Whether the script reads a grade in a reply; else the recorded one counts as unread."""

    def __call__(self, path: Path, samples: Sequence[Sample], protocol: str) -> Verdicts | None:
        """The verdicts, one per run. Raises PredictionsError."""
        one_file(path)
        try:
            content = read_json(path)
        except DataError:
            return None
        if not isinstance(content, dict) or not content or not all(map(_has_grades, content.values())):
            return None
        with as_predictions_error():
            rows = read_keyed(path, GRADES[2])
            every = {key: self._runs(row) for key, row in rows.items()}
        asked = join(((key, "", rows[key]) for key in every), samples, path)
        verdicts = {key: runs for key, runs in every.items() if key in asked}
        most = max(map(len, verdicts.values()), default=0)
        if short := [key for key, runs in verdicts.items() if len(runs) < most]:
            what = f"{most} runs, but fewer of {named(short)}"
            raise PredictionsError(what, where=str(path), hint="let the official script finish its runs")
        return verdicts

    def _runs(self, row: Row) -> tuple[Verdict, ...]:
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
            unread = not self.says_grade(str(content)) or math.isnan(value)
            found.append(Verdict(value, replies=(str(content),), model=str(model), unread=unread))
        return tuple(found)


def _has_grades(value: object) -> bool:
    return isinstance(value, dict) and GRADES[2] in value


@dataclass(frozen=True)
class ReviewLines:
    """Reads the lines of LLaVA's review script: question_id, and the review as `content`. Each file is one run."""

    reviews: Mapping[str, PairReview]
    """By protocol."""

    def __call__(self, path: Path, samples: Sequence[Sample], protocol: str) -> Verdicts | None:
        """The verdicts; the files in the order of their names. Raises PredictionsError."""
        runs = [(file, answer_rows(file)) for file in answer_files(path)]
        are_reviews = [any(field in row.values for row in rows for field in REVIEW) for _, rows in runs]
        if not any(are_reviews):
            return None
        if not all(are_reviews):
            hint = "name a folder of reviews, or one file"
            raise PredictionsError("reviews and other files are mixed", where=str(path), hint=hint)
        _refuse_two_models([row for _, rows in runs for row in rows])
        review = self.reviews[protocol]
        for row in (row for _, rows in runs for row in rows):
            _refuse_other_scale(row, review)
        texts = [
            join(((answer_key(row, "question_id"), answer_text(row, "content"), row) for row in rows), samples, file)
            for file, rows in runs
        ]
        return {s.id: tuple(replace(review.verdict(run[s.id]), replies=(run[s.id],)) for run in texts) for s in samples}


def _refuse_two_models(rows: Sequence[Row]) -> None:
    """Raise PredictionsError when two runs of the judge are about different answers: answer2_id names the model's."""
    first: dict[object, Row] = {}
    for row in rows:
        key, graded = row.values.get("question_id"), row.values.get("answer2_id")
        before = first.setdefault(str(key), row)
        known = before.values.get("answer2_id")
        if before.file != row.file and graded and known and graded != known:
            what = f"it reviews another answer (answer2_id {graded!r:.40}) than {before.where} ({known!r:.40})"
            raise PredictionsError(what, where=row.where, hint="name the reviews of one model's answers alone")


def _refuse_other_scale(row: Row, review: PairReview) -> None:
    """Raise PredictionsError for grades that this judge cannot have given, where they would go into the means."""
    grades = review.verdict(answer_text(row, "content")).values
    if review.keeps_failures and grades != review.failed and not review.in_scale(grades):
        what = f"the grades are {' and '.join(f'{grade:g}' for grade in grades)}, and the scale is 1 to {review.top}"
        raise PredictionsError(what, where=row.where, hint="are these reviews of another prompt?")
