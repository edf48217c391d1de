"""Any recipe at toy size: the same stages, parts, schedules and code, on drawn scenes, in seconds.

What a twin keeps: what each stage trains, its learning rates and their shape, decay, clipping, templates, changes of
the config, mixtures with their ratios. What it changes: sizes, steps, batches, data, precision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vlmbench.base import registry

from ..recipe.plan import config_of
from ..recipe.recipe import Pool, Recipe, Stage
from ..recipe.schedule import WarmupCosine

WIDTH, LAYERS, HEADS, VOCABULARY = 32, 2, 2, 1024
STEPS, EPOCHS = 4, 2
"""A stage's steps; where rates are told by epochs, 2 of 2 steps."""
TEXT = {
    "vocab_size": VOCABULARY,
    "hidden_size": WIDTH,
    "intermediate_size": 64,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": HEADS,
    "max_position_embeddings": 1024,
    "bos_token_id": None,
    "eos_token_id": None,
}
VISION = {
    "hidden_size": 24,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": HEADS,
    "image_size": 56,
    "patch_size": 14,
}
QFORMER = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
SAYS = {"webdataset": "caption", "cc_sbu_align": "caption", "unnatural_instruction": "text", "llava": "dialogue"}
"""What is said in the place of a kind of file; of the others `one`: a question and its answer."""


def config(whole: Mapping[str, Any]) -> dict[str, Any]:
    """A config of the same parts at toy size."""
    text = {**whole["text_config"], **TEXT}
    text.pop("head_dim", None)
    small = {**whole, "text_config": text, "vision_config": {**whole["vision_config"], **VISION}}
    for name in ("hidden_size", "vision_hidden_size", "vocab_size"):
        small.pop(name, None)
    if "vision_config2" in whole:
        small["vision_config2"] = {**whole["vision_config2"], **VISION}
    if "qformer_config" in whole:
        small |= {"qformer_config": {**whole["qformer_config"], **QFORMER}, "num_queries": 4}
    if "lora" in whole:
        small["lora"] = {**whole["lora"], "rank": 4}
    return small


def smoke(recipe: Recipe) -> Recipe:
    """The recipe's twin. Recipes that draw their scenes keep their kinds of rows."""
    whole = config_of(recipe)
    return replace(
        recipe,
        name=f"{recipe.name}-smoke",
        about=f"{recipe.about} (toy size)",
        stages=tuple(_stage(stage) for stage in recipe.stages),
        config=_own_image_size(config(whole), recipe),
        start="",
        parts={},
        vocabulary=VOCABULARY,
        precision="float32",
        threads=1,
        workers=0,
        save_every=2,
        log_every=1,
        build=f"vlmbench.models.systems.{whole['model_type']}:build",
        restore=f"vlmbench.models.systems.{whole['model_type']}:restore",
    )


def _own_image_size(small: dict[str, Any], recipe: Recipe) -> dict[str, Any]:
    """Recipes that know what each patch of a drawn scene shows keep the scenes' size, and a query for each patch."""
    if not recipe.config:
        return small
    sizes = {name: recipe.config["vision_config"][name] for name in ("image_size", "patch_size")}
    queries = {name: recipe.config[name] for name in ("num_queries",) if name in small}
    return {**small, **queries, "vision_config": {**small["vision_config"], **sizes}}


def _stage(stage: Stage) -> Stage:
    tuning = dict(stage.tuning)
    if tuning.get("first_layer"):
        tuning["first_layer"] = 1
    if tuning.get("lora"):
        tuning["lora"] = {**tuning["lora"], "rank": 4}
    smaller: dict[str, Any] = {"tuning": tuning, "config": _smaller(stage.config), "max_length": 0}
    if stage.feeds:
        feeds = tuple(replace(feed, rows=2, turns=min(feed.turns, 3)) for feed in stage.feeds)
        return replace(stage, **smaller, feeds=feeds, steps=STEPS)
    pools = tuple(_pool(pool) for pool in stage.pools)
    if stage.batch:
        smaller |= {"batch": 4, "per_device": 2}
    else:
        smaller |= {"accumulate": 2}
    if stage.rates:
        smaller |= {"rates": _rates(stage.rates), "steps": STEPS}
    else:
        smaller |= {"steps": STEPS, "epochs": 0.0}
    return replace(stage, **smaller, pools=pools)


def _pool(pool: Pool) -> Pool:
    options = {"say": SAYS.get(pool.kind, "one"), "count": 40}
    return replace(pool, kind="scenes", path="", images="", rows=min(pool.rows, 2), options=options)


def _rates(rates: WarmupCosine) -> WarmupCosine:
    return replace(rates, warmup_steps=1, epochs=EPOCHS, steps_per_epoch=STEPS // EPOCHS)


def _smaller(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Stage 4 of TinyGPT-V doubles the image's edge; so does its twin."""
    if "image_size" not in changes.get("vision_config", {}):
        return dict(changes)
    doubled: dict[str, Any] = registry.load_object(registry.MERGED)(
        changes, {"vision_config": {"image_size": 2 * VISION["image_size"]}}
    )
    return doubled
