"""Our config.json of an official checkpoint of the MiniGPT family: sizes from its tensors, the rest as published.

What tensors cannot tell is fixed in the official code: widths of heads, eps, activations, what adapters depend on
(MiniGPT-4 minigpt4/models/{eva_vit,minigpt4,minigpt_v2}.py@d94738a; TinyGPT-V, the same@83f6189).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from vlmbench.base.errors import ModelError

from ..checkpoint import SourceFiles
from .source_files import BLOCKS

EVA_WIDTH, BERT_WIDTH, BERT_LAYERS = 1408, 768, 12
"""Of the published towers and Q-Formers: one with these widths and fewer layers is incomplete."""
EVA_HEAD, BERT_HEAD = 88, 64
"""Widths of a head in EVA-CLIP-g and in BERT."""
FUSED = ("q_proj", "k_proj", "v_proj")
LORA_ALPHA, LORA_DROPOUT = 16, 0.05
_LORA_A = re.compile(r"llama_model\..+\.lora_A\.weight")
_PLACE = re.compile(r"(?:visual_encoder\.blocks|Qformer\.bert\.encoder\.layer)\.(\d+)\..+")
_CROSS = re.compile(r"Qformer\.bert\.encoder\.layer\.(\d+)\.crossattention\..+")


@dataclass(frozen=True, slots=True)
class Published:
    """What is known of a published system beside its tensors."""

    title: str
    family: str
    """model_type of its language model."""
    image_sizes: Mapping[str, int]
    """By prompt format; the first is the usual one."""
    archs: Mapping[str, str]
    """`arch` in the training's own config, to the prompt format."""


SYSTEMS: Mapping[str, Published] = {
    "minigpt4": Published("MiniGPT-4", "llama", {"vicuna0": 224, "llama2": 224}, {}),
    "minigptv2": Published("MiniGPT-v2", "llama", {"minigptv2": 448}, {}),
    "tinygptv": Published(
        "TinyGPT-V",
        "phi",
        {"tinygptv": 448, "vicuna0": 224},
        {"minigpt4": "vicuna0", "minigpt_v2": "tinygptv"},
    ),
}
"""TinyGPT-V's stages 1 to 3 see 224 pixels and answer as Vicuna does; stage 4 sees 448, in a format of its own."""


def system_of(names: Iterable[str]) -> str:
    """Which system has these tensors: two projections are TinyGPT-V's, adapters alone are MiniGPT-v2's."""
    names = set(names)
    if "llama_proj2.weight" in names:
        return "tinygptv"
    return "minigptv2" if any(_LORA_A.fullmatch(name) for name in names) else "minigpt4"


def uses_qformer(checkpoint: Mapping[str, Tensor], system: str, vision: Mapping[str, Tensor]) -> bool:
    """Whether there is a Q-Former: TinyGPT-V has one, and MiniGPT-4 unless it projects four patches at once."""
    if system != "minigpt4":
        return system == "tinygptv"
    return bool(checkpoint["llama_proj.weight"].shape[1] != 4 * vision["visual_encoder.cls_token"].shape[-1])


def prompt_format_of(
    system: str, has_qformer: bool, training_config: Mapping[str, Any], options: SourceFiles
) -> tuple[str, int]:
    """Choose the prompt format for answering and the image size.

    What the user says goes first, then what the training's config says (`arch`, `image_size`), then what is usual.
    Either decides for TinyGPT-V: 224 pixels are stages 1 to 3, which answer in `vicuna0`.
    """
    known = SYSTEMS[system]
    own = next(iter(known.image_sizes)) if has_qformer or system != "minigpt4" else "llama2"
    by_size = {size: name for name, size in known.image_sizes.items()} if system == "tinygptv" else {}
    trained = known.archs.get(str(training_config.get("arch")), own)
    prompt_format = options.template or by_size.get(options.image_size) or trained
    size = options.image_size or (
        0 if options.template and options.template != trained else int(training_config.get("image_size") or 0)
    )
    return prompt_format, size or known.image_sizes.get(prompt_format) or next(iter(known.image_sizes.values()))


