"""Language models, built from a config alone: no hub is asked, whatever name the config carries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vlmbench.base.errors import ModelError


@dataclass(frozen=True, slots=True)
class Family:
    """What the official code does around one family of language models."""

    template: str
    """The prompt template its published checkpoints were trained with."""
    pads_with_unk: bool = True
    """Whether the padding token is replaced by the unknown one after loading."""


FAMILIES: Mapping[str, Family] = {
    "phi": Family("phi"),
    "llama": Family("llama"),
    "stablelm": Family("phi", pads_with_unk=False),
    "gemma": Family("gemma"),
    "qwen2": Family("qwen2_base", pads_with_unk=False),
}
"""By text_config's model_type. Source: TinyLLaVA_Factory tinyllava/model/llm/*.py@53f12c7. All of them have a plain
linear head over the last hidden state, which loss() relies on."""

FASTER: Mapping[str, str] = {"gelu_new": "gelu_pytorch_tanh"}
"""Phi's own activation, written out in eight passes over memory, to the same function as one kernel of torch."""


def find(kind: object) -> Family:
    """The family of a model_type. Raises ModelError, naming what there is."""
    if not isinstance(kind, str) or kind not in FAMILIES:
        raise ModelError(f"no language model {kind!r}", hint=f"there are: {', '.join(FAMILIES)}")
    return FAMILIES[kind]


def language_model(config: Mapping[str, Any]) -> Any:
    """A causal language model of transformers, float32, with fresh weights. Raises ModelError for an unknown family."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    find(config.get("model_type"))
    # The dtype is the loader's business; the attention must be the one that takes boolean 4-D masks.
    skipped = {"torch_dtype", "dtype", "_attn_implementation", "attn_implementation"}
    settings = AutoConfig.for_model(**{name: value for name, value in config.items() if name not in skipped})
    settings.hidden_act = FASTER.get(settings.hidden_act, settings.hidden_act)
    model = AutoModelForCausalLM.from_config(settings, attn_implementation="sdpa", dtype=torch.float32)
    fit_head_norms(model)
    if settings.tie_word_embeddings:  # transformers leaves this out where weights are not drawn
        model.get_output_embeddings().weight = model.get_input_embeddings().weight
    return model


def fit_head_norms(model: Any) -> None:
    """Phi's norms of queries and keys, as wide as a head: its class takes the width of a model with all its heads."""
    from torch import nn

    for module in model.modules():
        for name in ("q_layernorm", "k_layernorm"):
            norm, width = getattr(module, name, None), getattr(module, "head_dim", 0)
            if isinstance(norm, nn.LayerNorm) and norm.normalized_shape != (width,):
                setattr(module, name, nn.LayerNorm(width, eps=norm.eps))
