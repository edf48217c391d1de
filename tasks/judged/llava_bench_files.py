"""LLaVA-Bench's questions, what the images show in words, reference answers; answers, and reviews of a judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vlmbench.base.errors import PredictionsError
from vlmbench.base.samples import ImageRef, Sample
from vlmbench.base.task import DataFile
from vlmbench.data.answers.predictions import answer_files, answer_key, answer_rows, answer_text, join, write_rows
from vlmbench.data.files import Folder, Hub, read_rows
from vlmbench.data.official.files import by_key, hub_questions, mirrored
from vlmbench.data.rows import Row
from vlmbench.families.answer_files import Answer, AnswerFiles, Format, PlainRows
from vlmbench.families.judged import Verdicts
from vlmbench.families.short_answer import number

from .llava_bench_judge import FAILED, REVIEWS

CATEGORIES = ("conv", "detail", "complex")
HUB_FIELDS = ("question_id", "question", "caption", "gpt_answer", "category")
RAW = "https://huggingface.co/datasets/liuhaotian/llava-bench-in-the-wild/resolve/main"
LICENCE = "Apache-2.0 (dataset card); images from the web; reference answers written by GPT-4"
FILES = {
    "questions.jsonl": "60 questions (8 kB)",
    "context.jsonl": "what the 24 images show, in words, for the judge (8 kB)",
    "answers_gpt4.jsonl": "reference answers (47 kB)",
}


def required_files(split: str) -> list[DataFile]:
    """Questions, what the images show, reference answers, images."""
    files = FILES | {f"images/{n:03d}.jpg": f"image {n} of 24 (10 MB in all)" for n in range(1, 25)}
    return [DataFile(name, what, f"{RAW}/{name}", licence=LICENCE) for name, what in files.items()]


def samples(data: Folder | Hub, split: str, task: str) -> list[Sample]:
    """All questions; ids are their question_id."""
    if isinstance(data, Hub):
        return _from_hub(data)
    hint = "`vlmbench data fetch llava_bench` gets it"
    paths = [data.need(f"LLaVA-Bench's {name}", name, hint=hint) for name in FILES]
    questions, contexts, references = (read_rows(path) for path in paths)
    context, reference = by_key(contexts, "image"), by_key(references, "question_id")
    found = []
    for key, row in by_key(questions, "question_id").items():
        name = row.text("image")
        if name not in context:
            raise row.error("image", f"{name!r} has no context", f"context.jsonl must have one: {paths[1]}")
        if key not in reference:
            raise row.error("question_id", f"{key} has no reference answer", f"it must be in {paths[2]}")
        image, target = data.image(row, name, "images", "."), reference[key].text("text")
        found.append(_sample(key, row, row.text("text"), image, target, _caption(context[name]), name))
    return found


def _from_hub(data: Hub) -> list[Sample]:
    """The rows name no image; questions about one share its description."""
    names = mirrored("llava-bench-in-the-wild")
    rows = hub_questions(data, names, "train", HUB_FIELDS, lambda row: f"{row.key('question_id')}.jpg")
    return [
        _sample(key, row, row.text("question"), image, row.text("gpt_answer"), _caption(row), _caption(row))
        for key, row, image in rows
    ]


def _sample(key: str, row: Row, question: str, image: ImageRef, target: str, context: str, cluster: str) -> Sample:
    category = row.text("category").removeprefix("llava_bench_")
    if category not in CATEGORIES:
        raise row.error("category", f"{category!r} is none of {', '.join(CATEGORIES)}")
    extra = {"context": context}
    return Sample(key, question, (image,), target, tags={"category": category}, cluster=cluster, extra=extra)


def _caption(row: Row) -> str:
    """One description, or several on lines of their own."""
    return "\n".join(row.texts("caption")) if isinstance(row.values.get("caption"), list) else row.text("caption")


def _write(path: Path, answers: Sequence[Answer]) -> None:
    about = {"model_id": "vlmbench", "metadata": {}}
    rows = (
        {"question_id": number(a.id), "prompt": a.sample.question, "text": a.text, "answer_id": f"answer-{a.id}"}
        for a in answers
    )
    write_rows(path, ({**row, **about} for row in rows))


ANSWERS = AnswerFiles(
    PlainRows(("question_id", "id")),
    "LLaVA's answer lines (question_id, text), or rows of id and text.",
    {"answers": Format(".jsonl", _write)},
    "LLaVA's answer lines, in the order of the questions: its review script pairs lines by number.",
)


REVIEW = ("content", "answer1_id", "answer2_id", "tuple")
"""Fields that a row of a review file has, and a row of answers has not."""


def read_reviews(path: Path, samples: Sequence[Sample], protocol: str) -> Verdicts | None:
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
