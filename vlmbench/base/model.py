"""What a model adapter must have, and what it may have besides."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from vlmbench.base.samples import Request, Response

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]


class Model(Protocol):
    """Something that answers requests about images."""

    name: str

    @property
    def fingerprint(self) -> str:
        """Content hash of weights, tokenizer and preprocessing: another one means other answers."""

    @property
    def settings(self) -> Mapping[str, str | int | float | bool]:
        """What else decides the answers (engine, dtype, quantisation): part of every answer's key."""

    @property
    def facts(self) -> Mapping[str, str | int | float]:
        """What the tables show: parameters, visual tokens, device, ..."""

    def answer(self, groups: Iterable[Sequence[Request]]) -> Iterator[tuple[Request, Response]]:
        """Answer groups of requests that share their images, in any order, as they finish.

        A failing request yields a Response with `finish="error"`; only a broken model raises.
        """


@runtime_checkable
class SupportsLogprobs(Protocol):
    """What a model has besides when it can give log-probabilities of a request's choices.

    A model without it, or with False, is refused before a run whose protocol ranks.
    """

    @property
    def supports_logprobs(self) -> bool:
        """Whether responses to requests with choices carry a ChoiceScore for each."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The tokens of a tokenizer."""

    tokens: Mapping[int, str]
    """By id, as the tokenizer writes them."""
    added: frozenset[int] = frozenset()
    """Ids of tokens that were added to it: the end, padding, images."""


@dataclass(frozen=True, slots=True)
class TokenLogprobs:
    """What a model expected at each token of a given answer, the end token included; or why that is not known."""

    tokens: tuple[int, ...] = ()
    """The answer's tokens and the end token."""
    ids: NDArray[np.int32] | None = None
    """(tokens, top) the likeliest ids in the place of each, likeliest first."""
    logprobs: NDArray[np.float32] | None = None
    """(tokens, top) their log-probabilities, natural log."""
    rest: NDArray[np.float32] | None = None
    """(tokens,) log of the probability of all other tokens together; -inf where there are none."""
    error: str = ""


@runtime_checkable
class SupportsTokenLogprobs(Protocol):
    """What a model has besides when it can be a teacher of logit distillation."""

    def vocabulary(self) -> Vocabulary:
        """The tokens that its log-probabilities are of."""

    def token_logprobs(
        self, groups: Iterable[Sequence[Request]], top: int, vocabulary: int = 0
    ) -> Iterator[tuple[Request, TokenLogprobs]]:
        """The `top` likeliest tokens at each token of an answer: each request's only choice.

        Groups of requests that share their images, in any order. Ids from `vocabulary` on belong to the rest; 0: none
        do. A failing request yields an `error`.
        """


@runtime_checkable
class SupportsMultiTurn(Protocol):
    """What a model has besides when it can answer a follow-up question (a request with `history`).

    A model without it, or with False, is refused before it is asked such a request.
    """

    @property
    def supports_multi_turn(self) -> bool:
        """Whether earlier turns of a dialogue are part of the prompt."""


@runtime_checkable
class SupportsImages(Protocol):
    """What a model has besides when it says how many images a question may have.

    A model without it may be asked about any number. Requests with more are refused before a run.
    """

    @property
    def max_images(self) -> int | None:
        """The most images of one request, those of its examples included; None: any number."""


@runtime_checkable
class IgnoresGeneration(Protocol):
    """What a model has besides when it cannot be told everything about how to generate an answer.

    A model without it follows a request's generation settings. A variant that sets one that is ignored is refused
    before a run: its row would say what was not done.
    """

    @property
    def ignored_generation(self) -> Collection[str]:
        """Of `temperature`, `top_p`, `max_new_tokens` and `thinking`, those that do not change its answers."""


@runtime_checkable
class SupportsSystemPrompt(Protocol):
    """What a model has besides when it has a place for a system prompt (a request with `system`).

    A model without it, or with False, is refused before it is asked such a request.
    """

    @property
    def supports_system_prompt(self) -> bool:
        """Whether a request's system prompt is part of the prompt."""


@runtime_checkable
class ReadsImageWords(Protocol):
    """What a model has besides when it reads some words as images: a system prompt with one is refused before a run."""

    @property
    def image_words(self) -> tuple[str, ...]:
        """The words, such as `<image>`."""


@runtime_checkable
class GivesImageGradients(Protocol):
    """What a model has besides when it can say how its loss depends on the pixels that it is shown.

    Only an attack on its images calls it (`--perturb pgd`), before the question is asked: the answer that is named here
    is the attack's, and never part of a request.
    """

    @property
    def image_gradients(self) -> str:
        """Why it gives none as it is loaded (rounded weights); empty where it gives them."""

    def image_loss(self, request: Request, answer: str, images: Sequence[Floats]) -> tuple[float, Sequence[Floats]]:
        """Mean cross-entropy of an answer's tokens behind the request's prompt, and its gradient by each image.

        `images` stand in the place of the request's own, in their order: (height, width, 3) float32 in 0..255, as the
        gradients are. Raises ModelError for a request that the model cannot be asked, or an answer without tokens.
        """


class PartClock(Protocol):
    """Times the calls of a model's parts."""

    def read(self) -> Mapping[str, float]:
        """Seconds by part (`vision_tower`, `connector`, `language_model`) since the last time."""


@runtime_checkable
class SupportsPartTimes(Protocol):
    """What a model has besides when it can tell how long each of its parts computes."""

    def part_times(self) -> AbstractContextManager[PartClock]:
        """While it lasts, the parts' calls are timed."""
