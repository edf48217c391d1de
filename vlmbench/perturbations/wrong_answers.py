"""Wrong answers in words, drawn for each question: what a typographic attack writes, and what a targeted one aims at.

Of a question with options it is another option's text. Of an open question it is the right answer to another question
of the split, one that opens with the same words where there is one (`What color is ...` gets a color), and one that
the benchmark's own rules score 0.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import orjson

from vlmbench.base.errors import UsageError
from vlmbench.base.registry import TaskChoice
from vlmbench.base.samples import Response, Sample
from vlmbench.base.task import example_answer
from vlmbench.perturbations import option_order

OPENING = 3
"""Words at the beginning by which questions are alike."""
TRIED = 50
"""Answers to questions of one opening that are scored, at most: where none of them scores 0, no rule can tell."""
Fits = Callable[[str], bool]
"""Whether an answer can be used."""


def right_answer(choice: TaskChoice, sample: Sample) -> str:
    """The right answer in the form that the protocol asks for; empty where none is published, or none has words."""
    words = example_answer(choice.task)
    return "" if sample.target is None or words is None else words(sample, choice.protocol)


class WrongAnswers:
    """The wrong answers of a split's questions. Each draw depends on the seed and the question, not on any order."""

    def __init__(self, choice: TaskChoice, every: Sequence[Sample], seed: int) -> None:
        self.choice, self.seed = choice, seed
        self._every = every
        self._named = option_order.naming(every)

    def of(self, sample: Sample, fits: Fits) -> str | None:
        """A wrong answer that fits; None where there is none, or it cannot be told which answers are wrong."""
        if sample.target is None:
            return None
        return next((answer for answer in self._candidates(sample) if answer.strip() and fits(answer)), None)

    def as_asked(self, sample: Sample) -> str | None:
        """A wrong answer in the form that the protocol asks for: the letter of another option, for example."""
        answer = self.of(sample, bool)
        if answer is None or len(sample.choices) < 2:
            return answer
        assert self._named is not None  # else there was no answer
        target = self._named.name(sample.choices.index(answer), sample.choices)
        return right_answer(self.choice, replace(sample, target=target)) or None

    def _candidates(self, sample: Sample) -> Iterator[str]:
        if len(sample.choices) > 1:
            prompt = self.choice.build_request(sample).prompt
            if self._named is not None and not option_order.shows_images(sample, prompt):
                right = sample.choices[self._named.place(sample.target, sample.choices)].casefold().strip()
                yield from self._drawn(sample, {text for text in sample.choices if text.casefold().strip() != right})
            return
        right = right_answer(self.choice, sample).casefold().strip()
        for length in range(OPENING, -1, -1):
            for answer in self._drawn(sample, self._answers.get(_opening(sample, length), set()))[:TRIED]:
                if answer.casefold().strip() != right and self._scores_nothing(sample, answer):
                    yield answer

    def _drawn(self, sample: Sample, answers: set[str]) -> list[str]:
        """Answers in an order drawn for the question."""
        order = sorted(answers)
        random.Random(question_digest(sample, self.seed)).shuffle(order)
        return order

    def _scores_nothing(self, sample: Sample, answer: str) -> bool:
        """Whether the benchmark's rules find the answer wrong. What only a judge can tell is not known to be."""
        return self.choice.task.score(sample, Response(answer), self.choice.protocol).value == 0

    @cached_property
    def _answers(self) -> dict[tuple[str, ...], set[str]]:
        """Right answers by the opening of their questions, in every length of it."""
        found: dict[tuple[str, ...], set[str]] = {}
        for sample in self._every:
            if answer := right_answer(self.choice, sample):
                for length in range(OPENING + 1):
                    found.setdefault(_opening(sample, length), set()).add(answer)
        return found


def refuse_without(choice: TaskChoice, every: Sequence[Sample], label: str, fits: Fits) -> None:
    """Raise UsageError for a task of which no question has a wrong answer that fits, before a model is loaded."""
    wrong = WrongAnswers(choice, every, 0)
    if not any(wrong.of(sample, fits) for sample in every):
        problem = f"{label}: no question of {choice.key} has a wrong answer"
        hint = "leave the task out: this needs options, or answers of a few words that the benchmark's rules can score"
        raise UsageError(problem, hint=hint)


def question_digest(sample: Sample, seed: int) -> bytes:
    """What chance is drawn from: the seed and the question, its options whatever their order."""
    identity: Any = [seed, sample.cluster, sample.question, sorted(sample.choices)]
    return hashlib.sha256(orjson.dumps(identity)).digest()


def _opening(sample: Sample, length: int) -> tuple[str, ...]:
    return tuple(sample.question.casefold().split()[:length])
