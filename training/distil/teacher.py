"""The teacher: any model that answers, or one that tells log-probabilities; opened, refused where it cannot teach."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from vlmbench.base.errors import TrainingError
from vlmbench.base.model import (
    Model,
    SupportsLogprobs,
    SupportsMultiTurn,
    SupportsTokenLogprobs,
    TokenLogprobs,
    Vocabulary,
)
from vlmbench.base.samples import Request, Response
from vlmbench.plugins import specs

from ..recipe.teacher import Distil

FORMAT = 1
"""Of the file of answers and of what a teacher is asked: another one means other answers."""
SHOWN = 3
"""Tokens that are named where vocabularies differ."""
SEQUENCE = "train on its answers instead: --set distil.kind=answers"


class Teacher:
    """A model that teaches."""

    def __init__(self, settings: Distil, model: Model, student: Vocabulary) -> None:
        """`student`: its tokens. Raises TrainingError where the model cannot teach it."""
        self.settings, self._model = settings, model
        self._shared = self._check(student) if settings.scores else 0

    def _check(self, student: Vocabulary) -> int:
        """How many ids mean the same to both. Raises TrainingError."""
        where, model = f"teacher {self.settings.teacher}", self._model
        tells = isinstance(model, SupportsTokenLogprobs)
        if not tells or (isinstance(model, SupportsLogprobs) and not model.supports_logprobs):
            message = "gives no log-probabilities of each token over a vocabulary"
            hint = f"tinyllava, tinygptv, minigpt4, minigptv2 and hf do (hf: not with a thought first); or {SEQUENCE}"
            raise TrainingError(message, where=where, hint=hint)
        assert isinstance(model, SupportsTokenLogprobs)
        shared = shared_ids(model.vocabulary(), student, where)
        if self.settings.top_k > shared:
            message = f"top_k {self.settings.top_k} contradicts a vocabulary of {shared} tokens"
            raise TrainingError(message, where="distil", hint=f"--set distil.top_k={min(32, shared)}")
        return shared

    @property
    def mark(self) -> Mapping[str, Any]:
        """What its answers depend on, beside the questions."""
        settings = self.settings
        generation = {"max_new_tokens": settings.max_new_tokens, "beams": settings.beams} if settings.asks else {}
        kept = {"top_k": settings.top_k, "vocabulary": self._shared} if settings.scores else {}
        own = {f"teacher.{name}": value for name, value in sorted(self._model.settings.items())}
        fingerprint = {"teacher.name": self._model.name, "teacher.fingerprint": self._model.fingerprint}
        return {"format": FORMAT, "kind": settings.kind, **generation, **kept, **own, **fingerprint}

    @property
    def digest(self) -> str:
        """Of the mark."""
        return hashlib.sha256(repr(sorted(self.mark.items())).encode()).hexdigest()[:32]

    @property
    def multi_turn(self) -> bool:
        """Whether it can be asked a follow-up question."""
        return isinstance(self._model, SupportsMultiTurn) and self._model.supports_multi_turn

    def answer(self, groups: Sequence[Sequence[Request]]) -> Iterator[tuple[Request, Response]]:
        """Answers to requests, grouped by their images."""
        return self._model.answer(groups)

    def score(self, groups: Sequence[Sequence[Request]]) -> Iterator[tuple[Request, TokenLogprobs]]:
        """What it expects at the tokens of each request's only choice."""
        assert isinstance(self._model, SupportsTokenLogprobs)
        return self._model.token_logprobs(groups, self.settings.top_k, self._shared)


@contextmanager
def opened(settings: Distil, student: Vocabulary) -> Iterator[Teacher]:
    """The teacher while it is needed; threads and random numbers are as before afterwards.

    Raises TrainingError where it cannot teach, and what opening a model raises.
    """
    threads = torch.get_num_threads()
    with torch.random.fork_rng():
        try:
            yield Teacher(settings, specs.load_model(specs.parse_model(settings.teacher), {}), student)
        finally:
            torch.set_num_threads(threads)


def shared_ids(teacher: Vocabulary, student: Vocabulary, where: str) -> int:
    """Ids up to the last that both have. A token that only one has must be one that was added to its tokenizer.

    Raises TrainingError where an id means different tokens.
    """
    odd = [
        number
        for number in sorted(teacher.tokens.keys() | student.tokens.keys())
        if teacher.tokens.get(number) != student.tokens.get(number)
        and not (number not in student.tokens and number in teacher.added)
        and not (number not in teacher.tokens and number in student.added)
    ]
    if odd:
        named = "; ".join(
            f"{number} is {_shown(teacher, number)} to the teacher and {_shown(student, number)} to the student"
            for number in odd[:SHOWN]
        )
        message = f"another tokenizer than the student's: {len(odd):,} tokens differ: {named}"
        raise TrainingError(message, where=where, hint=f"{SEQUENCE}; or take its tokenizer: --set tokenizer=FOLDER")
    return 1 + max(teacher.tokens.keys() & student.tokens.keys())


def _shown(vocabulary: Vocabulary, number: int) -> str:
    return repr(vocabulary.tokens[number]) if number in vocabulary.tokens else "no token"
