"""What the engine needs of a system: an network, its tokenizer, its template and its image preparation.

TinyLLaVA, TinyGPT-V, MiniGPT-4 and MiniGPT-v2 each are a `System`; the engine knows none of them by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor, nn

IMAGE_TOKEN = -200
"""Stands in token ids where an image's features go (LLaVA's IMAGE_TOKEN_INDEX)."""
IGNORE = -100
"""The label of a position where nothing is trained on (LLaVA's IGNORE_INDEX)."""


class Network(Protocol):
    """Vision tower, connector and language model as one torch module."""

    language_model: Any
    """A transformers causal language model: takes inputs_embeds, position_ids, a 4-D mask and a DynamicCache."""

    def image_features(self, pixels: Tensor) -> Tensor:
        """(images, 3, height, width) to (images, visual tokens, width of the language model)."""

    def embed(self, ids: Tensor, features: Tensor | None) -> Tensor:
        """(tokens,) ids with at most one IMAGE_TOKEN and (visual tokens, d) features to (tokens', d) embeddings."""


class System(Protocol):
    """A network with everything around it that decides its answers."""

    @property
    def network(self) -> Network:
        """The assembled modules."""

    def encode(
        self, prompt: str, *, image: bool, answer: str = "", history: Sequence[tuple[str, str]] = ()
    ) -> list[int]:
        """The whole templated prompt of one question as ids, IMAGE_TOKEN where the image goes (if there is one).

        With `answer` (ranking of choices) the text continues with it as in training, without the end token; prompt and
        answer are tokenised as one text, never apart. `history`: earlier (question, answer) turns of the dialogue; the
        image then belongs to the first of their questions.
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
