"""Names and layouts of MiniGPT-4, MiniGPT-v2 and TinyGPT-V: the official state dict to ours, and back.

Sources: MiniGPT-4 minigpt4/models/{eva_vit,Qformer,minigpt4,minigpt_v2}.py@d94738a, TinyGPT-V, the same files and
modeling_phi.py@83f6189; names of adapters as of peft 0.2.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

from vlmbench.base.errors import ModelError

from ...parts import reshaping
from ...parts.reshaping import State, resized_positions
from ..key_mapping import KeyMapping

__all__ = ["checkpoint_keys", "official_to_ours", "ours_to_official", "resized_positions"]

PRESERVED = "official."
"""In our folders, before what an official file holds and our network does not: given back when it is written again."""

BUFFER = re.compile(
    r"llama_model\.(?:base_model\.model\.)?model\.layers\.\d+\.self_attn\.rotary_emb\.inv_freq"
    r"|Qformer\.bert\.embeddings\.position_ids"
)
"""Saved with every official checkpoint although they follow from the config."""

_LEARNT = r"llama_proj2?\.(?:weight|bias)|llama_model\..+\.lora_[AB]\.weight"
_LEARNT_TINYGPTV = (
    _LEARNT + r"|llama_model\..+\.layers\.\d+\.(?:self_attn\.[qk]|input|post)_layernorm\.weight"
    r"|llama_model\..+\.final_layernorm\.weight"
)
"""TinyGPT-V trains the weights of the language model's norms besides, never their biases."""

TOWER, CONNECTOR = "vision_tower._vision_tower.vision_model.", "connector._connector."
SHOWN = 6

_EVA = (
    ("visual_encoder.cls_token", f"{TOWER}embeddings.class_embedding"),
    ("visual_encoder.pos_embed", f"{TOWER}embeddings.position_embedding"),
    ("visual_encoder.patch_embed.proj.{leaf}", f"{TOWER}embeddings.patch_embedding.{{leaf}}"),
    ("visual_encoder.blocks.{n}.norm1.{leaf}", f"{TOWER}encoder.layers.{{n}}.layer_norm1.{{leaf}}"),
    ("visual_encoder.blocks.{n}.norm2.{leaf}", f"{TOWER}encoder.layers.{{n}}.layer_norm2.{{leaf}}"),
    ("visual_encoder.blocks.{n}.attn.qkv.{leaf}", f"{TOWER}encoder.layers.{{n}}.self_attn.qkv.{{leaf}}"),
    ("visual_encoder.blocks.{n}.attn.proj.{leaf}", f"{TOWER}encoder.layers.{{n}}.self_attn.projection.{{leaf}}"),
    ("visual_encoder.blocks.{n}.mlp.{rest}", f"{TOWER}encoder.layers.{{n}}.mlp.{{rest}}"),
    ("ln_vision.{leaf}", f"{TOWER}post_layernorm.{{leaf}}"),
)
_LAYER = f"{CONNECTOR}bert.encoder.layer.{{n}}."
_QFORMER = (
    ("query_tokens", f"{CONNECTOR}query_tokens"),
    ("Qformer.bert.embeddings.LayerNorm.{leaf}", f"{CONNECTOR}bert.layernorm.{{leaf}}"),
    (
        "Qformer.bert.encoder.layer.{n}.{attention}.self.{part}.{leaf}",
        f"{_LAYER}{{attention}}.attention.{{part}}.{{leaf}}",
    ),
    ("Qformer.bert.encoder.layer.{n}.{attention}.output.{rest}", f"{_LAYER}{{attention}}.output.{{rest}}"),
    ("Qformer.bert.encoder.layer.{n}.intermediate_query.{rest}", f"{_LAYER}intermediate_query.{{rest}}"),
    ("Qformer.bert.encoder.layer.{n}.output_query.{rest}", f"{_LAYER}output_query.{{rest}}"),
)
_ONE_LINEAR = (("llama_proj.{leaf}", f"{CONNECTOR}projector.{{leaf}}"),)
_CONNECTORS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "merge4_linear": _ONE_LINEAR,
    "qformer_linear": (*_QFORMER, *_ONE_LINEAR),
    "qformer_two_linear": (
        *_QFORMER,
        ("llama_proj.{leaf}", f"{CONNECTOR}projector.0.{{leaf}}"),
        ("llama_proj2.{leaf}", f"{CONNECTOR}projector.1.{{leaf}}"),
    ),
}


