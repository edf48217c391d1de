"""Answers without ids: matched by their order, or by what they say of the question (its image, its text)."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path

from vlmbench.base.errors import PredictionsError
from vlmbench.base.samples import Sample
from vlmbench.data.answers.answer_columns import bare_question
from vlmbench.data.rows import Row


def refuse_other_count(path: Path, count: int, samples: Sequence[Sample], noun: str, hint: str = "") -> None:
    """Raise PredictionsError where there are more or fewer answers than questions. `noun`: what a question is here."""
    if count != len(samples):
        hint = f"give one answer per {noun}, in the file's order{hint}"
        raise PredictionsError(f"{count} answers, and {len(samples)} {noun}s", where=str(path), hint=hint)


def are_pred_gt(rows: Sequence[Row]) -> bool:
    """Whether rows are those that MiniGPT-4's and TinyGPT-V's scripts save: `pred` and `gt`, and no id."""
    return all({"pred", "gt"} <= set(row.values) and "id" not in row.values for row in rows)


def read_pred_gt(
    path: Path,
    rows: Sequence[Row],
    samples: Sequence[Sample],
    noun: str,
    text: Callable[[Row], str],
    truth: Callable[[Row], str],
) -> Mapping[str, str]:
    """Sample id to text. What a row says is right must be so: it shows whether the order is that of the file."""
    refuse_other_count(path, len(rows), samples, noun)
    texts = {}
    for row, sample in zip(rows, samples, strict=True):
        if sample.target is not None and truth(row) != sample.target:
            what = f"the row says that {row.values['gt']!r} is right, {noun} {sample.id} is {sample.target}"
            raise PredictionsError(what, where=row.where, hint="use the split these answers were made with")
        texts[sample.id] = text(row)
    return texts


class Unanswered:
    """Finds the question that an answer is for, by what both say; equal questions are taken in their order."""

    def __init__(self, samples: Sequence[Sample], key: Callable[[Sample], Hashable]) -> None:
        self._waiting: defaultdict[Hashable, deque[Sample]] = defaultdict(deque)
        for sample in samples:
            self._waiting[key(sample)].append(sample)

    def take(self, key: Hashable) -> Sample | None:
        """The next question of that key; None where there is none, or all of them are answered."""
        waiting = self._waiting.get(key)
        return waiting.popleft() if waiting else None


def in_blocks(
    rows: Sequence[Row], repeated: Sequence[str | None], blocks: Mapping[str, Sequence[Sample]], hint: str
) -> Iterator[tuple[Sample, Row]]:
    """Rows that repeat their question: whole blocks of questions in any order, each block in its own order.

    `repeated` is what each row repeats (as `bare_question` gives it), None where it does not; `hint` is for a row that
    repeats another question than the one that is next. Raises PredictionsError at the first such row.
    """
    left = {name: list(map(_bare, samples)) for name, samples in blocks.items()}
    start = 0
    while start < len(rows) and left:
        agree = {name: _agreement(repeated[start:], questions) for name, questions in left.items()}
        whole = next((name for name, questions in left.items() if agree[name] == len(questions)), "")
        if not whole:
            best = max(left, key=lambda name: agree[name])
            raise _disagreement(rows, start + agree[best], blocks[best][agree[best]], repeated, hint)
        yield from zip(blocks[whole], rows[start:], strict=False)
        start += len(left.pop(whole))
    if start < len(rows):
        what = f"{len(rows) - start} answers too many, from {rows[start].at} on"
        hint = "give one answer per question, in the question file's order"
        raise PredictionsError(what, where=rows[start].file, hint=hint)


def _bare(sample: Sample) -> str:
    return bare_question(sample.question)


def _agreement(repeated: Sequence[str | None], questions: Sequence[str]) -> int:
    """How many questions agree before the first that does not."""
    pairs = enumerate(zip(repeated, questions, strict=False))
    return next((place for place, (one, other) in pairs if one != other), min(len(repeated), len(questions)))


def _disagreement(
    rows: Sequence[Row], at: int, sample: Sample, repeated: Sequence[str | None], hint: str
) -> PredictionsError:
    if at >= len(rows):
        what = f"the answers end before question {sample.id}, {sample.question!r}"
        return PredictionsError(what, where=rows[-1].file, hint="give all answers of the split, in its order")
    if repeated[at] is None:
        what, hint = "the row says no question", "needed: question and answer, or id and text"
    else:
        what = f"the row asks {repeated[at]!r:.200} where question {sample.id} is {sample.question!r}"
    return PredictionsError(what, where=rows[at].where, hint=hint)
