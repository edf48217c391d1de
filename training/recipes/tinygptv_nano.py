"""TinyGPT-V at small size: its four stages on drawn scenes, on parts that know something already.

The published recipe starts from EVA, BLIP-2's Q-Former and Phi-2. Here tower and language model are those of the small
TinyLLaVA that ships (models/systems/init_from_tinyllava.py), and two stages before the four replace what the published
parts know: `look` teaches the Q-Former to tell what each patch shows, `words` lets the language model get used to
TinyGPT-V's norms, with adapters out of use. The tower stays frozen: trained under fresh heads, it forgot more than it
learned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..recipe.recipe import Feed, Recipe, Stage
from .nano import CONFIG as TINYLLAVA
from .nano import LETTERED, SHORT
from .tinygptv import ALL

SHARED = ("q_proj", "k_proj", "v_proj")
CONFIG: Mapping[str, Any] = {
    "model_type": "tinygptv",
    "template": "tinygptv",
    "text_config": {**TINYLLAVA["text_config"], "qk_layernorm": True},
    "vision_config": {
        **TINYLLAVA["vision_config"],
        "model_type": "blip_2_vision_model",
        "hidden_act": "gelu_pytorch_tanh",
        "layer_norm_eps": 1e-6,
        "qkv_bias": True,
    },
    "vision_feature_select_strategy": "cls_patch",
    "connector_type": "qformer_two_linear",
    "projector_hidden_size": 160,
    "num_queries": 36,
    "qformer_config": {
        "hidden_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 256,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    },
    "attention_branch_norm": True,
    "half_rotary_tables": True,
    "lora": {
        "rank": 16,
        "alpha": 16,
        "dropout": 0.0,
        "targets": [*SHARED, "dense"],
        "shared_input": [*SHARED],
    },
}
OWN = ("official", "llava", "minigpt_v2", "minigpt_v2", "tinygpt_v", "tinygpt_v")
"""In whose words benchmarks ask."""
FORMS = ("describe", "instruct_tinygptv")
"""It learns in one form and is asked in the other: at this size both have to be learned."""


def nano() -> Recipe:
    """Two stages that stand for published parts, then the four."""
    return Recipe(
        name="tinygptv-nano",
        about="TinyGPT-V of 2.7 million parameters: its four stages, on parts of the small TinyLLaVA",
        config=CONFIG,
        vocabulary=TINYLLAVA["text_config"]["vocab_size"],
        precision="bfloat16",
        store="float16",
        threads=1,
        build="vlmbench.models.systems.init_from_tinyllava:build",
        restore="vlmbench.models.systems.tinygptv:restore",
        stages=(*parts(), *four()),
    )


def parts() -> tuple[Stage, Stage]:
    """What published parts know already."""
    shared: dict[str, Any] = {"schedule": "cosine", "warmup": 0.05, "betas": (0.9, 0.98), "things": ((0.0, 2, 6),)}
    shown = Feed("patches", rows=48, template="caption", signs=20)
    questions = (
        *_questions(Feed("short", rows=3, turns=12, see="words", weight=2.0)),
        *_questions(Feed("exam", 3, 5, see="words", exams=(*SHORT, *LETTERED), protocols=OWN)),
        Feed("caption", rows=4, template="caption", see="words", weight=0.3),
    )
    return (
        Stage("look", (), (shown,), 1500, 2e-3, tuning={"connector": "qformer"}, **shared),
        Stage("words", (), questions, 500, 1e-3, tuning={"language_model": "base"}, **shared),
    )


def four() -> tuple[Stage, Stage, Stage, Stage]:
    """Warm-up and pre-training on captions and on the words of each place, descriptions, then many tasks at once."""
    shared: dict[str, Any] = {"schedule": "cosine", "betas": (0.9, 0.98), "things": ((0.0, 2, 6),), "tuning": ALL}
    captions = (Feed("caption", rows=12, template="caption"), Feed("match", rows=48, template="caption", weight=2.0))
    described = Feed("describe", rows=8, turns=3, template="describe")
    tasks = (*SHORT, *LETTERED, "refcoco", "textvqa", "mme_signs", "hateful_memes")
    return (
        Stage("warm-up", (), captions, 300, 3e-3, warmup=0.1, **shared),
        Stage("pretrain", (), captions, 300, 1.5e-3, **shared),
        Stage("instruct", (), (described, Feed("caption", rows=6, template="describe")), 100, 1e-3, **shared),
        Stage(
            "multi-task",
            (),
            (
                *_questions(Feed("short", rows=4, turns=12, weight=2.0)),
                *_questions(Feed("exam", rows=5, turns=5, exams=tasks, protocols=OWN, weight=2.0)),
                Feed("exam", 2, 2, "describe", exams=("mmvet", "llava_bench"), protocols=OWN, weight=0.3),
            ),
            1500,
            1.5e-3,
            warmup=0.03,
            **shared,
        ),
    )


def _questions(feed: Feed) -> tuple[Feed, ...]:
    """A feed in each of the forms."""
    return tuple(replace(feed, template=form) for form in FORMS)
