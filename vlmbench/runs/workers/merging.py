"""What workers tell of and what they wrote, as answers: whole groups, each once, and each line checked."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from vlmbench.base.errors import StoreError
from vlmbench.base.samples import Response
from vlmbench.runs.storage import answer_log
from vlmbench.runs.storage.parts import Part, PartFolder, PartReader
from vlmbench.runs.workers.scheduler import WorkQueue
from vlmbench.runs.workers.worker import Progress

LOGGER = logging.getLogger(__name__)
DAMAGED = "its answers could not be read back from the workers' parts"


@dataclass(frozen=True, slots=True)
class GroupAnswers:
    """The answers of one group, in the order of its requests."""

    number: int
    keys: Sequence[str]
    lines: Sequence[bytes]
    """As they go into the log."""
    responses: Sequence[Response]


@dataclass
class Merge:
    """The answers of one call of the pool, whose queue knows which groups are open."""

    queue: WorkQueue
    parts: PartFolder
    keys: Callable[[int], Sequence[str]]
    """Of the answers of a group."""
    _of: dict[int, Part] = field(default_factory=dict)
    """By worker: the part that it writes now."""
    _told: set[str] = field(default_factory=set)
    """Damaged parts that were warned of."""

    def part(self, worker: int) -> Part:
        """Where a worker is to write."""
        if worker not in self._of:
            self._of[worker] = self.parts.new(worker)
        return self._of[worker]

    def take(self, worker: int, progress: Progress) -> list[GroupAnswers]:
        """The answers that a worker tells of. Groups whose lines are damaged are given again, or fail at last."""
        reader = self.parts.reader(progress.part)
        if progress.lines:
            reader.take(progress.lines)
        elif progress.size:
            self._read(reader, progress.size)
        found = []
        for one in progress.finished:
            if one.unread:
                continue
            keys = self.keys(one.number)
            if not self.queue.is_open(one.number):
                reader.drop(keys)
            elif answers := self._whole(reader, one.number):
                found.append(answers)
            else:
                reader.drop(keys)
                if progress.part not in self._told:
                    LOGGER.warning("%s is damaged: what it does not answer is asked again", reader.path)
                self._told.add(progress.part)
                found += self.failed(self.queue.give_back(worker, one.number, blamed=True), DAMAGED)
        return found

    def salvage(self, worker: int) -> list[GroupAnswers]:
        """What a lost worker wrote of the groups that it had. Another worker in its place gets a part of its own."""
        part = self._of.pop(worker, None)
        if part is None:
            return []
        reader = self.parts.reader(part.name)
        self._read(reader, None)
        found = [self._whole(reader, number) for number in self.queue.held(worker)]
        reader.answers.clear()
        return [one for one in found if one is not None]

    def failed(self, groups: Sequence[int], reason: str) -> list[GroupAnswers]:
        """Groups that are given up, as answers that say why."""
        response = Response(finish="error", error=reason)

        def answers(number: int) -> GroupAnswers:
            keys = self.keys(number)
            return GroupAnswers(number, keys, [answer_log.line(key, response) for key in keys], [response] * len(keys))

        return [answers(number) for number in groups]

    def _whole(self, reader: PartReader, number: int) -> GroupAnswers | None:
        """A group that is answered hereby; None where a line is missing."""
        keys = self.keys(number)
        found = reader.pop(keys)
        if not found or not self.queue.answered(number):
            return None
        return GroupAnswers(number, keys, [line for line, _ in found], [response for _, response in found])

    def _read(self, reader: PartReader, size: int | None) -> None:
        try:
            reader.read(size)
        except OSError as error:
            what, hint = f"cannot read what a worker wrote: {error.strerror or error}", "the same command resumes"
            raise StoreError(what, where=str(reader.path), hint=hint) from None
