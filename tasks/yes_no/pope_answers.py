"""POPE's answer files to answers by sample id, and back.

Three forms: our own rows of `id` and `text`; LLaVA's rows, whose question_id is unique over its question file
llava_pope_test.jsonl (looked for beside the answers and one folder up); and official lines of `question` and `answer`,
which carry no id at all. Those are matched with the questions of a split one by one, text by text: the first line that
asks something else is an error. (The official and LLaVA's scripts pair lines by number: an old question file of 2,910
rows against new labels of 3,000 then silently halves the random F1.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from vlmbench.base.errors import PredictionsError
from vlmbench.base.samples import Sample
from vlmbench.data.answers import question_files
from vlmbench.data.answers.answer_columns import answer_column, bare_question, refuse_numbers
from vlmbench.data.answers.predictions import (
    answer_key,
    answer_rows,
    answer_text,
    find_column,
    id_and_answer,
    join,
    read_files,
    write_rows,
)
from vlmbench.data.answers.unnumbered_answers import Unanswered, in_blocks
from vlmbench.data.files import Row
from vlmbench.families.answer_files import Answer, AnswerFiles, Format, IdTextRow

from .pope_files import KINDS

QUESTION_FILE = "llava_pope_test.jsonl"


def _read(path: Path, samples: Sequence[Sample], protocol: str) -> Mapping[str, str]:
    found: list[IdTextRow] = []
    files = [rows for rows in read_files(path) if Path(rows[0].file).name != QUESTION_FILE]
    if not files:
        raise PredictionsError("this is a question file, not answers", where=str(path), hint="check --predictions")
    others = [kind for kind in KINDS if kind not in {sample.tags["split"] for sample in samples}]
    for rows in files:
        file = Path(rows[0].file)
        named = [kind for kind in KINDS if kind in file.name.lower()]
        kind = named[0] if len(named) == 1 else ""
        if kind in others and len(files) > 1:
            continue  # one kind is scored out of a folder of all
        if len(files) > 1 and not kind and not find_column(rows, "id"):
            what = "cannot tell which split this file answers"
            raise PredictionsError(what, where=str(file), hint=f"let its name hold one of: {', '.join(KINDS)}")
        answers = _answers(file, rows, samples, kind, others)
        found += [answer for answer in answers if answer[0].partition("/")[0] not in others]
    _refuse_one_kind(found, samples, path)
    return join(found, samples, path)


def _refuse_one_kind(found: Sequence[IdTextRow], samples: Sequence[Sample], path: Path) -> None:
    """Raise PredictionsError, naming the split to score, for the answers to all questions of one kind and no others."""
    answered, kinds = {key.partition("/")[0] for key, _, _ in found}, {sample.tags["split"] for sample in samples}
    if len(answered) != 1 or not answered < kinds:
        return
    (kind,) = answered
    if {key for key, _, _ in found} == {sample.id for sample in samples if sample.tags["split"] == kind}:
        every = ", ".join(name for name in KINDS if name in kinds)
        what = f"these are the answers to the {kind} questions alone; the split has {every}"
        hint = f"score that kind by itself: `vlmbench score pope:coco_{kind} --predictions {path}` (or aokvqa_, gqa_)"
        raise PredictionsError(what, where=str(path), hint=hint)


def _answers(
    file: Path, rows: Sequence[Row], samples: Sequence[Sample], kind: str, others: Sequence[str]
) -> Iterator[IdTextRow]:
    if find_column(rows, "id"):
        yield from id_and_answer(rows, ("id",), samples)
        return
    text = answer_column(rows, samples)
    refuse_numbers(rows, text, samples)
    if missing := next((row for row in rows if text not in row.values), None):
        raise PredictionsError(
            f"the row has no {text!r}, as others have", where=missing.where, hint="give every answer"
        )
    number = find_column(rows, "question_id")
    beside = (folder / QUESTION_FILE for folder in question_files.folders(file, samples))
    if number and (find_column(rows, "category", "split") or kind):
        yield from _by_number(rows, samples, kind, text)
    elif number and (questions := [path for path in beside if path.is_file()]):
        yield from _by_question_file(rows, samples, questions[0], text, others)
    else:
        yield from _by_text(rows, samples, kind, text)


def _repeated(row: Row, answer: str) -> str | None:
    """The question a row repeats, without the words a protocol put around it; None if it does not."""
    field = next((field for field in ("prompt", "question", "text") if field in row.values and field != answer), None)
    return None if field is None else bare_question(answer_text(row, field))


def _by_number(rows: Sequence[Row], samples: Sequence[Sample], kind: str, text: str) -> Iterator[IdTextRow]:
    """Rows that say their split and the official question_id in it."""
    known = {sample.id: sample for sample in samples}
    number, split = find_column(rows, "question_id"), find_column(rows, "category", "split")
    for row in rows:
        said = answer_text(row, split) if split else kind
        key = f"{said}/{answer_key(row, number)}"
        repeated = _repeated(row, text)
        if key in known and repeated is not None and repeated != bare_question(known[key].question):
            what = f"the row asks {repeated!r:.200}, but question {key} is {known[key].question!r}"
            raise PredictionsError(what, where=row.where, hint="use the question files these answers were made with")
        yield key, answer_text(row, text), row


def _by_question_file(
    rows: Sequence[Row], samples: Sequence[Sample], path: Path, text: str, others: Sequence[str]
) -> Iterator[IdTextRow]:
    """LLaVA's rows through its question file: question_id to category, image and text, which name a sample."""
    waiting = Unanswered(
        samples, lambda sample: (sample.tags["split"], sample.images[0].name, bare_question(sample.question))
    )
    to_id: dict[str, str] = {}
    for question in answer_rows(path):
        kind, image = (answer_text(question, field) for field in ("category", "image"))
        sample = waiting.take((kind, image, bare_question(answer_text(question, "text"))))
        number = answer_key(question, "question_id")
        other = f"{kind}/{number}" if kind in others else f"question_id {number}"
        to_id[number] = sample.id if sample else other
    for row in rows:
        number = answer_key(row, "question_id")
        yield to_id.get(number, f"question_id {number}"), answer_text(row, text), row


