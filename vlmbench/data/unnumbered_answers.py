"""Answer files without ids: matched by their order, or by what they say of the question (its image, its text)."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path

from vlmbench.base.errors import PredictionsError
from vlmbench.base.samples import Sample
from vlmbench.data.files import Row


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
