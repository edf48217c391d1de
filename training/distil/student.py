"""A recipe whose student has a teacher."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from vlmbench.plugins import specs

from ..recipe import teacher
from ..recipe.plan import rows_of, steps_of
from ..recipe.recipe import Recipe
from ..recipe.teacher import Distil

SHIPPED = ("tinyllava", "tinygptv")
"""Systems of which a small model ships."""
TOKENIZERS = ("tokenizer.model", "tokenizer.json", "vocab.json")
ABOUT = """distill --teacher MODEL --student RECIPE: any recipe, its language model taught by another model
  distil.kind          logits (teacher's probabilities), answers (its answers), both
  distil.temperature, distil.top_k, distil.weight, distil.stages, distil.cache, stages.NAME.repeat"""


def distilled(recipe: Recipe, model: str) -> Recipe:
    """A student's recipe with a teacher, named as `vlmbench run --model` names it.

    A student that is made from nothing takes the tokenizer of a teacher in a folder: one that it learned itself would
    differ. Raises TrainingError where nothing can be taught.
    """
    tokenizer = recipe.tokenizer
    if recipe.config and "language_model" not in recipe.parts and not tokenizer:
        tokenizer = _tokenizer_of(model)
    about = f"{recipe.about}, taught by {model}"
    return replace(recipe, name=f"{recipe.name}-distilled", about=about, tokenizer=tokenizer, distil=Distil(model))


def _tokenizer_of(model: str) -> str:
    spec = specs.parse_model(model)
    if spec.name in SHIPPED and spec.checkpoint is None:
        return spec.name
    folder = Path(spec.checkpoint or "").expanduser()
    return str(folder) if spec.checkpoint and any((folder / name).is_file() for name in TOKENIZERS) else ""


def describe(recipe: Recipe) -> Iterator[str]:
    """What the plan says of the teacher."""
    settings = recipe.distil
    if settings is None:
        return
    for stage in recipe.stages:
        if stage.name not in teacher.taught(settings, recipe.stages):
            continue
        moments = steps_of(stage, stage.rows) * stage.micro_batches
        moments = min(moments, stage.repeat or moments)
        feeds = [feed for feed in stage.feeds if teacher.asks(feed)]
        asked = f"every turn of {moments * rows_of(stage):,.0f} rows"
        if stage.feeds:
            turns, rows = sum(feed.rows * feed.turns for feed in feeds), sum(feed.rows for feed in feeds)
            asked = f"{moments * turns:,} questions about {moments * rows:,} pictures"
        yield f"  {stage.name}: teacher {settings.teacher} ({settings.kind}): {asked}, asked once"