def prefix(config: Mapping[str, Any]) -> str:
    """Return the prefix of the language model's names: peft wraps it where there are adapters."""
    return "llama_model.base_model.model." if config.get("lora") else "llama_model."


def key_mapping(config: Mapping[str, Any]) -> KeyMapping:
    """The table of a model's names, once fused tensors are split. Raises ModelError for another system's config."""
    connector = config.get("connector_type")
    if connector is not None and connector not in _CONNECTORS:
        raise ModelError(f"no official checkpoint has the connector {connector!r}")
    joins = _CONNECTORS.get(str(connector), ())
    before, adapters = prefix(config), config.get("lora") or {}
    language = []
    for target in adapters.get("targets", ()):
        theirs, ours = f"{before}{{path}}.{target}.", f"language_model.{{path}}.{target}."
        language += [(f"{theirs}lora_{side}.weight", f"{ours}lora_{side}.default.weight") for side in "AB"]
        language.append((f"{theirs}{{leaf}}", f"{ours}base_layer.{{leaf}}"))
    if adapters and config["model_type"] == "minigptv2":  # its preparation for 8 bits wraps the head
        language.append((f"{before}lm_head.0.{{leaf}}", "language_model.lm_head.{leaf}"))
    if fused(config):
        ours = "language_model.model.layers.{n}.self_attn.post_layernorm.{leaf}"
        language.append((f"{before}model.layers.{{n}}.post_layernorm.{{leaf}}", ours))
    return KeyMapping([*_EVA, *joins, *language, (f"{before}{{rest}}", "language_model.{rest}")])


def fused(config: Mapping[str, Any]) -> bool:
    """Whether the official language model has queries, keys and values in one projection (TinyGPT-V's Phi)."""
    return bool(config["model_type"] == "tinygptv")


def official_to_ours(state: Mapping[str, Tensor], config: Mapping[str, Any]) -> State:
    """An official state dict, all or part of it, in our names and layout; buffers are kept under `official.`.

    `config`: our config.json of it. Raises ModelError listing names that no official checkpoint of this system has.
    """
    table = key_mapping(config)
    preserved = {f"{PRESERVED}{name}": tensor for name, tensor in state.items() if BUFFER.fullmatch(name)}
    split = reshaping.join_biases({name: tensor for name, tensor in state.items() if not BUFFER.fullmatch(name)})
    if fused(config):
        split = reshaping.split_fused(split, int(config["text_config"]["num_attention_heads"]))
    _refuse([name for name in split if table.ours(name) is None], "of no known meaning")
    return {**{str(table.ours(name)): tensor for name, tensor in split.items()}, **preserved}


def ours_to_official(state: Mapping[str, Tensor], config: Mapping[str, Any]) -> State:
    """Our state dict in official names and layout: the inverse of `official_to_ours`.

    Works on whatever has the tensors' shapes (gradients too); of biases EVA does not have, those of the keys, nothing
    is kept. Raises ModelError listing names that have no official one.
    """
    table, official = key_mapping(config), {}
    buffers = {name.removeprefix(PRESERVED): tensor for name, tensor in state.items() if name.startswith(PRESERVED)}
    own = {name: tensor for name, tensor in state.items() if not name.startswith(PRESERVED)}
    _refuse([name for name in own if table.theirs(name) is None], "without an official name")
    for name, tensor in own.items():
        official[str(table.theirs(name))] = tensor
    if fused(config):
        official = reshaping.fuse(official, int(config["text_config"]["num_attention_heads"]))
    parted = reshaping.part_biases(official)
    return {**parted, **{name: tensor for name, tensor in buffers.items() if BUFFER.fullmatch(name)}}


def checkpoint_keys(state: Mapping[str, Tensor], config: Mapping[str, Any]) -> list[str]:
    """Official names of what the official training saves of a model, in the order of `state` (ours, whole): what it
    trains, and every buffer.
    """
    learnt = re.compile(_LEARNT_TINYGPTV if fused(config) else _LEARNT)
    return [name for name in ours_to_official(state, config) if learnt.fullmatch(name) or BUFFER.fullmatch(name)]


def some(names: Iterable[str]) -> str:
    """The first of a list of names, and how many more there are."""
    names = list(names)
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def _refuse(names: list[str], problem: str) -> None:
    if names:
        raise ModelError(f"{len(names)} tensors {problem}: {some(names)}", hint="take the checkpoint of this system")
