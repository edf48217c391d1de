"""VizWiz's files: questions with answers; answers as upload rows of both tasks, LLaVA's lines, rows of id and text.

LLaVA's lines call row numbers of its question file question_id (llava_test.jsonl, beside the answers, above them or in
the data folder). In a results file `answerable` is the model's number for task 2; in rows of the dataset it is the
truth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from vlmbench.base.errors import PredictionsError
from vlmbench.base.samples import ImageRef, Sample
from vlmbench.base.task import DataFile, Size
from vlmbench.data.answers import question_files
from vlmbench.data.answers.answer_columns import is_predicted, probability, squashed
from vlmbench.data.answers.predictions import (
    answer_key,
    answer_text,
    find_column,
    id_and_answer,
    join,
    read_files,
    write_rows,
)
from vlmbench.data.files import Folder, Hub, read_rows
from vlmbench.data.official.files import by_key, data_file, hub_questions, mirrored, places
from vlmbench.data.official.vqa_challenge import human_answers
from vlmbench.data.reading import is_dir
from vlmbench.data.rows import Row
from vlmbench.families.answer_files import Answer, AnswerFiles, Format, IdTextRow
from vlmbench.families.short_answer import UPLOAD
from vlmbench.parsing.vqa_accuracy import Humans

SIZES: Mapping[str, Size] = {
    "val": Size(4_319, 4_319),
    "test": Size(8_000, 8_000, answers=False),
    "train": Size(20_523, 20_523),
}
SITE = "https://vizwiz.cs.colorado.edu/VizWiz_final"
PEOPLE = 10
RANKED = "unanswerability"
"""The protocol that asks how likely it is that a question cannot be answered."""
SAID = "answerable "
"""How the text of an answer starts that was read from a row's `answerable` number."""


def required_files(split: str) -> list[DataFile]:
    """Questions with answers, and images."""
    size, weight = SIZES[split], {"val": "3 GB", "test": "5 GB", "train": "11 GB"}[split]
    where = [*places([f"{split}.json"], "Annotations/", "annotations/"), f"{split}*.jsonl"]
    questions, images = f"{size.questions:,} questions", f"{size.images:,} images, {weight}"
    return [
        data_file(where, questions, f"{SITE}/vqa_data/Annotations.zip", "CC BY 4.0", split),
        data_file((split, "images"), images, f"{SITE}/images/{split}.zip", "CC BY 4.0", split),
    ]


def samples(data: Folder | Hub, split: str, task: str) -> list[Sample]:
    """All questions of a split, in the file's order; without human answers where they are not published."""
    if isinstance(data, Hub):
        fields = ("question_id", "question", "answers", "category")
        rows = hub_questions(data, mirrored("VizWiz-VQA"), split, fields, lambda row: f"{row.key('question_id')}.jpg")
        return [_sample(row, image, "category") for _, row, image in rows]
    others = sorted(data.relative(path) for path in data.root.glob(f"{split}*.jsonl")) if is_dir(data.root) else []
    where = [*places([f"{split}.json"], "Annotations/", "annotations/"), *others[:1]]
    path = data.need(f"VizWiz's question file of {split}", *where, hint="`vlmbench data fetch vizwiz` gets it")
    return [
        _sample(row, data.image(row, key, split, f"images/{split}", "images", "."), "answer_type")
        for key, row in by_key(read_rows(path), "image").items()
    ]


def _sample(row: Row, image: ImageRef, kind: str) -> Sample:
    """One row; a row with the majority answer alone has it ten times, a row without answers none."""
    humans: Humans | None = None
    if majority := "answers" not in row.values and row.has("answer"):
        humans = (row.text("answer"),) * PEOPLE
    elif row.values.get("answers"):
        humans = human_answers(row)
    answerable = None
    if humans is not None:
        most = max(humans, key=humans.count)
        answerable = bool(row.integer("answerable", int(most != "unanswerable")))
    tags = {"answer_type": row.text(kind)} if row.text(kind, "") else {}
    extra = {"answerable": answerable, "majority": majority}
    return Sample(image.name, row.text("question"), (image,), humans, tags=tags, cluster=image.name, extra=extra)


