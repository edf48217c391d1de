"""POPE's answer files to answers by sample id, and back.

Three forms: our own rows of `id` and `text`; LLaVA's rows, whose question_id is unique over its question file
llava_pope_test.jsonl (looked for beside the answers and one folder up); and official lines of `question` and `answer`,
which carry no id at all. Those are matched with the questions of a split one by one, text by text: the first line that
asks something else is an error. (The official and LLaVA's scripts pair lines by number: an old question file of 2,910
rows against new labels of 3,000 then silently halves the random F1.)
"""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from vlmbench.base.errors import PredictionsError
from vlmbench.base.samples import Sample
from vlmbench.data import question_files
from vlmbench.data.answer_columns import answer_column, refuse_numbers
from vlmbench.data.files import Row
from vlmbench.data.predictions import (
    answer_key,
    answer_rows,
    answer_text,
    find_column,
    id_and_answer,
    join,
    read_files,
)

QUESTION_FILE = "llava_pope_test.jsonl"
_WORDS_AROUND = ("<image>", "Answer the question using a single word or phrase.", "Please answer yes or no.")

Answer = tuple[str, str, Row]


def read(path: Path, samples: Sequence[Sample], kinds: Sequence[str]) -> dict[str, str]:
    """Sample id to text. Raises PredictionsError."""
    found: list[Answer] = []
    files = [rows for rows in read_files(path) if Path(rows[0].file).name != QUESTION_FILE]
    if not files:
        raise PredictionsError("this is a question file, not answers", where=str(path), hint="check --predictions")
    asked = {sample.tags["split"] for sample in samples}
    others = [kind for kind in kinds if kind not in asked]
    for rows in files:
        file = Path(rows[0].file)
        named = [kind for kind in kinds if kind in file.name.lower()]
        kind = named[0] if len(named) == 1 else ""
        if kind in others and len(files) > 1:
            continue  # one kind is scored out of a folder of all
        if len(files) > 1 and not kind and not find_column(rows, "id"):
            what = "cannot tell which split this file answers"
            raise PredictionsError(what, where=str(file), hint=f"let its name hold one of: {', '.join(kinds)}")
        answers = _answers(file, rows, samples, kind, others)
        found += [answer for answer in answers if answer[0].partition("/")[0] not in others]
    _refuse_one_kind(found, samples, kinds, path)
    return join(found, samples, path)


def _refuse_one_kind(found: Sequence[Answer], samples: Sequence[Sample], kinds: Sequence[str], path: Path) -> None:
    """Raise PredictionsError, naming the split to score, for the answers to all questions of one kind and no others."""
    answered = {key.partition("/")[0] for key, _, _ in found}
    asked = {sample.tags["split"] for sample in samples}
    if len(answered) != 1 or not answered < asked:
        return
    (kind,) = answered
    if {key for key, _, _ in found} == {sample.id for sample in samples if sample.tags["split"] == kind}:
        every = ", ".join(one for one in kinds if one in asked)
        what = f"these are the answers to the {kind} questions alone; the split has {every}"
        hint = f"score that kind by itself: `vlmbench score pope:coco_{kind} --predictions {path}` (or aokvqa_, gqa_)"
        raise PredictionsError(what, where=str(path), hint=hint)


def _answers(
    file: Path, rows: Sequence[Row], samples: Sequence[Sample], kind: str, others: Sequence[str]
) -> Iterator[Answer]:
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
    if number and (find_column(rows, "category", "split") or kind):
        yield from _by_number(rows, samples, kind, text)
    elif number and (questions := _question_file(file, samples)):
        yield from _by_question_file(rows, samples, questions, text, others)
    else:
        yield from _by_text(rows, samples, kind, text)


def _asked(row: Row, answer: str) -> str | None:
    """The question a row repeats, without the words a protocol put around it; None if it does not."""
    for field in ("prompt", "question", "text"):
        if field in row.values and field != answer:
            return _bare(answer_text(row, field))
    return None


def _bare(prompt: str) -> str:
    for words in _WORDS_AROUND:
        prompt = prompt.replace(words, "")
    return prompt.strip()


def _by_number(rows: Sequence[Row], samples: Sequence[Sample], kind: str, text: str) -> Iterator[Answer]:
    """Rows that say their split and the official question_id in it."""
    known = {sample.id: sample for sample in samples}
    number, split = find_column(rows, "question_id"), find_column(rows, "category", "split")
    for row in rows:
        said = answer_text(row, split) if split else kind
        key = f"{said}/{answer_key(row, number)}"
        asked = _asked(row, text)
        if key in known and asked is not None and asked != known[key].question.strip():
            what = f"the row asks {asked!r:.200}, but question {key} is {known[key].question!r}"
            raise PredictionsError(what, where=row.where, hint="use the question files these answers were made with")
        yield key, answer_text(row, text), row


