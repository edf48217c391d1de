"""Forms plain batches: which questions go together, and how many at once.

Plain batches are filled across groups, by kind: only questions whose tensors fit go together. The size is a number, or
`auto`: on a GPU it grows while memory is left; on a CPU it is 1, since a batch only adds padding to what is limited by
arithmetic (docs/performance.md). Either way it is halved when memory does not suffice.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

import torch

from ..engine.together import rows_of_setting
from .plain import Question

FIRST, MOST = 4, 64
ROOM = 0.4
"""A GPU's batch is doubled while the most memory used so far is below this share of all."""
KINDS = 4
"""At most this many batches of questions wait, and hardly more than PIXELS pixels of images."""
PIXELS = 10 * 2**20
"""Numbers of image tensors divided by three: one image of 2,500 x 2,500 at full resolution is a batch of its own."""


class BatchSize:
    """How many rows a batch has."""

    def __init__(self, setting: str, device: torch.device) -> None:
        """`setting`: a number or `auto`. Raises UsageError."""
        rows = rows_of_setting(setting)
        self.grows = not rows and device.type == "cuda"
        self.now = rows or (FIRST if self.grows else 1)
        self._device = device

    def one_by_one(self) -> None:
        """From here on no question goes with another."""
        self.now, self.grows = 1, False

    def worked(self, rows: int, size: int) -> None:
        """Take note of a batch: `rows` that went through, `size` at a time."""
        if size < self.now:
            self.now, self.grows = size, False
        elif self.grows and rows >= self.now < MOST and self._share() < ROOM:
            self.now *= 2

    def _share(self) -> float:
        _, total = torch.cuda.mem_get_info(self._device)
        return torch.cuda.max_memory_allocated(self._device) / total


class BatchQueue:
    """Questions that wait for a batch of their kind."""

    def __init__(self, size: BatchSize) -> None:
        self._size = size
        self._by_kind: dict[Hashable, list[Question]] = {}

    def add(self, question: Question) -> Iterator[list[Question]]:
        """Take a question in; yields a batch that is full now, or the fullest one when too many wait."""
        kind = question.kind
        self._by_kind.setdefault(kind, []).append(question)
        if rows_of(self._by_kind[kind]) >= self._size.now:
            yield self._by_kind.pop(kind)
        elif sum(map(rows_of, self._by_kind.values())) >= KINDS * self._size.now or self.pixels >= PIXELS:
            yield self._by_kind.pop(max(self._by_kind, key=lambda kind: rows_of(self._by_kind[kind])))

    @property
    def pixels(self) -> int:
        """What the images of all that waits hold."""
        waiting = (question for questions in self._by_kind.values() for question in questions)
        return sum({id(question.prompt.media): question.pixels for question in waiting}.values())

    def rest(self) -> Iterator[list[Question]]:
        """Whatever still waits."""
        while self._by_kind:
            yield self._by_kind.pop(next(iter(self._by_kind)))


def rows_of(questions: Sequence[Question]) -> int:
    """How many rows some questions take: a choice to rank is one."""
    return sum(question.rows for question in questions)
