"""What the ablation of TinyGPT-V changes: its four stages over parts without its norms and adapters, at small size.

What TinyGPT-V takes over from others is made first: a vision tower that sees (as EVA-CLIP), a language model that
knows its words (Phi-2; here the one of the small TinyLLaVA that ships) and a Q-Former that reads pictures for it
(BLIP-2). The norms and adapters that are TinyGPT-V's own come with stage 1, as in the paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..recipe import Feed, Pool, Recipe, Stage
from .minigpt4 import rates
from .nano import CONFIG as TINYLLAVA
from .tinygptv import ALL

PROJECTOR = "connector._connector.projector"
ATTENTION = ["q_proj", "k_proj", "v_proj"]
LORA: Mapping[str, Any] = {
    "rank": 16,
    "alpha": 16,
    "dropout": 0.05,
    "targets": [*ATTENTION, "dense"],
    "shared_input": ATTENTION,
}
OWN: Mapping[str, Any] = {
    "text_config": {"qk_layernorm": True},
    "attention_branch_norm": True,
    "lora": LORA,
}
"""What TinyGPT-V adds to Phi-2."""
CONFIG: Mapping[str, Any] = {
    "model_type": "tinygptv",
    "template": "vicuna0",
    "text_config": TINYLLAVA["text_config"],
    "vision_config": {
        "model_type": "blip_2_vision_model",
        "hidden_size": 128,
        "intermediate_size": 448,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "image_size": 96,
        "patch_size": 16,
        "layer_norm_eps": 1e-6,
        "qkv_bias": True,
    },
    # The first stage learns what each patch shows: no class token there.
    "vision_feature_select_strategy": "patch",
    "connector_type": "qformer_two_linear",
    "num_queries": 32,
    "qformer_config": {
        "hidden_size": 128,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "intermediate_size": 384,
        "cross_attention_frequency": 2,
    },
    "half_rotary_tables": True,
}


def before() -> Recipe:
    """What TinyGPT-V starts from: a tower that sees, and a Q-Former that reads it for the language model."""
    return Recipe(
        name="tinygptv-nano-before",
        about="the parts that TinyGPT-V takes over, at small size",
        config=CONFIG,
        parts={"language_model": "tinyllava"},
        vocabulary=TINYLLAVA["text_config"]["vocab_size"],
        precision="bfloat16",
        threads=1,
        stages=(_see(), _read()),
        build="vlmbench.models.tinygptv:build",
        restore="vlmbench.models.tinygptv:restore",
    )


def _see() -> Stage:
    """The vision tower learns what each patch shows."""
    return Stage(
        name="see",
        train=("vision_tower",),
        feeds=(Feed("patches", rows=64, template="caption"),),
        steps=1500,
        lr=1.5e-3,
        warmup=0.08,
        betas=(0.9, 0.98),
        weight_decay=0.01,
        things=((0.0, 3, 6),),
    )


def _scenes(name: str, say: str, ratio: float, rows: int) -> Pool:
    return Pool(name, "scenes", ratio=ratio, rows=rows, options={"say": say, "count": 100_000})


def _read() -> Stage:
    """The Q-Former learns to read pictures for the language model: BLIP-2's part."""
    return Stage(
        name="qformer",
        train=("connector",),
        feeds=(),
        steps=1500,
        lr=1e-3,
        warmup=0.05,
        betas=(0.9, 0.98),
        weight_decay=0.05,
        pools=(_scenes("captions", "caption", 1, 32), _scenes("questions", "one", 1, 48)),
        template="instruct_tinygptv",
        config={"vision_feature_select_strategy": "cls_patch"},
    )


def stages(own: Mapping[str, Any] = OWN, tuning: Mapping[str, Any] = ALL) -> tuple[Stage, ...]:
    """The four stages of the code. Rates are ten times the published ones: they are told for a width of 2560."""
    first = Stage(
        name="1",
        train=(),
        feeds=(),
        steps=400,
        lr=0.0,
        rates=rates(1e-3, 8e-4, 50, 4, 100, 1e-5),
        weight_decay=0.05,
        decay_tables=True,
        clip=0.0,
        tuning=tuning,
        pools=(_scenes("laion", "caption", 115, 32), _scenes("cc_sbu", "describe", 14, 32)),
        template="caption",
        config=own,
        anew=(PROJECTOR,),
    )
    second = replace(first, name="2", rates=rates(1e-3, 8e-4, 200, 4, 100, 1e-5), config={}, anew=())
    third = replace(
        second,
        name="3",
        steps=100,
        rates=rates(3e-4, 1e-4, 20, 5, 20, 1e-5),
        pools=(_scenes("cc_sbu_align", "caption", 1, 6),),
        template="describe",
    )
    fourth = replace(
        second,
        name="4",
        steps=800,
        # The published rates rise too.
        rates=rates(1e-4, 8e-4, 20, 40, 20, 1e-5),
        pools=(
            _scenes("vqa", "one", 5, 32),
            _scenes("conversation", "dialogue", 2, 16),
            _scenes("caption", "caption", 1, 16),
            _scenes("text", "text", 0.2, 16),
        ),
        template="instruct_tinygptv",
        config={"vision_config": {"image_size": 144}, "template": "tinygptv"},
    )
    return first, second, third, fourth