def config_of(
    state: Mapping[str, Tensor],
    language: Mapping[str, Any],
    training_config: Mapping[str, Any],
    system: str,
    options: SourceFiles,
) -> dict[str, Any]:
    """Our config.json. `state`: all but the language model in official names; `language`: the language model's config;
    `training_config`: `model` of the training's own config, {} where there is none.

    Raises ModelError for sizes that no such model has, and a language model of another family.
    """
    known = SYSTEMS[system]
    if language.get("model_type") != known.family:
        message = (
            f"a language model of type {language.get('model_type')!r}; {known.title} has one of type {known.family!r}"
        )
        raise ModelError(message, where=str(options.llm), hint="give the one it was trained with: llm=FOLDER")
    has_qformer = uses_qformer(state, system, state)
    prompt_format, size = prompt_format_of(system, has_qformer, training_config, options)
    tiny = system == "tinygptv"
    config: dict[str, Any] = {
        "model_type": system,
        "template": prompt_format,
        "text_config": {**language, **({"qk_layernorm": True} if tiny else {})},
        "vision_config": _vision(state, size),
        "vision_feature_select_strategy": "cls_patch" if has_qformer else "patch",
        "connector_type": ("qformer_two_linear" if tiny else "qformer_linear") if has_qformer else "merge4_linear",
    }
    if tiny:
        config |= {"attention_branch_norm": True, "half_rotary_tables": True}
    if has_qformer:
        config |= {"num_queries": state["query_tokens"].shape[1], "qformer_config": _qformer(state)}
    ranks = {int(tensor.shape[0]) for name, tensor in state.items() if _LORA_A.fullmatch(name)}
    if len(ranks) > 1:
        raise ModelError(f"adapters of several ranks: {sorted(ranks)}")
    if ranks:
        config["lora"] = {
            "rank": ranks.pop(),
            "alpha": int(training_config.get("lora_alpha") or LORA_ALPHA),
            "dropout": LORA_DROPOUT,
            "targets": [*FUSED, "dense"] if tiny else ["q_proj", "v_proj"],
            "shared_input": [*FUSED] if tiny else [],
        }
    return config


def _vision(state: Mapping[str, Tensor], image_size: int) -> dict[str, Any]:
    width, patch = int(state["visual_encoder.cls_token"].shape[-1]), state["visual_encoder.patch_embed.proj.weight"]
    return {
        "model_type": "blip_2_vision_model",
        "hidden_size": width,
        "num_hidden_layers": BLOCKS if width == EVA_WIDTH else _count(state, "visual_encoder.blocks."),
        "num_attention_heads": _heads(width, EVA_HEAD, "the vision tower"),
        "intermediate_size": int(state["visual_encoder.blocks.0.mlp.fc1.weight"].shape[0]),
        "patch_size": int(patch.shape[-1]),
        "image_size": image_size,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-6,
        "qkv_bias": True,
    }


def _qformer(state: Mapping[str, Tensor]) -> dict[str, Any]:
    width = int(state["query_tokens"].shape[-1])
    crossed = sorted({int(match[1]) for name in state if (match := _CROSS.fullmatch(name))})
    return {
        "hidden_size": width,
        "num_hidden_layers": BERT_LAYERS if width == BERT_WIDTH else _count(state, "Qformer.bert.encoder.layer."),
        "num_attention_heads": _heads(width, BERT_HEAD, "the Q-Former"),
        "intermediate_size": int(state["Qformer.bert.encoder.layer.0.intermediate_query.dense.weight"].shape[0]),
        "cross_attention_frequency": crossed[1] - crossed[0] if len(crossed) > 1 else 2,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
    }


def _count(state: Mapping[str, Tensor], prefix: str) -> int:
    """Count layers: one more than the highest number."""
    return 1 + max(int(match[1]) for name in state if name.startswith(prefix) and (match := _PLACE.fullmatch(name)))


def _heads(width: int, head_width: int, part: str) -> int:
    if width % head_width:
        raise ModelError(
            f"{part} is {width} wide, no multiple of its heads' {head_width}", hint="is it another model's file?"
        )
    return width // head_width
