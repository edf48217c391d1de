"""Recipes: what they refuse, how single values are changed, and that the shipped ones hold together."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from vlmbench.base import registry
from vlmbench.base.errors import TrainingError, UsageError
from vlmbench.models.systems import minigpt, tinyllava
from vlmbench.training.recipe import plan, schedule
from vlmbench.training.recipe.recipe import Feed, Recipe, Stage
from vlmbench.training.recipes import tinygptv_nano
from vlmbench.training.recipes.nano import nano


@pytest.mark.parametrize("name", registry.RECIPES)
def test_shipped_recipes_hold_together(name: str) -> None:
    recipe = registry.recipes.get(name)()
    assert recipe.name == name
    assert json.loads(json.dumps(recipe.to_json())) == recipe.to_json()
    for stage in recipe.stages:
        assert f"  {stage.name}" in recipe.describe()


def test_base_recipe_is_the_published_one() -> None:
    """Facts of the scripts: connector, then language model and connector; 256 and 128 rows; 1e-3 and 2e-5."""
    pretrain, finetune = registry.recipes.get("tinyllava-base")().stages
    assert (pretrain.learns, finetune.learns) == (("connector",), ("connector", "language_model"))
    assert (pretrain.lr, finetune.lr) == (1e-3, 2e-5)
    for stage, rows, total in ((pretrain, 256, 558_128), (finetune, 128, 665_298)):
        assert (stage.batch, stage.rows) == (rows, total)
        assert plan.steps_of(stage, total) == total // rows
        assert (stage.schedule, stage.warmup, stage.weight_decay) == ("hf_cosine", 0.03, 0.0)


def test_nano_holds_the_base_recipe_at_small_size() -> None:
    """Its two stages in this order; what comes behind is fine-tuning again."""
    pretrain, finetune, letters, choose, practise = nano().stages[-5:]
    assert set(letters.train) < set(choose.train) == set(practise.train) == set(finetune.train)
    assert pretrain.train == ("connector",)
    assert {feed.kind for feed in pretrain.feeds} == {"caption", "match"}
    assert {feed.template for feed in pretrain.feeds} == {"pretrain"}
    assert set(finetune.train) == {"language_model", "connector"}


def test_values_are_changed_by_dotted_keys() -> None:
    changed = nano().replace(
        {"seed": "7", "stages.finetune.steps": "5", "stages.finetune.lr": "1", "config.text_config.hidden_size": "64"}
    )
    finetune = next(stage for stage in changed.stages if stage.name == "finetune")
    assert (changed.seed, finetune.steps, finetune.lr) == (7, 5, 1.0)
    assert changed.config["text_config"]["hidden_size"] == 64
    assert nano().replace({"stages.see.things": "[[0.0, 1, 2]]"}).stages[0].things == ((0.0, 1, 2),)


@pytest.mark.parametrize(
    ("key", "text", "says"),
    [
        ("sed", "1", "did you mean seed"),
        ("stages.sea.steps", "1", "did you mean see"),
        ("stages.see.step", "1", "did you mean steps"),
        ("config.text_config.hidden", "1", "hidden_size"),
        ("seed.x", "1", "nothing below"),
        ("seed", "one", "cannot read 'one' as int"),
        ("seed", "1.5", "cannot read '1.5' as int"),
        ("precision", "half", "float32"),
        ("stages.see.lr", "-1", "lr is -1.0: it must be at least 0"),
        ("stages.see.lr", "0", "lr is 0: it must be above 0"),
        ("stages.see.schedule", "cosin", "did you mean cosine"),
        ("stages.see.warmup", "2.0", "warmup is 2.0: it must be at least 0 and at most 1"),
        ("stages.see.train", '["head"]', "no part 'head'"),
        ("save_every", "0", "at least 1"),
    ],
)
def test_bad_values_say_what_is_wrong(key: str, text: str, says: str) -> None:
    with pytest.raises((UsageError, TrainingError), match=says):
        nano().replace({key: text})


def stage(**changes: object) -> Stage:
    plain = Stage("one", ("connector",), (Feed("caption", 1),), 1, 1e-3)
    return replace(plain, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"train": ()}, "nothing learns"),
        ({"feeds": (Feed("rows", 1),)}, "read from a file"),
        ({"data": "rows.json"}, "read from a file"),
        ({"feeds": (Feed("caption", 1, see="words"),)}, "only the language model"),
    ],
)
def test_contradictions_are_refused(changes: dict[str, object], says: str) -> None:
    with pytest.raises((UsageError, TrainingError), match=says):
        stage(**changes)


def test_feeds_are_known() -> None:
    with pytest.raises(UsageError, match="did you mean caption"):
        Feed("captoin", 1)
    with pytest.raises(UsageError, match="pictures"):
        Feed("caption", 1, see="smell")


def test_a_recipe_starts_somewhere() -> None:
    with pytest.raises(TrainingError, match="either a config or a start"):
        Recipe("x", "", (stage(),))
    with pytest.raises(TrainingError, match="names of their own"):
        Recipe("x", "", (stage(), stage()), start="somewhere")


def test_learning_rate_rises_and_falls() -> None:
    rates = [schedule.factor("cosine", step, 100, 0.1) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == rates[10] == 1.0
    assert rates[55] == pytest.approx(0.5)
    assert 0 < rates[-1] < 0.001
    assert schedule.factor("linear", 60, 100, 0.2) == pytest.approx(0.5)
    assert schedule.factor("constant", 99, 100, 0.0) == 1.0


@pytest.mark.parametrize(
    ("recipe", "folder"), [(nano(), tinyllava.NANO), (tinygptv_nano.nano(), minigpt.SHIPPED["tinygptv"])]
)
def test_shipped_checkpoints_are_of_these_recipes(recipe: Recipe, folder: Path) -> None:
    """Changing a recipe means training it again."""
    assert json.loads((folder / "recipe.json").read_text(encoding="utf-8")) == recipe.to_json()
    assert sum(path.stat().st_size for path in folder.iterdir()) < 10_000_000
