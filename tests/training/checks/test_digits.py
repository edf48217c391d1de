"""A second training gives the same losses to the last bit; what differs, and what cannot be checked, is said."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.toy import toy
from vlmbench.base.errors import TrainingError
from vlmbench.cli import main as cli
from vlmbench.models.systems.tinyllava import NANO
from vlmbench.training.checks import digits
from vlmbench.training.loop import loop, stage_run
from vlmbench.training.loop.init import copy_tokenizer
from vlmbench.training.loop.state import LOG, RECIPE
from vlmbench.training.recipe.recipe import Recipe
from vlmbench.training.scenes import vocabulary
from vlmbench.training.sources import mix

pytestmark = pytest.mark.slow

STEPS = 4


def recipe() -> Recipe:
    """Nano's first and second stage, at toy size."""
    whole = toy(STEPS)
    return replace(whole, stages=whole.stages[:2])


@pytest.fixture(autouse=True)
def quick_tokenizer() -> Iterator[None]:
    """Learning a tokenizer takes longer than all of a toy's steps: the shipped one is put there instead."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vocabulary, "train_tokenizer", lambda folder, size: copy_tokenizer(NANO, folder))
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished training with the starts of its stages. Only read."""
    folder = tmp_path_factory.mktemp("digits") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vocabulary, "train_tokenizer", lambda folder, size: copy_tokenizer(NANO, folder))
        loop.train(recipe(), folder, keep_stages=True)
    return folder


@pytest.fixture
def copied(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "copy"))


def told(folder: Path, asked: Recipe | None = None) -> list[str]:
    return [str(found) for found in digits.check(asked or recipe(), folder)]


def changed(folder: Path, name: str, change: Any) -> None:
    """A line of the log, changed."""
    lines = [json.loads(line) for line in (folder / name).read_text("utf-8").splitlines()]
    change(lines)
    (folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")


def test_the_same_digits_stage_by_stage(trained: Path) -> None:
    first, second = (stage.name for stage in recipe().stages)
    assert told(trained) == [f"{first}: {STEPS} steps, the same digits", f"{second}: {STEPS} steps, the same digits"]
    lines = [json.loads(line) for line in (trained / LOG).read_text("utf-8").splitlines()]
    assert all(line["loss"] == round(sum(line["losses"]) / len(line["losses"]), 5) for line in lines)
    assert sorted(path.name for path in (trained / "stages").iterdir()) == [second]


def test_a_last_bit_is_a_difference(copied: Path) -> None:
    def nudged(lines: list[dict[str, Any]]) -> None:
        last = next(line for line in lines if line["step"] == 3)
        last["losses"] = [float(torch.nextafter(torch.tensor(last["losses"][0]), torch.tensor(9.0)))]

    changed(copied, LOG, nudged)
    first, second = told(copied)
    assert "step 3 differs: the loss was " in first and second.endswith("the same digits")


def test_other_draws_are_found(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training that draws anything else than the seed says."""
    monkeypatch.setattr("vlmbench.training.loop.stage_run.mix", lambda *words: mix(*words) + 1)
    assert all("differs" in line for line in told(trained))


def test_only_the_first_steps_are_kept_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_run, "WHOLE_LOSSES", 3)
    one = replace(recipe(), log_every=2, stages=recipe().stages[:1])
    loop.train(one, tmp_path)
    kept = [json.loads(line).get("losses", []) for line in (tmp_path / LOG).read_text("utf-8").splitlines()]
    assert [len(losses) for losses in kept] == [2, 1]
    assert told(tmp_path, one) == [f"{one.stages[0].name}: 3 steps, the same digits"]


# ------------------------------------------------------------------------------------------------------ what cannot be


def test_a_stage_without_its_start(copied: Path) -> None:
    shutil.rmtree(copied / "stages")
    first, second = told(copied)
    assert first.endswith("the same digits") and "not kept" in second and "--keep-stages" in second


def test_an_earlier_versions_log(copied: Path) -> None:
    changed(copied, LOG, lambda lines: [line.pop("losses") for line in lines])
    with pytest.raises(TrainingError, match=r"earlier version wrote it(.|\n)*train it again"):
        told(copied)


def test_the_shipped_model_is_of_an_earlier_version_or_checked() -> None:
    """Its recipe and log are read; where the recipe has changed since, the first settings that differ are named."""
    with pytest.raises(TrainingError, match=r"recipe: .*was .*, is |earlier version wrote it"):
        list(digits.check(recipe(), NANO))


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [(RECIPE, "{", "no training is there"), (LOG, "[]", "log cannot be read"), (LOG, "", "no losses of single steps")],
)
def test_damaged_folders(copied: Path, name: str, text: str, match: str) -> None:
    (copied / name).write_text(text, "utf-8")
    with pytest.raises(TrainingError, match=match):
        told(copied)


def test_another_recipe(trained: Path) -> None:
    other = replace(recipe(), seed=recipe().seed + 1)
    with pytest.raises(TrainingError, match=r"another recipe: seed was \d+, is \d+"):
        told(trained, other)


def test_an_older_recipe_is_refused_by_name(copied: Path) -> None:
    """The first recipe of nano's name had fewer stages and other settings."""
    older = recipe().to_json()
    older["stages"] = [{**older["stages"][0], "lr": 0.003, "rest": ["connector"]}]
    (copied / RECIPE).write_text(json.dumps(older), "utf-8")
    first, second = (stage.name for stage in recipe().stages)
    with pytest.raises(TrainingError) as caught:
        told(copied)
    assert f"stages.{first}.lr was 0.003" in caught.value.what and f"stages.{first}.rest was" in caught.value.what
    assert f"stages.{second}." in caught.value.what and "use the version that trained it" in str(caught.value.hint)


def test_the_command(trained: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vlmbench.cli.verbs.train._recipe", lambda args: recipe())
    assert cli.main(["train", "nano", "--check-digits", str(trained)]) == 0
    assert capsys.readouterr().out.count("the same digits") == 2
    assert cli.main(["train", "nano", "--check-digits", str(trained), "--output", "x"]) == 2
    assert "leave --output out" in capsys.readouterr().err
    assert cli.main(["train", "ablation-tinyllava", "--check-digits", str(trained)]) == 2
