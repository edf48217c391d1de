"""A toy system: tiny random SigLIP, connector and language model, one token a character. Its answers vary widely."""

from __future__ import annotations

import functools
import io
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM, PhiConfig, PhiForCausalLM, SiglipVisionConfig, SiglipVisionModel

from vlmbench.base.samples import ImageRef
from vlmbench.models.parts import host
from vlmbench.models.parts.protocols import IMAGE_TOKEN, Turn

BOS = 0
END = frozenset({1, 2})
LETTERS = "".join(map(chr, range(32, 127)))
FIRST = 3
"""The id of the first letter."""
VOCABULARY = FIRST + len(LETTERS)
SIDE = 28


class ToyNetwork(nn.Module):
    """SigLIP tapped one layer early, one linear connector, a language model."""

    def __init__(self, language_model: nn.Module, width: int, side: int = SIDE) -> None:
        super().__init__()
        vision = SiglipVisionConfig(
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=side,
            patch_size=7,
        )
        self.vision = SiglipVisionModel(vision)
        self.connector = nn.Linear(32, width)
        self.language_model: Any = language_model

    def image_features(self, pixels: Tensor) -> Tensor:
        states = self.vision(pixel_values=pixels, output_hidden_states=True).hidden_states
        features: Tensor = self.connector(states[-2])
        return features

    def embed(self, ids: Tensor, features: Sequence[Tensor]) -> Tensor:
        table, rest = self.language_model.get_input_embeddings(), list(features)
        words, parts, start = table(host.send(ids.clamp(min=0), table.weight.device)), [], 0
        for place, token in enumerate(ids.tolist()):
            if token == IMAGE_TOKEN:
                parts += [words[start:place], rest.pop(0)]
                start = place + 1
        assert len(rest) in (0, len(features))
        return torch.cat([*parts, words[start:]])


class ToySystem:
    """`layout` places the picture ({image}) and the question ({prompt}) in the template."""

    def __init__(self, network: ToyNetwork, layout: str = "Sees: {image} USER: {prompt} ASSISTANT:") -> None:
        self.network, self.layout = network, layout
        self.end_ids = END
        self.stop: tuple[str, ...] = ()
        self.max_images: int | None = None
        self.supports_system_prompt = True
        self.encoded = 0

    @property
    def module(self) -> nn.Module:
        return self.network

    def encode(self, turns: Sequence[Turn], *, answer: str = "", system: str = "") -> list[int]:
        """The first turn's first images stand in the layout's place, those of others before the words."""
        self.encoded += 1
        asked = ["\0".join(turn.pieces()) for turn in turns]
        asked[1:] = ["\0" * turn.first + words for turn, words in zip(turns[1:], asked[1:], strict=True)]
        pairs = zip(asked, turns[:-1], strict=False)
        said = "".join(f"{words} ASSISTANT:{turn.answer} USER: " for words, turn in pairs)
        text = system + self.layout.format(image="\0" * turns[0].first, prompt=said + asked[-1]) + answer
        return [BOS, *(IMAGE_TOKEN if letter == "\0" else letter_id(letter) for letter in text)]

    def pixels(self, image: Image.Image) -> Tensor:
        small = image.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        return torch.from_numpy(np.asarray(small, dtype=np.float32).copy()).permute(2, 0, 1) / 127.5 - 1.0

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(LETTERS[token - FIRST] for token in ids if token >= FIRST)


def letter_id(letter: str) -> int:
    """Its token."""
    return FIRST + LETTERS.index(letter)


@functools.cache
def network(kind: str, attention: str = "sdpa") -> ToyNetwork:
    """A `phi` or `llama` (grouped-query) network with fixed random weights, spread so that answers vary."""
    torch.manual_seed(7)
    common: dict[str, Any] = {
        "vocab_size": VOCABULARY,
        "hidden_size": 48,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 512,
        "bos_token_id": BOS,
        "eos_token_id": 1,
        "pad_token_id": 1,
        "attn_implementation": attention,
        "tie_word_embeddings": False,
    }
    language = (
        PhiForCausalLM(PhiConfig(**common, partial_rotary_factor=0.5))
        if kind == "phi"
        else LlamaForCausalLM(LlamaConfig(**common, num_key_value_heads=2))
    )
    made = ToyNetwork(language, 48).eval()
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if weight.ndim >= 2:
                weight.normal_(0.0, 1.0 if "embed" in name else 1.6 / weight.shape[-1] ** 0.5)
        language.lm_head.weight.normal_(0.0, 0.5)
        language.lm_head.weight[1] *= 1.5  # ends some answers early
        made.connector.weight *= 2.0
    return made


def toy(
    kind: str = "phi", layout: str = "Sees: {image} USER: {prompt} ASSISTANT:", attention: str = "sdpa"
) -> ToySystem:
    """A fresh system over the cached network."""
    return ToySystem(network(kind, attention), layout)


def noise(seed: int) -> ImageRef:
    """A random picture, as PNG."""
    values = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    image = Image.fromarray(values).resize((32, 24), Image.Resampling.NEAREST)
    out = io.BytesIO()
    image.save(out, "PNG")
    return ImageRef(f"noise-{seed}.png", partial(bytes, out.getvalue()))
