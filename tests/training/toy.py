"""A recipe that trains in seconds: every stage and every kind of feed, two steps each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from vlmbench.models.systems.tinyllava import NANO
from vlmbench.training.loop.init import copy_tokenizer
from vlmbench.training.loop.loop import train
from vlmbench.training.recipe.recipe import Feed, Recipe, Stage
from vlmbench.training.recipes.nano import CONFIG, nano
from vlmbench.training.scenes import vocabulary

SMALL = {
    **CONFIG,
    "text_config": {
        **CONFIG["text_config"],
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    },
    "vision_config": {
        **CONFIG["vision_config"],
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    },
}


def _short(feed: Feed) -> Feed:
    return replace(feed, rows=2, turns=min(feed.turns, 3))


def _quick(stage: Stage, steps: int) -> Stage:
    return replace(stage, steps=steps, feeds=tuple(map(_short, stage.feeds)))


def toy(steps: int = 2) -> Recipe:
    """Nano's stages at toy size."""
    recipe = nano()
    return replace(
        recipe,
        name="toy",
        config=SMALL,
        precision="float32",
        save_every=2,
        log_every=1,
        workers=0,
        stages=tuple(_quick(stage, steps) for stage in recipe.stages),
    )


def ready(output: Path) -> Path:
    """A training folder with the shipped model's tokenizer: learning one takes longer than all of a toy's steps."""
    copy_tokenizer(NANO, output / vocabulary.FOLDER)
    return output


def run(recipe: Recipe, output: Path) -> Path:
    """Train a toy."""
    return train(recipe, ready(output))
