"""TinyLLaVA at small size, trained from nothing on drawn scenes, on a CPU, in some hours.

First what a model made from published parts has already: a vision tower that sees and a language model that knows its
words. Then the two stages of TinyLLaVA's base recipe: the connector on captions, language model and connector on
conversations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..recipe.recipe import Feed, Init, Recipe, Stage

CONFIG: Mapping[str, Any] = {
    "model_type": "tinyllava",
    "text_config": {
        "model_type": "phi",
        "vocab_size": 1024,
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
    "vision_feature_layer": -1,  # all of them: a layer that is never run would only be carried along
    # SigLIP has no class token: keep all 36 patches.
    "vision_feature_select_strategy": "cls_patch",
    "image_aspect_ratio": "square",
    "tokenizer_model_max_length": 2048,
    "conv_version": "phi",
}


OWN = ("official", "official", "llava", "llava", "lmms_eval", "vlmevalkit", "minigpt_v2", "qwen_vl")
"""In whose words benchmarks ask, by how often: mostly as their own code does, then as TinyLLaVA's papers do."""
SHORT = ("vqav2", "vqav2", "okvqa", "vsr", "vsr", "mme", "gqa", "vizwiz")
LETTERED = ("scienceqa", "mmbench", "mmbench", "iconqa")
NAMED = ("scienceqa_named", "mmbench_named", "iconqa_named")
OPEN = ("mmvet", "llava_bench")


def nano() -> Recipe:
    """Nine stages, about 2.5 million parameters."""
    return Recipe(
        name="nano",
        about="TinyLLaVA of 2.5 million parameters, from nothing, on drawn scenes",
        config=CONFIG,
        vocabulary=CONFIG["text_config"]["vocab_size"],
        init=Init(embeddings=0.1, linear=0.08, alike=0.04),
        precision="bfloat16",
        save_every=100,
        store="float16",
        threads=1,  # at this size a second thread waits more than it works; the second core prepares batches
        stages=(*see(), *read(), connect(), talk(), letters(), choose(), practise()),
    )


def see() -> tuple[Stage, Stage]:
    """The vision tower learns what each patch shows: first with many signs, which take long, then with few."""
    first = Stage(
        name="see",
        train=("vision_tower",),
        feeds=(Feed("patches", rows=64, template="pretrain"),),
        steps=4000,
        lr=1.5e-3,
        warmup=0.05,
        betas=(0.9, 0.98),
        weight_decay=0.01,
        things=((0.0, 3, 6),),
    )
    few = replace(first.feeds[0], signs=12)
    return first, replace(first, name="sharpen", feeds=(few,), steps=2000, lr=1e-3)


def exam(kinds: tuple[str, ...], rows: int, turns: int, **settings: Any) -> Feed:
    """Questions of benchmarks."""
    return Feed("exam", rows=rows, turns=turns, exams=kinds, protocols=OWN, **settings)


def read() -> tuple[Stage, Stage]:
    """The language model learns its words, and to look things up: on scenes given in words, one embedding per patch.

    Lists first: every second word is a look-up. With questions from the start, the model stays long at what can be
    guessed.
    """
    lists = Feed("list", rows=48, template="pretrain", see="words")
    first = Stage(
        name="list",
        train=("language_model",),
        feeds=(lists, Feed("caption", rows=8, template="pretrain", see="words", weight=0.5)),
        steps=800,
        lr=2e-3,
        warmup=0.0875,
        schedule="constant",
        betas=(0.9, 0.98),
        weight_decay=0.01,
        things=((0.0, 1, 5),),
    )
    second = replace(
        first,
        name="answer",
        feeds=(
            Feed("short", rows=6, turns=12, see="words", weight=2.0),
            exam(SHORT, 6, 6, see="words", weight=1.5),
            exam(LETTERED, 5, 5, see="words", weight=1.5),
            exam(("refcoco", "refcoco", "textvqa", *OPEN), 5, 3, see="words", weight=0.8),
            replace(lists, rows=12),
            Feed("caption", rows=3, template="pretrain", see="words", weight=0.3),
        ),
        steps=800,
        warmup=0.0,
        schedule="cosine",
        things=((0.0, 2, 5),),
    )
    return first, second


def connect() -> Stage:
    """Stage 1 of the base recipe: the connector alone, on captions; and on the words of each place, a short way."""
    return Stage(
        name="pretrain",
        train=("connector",),
        feeds=(Feed("caption", rows=12, template="pretrain"), Feed("match", rows=48, template="pretrain", weight=2.0)),
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
            Feed("short", rows=6, turns=12, weight=2.0),
            exam(SHORT, 6, 6, weight=1.5),
            exam(LETTERED, 5, 5, weight=1.5),
            exam(("refcoco", "refcoco", *OPEN), 5, 3, weight=0.8),
            exam(("textvqa", "textvqa", "mme_signs", "hateful_memes", "mmvet_signs"), 8, 2),
            Feed("dialogue", rows=3, turns=3, weight=0.5),
        ),
        steps=3000,
        lr=1e-3,
        warmup=0.03,
        betas=(0.9, 0.98),
        things=((0.0, 2, 6),),
    )


def letters() -> Stage:
    """That an option's letter stands before its words: nothing but that, until it is found (after some 200 steps)."""
    return Stage(
        name="letters",
        train=("language_model",),
        feeds=(exam(NAMED, 16, 12, see="words"),),
        steps=700,
        lr=1e-3,
        warmup=0.05,
        schedule="constant",
        betas=(0.9, 0.98),
        things=((0.0, 2, 6),),
    )


def choose() -> Stage:
    """Conversations again, with other shares: letters and relations take longest."""
    return Stage(
        name="choose",
        train=("language_model", "connector"),
        feeds=(
            exam(NAMED, 8, 6),
            exam(LETTERED, 10, 6, weight=3.0),
            exam(("vsr", "vsr", "mme"), 8, 4, weight=1.5),
            exam(SHORT, 4, 6),
            exam(("textvqa", "textvqa", "mme_signs", "hateful_memes", "mmvet_signs"), 8, 2),
            Feed("short", rows=3, turns=12),
            exam(("refcoco", *OPEN), 4, 2, weight=0.3),
        ),
        steps=1500,
        lr=1e-3,
        warmup=0.02,
        betas=(0.9, 0.98),
        things=((0.0, 2, 6),),
    )


def practise() -> Stage:
    """And once more: what is looked up in the image has to meet what letters stand for."""
    return Stage(
        name="practise",
        train=("language_model", "connector"),
        feeds=(
            exam(NAMED, 3, 6, weight=0.5),
            exam(LETTERED, 12, 6, weight=4.0),
            exam(("vsr", "vsr", "mme"), 8, 4, weight=1.5),
            exam(SHORT, 4, 6),
            exam(("textvqa", "textvqa", "mme_signs", "hateful_memes", "mmvet_signs"), 8, 2),
            Feed("short", rows=3, turns=12),
            exam(("refcoco", *OPEN), 4, 2, weight=0.5),
        ),
        steps=2500,
        lr=8e-4,
        warmup=0.02,
        betas=(0.9, 0.98),
        things=((0.0, 2, 6),),
    )