def _by_text(rows: Sequence[Row], samples: Sequence[Sample], kind: str, text: str) -> Iterator[IdTextRow]:
    """Rows without ids: whole splits one after the other, in any order, each in the order of its question file."""
    kinds = [kind] if kind else list(dict.fromkeys(sample.tags["split"] for sample in samples))
    blocks = {name: [sample for sample in samples if sample.tags["split"] == name] for name in kinds}
    hint = "is an answer missing, or were other question files used (old random split: 2,910 rows, new: 3,000)?"
    for sample, row in in_blocks(rows, [_repeated(row, text) for row in rows], blocks, hint):
        yield sample.id, answer_text(row, text), row


# --------------------------------------------------------------------------------------------------------- writing


def _write_official(folder: Path, answers: Sequence[Answer]) -> None:
    """Lines of question and answer, a file per split, in the order of the question files."""
    lines: dict[str, list[dict[str, str]]] = {}
    for answer in answers:
        kind = answer.sample.tags["split"]
        lines.setdefault(kind, []).append({"question": answer.sample.question, "answer": answer.text})
    for kind, rows in lines.items():
        write_rows(folder / f"{kind}.jsonl", rows)


def _write_llava(path: Path, answers: Sequence[Answer]) -> None:
    """LLaVA's answer lines, and beside them the question file that says what their numbers stand for.

    Raises PredictionsError when another question file lies there.
    """
    questions = [
        {"question_id": n, "image": a.sample.images[0].name, "text": a.prompt, "category": a.sample.tags["split"]}
        for n, a in enumerate(answers)
    ]
    beside = path.parent / QUESTION_FILE
    if beside.is_file() and [dict(row.values) for row in answer_rows(beside)] != questions:
        raise PredictionsError("there is another question file", where=str(beside), hint="name another --output")
    write_rows(beside, questions)
    about = [{"question_id": n, "prompt": a.prompt, "text": a.text, "answer_id": a.id} for n, a in enumerate(answers)]
    write_rows(path, ({**row, "metadata": {}} for row in about))


ANSWERS = AnswerFiles(
    _read,
    "Official answer lines, LLaVA's answer lines, or rows of id and text.",
    {"official": Format("", _write_official), "llava": Format(".jsonl", _write_llava)},
    "A folder of official answer lines, a file per split; or LLaVA's answer lines, its question file beside them.",
)
