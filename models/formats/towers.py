"""Vision towers that older checkpoints only name: their configs, by exact name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vlmbench.errors import ModelError

from .. import checkpoints

VISION = "vision_config.json"
"""Beside a checkpoint that only names its tower: the tower's config.json."""

SO400M: Mapping[str, Any] = {
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
CLIP_LARGE: Mapping[str, Any] = {
    "model_type": "clip_vision_model",
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "image_size": 224,
    "patch_size": 14,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
    "projection_dim": 768,
}
PUBLISHED: Mapping[str, Mapping[str, Any]] = {
    "google/siglip-so400m-patch14-384": SO400M,
    "bczhou/TinyLLaVA-3.1B-SigLIP": SO400M,
    "bczhou/TinyLLaVA-2.0B-SigLIP": SO400M,
    "bczhou/TinyLLaVA-1.5B-SigLIP": SO400M,
    "openai/clip-vit-large-patch14": CLIP_LARGE,
    "openai/clip-vit-large-patch14-336": {**CLIP_LARGE, "image_size": 336},
}


def tower_of(path: Path, name: str) -> dict[str, Any]:
    """The config of the tower that a checkpoint folder names: its own vision_config.json, or the published one.

    Raises ModelError when there is neither.
    """
    if (path / VISION).is_file():
        told = checkpoints.read_json(path / VISION)
        nested = told.get("vision_config")
        return dict(nested) if isinstance(nested, Mapping) else told
    if name not in PUBLISHED:
        cure = f"put the tower's config.json into the folder as {VISION}; known without one: {', '.join(PUBLISHED)}"
        raise ModelError(f"the vision tower {name!r} is not known", where=str(path), cure=cure)
    return dict(PUBLISHED[name])
