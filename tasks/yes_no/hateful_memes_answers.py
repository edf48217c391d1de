"""Hateful Memes' answer files: the challenge's csv, rows that MiniGPT-v2's script saves, rows of id and text.

The challenge's file has `proba` for the AUROC and `label`, the model's decision, for the accuracy. In rows of the
dataset that a `proba` was added to, `label` is the truth and `text` the words on the picture: neither is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from vlmbench.base.errors import DataError, PredictionsError
from vlmbench.base.samples import Sample
from vlmbench.data.answer_columns import holds_questions, is_predicted, probability
from vlmbench.data.predictions import answer_key, answer_text, find_column, id_and_answer, join, read_files
from vlmbench.data.rows import Row

YES, NO = "yes", "no"
NEEDED = "needed: id, proba and label; or id with 'prediction' or 'text'"

Answer = tuple[str, str, Row]


def read(path: Path, samples: Sequence[Sample], *, ranks: bool | None = None) -> dict[str, str]:
    """Sample id to text. `ranks`: whether the protocol reads probabilities (None: not known). PredictionsError."""
    files = read_files(path)
    rows = [row for rows in files for row in rows]
    if all("pred" in row.values and "gt" in row.values and "id" not in row.values for row in rows):
        return _in_order(path, rows, samples)
    return join([answer for rows in files for answer in _answers(rows, samples, ranks)], samples, path)


def _answers(rows: Sequence[Row], samples: Sequence[Sample], ranks: bool | None) -> Iterator[Answer]:
    number, words_of = find_column(rows, "proba"), find_column(rows, "text")
    dataset = bool(find_column(rows, "img")) or (words_of and holds_questions(rows, words_of, samples))
    words = (words_of and not dataset) or any(is_predicted(name) for row in rows for name in row.values)
    if not number or (words and not ranks):
        for key, said, row in id_and_answer(rows, ("id",), samples, numbers=ranks is not False):
            if ranks:
                _refuse_no_share(said, row)
            yield key, said, row
        return
    label = "" if dataset else find_column(rows, "label")
    if ranks is False and not label:
        what = "the rows hold probabilities, and this protocol reads words"
        raise PredictionsError(what, where=rows[0].where, hint="score them with hateful_memes@official")
    for row in rows:
        if absent := [name for name in ("id", number, label) if name and name not in row.values]:
            raise PredictionsError(f"the row has no {absent[0]!r}", where=row.where, hint=NEEDED)
        share, said = probability(row, number), _label(row, label) if label else ""
        yield (
            answer_key(row, "id"),
            (YES if said == "1" else NO) if ranks is False else f"{share!r} {said}".strip(),
            row,
        )


def _label(row: Row, field: str) -> str:
    try:
        found = row.integer(field)
    except DataError as error:
        raise PredictionsError(error.what, where=error.where, hint=error.hint) from None
    if found not in (0, 1):
        raise PredictionsError(f"label is {found}, and a decision is 0 or 1", where=row.where, hint=NEEDED)
    return str(found)


def _refuse_no_share(text: str, row: Row) -> None:
    """Raise PredictionsError for a number that is no probability: percent, logits."""
    try:
        value = float(text)
    except ValueError:
        return
    if not 0 <= value <= 1:
        what = f"the answer is {text!r:.40}, and a probability is a number from 0 to 1"
        raise PredictionsError(what, where=row.where, hint="give probabilities: no percent, no logits")


def _in_order(path: Path, rows: Sequence[Row], samples: Sequence[Sample]) -> dict[str, str]:
    """MiniGPT-v2's and TinyGPT-V's rows, which have no ids: 1, 0 or the text that was neither, in the file's order."""
    if len(rows) != len(samples):
        what = f"{len(rows)} answers, and {len(samples)} memes"
        raise PredictionsError(what, where=str(path), hint="give one answer a meme, in the file's order")
    texts = {}
    for row, one in zip(rows, samples, strict=True):
        if one.target is not None and _truth(row) != int(one.target == YES):
            what = f"the row says that the label is {row.values['gt']}, meme {one.id} is {one.target}"
            raise PredictionsError(what, where=row.where, hint="use the split these answers were made with")
        pred = row.values["pred"]
        texts[one.id] = {0: NO, 1: YES}.get(pred, "") if isinstance(pred, int) else answer_text(row, "pred")
    return texts


def _truth(row: Row) -> int:
    try:
        return row.integer("gt")
    except DataError as error:
        raise PredictionsError(error.what, where=error.where, hint=error.hint) from None
