"""A student as training sees it: its rows carry what the teacher said, and its loss is the mixed one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from vlmbench.base.errors import TrainingError
from vlmbench.base.samples import Conversation
from vlmbench.base.trainable import Trainable

from ..recipe.teacher import Distil
from .answer_file import OK, AnswerFile, Said
from .asking import answered, keys_of
from .losses import mixed_loss

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

IGNORE = -100
TABLES = ("teacher_ids", "teacher_logprobs", "teacher_rest")


class TaughtModel:
    """A Trainable whose rows have a teacher; everything else is the student's own."""

    def __init__(self, student: Trainable, settings: Distil) -> None:
        self.student, self._settings = student, settings
        self.file: AnswerFile | None = None
        """What the teacher said; opened when it was asked."""

    def __getattr__(self, name: str) -> Any:
        if name == "student":  # not there yet: while it is unpickled
            raise AttributeError(name)
        return getattr(self.student, name)

    def collate(self, rows: Sequence[Conversation], template: str) -> Mapping[str, Any]:
        """See Trainable; what the teacher expected at the labels comes along. Raises TrainingError for a row that the
        teacher was not asked about.
        """
        said = [[self._said(row, key) for key in keys_of(row)] for row in rows]
        told = [answered(row, one) for row, one in zip(rows, said, strict=True)] if self._settings.asks else rows
        batch = self.student.collate(told, template)
        return {**batch, **self._tables(batch["labels"], said)} if self._settings.scores else batch

    def loss(self, batch: Mapping[str, Any]) -> Tensor:
        """See Trainable."""
        if "teacher_at" not in batch:
            return self.student.loss(batch)
        own = {name: value for name, value in batch.items() if not name.startswith("teacher_")}
        # Labels that count places tell which of them are trained on: long rows are cut further down.
        places = torch.arange(batch["labels"].numel()).view_as(batch["labels"])
        own["labels"] = torch.where(batch["labels"] == IGNORE, IGNORE, places.to(batch["labels"].device))
        logits, at = self.student.trained_logits(own)
        if not len(at):
            return self.student.loss({**own, "labels": batch["labels"]})
        device = logits.device
        labels, rows = (batch[name].flatten().to(device)[at] for name in ("labels", "teacher_at"))
        ids, logprobs, rest = (batch[name].to(device) for name in TABLES)
        how = {"temperature": self._settings.temperature, "weight": self._settings.weight}
        return mixed_loss(logits, labels, rows, (ids.long(), logprobs, rest), **how)

    def _said(self, row: Conversation, key: bytes) -> Said:
        assert self.file is not None
        said = self.file.get(key)
        if said is None:
            message = f"the teacher was not asked about row {row.id or '?'!r}"
            hint = "the data changed: give --output another folder, or name another file: --set distil.cache=FILE"
            raise TrainingError(message, where=str(self.file.path), hint=hint)
        return said

    def _tables(self, labels: Tensor, said: Sequence[Sequence[Said]]) -> dict[str, Tensor]:
        """The teacher's tables, and for each label the row that predicts it, -1 where there is none: (rows, length).

        Answers are the runs of labels of a row, in the order of its turns. The last ones may have been cut.
        """
        import numpy as np

        at = np.full(tuple(labels.shape), -1, np.int64)
        top = self._settings.top_k
        ids, logprobs = [np.zeros((0, top), np.int32)], [np.zeros((0, top), np.float32)]
        rest = [np.zeros(0, np.float32)]
        count = differing = 0
        for row, answers in enumerate(said):
            for (start, tokens), one in zip(_runs(labels[row].numpy()), answers, strict=False):
                if one.status != OK or one.tokens is None:
                    continue
                known = _alike(tokens, one.tokens)
                differing += not known
                rows = slice(0, known)
                at[row, start : start + known] = np.arange(count, count + known)
                count += known
                assert one.ids is not None and one.logprobs is not None and one.rest is not None
                ids.append(one.ids[rows])
                logprobs.append(one.logprobs[rows])
                rest.append(one.rest[rows])
        if differing > sum(map(len, said)) / 2:
            raise other_tokens()
        tables = [torch.from_numpy(np.concatenate(parts)) for parts in (ids, logprobs, rest)]
        return {"teacher_at": torch.from_numpy(at), **dict(zip(TABLES, tables, strict=True))}


def _runs(labels: NDArray[np.int64]) -> list[tuple[int, list[int]]]:
    """The trained stretches of a row of labels: where each begins, and its tokens."""
    runs, place = [], 0
    for ignored, group in groupby(labels.tolist(), lambda label: label == IGNORE):
        tokens = list(group)
        if not ignored:
            runs.append((place, tokens))
        place += len(tokens)
    return runs


def _alike(labels: Sequence[int], tokens: NDArray[np.int32]) -> int:
    """How many of a student's labels the teacher predicted: up to the first that differs."""
    pairs = zip(labels, tokens.tolist(), strict=False)
    return next((at for at, (own, other) in enumerate(pairs) if own != other), min(len(labels), len(tokens)))


def other_tokens() -> TrainingError:
    """Build the error for answers whose first tokens differ."""
    message = "teacher and student write an answer's first token differently (with and without a space before it)"
    hint = "their templates differ: train on its answers instead, --set distil.kind=answers"
    return TrainingError(message, where="distil", hint=hint)
