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

from vlmbench.errors import PredictionsError
from vlmbench.nouns import Sample
from vlmbench.predictions import answer_files, answer_key, answer_rows, answer_text, join, read_answer
from vlmbench.sources import Row

QUESTION_FILE = "llava_pope_test.jsonl"
_WORDS_AROUND = ("<image>", "Answer the question using a single word or phrase.")

Answer = tuple[str, str, Row]


def read(path: Path, samples: Sequence[Sample], kinds: Sequence[str]) -> dict[str, str]:
    """Sample id to text. Raises PredictionsError."""
    found: list[Answer] = []
    files = [file for file in answer_files(path) if file.name != QUESTION_FILE]
    for file in files:
        rows = answer_rows(file)
        named = [kind for kind in kinds if kind in file.name.lower()]
        kind = named[0] if len(named) == 1 else ""
        if len(files) > 1 and not kind and "id" not in rows[0].values:
            what = "cannot tell which split this file answers"
            raise PredictionsError(what, where=str(file), cure=f"let its name hold one of: {', '.join(kinds)}")
        found += _answers(file, rows, samples, kind)
    return join(found, samples, path)


def _answers(file: Path, rows: Sequence[Row], samples: Sequence[Sample], kind: str) -> Iterator[Answer]:
    first = rows[0].values
    if "id" in first:
        for row in rows:
            yield (*read_answer(row, ("id", "text"), ("id", "answer")), row)
    elif "question_id" in first and ("category" in first or "split" in first or kind):
        yield from _by_number(rows, samples, kind)
    elif "question_id" in first and (questions := _question_file(file)):
        yield from _by_question_file(rows, samples, questions)
    else:
        yield from _by_text(rows, samples, kind)


def _text(row: Row) -> str:
    return answer_text(row, "text" if "text" in row.values else "answer")


def _asked(row: Row) -> str | None:
    """The question a row repeats, without the words a protocol put around it; None if it does not."""
    for field in ("prompt", "question"):
        if field in row.values:
            return _bare(answer_text(row, field))
    return None


def _bare(prompt: str) -> str:
    for words in _WORDS_AROUND:
        prompt = prompt.replace(words, "")
    return prompt.strip()


def _by_number(rows: Sequence[Row], samples: Sequence[Sample], kind: str) -> Iterator[Answer]:
    """Rows that say their split and the official question_id in it."""
    known = {sample.id: sample for sample in samples}
    for row in rows:
        said = next((answer_text(row, field) for field in ("category", "split") if field in row.values), kind)
        key = f"{said}/{answer_key(row, 'question_id')}"
        asked = _asked(row)
        if key in known and asked is not None and asked != known[key].question.strip():
            what = f"the row asks {asked!r}, but question {key} is {known[key].question!r}"
            raise PredictionsError(what, where=row.where, cure="use the question files these answers were made with")
        yield key, _text(row), row


def _question_file(file: Path) -> Path | None:
    return next((p for folder in (file.parent, file.parent.parent) if (p := folder / QUESTION_FILE).is_file()), None)


def _by_question_file(rows: Sequence[Row], samples: Sequence[Sample], path: Path) -> Iterator[Answer]:
    """LLaVA's rows through its question file: question_id to category, picture and text, which name a sample."""
    ids: defaultdict[tuple[str, str, str], deque[str]] = defaultdict(deque)
    for sample in samples:
        ids[sample.tags["split"], sample.images[0].name, sample.question.strip()].append(sample.id)
    to_id: dict[str, str] = {}
    for question in answer_rows(path):
        about = tuple(answer_text(question, field) for field in ("category", "image"))
        queue = ids[about[0], about[1], _bare(answer_text(question, "text"))]
        number = answer_key(question, "question_id")
        to_id[number] = queue.popleft() if queue else f"question_id {number}"
    for row in rows:
        number = answer_key(row, "question_id")
        yield to_id.get(number, f"question_id {number}"), _text(row), row


def _by_text(rows: Sequence[Row], samples: Sequence[Sample], kind: str) -> Iterator[Answer]:
    """Rows without ids: whole splits one after the other, in any order, each in the order of its question file."""
    left: dict[str, list[Sample]] = {}
    for sample in samples:
        if not kind or sample.tags["split"] == kind:
            left.setdefault(sample.tags["split"], []).append(sample)
    asked = [_asked(row) for row in rows]
    start = 0
    while start < len(rows) and left:
        agree = {name: _agreement(asked[start:], wanted) for name, wanted in left.items()}
        name = next((n for n, wanted in left.items() if agree[n] == len(wanted)), "")
        if not name:
            best = max(left, key=lambda n: agree[n])
            raise _disagreement(rows, start + agree[best], left[best][agree[best]], asked)
        for row, sample in zip(rows[start:], left.pop(name), strict=False):
            start += 1
            yield sample.id, _text(row), row
    if start < len(rows):
        what = f"{len(rows) - start} answers too many, from {rows[start].at} on"
        raise PredictionsError(
            what, where=rows[start].file, cure="give one answer a question, in the question file's order"
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
        return PredictionsError(what, where=rows[-1].file, cure="give all answers of the split, in its order")
    if asked[at] is None:
        what, cure = "the row says no question", "needed: question and answer, or id and text"
    else:
        what = f"the row asks {asked[at]!r} where question {sample.id} is {sample.question!r}"
        cure = "is an answer missing, or were other question files used (old random split: 2,910 rows, new: 3,000)?"
    return PredictionsError(what, where=rows[at].where, cure=cure)


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
        raise PredictionsError("there is another question file", where=str(beside), cure="name another --output")
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
