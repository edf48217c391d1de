"""Any value of any setting: it is trained with, or refused in one line that names the setting."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.test_twins import losses, twin
from tests.training.toy import ready, toy
from vlmbench.base import registry
from vlmbench.base.errors import VlmbenchError
from vlmbench.training.loop import loop
from vlmbench.training.recipe.recipe import Recipe

pytestmark = pytest.mark.slow

ODD: tuple[str, ...] = (
    "-1",
    "-0.5",
    "NaN",
    "Infinity",
    "-Infinity",
    "1e400",
    "9" * 24,
    "1e300",
    "true",
    '"x"',
    "",
    "[]",
    "{}",
    "null",
)
ODD += ("[2, 2]", "[0.9]", '["a", "b"]', "[[]]", "[[0.0, 5, 2]]", "[NaN, 0.5]", '{"a": -1}', '[{"a": NaN}]', "0")
SHARE = int(os.environ.get("VLMBENCH_ODD_SHARE", "12"))
"""Of so many odd values each setting gets one; with 1 it gets all of them, which takes minutes."""


def paths(value: Any, path: str = "") -> Iterator[str]:
    """The dotted names of all settings below a value, groups included."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from paths(getattr(value, field.name), f"{path}.{field.name}".lstrip("."))
        return
    if path:
        yield path
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if "." not in name:
                yield from paths(inner, f"{path}.{name}")
    elif isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
        for at, inner in enumerate(value):
            yield from paths(inner, f"{path}.{getattr(inner, 'name', at)}")


def changed(recipe: Recipe, key: str, text: str) -> Recipe | None:
    """The recipe with one value, or None where it is refused: in one line, and one with the hint."""
    try:
        return recipe.replace({key: text})
    except VlmbenchError as error:
        assert len(str(error).splitlines()) <= 2, str(error)
        assert "Traceback" not in str(error)
        return None


@pytest.mark.parametrize("name", registry.RECIPES)
def test_every_setting_takes_a_value_or_refuses_it(name: str) -> None:
    recipe = registry.recipes.get(name)()
    for number, key in enumerate(paths(recipe)):
        for text in ODD[number % SHARE :: SHARE]:
            made = changed(recipe, key, text)
            assert made is None or json.dumps(made.to_json(), allow_nan=False)


NAMED = [
    ("clip", "-1", "clip is -1"),
    ("weight_decay", "-1", "weight_decay is -1"),
    ("betas", "[2, 2]", "betas is"),
    ("betas", "[0.9]", "betas is"),
    ("betas", '["a", "b"]', "betas is"),
    ("lr", "NaN", "lr is nan"),
    ("lr", "Infinity", "lr is inf"),
    ("things", "[[0.0, 5, 2]]", "things is"),
    ("accumulate", "0", "accumulate is 0"),
    ("feeds.0.rows", "0", "rows is 0"),
    ("feeds.0.weight", "-1", "weight is -1"),
]
WHOLE = [
    ("workers", "-1", "workers is -1"),
    ("threads", "-2", "threads is -2"),
    ("seed", "9" * 23, "seed is 999"),
    ("seed", "-1", "seed is -1"),
    ("eval_limit", "-1", "eval_limit is -1"),
    ("bad_rows", "7", "bad_rows is 7"),
    ("bad_rows", "NaN", "bad_rows is nan"),
    ("init.linear", "-1", "linear is -1"),
    ("vocabulary", "-1", "vocabulary is -1"),
]


@pytest.mark.parametrize(("key", "text", "says"), [*((f"stages.see.{k}", t, s) for k, t, s in NAMED), *WHOLE])
def test_what_means_nothing_is_refused_with_its_range(key: str, text: str, says: str) -> None:
    with pytest.raises(VlmbenchError, match=r"it must be|must be between") as caught:
        toy().replace({key: text})
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text"), [("warmup_steps", "-3"), ("peak", "NaN"), ("peak", "Infinity"), ("epochs", "0"), ("last", "-1")]
)
def test_rates_have_ranges(name: str, text: str) -> None:
    with pytest.raises(VlmbenchError, match=rf"rates: {name} is .*: it must be"):
        twin("tinygptv-paper").replace({f"stages.2.rates.{name}": text})


WORDS = ("name", "about", "source", "text_tokens", "variant", "eval_tasks", "start", "data", "cache", "images")
SLOW = frozenset({"9" * 24, "1e300"})


def test_what_is_accepted_is_trained_with(tmp_path: Path) -> None:
    """One stage of two steps with each odd value of each setting: weights that are numbers, or one clear error."""
    torch.set_num_threads(1)
    whole = twin("tinyllava-base")
    small = replace(whole.stages[1], steps=1, batch=2, per_device=1)
    recipe = replace(whole, stages=(small,), save_every=100)
    trained = refused = 0
    for number, key in enumerate(paths(recipe)):
        if key.rpartition(".")[2] in WORDS or key in ("stages", "config", "stages.finetune"):
            continue
        for text in ODD[number % SHARE :: SHARE]:
            made = changed(recipe, key, text)
            if made is None or made == recipe or text in SLOW:
                continue
            folder = ready(tmp_path / f"{trained + refused}")
            try:
                loop.train(made, folder)
            except VlmbenchError as error:
                refused += 1
                assert len(str(error).splitlines()) <= 3, f"{key}={text}: {error}"
            else:
                trained += 1
                assert all(math.isfinite(loss) for told in losses(folder).values() for loss in told), f"{key}={text}"
    assert trained > 5
    assert refused > 20