# --------------------------------------------------------------------------------------------------------- answers


def answer_files(upload_row: Callable[[Sample, str, str], Mapping[str, object]]) -> AnswerFiles:
    """The files of the challenge; `upload_row` gives a row from sample, text and protocol."""

    def read(path: Path, samples: Sequence[Sample], protocol: str) -> Mapping[str, str]:
        answers = [one for rows in read_files(path) for one in _answers(rows, samples, protocol, path)]
        return join(answers, samples, path)

    def write(path: Path, answers: Sequence[Answer]) -> None:
        write_rows(path, (upload_row(answer.sample, answer.text, answer.protocol) for answer in answers))

    reads = "Upload rows of image and answer (or answerable), LLaVA's answer lines, or rows of id and text."
    return AnswerFiles(read, reads, {"json": Format(".json", write)}, UPLOAD)


def _answers(rows: Sequence[Row], samples: Sequence[Sample], protocol: str, path: Path) -> Iterator[IdTextRow]:
    """(sample id, text, row) of one file's rows. Raises PredictionsError."""
    number = _number_column(rows)
    has_answer = any(is_predicted(name) or squashed(name) in ("answer", "text") for row in rows for name in row.values)
    if number and (protocol == RANKED or not has_answer):
        if protocol not in ("", RANKED):
            what = f"a file of task 2: {number!r} says how sure the model is, and there are no answers"
            raise PredictionsError(what, where=rows[0].where, hint=f"score it with vizwiz@{RANKED}")
        found = _numbers(rows, number)
    else:
        found = id_and_answer(rows, ("image", "question_id", "id"), samples, numbers=protocol in ("", RANKED))
    yield from _known(list(found), samples, path)


def _number_column(rows: Sequence[Row]) -> str:
    """The model's `answerable`; empty where there is none, or where the rows are the dataset's with their own."""
    kinds = {squashed(name) for row in rows for name in row.values}
    if kinds & {"answers", "answertype"} or ("answer" in kinds and any(map(is_predicted, kinds))):
        return ""
    return find_column(rows, "answerable")


def _numbers(rows: Sequence[Row], number: str) -> Iterator[IdTextRow]:
    key = find_column(rows, "image", "question_id", "id")
    for row in rows:
        if not key or key not in row.values or number not in row.values:
            what = f"the row has no {number if key in row.values else key or 'image'!r}"
            raise PredictionsError(what, where=row.where, hint=f"needed: 'image' with 'answer' or {number!r}")
        yield answer_key(row, key), SAID + repr(probability(row, number)), row


def _known(found: Sequence[IdTextRow], samples: Sequence[Sample], path: Path) -> Iterator[IdTextRow]:
    """Answers by the name of the image: as it is, without its suffix, or through LLaVA's question file."""
    ids = {sample.id for sample in samples}
    numbered = bool(found) and all(key.isdecimal() for key, _, _ in found)
    file = Path(found[0][2].file) if found else path
    rows = [row for _, _, row in found]
    questions = (
        question_files.find(file, samples, rows, lambda them: {answer_key(r, "image") for r in them.values()} <= ids)
        if numbered
        else {}
    )
    if numbered and not questions and not ids & {f"{key}.jpg" for key, _, _ in found}:
        what = f"the ids are row numbers ({found[0][0]}, ...) of LLaVA's question file, which is not there"
        hint = "put it (llava_test.jsonl or llava_val.jsonl) beside the answers, one folder up, or into the data folder"
        raise PredictionsError(what, where=found[0][2].file, hint=hint)
    for key, text, row in found:
        if key in questions:
            question_files.refuse_other_prompt(row, questions[key])
            key = answer_text(questions[key], "image")
        yield f"{key}.jpg" if key not in ids and f"{key}.jpg" in ids else key, text, row
