"""TinyLLaVA at small size, trained from nothing on drawn scenes, on a CPU, in about an hour.

First what a model made from published parts has already: a vision tower that sees and a language model that knows its
words. Then the two stages of TinyLLaVA's base recipe: the connector on captions, language model and connector on
conversations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..recipe import Feed, Init, Recipe, Stage

CONFIG: Mapping[str, Any] = {
    "model_type": "tinyllava",
    "text_config": {
        "model_type": "phi",
        "vocab_size": 640,
        "hidden_size": 160,
        "intermediate_size": 640,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "max_position_embeddings": 2048,
        "partial_rotary_factor": 0.5,
        # The same function as Phi's gelu_new, in one kernel: a step takes a quarter less time.
        "hidden_act": "gelu_pytorch_tanh",
        "tie_word_embeddings": True,
        "resid_pdrop": 0.0,
        "embd_pdrop": 0.0,
        "attention_dropout": 0.0,
    },
    "vision_config": {
        "model_type": "siglip_vision_model",
        "hidden_size": 128,
        "intermediate_size": 448,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "image_size": 96,
        "patch_size": 16,
    },
    "connector_type": "mlp2x_gelu",
    "vision_feature_layer": -2,
    # SigLIP has no class token: keep all 36 patches.
    "vision_feature_select_strategy": "cls_patch",
    "image_aspect_ratio": "square",
    "tokenizer_model_max_length": 2048,
    "conv_version": "phi",
}


def nano() -> Recipe:
    """Four stages, about 2.4 million parameters."""
    return Recipe(
        name="nano",
        about="TinyLLaVA of 2.4 million parameters, from nothing, on drawn scenes",
        config=CONFIG,
        vocabulary=640,
        init=Init(embeddings=0.1, linear=0.08, alike=0.04),
        precision="bfloat16",
        threads=1,  # at this size a second thread waits more than it works; the second core prepares batches
        stages=(see(), *read(), connect(), talk()),
    )


def see() -> Stage:
    """The vision tower learns what each patch shows."""
    return Stage(
        name="see",
        train=("vision_tower",),
        feeds=(Feed("patches", rows=64, template="pretrain"),),
        steps=2500,
        lr=1.5e-3,
        warmup=0.08,
        betas=(0.9, 0.98),
        weight_decay=0.01,
        things=((0.0, 3, 6),),
    )


def read() -> tuple[Stage, Stage]:
    """The language model learns its words, and to look things up: on scenes given in words, one word vector a patch.

    Lists first: every second word is a look-up. With questions from the start, the model stays long at what can be
    guessed.
    """
    lists = Feed("list", rows=48, template="pretrain", see="words")
    first = Stage(
        name="list",
        train=("language_model",),
        feeds=(lists, Feed("caption", rows=8, template="pretrain", see="words", weight=0.5)),
        steps=700,
        lr=2e-3,
        warmup=0.07,
        schedule="constant",
        betas=(0.9, 0.98),
        weight_decay=0.01,
        things=((0.0, 1, 5),),
    )
    second = replace(
        first,
        name="answer",
        feeds=(
            Feed("short", rows=10, turns=12, see="words", weight=2.0),
            replace(lists, rows=16),
            Feed("caption", rows=6, template="pretrain", see="words", weight=0.3),
            Feed("describe", rows=6, turns=2, see="words", weight=0.3),
        ),
        steps=3000,
        warmup=0.0,
        schedule="cosine",
        things=((0.0, 2, 5),),
    )
    return first, second


def connect() -> Stage:
    """Stage 1 of the base recipe: the connector alone, on captions."""
    return Stage(
        name="pretrain",
        train=("connector",),
        feeds=(Feed("caption", rows=32, template="pretrain"),),
        steps=400,
        lr=3e-3,
        warmup=0.03,
        things=((0.0, 1, 6),),
    )


def talk() -> Stage:
    """Stage 2 of the base recipe: language model and connector, on conversations."""
    return Stage(
        name="finetune",
        train=("language_model", "connector"),
        feeds=(
            Feed("short", rows=8, turns=14, weight=2.0),
            Feed("describe", rows=8, turns=2),
            Feed("dialogue", rows=4, turns=3),
        ),
        steps=2500,
        lr=8e-4,
        warmup=0.03,
        betas=(0.9, 0.98),
        things=((0.0, 2, 6),),
    )
