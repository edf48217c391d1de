"""The MiniGPT family at toy size, with weights that make answers depend on pictures and words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from tests.models import tiny
from vlmbench.models.parts.language.tokenizer import read_tokenizer
from vlmbench.models.systems import minigpt
from vlmbench.models.systems.minigpt import MiniGPT

QFORMER = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
LORA = {"rank": 4, "alpha": 16, "dropout": 0.05}
FUSED = ["q_proj", "k_proj", "v_proj"]

KINDS: dict[str, dict[str, Any]] = {
    "minigpt4": {"connector_type": "qformer_linear", "template": "vicuna0"},
    "minigpt4-llama2": {
        "model_type": "minigpt4",
        "connector_type": "merge4_linear",
        "template": "llama2",
        "vision_feature_select_strategy": "patch",
    },
    "minigptv2": {
        "connector_type": "merge4_linear",
        "template": "minigptv2",
        "vision_feature_select_strategy": "patch",
        "lora": {**LORA, "targets": ["q_proj", "v_proj"]},
    },
    "tinygptv": {
        "connector_type": "qformer_two_linear",
        "template": "tinygptv",
        "attention_branch_norm": True,
        "half_rotary_tables": True,
        "lora": {**LORA, "targets": [*FUSED, "dense"], "shared_input": FUSED},
    },
}


def config(kind: str, **more: Any) -> dict[str, Any]:
    """A config.json of a few thousand parameters."""
    phi = kind == "tinygptv"
    text = {
        "model_type": "phi" if phi else "llama",
        "vocab_size": 320,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 1024,
        # The toy tokenizer says which token it is.
        **({"qk_layernorm": True, "eos_token_id": None, "bos_token_id": None} if phi else {}),
    }
    tower = {
        "model_type": "blip_2_vision_model",
        "hidden_size": 24,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 56,
        "patch_size": 14,
        "layer_norm_eps": 1e-6,
        "qkv_bias": True,
    }
    return {
        "model_type": kind,
        "text_config": text,
        "vision_config": tower,
        "vision_feature_select_strategy": "cls_patch",
        "num_queries": 5,
        "qformer_config": QFORMER,
        **KINDS[kind],
        **more,
    }


def build(folder: Path, kind: str, *, seed: int = 0, attention: str = "sdpa", **more: Any) -> MiniGPT:
    """A model of one kind, all its weights drawn wide, with tokenizer files in `folder`."""
    files = (tiny.codegen if kind == "tinygptv" else tiny.llama)(folder)
    told = config(kind, **more)
    told["text_config"]["vocab_size"] = len(read_tokenizer(files))  # every id can then be decoded
    system = minigpt.build(told, tokenizer=files, seed=seed, attention=attention)
    spread(system.network, seed)
    return system


@torch.no_grad()
def spread(network: nn.Module, seed: int = 0) -> None:
    """Draw all weights wide, so that answers depend on pictures and words."""
    draw = torch.Generator().manual_seed(seed)
    for name, weight in network.named_parameters():
        if weight.ndim < 2:
            weight.add_(0.1 * torch.randn(weight.shape, generator=draw))
        else:
            width = 0.3 if "lora" in name else 1.5
            weight.copy_(width * torch.randn(weight.shape, generator=draw) / weight[0].numel() ** 0.5)
    network.eval()
