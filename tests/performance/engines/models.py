"""Two things to time: the model that ships, and one of 240M random parameters with TinyLLaVA-3.1B's proportions."""

from __future__ import annotations

import hashlib
import io
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from vlmbench.base.samples import Generation, ImageRef, Request
from vlmbench.models.engine.margin_scale import test_image
from vlmbench.models.network.network import Blueprint, VisionLanguageModel
from vlmbench.models.parts.protocols import IMAGE_TOKEN, System, Turn
from vlmbench.models.parts.vision.preprocess import Preparation, Processor, default_processor

VOCABULARY = 24_000
VISION = {
    "model_type": "siglip_vision_model",
    "hidden_size": 512,
    "intermediate_size": 2048,
    "num_hidden_layers": 12,
    "num_attention_heads": 8,
    "image_size": 384,
    "patch_size": 14,
}
TEXT = {
    "model_type": "phi",
    "vocab_size": VOCABULARY,
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 12,
    "num_attention_heads": 16,
    "max_position_embeddings": 2048,
    "partial_rotary_factor": 0.5,
    "tie_word_embeddings": False,
}
OBJECTS = [
    f"{colour} {shape}"
    for shape, colour in itertools.product(
        ["circle", "square", "triangle", "star", "cross", "ring"],
        ["red", "green", "blue", "yellow", "white", "black", "orange"],
    )
]


class Random240M:
    """SigLIP (729 tokens), a two-layer connector and Phi with random weights; one token per word.

    An answer's end is simulated as in the study the targets come from: 45 % of the vocabulary ends it.
    """

    def __init__(self) -> None:
        torch.manual_seed(1)
        self._network = VisionLanguageModel(
            Blueprint(text=TEXT, vision=VISION, connector="mlp2x_gelu", selection="cls_patch")
        )
        self._network.language_model.set_attn_implementation("sdpa")
        with torch.no_grad():
            for name, weight in self._network.language_model.named_parameters():
                if weight.ndim == 2:  # spread, so that answers vary
                    attends = any(part in name for part in ("q_proj", "k_proj", "v_proj", "dense"))
                    scale = (3.0 if attends else 1.6) / weight.shape[1] ** 0.5
                    weight.normal_(0.0, 1.0 if "embed" in name else scale)
        self.prepare = Preparation(Processor.from_config(default_processor(VISION)), "square")
        self.end_ids = frozenset(range(int(VOCABULARY * 0.45)))
        self.stop: tuple[str, ...] = ()

    @property
    def network(self) -> Any:
        """The assembled modules."""
        return self._network

    @property
    def module(self) -> nn.Module:
        """The network."""
        return self._network

    max_images = None
    supports_system_prompt = False

    def encode(self, turns: Sequence[Turn], *, answer: str = "", system: str = "") -> list[int]:
        """35 tokens before the picture, and 28 or so after it."""
        said = " ".join(f"{turn.question} {turn.answer or answer}" for turn in turns)
        words = [f"system {n}" for n in range(35)], said.split(), [f"assistant {n}" for n in range(5)]
        before, after, last = ([hashed(word) for word in part] for part in words)
        return [*before, *[IMAGE_TOKEN] * turns[0].images, *after, *last]

    def pixels(self, image: Image.Image) -> Tensor:
        """(3, 384, 384)."""
        return self.prepare(image)

    def decode(self, ids: Sequence[int]) -> str:
        """The ids as numbers."""
        return " ".join(map(str, ids))


def hashed(word: str) -> int:
    """A word's token."""
    return int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big") % VOCABULARY


@dataclass(frozen=True)
class Subject:
    """A model to time."""

    name: str
    system: System
    pictures: int
    """Pictures a measurement."""
    simple_questions: int
    """At most so many questions per image are timed one by one: each costs the same."""
    tail: str = ""
    """Words after each question."""

    def groups(self, questions: int, limit: int = 0) -> list[list[Request]]:
        """POPE's questions about drawn pictures; `limit` keeps the first few of each picture."""
        return [
            [
                Request(
                    f"{number}-{thing}",
                    f"Is there a {thing} in the image?{self.tail}",
                    (ImageRef(f"{number}.png", partial(drawn, number)),),
                    generation=Generation(max_new_tokens=8),
                )
                for thing in OBJECTS[: limit or questions]
            ]
            for number in range(self.pictures)
        ]


def subject(name: str) -> Subject:
    """`shipped` or `random240m`. Raises ModelError where no trained model ships."""
    if name == "random240m":
        tail = " Please look at all of it, near and far, and answer the question using a single word or phrase."
        return Subject("random 240M (SigLIP, 729 tokens, Phi)", Random240M(), 1, 2, tail)
    from vlmbench.models.systems.tinyllava import load

    return Subject("the shipped tinyllava", load(None).system, 8, 32)


def drawn(number: int) -> bytes:
    """A drawn picture, encoded."""
    out = io.BytesIO()
    test_image(number).resize((640, 480)).save(out, "JPEG", quality=90)
    return out.getvalue()
