"""The published parts at their real sizes, as transformers' configs write them; what is left out is its default.

Sources: the config.json of each part's own repository, named in `hub`; EVA-CLIP-g: MiniGPT-4
minigpt4/models/eva_vit.py@d94738a. The parameter counts that follow are held by tests/models/systems/test_variants.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Piece:
    """A language model or a vision tower that systems were built from."""

    hub: str
    """The repository with its weights."""
    config: Mapping[str, Any]
    template: str = ""
    """Of a language model: the prompt template that TinyLLaVA trains it with."""


def _llama(width: int, inner: int, layers: int, heads: int, **more: Any) -> dict[str, Any]:
    return {
        "model_type": "llama",
        "vocab_size": 32000,
        "hidden_size": width,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": heads,
        "max_position_embeddings": 2048,
        "rms_norm_eps": 1e-5,
        "bos_token_id": 1,
        "eos_token_id": 2,
        **more,
    }


def _qwen(width: int, inner: int, layers: int, heads: int, positions: int) -> dict[str, Any]:
    return {
        "model_type": "qwen2",
        "vocab_size": 151936,
        "hidden_size": width,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": 2,
        "max_position_embeddings": positions,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1000000.0,
        "tie_word_embeddings": True,
        "bos_token_id": 151643,
        "eos_token_id": 151643,
    }


PHI2: Mapping[str, Any] = {
    "model_type": "phi",
    "vocab_size": 51200,
    "hidden_size": 2560,
    "intermediate_size": 10240,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "partial_rotary_factor": 0.4,
    "max_position_embeddings": 2048,
    "hidden_act": "gelu_new",
    "layer_norm_eps": 1e-5,
    "resid_pdrop": 0.1,
    "bos_token_id": 50256,
    "eos_token_id": 50256,
}
_STABLELM = {
    **_llama(2048, 5632, 24, 32, model_type="stablelm", vocab_size=100352, max_position_embeddings=4096),
    "partial_rotary_factor": 0.25,
    "use_qkv_bias": True,
    "layer_norm_eps": 1e-5,
    "bos_token_id": 100257,
    "eos_token_id": 100257,
}
del _STABLELM["rms_norm_eps"]
_GEMMA = {
    "model_type": "gemma",
    "vocab_size": 256000,
    "hidden_size": 2048,
    "intermediate_size": 16384,
    "num_hidden_layers": 18,
    "num_attention_heads": 8,
    "num_key_value_heads": 1,
    "head_dim": 256,
    "max_position_embeddings": 8192,
    "rms_norm_eps": 1e-6,
    "hidden_activation": "gelu_pytorch_tanh",
    "tie_word_embeddings": True,
    "bos_token_id": 2,
    "eos_token_id": 1,
    "pad_token_id": 0,
}

LANGUAGE: Mapping[str, Piece] = {
    "TL": Piece("TinyLlama/TinyLlama-1.1B-Chat-v1.0", _llama(2048, 5632, 22, 32, num_key_value_heads=4), "llama"),
    "SLM": Piece("stabilityai/stablelm-2-zephyr-1_6b", _STABLELM, "phi"),
    "Phi": Piece("microsoft/phi-2", PHI2, "phi"),
    "Qwen2-0.5B": Piece("Qwen/Qwen2-0.5B", _qwen(896, 4864, 24, 14, 131072), "qwen2_base"),
    "Qwen2.5-0.5B": Piece("Qwen/Qwen2.5-0.5B", _qwen(896, 4864, 24, 14, 32768), "qwen2_base"),
    "Qwen2.5-3B": Piece("Qwen/Qwen2.5-3B", _qwen(2048, 11008, 36, 16, 32768), "qwen2_base"),
    "Gemma-2b-it": Piece("google/gemma-2b-it", _GEMMA, "gemma"),
}
"""TinyLLaVA's language models, by the short names of its paper (TL, SLM, Phi)."""

# Vicuna v0 has one token more than Llama, for padding.
VICUNA_7B = Piece("Vision-CAIR/vicuna-7b", _llama(4096, 11008, 32, 32, vocab_size=32001, rms_norm_eps=1e-6))
VICUNA_13B = Piece("Vision-CAIR/vicuna", _llama(5120, 13824, 40, 40, vocab_size=32001, rms_norm_eps=1e-6))
LLAMA2_7B = Piece("meta-llama/Llama-2-7b-chat-hf", _llama(4096, 11008, 32, 32, max_position_embeddings=4096))

_CLIP = {
    "model_type": "clip_vision_model",
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "image_size": 336,
    "patch_size": 14,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
    "projection_dim": 768,
}
_SIGLIP = {
    "model_type": "siglip_vision_model",
    "hidden_size": 1152,
    "intermediate_size": 4304,
    "num_hidden_layers": 27,
    "num_attention_heads": 16,
    "image_size": 384,
    "patch_size": 14,
    "hidden_act": "gelu_pytorch_tanh",
    "layer_norm_eps": 1e-6,
}
DINO = Piece(
    "facebook/dinov2-large",
    {
        "model_type": "dinov2",
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "image_size": 518,
        "patch_size": 14,
    },
)

VISION: Mapping[str, Piece] = {
    "C": Piece("openai/clip-vit-large-patch14-336", _CLIP),
    "Sig": Piece("google/siglip-so400m-patch14-384", _SIGLIP),
    "MoF": Piece("openai/clip-vit-large-patch14", {**_CLIP, "image_size": 224}),
}
"""TinyLLaVA's vision towers, by the short names of its paper; MoF is the first of Factory's mixture with DINO."""


def eva(image_size: int) -> dict[str, Any]:
    """EVA-CLIP-g as MiniGPT-4 uses it: 39 of its 40 layers."""
    return {
        "model_type": "blip_2_vision_model",
        "hidden_size": 1408,
        "intermediate_size": 6144,
        "num_hidden_layers": 39,
        "num_attention_heads": 16,
        "image_size": image_size,
        "patch_size": 14,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-6,
        "qkv_bias": True,
    }
