"""What a teacher is asked: each turn of a row is a question about its picture; what it said goes into the file.

A row's turn is found again by its picture, its question, the data's own answer and, in a dialogue, all turns before.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from vlmbench.base.errors import TrainingError
from vlmbench.base.samples import Conversation, Generation, ImageRef, Request

from .answer_file import EMPTY, FAILED, OK, REASONS, TRUNCATED, AnswerFile, Said
from .teacher import Teacher

if TYPE_CHECKING:
    from PIL.Image import Image

CHUNK = 512
"""Questions that are asked and written at one go: what a kill costs at most."""
TAG = "<image>"
DESCRIBE = "Describe this image briefly."
"""What the teacher is asked where a caption has no question."""
NAMED = 3
"""Failures that are named; all are counted."""


def keys_of(row: Conversation) -> list[bytes]:
    """What each of a row's turns is found by."""
    images = [_digest(image) for image in _shown(row)]
    keys = []
    for at, turn in enumerate(row.turns):
        said = [turn] if row.independent else row.turns[: at + 1]
        keys.append(hashlib.sha256(json.dumps([images, said]).encode()).digest()[:16])
    return keys


def _shown(row: Conversation) -> tuple[Image, ...]:
    return () if row.image is None else (row.image, *row.more)


def _digest(image: Image) -> str:
    return hashlib.sha256(f"{image.mode} {image.size} ".encode() + image.tobytes()).hexdigest()


def answered(row: Conversation, said: Sequence[Said | None]) -> Conversation:
    """A row with the teacher's answers where there are any, the data's own elsewhere."""
    answers = [one.text if one is not None and one.status == OK else None for one in said]
    turns = tuple(
        (question, own if answer is None else answer)
        for (question, own), answer in zip(row.turns, answers, strict=True)
    )
    return replace(row, turns=turns)


@dataclass
class Asking:
    """Asks a teacher about rows, and keeps what it says."""

    teacher: Teacher
    file: AnswerFile
    most_bad: float
    """The highest share of questions without a usable answer."""
    progress: Callable[[int], object] = lambda count: None
    """Told how many more questions were answered."""
    asked: int = 0
    bad: dict[str, int] = field(default_factory=dict)
    named: list[str] = field(default_factory=list)

    def ask(self, rows: Iterable[Conversation]) -> None:
        """Everything about the rows that is not in the file yet. Raises TrainingError when too much fails."""
        waiting: dict[bytes, Conversation] = {}
        pending: set[bytes] = set()
        for row in rows:
            keys = keys_of(row)
            if all(key in self.file or key in pending for key in keys):
                continue
            waiting[b"".join(keys)] = row
            pending.update(keys)
            if len(pending) >= CHUNK:
                self._flush(list(waiting.values()))
                waiting, pending = {}, set()
        if waiting:
            self._flush(list(waiting.values()))

    def _flush(self, rows: Sequence[Conversation]) -> None:
        said: dict[bytes, Said] = {}
        if self.teacher.settings.asks:
            for depth in range(max(len(row.turns) for row in rows)):
                self._answer(rows, depth, said)
        if self.teacher.settings.scores:
            self._score(rows, said)
        self.asked += len(said)
        self._judge(said.values())
        self.file.add(sorted(said.items()))
        self.progress(len(said))

    def _answer(self, rows: Sequence[Conversation], depth: int, said: dict[bytes, Said]) -> None:
        """The teacher's answers to the turns of a depth: those of a dialogue know its answers before."""
        settings = self.teacher.settings
        generation = Generation(max_new_tokens=settings.max_new_tokens, num_beams=settings.beams)
        groups = []
        for row in rows:
            keys = keys_of(row)
            told = answered(row, [said.get(key) for key in keys])
            turns = [*range(len(keys))] if row.independent and depth == 0 else [depth] if not row.independent else []
            groups.append(
                [
                    replace(self._request(told, at, keys[at]), generation=generation)
                    for at in turns
                    if at < len(keys) and keys[at] not in said
                ]
            )
        for request, response in self.teacher.answer(_by_image(groups)):
            text, status = response.text.strip(), OK
            if response.finish == "error":
                text, status = response.error, FAILED
            elif response.finish == "length":
                status = TRUNCATED
            elif not text:
                status = EMPTY
            said[bytes.fromhex(request.sample_id)] = Said(status, text)

    def _score(self, rows: Sequence[Conversation], said: dict[bytes, Said]) -> None:
        """What the teacher expects along each answer."""
        groups = []
        for row in rows:
            keys = keys_of(row)
            told = answered(row, [said.get(key) for key in keys])
            groups.append(
                [
                    replace(self._request(told, at, key), choices=(told.turns[at][1],))
                    for at, key in enumerate(keys)
                    if said.get(key, Said()).status == OK
                ]
            )
        for request, expected in self.teacher.score(_by_image(groups)):
            key = bytes.fromhex(request.sample_id)
            if expected.error:
                said[key] = Said(FAILED, expected.error)
                continue
            import numpy as np

            text = said.get(key, Said()).text
            tokens = np.array(expected.tokens, np.int32)
            said[key] = Said(OK, text, tokens, expected.ids, expected.logprobs, expected.rest)

    def _request(self, row: Conversation, at: int, key: bytes) -> Request:
        """A turn as a request. Raises TrainingError for a dialogue where the teacher knows single questions alone."""
        history = () if row.independent else tuple((_question(row, turn), row.turns[turn][1]) for turn in range(at))
        if history and not self.teacher.multi_turn:
            message = "cannot be asked a follow-up question, and the data hold dialogues"
            hint = "take another teacher, or stages without dialogues: --set 'distil.stages=[\"NAME\"]'"
            raise TrainingError(message, where=f"teacher {self.teacher.settings.teacher}", hint=hint)
        images = tuple(ImageRef(_digest(image), partial(png, image)) for image in _shown(row))
        return Request(key.hex(), _question(row, at), images, history=history)

    def _judge(self, said: Iterable[Said]) -> None:
        """Raises TrainingError where more than the limit has no usable answer."""
        for one in said:
            if one.status == OK:
                continue
            reason = REASONS[one.status]
            self.bad[reason] = self.bad.get(reason, 0) + 1
            if len(self.named) < NAMED:
                self.named.append(f"{reason}: {one.text:.200}")
        count = sum(self.bad.values())
        if count > self.most_bad * self.asked:
            reasons = ", ".join(f"{number} {reason}" for reason, number in sorted(self.bad.items()))
            message = f"{count} of {self.asked} questions have no usable answer: {reasons}"
            first = "".join(f"\n  {text}" for text in self.named)
            hint = f"allow more with --set bad_rows=SHARE, longer answers with distil.max_new_tokens; the first:{first}"
            raise TrainingError(message, where=f"teacher {self.teacher.settings.teacher}", hint=hint)

    @property
    def facts(self) -> Mapping[str, object]:
        """For the log."""
        return {"asked": self.asked, "kept": len(self.file), "bad": self.bad}


def _question(row: Conversation, at: int) -> str:
    return row.turns[at][0].replace(TAG, "").strip() or DESCRIBE


def _by_image(groups: Iterable[Sequence[Request]]) -> list[list[Request]]:
    """Requests about the same picture together, each once."""
    by_image: dict[tuple[str, ...], dict[str, Request]] = {}
    for request in (request for group in groups for request in group):
        name = tuple(image.name for image in request.images) or (request.sample_id,)
        by_image.setdefault(name, {}).setdefault(request.sample_id, request)
    return [list(requests.values()) for requests in by_image.values()]


def png(image: Image) -> bytes:
    """A picture as a file's content, without loss."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
