"""VizWiz's answer files: upload rows of both tasks, LLaVA's lines, rows of id and text.

LLaVA's lines call row numbers of its question file question_id (llava_test.jsonl, beside the answers, above them or in
the data folder). In a results file `answerable` is the model's number for task 2; in rows of the dataset it is the
truth.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from vlmbench.base.errors import PredictionsError
from vlmbench.base.samples import Sample
from vlmbench.data import question_files
from vlmbench.data.answer_columns import is_predicted, probability, squashed
from vlmbench.data.predictions import answer_key, answer_text, find_column, id_and_answer
from vlmbench.data.rows import Row

RANKED = "unanswerability"
"""The protocol that asks how likely it is that a question cannot be answered."""
SAID = "answerable "
"""How the text of an answer starts that was read from a row's `answerable` number."""
IDS = ("image", "question_id", "id")

Answer = tuple[str, str, Row]


def read(rows: Sequence[Row], samples: Sequence[Sample], protocol: str, path: Path) -> Iterator[Answer]:
    """(sample id, text, row) of one file's rows. Raises PredictionsError."""
    number = _number_column(rows)
    has_answer = any(is_predicted(name) or squashed(name) in ("answer", "text") for row in rows for name in row.values)
    if number and (protocol == RANKED or not has_answer):
        if protocol not in ("", RANKED):
            what = f"a file of task 2: {number!r} says how sure the model is, and there are no answers"
            raise PredictionsError(what, where=rows[0].where, hint=f"score it with vizwiz@{RANKED}")
        found = _numbers(rows, number)
    else:
        found = id_and_answer(rows, IDS, samples, numbers=protocol in ("", RANKED))
    yield from _known(list(found), samples, path)


def _number_column(rows: Sequence[Row]) -> str:
    """The model's `answerable`; empty where there is none, or where the rows are the dataset's with their own."""
    kinds = {squashed(name) for row in rows for name in row.values}
    if kinds & {"answers", "answertype"} or ("answer" in kinds and any(map(is_predicted, kinds))):
        return ""
    return find_column(rows, "answerable")


def _numbers(rows: Sequence[Row], number: str) -> Iterator[Answer]:
    key = find_column(rows, *IDS)
    for row in rows:
        if not key or key not in row.values or number not in row.values:
            what = f"the row has no {number if key in row.values else key or IDS[0]!r}"
            raise PredictionsError(what, where=row.where, hint=f"needed: 'image' with 'answer' or {number!r}")
        yield answer_key(row, key), SAID + repr(probability(row, number)), row


def _known(found: Sequence[Answer], samples: Sequence[Sample], path: Path) -> Iterator[Answer]:
    """Answers by the name of the picture: as it is, without its suffix, or through LLaVA's question file."""
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