def _question_file(file: Path, samples: Sequence[Sample]) -> Path | None:
    places = (folder / QUESTION_FILE for folder in question_files.folders(file, samples))
    return next((path for path in places if path.is_file()), None)


def _by_question_file(
    rows: Sequence[Row], samples: Sequence[Sample], path: Path, text: str, others: Sequence[str]
) -> Iterator[Answer]:
    """LLaVA's rows through its question file: question_id to category, picture and text, which name a sample."""
    ids: defaultdict[tuple[str, str, str], deque[str]] = defaultdict(deque)
    for sample in samples:
        ids[sample.tags["split"], sample.images[0].name, sample.question.strip()].append(sample.id)
    to_id: dict[str, str] = {}
    for question in answer_rows(path):
        about = tuple(answer_text(question, field) for field in ("category", "image"))
        queue = ids[about[0], about[1], _bare(answer_text(question, "text"))]
        number = answer_key(question, "question_id")
        other = f"{about[0]}/{number}" if about[0] in others else f"question_id {number}"
        to_id[number] = queue.popleft() if queue else other
    for row in rows:
        number = answer_key(row, "question_id")
        yield to_id.get(number, f"question_id {number}"), answer_text(row, text), row


def _by_text(rows: Sequence[Row], samples: Sequence[Sample], kind: str, text: str) -> Iterator[Answer]:
    """Rows without ids: whole splits one after the other, in any order, each in the order of its question file."""
    left: dict[str, list[Sample]] = {}
    for sample in samples:
        if not kind or sample.tags["split"] == kind:
            left.setdefault(sample.tags["split"], []).append(sample)
    asked = [_asked(row, text) for row in rows]
    start = 0
    while start < len(rows) and left:
        agree = {name: _agreement(asked[start:], wanted) for name, wanted in left.items()}
        name = next((n for n, wanted in left.items() if agree[n] == len(wanted)), "")
        if not name:
            best = max(left, key=lambda n: agree[n])
            raise _disagreement(rows, start + agree[best], left[best][agree[best]], asked)
        for row, sample in zip(rows[start:], left.pop(name), strict=False):
            start += 1
            yield sample.id, answer_text(row, text), row
    if start < len(rows):
        what = f"{len(rows) - start} answers too many, from {rows[start].at} on"
        raise PredictionsError(
            what, where=rows[start].file, hint="give one answer a question, in the question file's order"
        )


def _agreement(asked: Sequence[str | None], wanted: Sequence[Sample]) -> int:
    """How many questions agree before the first that does not."""
    count = 0
    for question, sample in zip(asked, wanted, strict=False):
        if question != sample.question.strip():
            break
        count += 1
    return count


def _disagreement(rows: Sequence[Row], at: int, sample: Sample, asked: Sequence[str | None]) -> PredictionsError:
    if at >= len(rows):
        what = f"the answers end before question {sample.id}, {sample.question!r}"
        return PredictionsError(what, where=rows[-1].file, hint="give all answers of the split, in its order")
    if asked[at] is None:
        what, hint = "the row says no question", "needed: question and answer, or id and text"
    else:
        what = f"the row asks {asked[at]!r:.200} where question {sample.id} is {sample.question!r}"
        hint = "is an answer missing, or were other question files used (old random split: 2,910 rows, new: 3,000)?"
    return PredictionsError(what, where=rows[at].where, hint=hint)


# --------------------------------------------------------------------------------------------------------- writing


def write_official(folder: Path, answers: Mapping[str, str], samples: Sequence[Sample]) -> None:
    """Lines of question and answer, a file a split, in the order of the question files."""
    lines: dict[str, list[dict[str, str]]] = {}
    for sample in samples:
        lines.setdefault(sample.tags["split"], []).append({"question": sample.question, "answer": answers[sample.id]})
    for kind, rows in lines.items():
        _write_lines(folder / f"{kind}.jsonl", rows)


def write_llava(path: Path, answers: Mapping[str, str], samples: Sequence[Sample], prompts: Mapping[str, str]) -> None:
    """LLaVA's answer lines, and beside them the question file that says what their numbers stand for.

    Raises PredictionsError when another question file lies there.
    """
    questions = [
        {"question_id": n, "image": s.images[0].name, "text": prompts[s.id], "category": s.tags["split"]}
        for n, s in enumerate(samples)
    ]
    beside = path.parent / QUESTION_FILE
    if beside.is_file() and [dict(row.values) for row in answer_rows(beside)] != questions:
        raise PredictionsError("there is another question file", where=str(beside), hint="name another --output")
    _write_lines(beside, questions)
    _write_lines(
        path,
        [
            {"question_id": n, "prompt": prompts[s.id], "text": answers[s.id], "answer_id": s.id, "metadata": {}}
            for n, s in enumerate(samples)
        ],
    )


def _write_lines(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
