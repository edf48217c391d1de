"""What the engine needs of a system: an network, its tokenizer, its template and its image preparation.

TinyLLaVA, TinyGPT-V, MiniGPT-4 and MiniGPT-v2 each are a `System`; the engine knows none of them by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor, nn

IMAGE_TOKEN = -200
"""Stands in token ids where an image's features go (LLaVA's IMAGE_TOKEN_INDEX)."""
IGNORE = -100
"""The label of a position where nothing is trained on (LLaVA's IGNORE_INDEX)."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A question of a dialogue with its images, and the answer to it."""

    question: str
    answer: str | None = None
    """None: to be generated."""
    images: int = 0
    places: tuple[int, ...] = ()
    """Where the images stand: offsets into the question, one per image, ascending. Empty: all images come first."""

    @property
    def first(self) -> int:
        """How many images come before all words, in the template's own form."""
        return self.places.count(0) if self.places else self.images

    def pieces(self) -> list[str]:
        """The words between the images that stand inside the question, one piece more than there are such images."""
        cuts = [0, *self.places[self.first :], len(self.question)]
        return [self.question[start:end] for start, end in pairwise(cuts)]


class Network(Protocol):
    """Vision tower, connector and language model as one torch module."""

    language_model: Any
    """A transformers causal language model: takes inputs_embeds, position_ids, a 4-D mask and a DynamicCache."""

    def image_features(self, pixels: Tensor) -> Tensor:
        """(images, 3, height, width) to (images, visual tokens, width of the language model)."""

    def embed(self, ids: Tensor, features: Sequence[Tensor]) -> Tensor:
        """(tokens,) ids on the host to (tokens', d) embeddings, each IMAGE_TOKEN replaced by the next of the features,
        (visual tokens, d) each. Raises ModelError where there are more or fewer of one than of the other.
        """


class System(Protocol):
    """A network with everything around it that decides its answers."""

    @property
    def network(self) -> Network:
        """The assembled modules."""

    @property
    def max_images(self) -> int | None:
        """Most images in one prompt; None: any number."""

    @property
    def supports_system_prompt(self) -> bool:
        """Whether the template has a system text, which another can replace."""

    def encode(self, turns: Sequence[Turn], *, answer: str = "", system: str = "") -> list[int]:
        """The whole templated prompt of a dialogue as ids, IMAGE_TOKEN where each image goes. The last turn is open.

        With `answer` (ranking of choices) the text continues with it as in training, without the end token; prompt and
        answer are tokenised as one text, never apart. `system` replaces the template's own system text; raises
        ModelError where it has none.
        """

    def pixels(self, image: Image) -> Tensor:
        """An RGB image to (3, height, width) float32: resized and normalised as the official code does."""

    def decode(self, ids: Sequence[int]) -> str:
        """New tokens to the answer text, cleaned up as the official code does."""

    @property
    def end_ids(self) -> frozenset[int]:
        """Tokens that end an answer."""

    @property
    def stop(self) -> tuple[str, ...]:
        """Texts that end an answer, beside the task's own."""

    @property
    def module(self) -> nn.Module:
        """The network, for moving between devices and dtypes."""
