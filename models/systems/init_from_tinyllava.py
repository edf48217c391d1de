"""A small TinyGPT-V made from the parts of the small TinyLLaVA that ships, as the real one is from published parts.

Its vision tower becomes EVA's: the same layers, query, key and value in one, and a class token. Its language model
keeps its weights; the norms and adapters that TinyGPT-V adds start fresh, the Q-Former and the linear layers too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vlmbench.base.errors import ModelError

from . import minigpt, tinyllava
from .minigpt import MiniGPT

ADAPTED = ".base_layer."
"""In the names of layers that carry adapters."""


def build(
    config: Mapping[str, Any],
    *,
    preprocessor: Mapping[str, Any] | None = None,
    tokenizer: Path,
    seed: int = 0,
    source: Path | None = None,
) -> MiniGPT:
    """A model to train, its tower and language model those of a TinyLLaVA folder with SigLIP and Phi (None: the small
    one that ships).

    Raises ModelError for parts that do not fit, or a tokenizer that is not the folder's.
    """
    source = source or tinyllava.NANO
    for name in ("vocab.json", "merges.txt"):
        if (Path(tokenizer) / name).read_bytes() != (source / name).read_bytes():
            hint = "the language model knows the words of its own tokenizer alone"
            raise ModelError(f"{name} is another one than the parts'", where=str(tokenizer), hint=hint)
    model = minigpt.build(config, preprocessor=preprocessor, tokenizer=tokenizer, seed=seed)
    donor = tinyllava.restore(source).network
    _put(model.network.vision_tower, dict(_eva(donor.vision_tower.state_dict())))
    own = model.network.language_model
    weights = donor.language_model.state_dict()
    _put(own, {name: weights[plain] for name in own.state_dict() if (plain := name.replace(ADAPTED, ".")) in weights})
    return model


def _put(part: nn.Module, state: Mapping[str, Tensor]) -> None:
    expected = part.state_dict()
    for name, tensor in state.items():
        if name not in expected or expected[name].shape != tensor.shape:
            shape = tuple(expected[name].shape) if name in expected else "nothing"
            raise ModelError(f"{name} of shape {tuple(tensor.shape)} meets {shape}", hint="take the parts' own sizes")
    part.load_state_dict({**expected, **state})


def _eva(siglip: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """SigLIP's tensors under EVA's names. The class token starts at zero, and says nothing of its own."""
    places = "_vision_tower.vision_model.embeddings.position_embedding"
    for name, tensor in siglip.items():
        layer, separator, rest = name.partition(".self_attn.")
        if name.startswith(places):
            class_token = torch.zeros(1, 1, tensor.shape[1])
            yield places, torch.cat([class_token, tensor.unsqueeze(0)], dim=1)
            yield places.replace("position", "class"), class_token
        elif not separator:
            if "post_layernorm" not in name and ".head." not in name:
                yield name, tensor
        elif rest.startswith("q_proj."):
            kind = rest.partition(".")[2]
            three = [siglip[f"{layer}.self_attn.{part}_proj.{kind}"] for part in "qkv"]
            yield f"{layer}.self_attn.qkv.{kind}", torch.cat(three)
        elif rest.startswith("out_proj."):
            yield f"{layer}.self_attn.projection.{rest.partition('.')[2]}", tensor
