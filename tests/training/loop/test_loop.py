"""The training loop: golden losses, resuming bit for bit after a kill, refusals, and what a finished model holds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.support.paths import ROOT
from tests.training.toy import ready, run, toy
from vlmbench.base import registry
from vlmbench.base.errors import DataError, TrainingError
from vlmbench.scenes import captions as scene_text
from vlmbench.scenes.scene import draw, make_scene
from vlmbench.training.loop import loop
from vlmbench.training.loop.state import LOG, RECIPE
from vlmbench.training.recipe.recipe import Feed

pytestmark = pytest.mark.slow

GOLDEN: dict[str, tuple[float, float]] = {
    "see": (93.36568, 76.65392),
    "sharpen": (107.87078, 92.38715),
    "list": (7.20481, 7.10495),
    "answer": (6.81897, 6.47034),
    "pretrain": (3.59554, 3.61434),
    "finetune": (6.30457, 6.06161),
    "letters": (5.2071, 5.19729),
    "choose": (5.33051, 5.29891),
    "practise": (5.13377, 5.12309),
}
"""Losses of the toy recipe's two steps in each stage."""


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def log(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / LOG).read_text(encoding="utf-8").splitlines()]


def weights(folder: Path) -> bytes:
    return (folder / loop.MODEL / "model.safetensors").read_bytes()


def losses(folder: Path) -> dict[str, tuple[float, ...]]:
    found: dict[str, tuple[float, ...]] = {}
    for line in log(folder):
        if "loss" not in line:
            continue
        name = str(line["stage"])
        found[name] = (*found.get(name, ()), line["loss"])
    return found


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("toy")
    run(toy(), folder)
    return folder


def test_losses_are_golden(trained: Path) -> None:
    found = losses(trained)
    assert found.keys() == GOLDEN.keys()
    for name, golden in GOLDEN.items():
        assert found[name] == pytest.approx(golden, abs=1e-3), name


def test_a_finished_model_is_a_factory_folder(trained: Path) -> None:
    model = trained / loop.MODEL
    names = {path.name for path in model.iterdir()}
    assert {"config.json", "model.safetensors", "vocab.json", "merges.txt", RECIPE, LOG} <= names
    assert json.loads((model / RECIPE).read_text(encoding="utf-8")) == toy().to_json()
    assert registry.load_object(toy().restore)(model).parts().keys() == {"vision_tower", "connector", "language_model"}


def test_the_same_seed_gives_the_same_weights(trained: Path, tmp_path: Path) -> None:
    run(toy(), tmp_path)
    assert weights(tmp_path) == weights(trained)
    run(toy().replace({"seed": "1"}), tmp_path / "other")
    assert weights(tmp_path / "other") != weights(trained)


def test_batches_made_ahead_are_the_same(trained: Path, tmp_path: Path) -> None:
    recipe = toy()
    changed = replace(recipe, stages=recipe.stages[:1], workers=1)
    run(changed, tmp_path)
    assert losses(tmp_path)["see"] == losses(trained)["see"]


def test_frozen_parts_stay(trained: Path, tmp_path: Path) -> None:
    """The connector's stage changes the connector alone."""
    recipe = toy()
    before = replace(recipe, stages=recipe.stages[:4])
    after = replace(recipe, stages=recipe.stages[:5])
    folders = [tmp_path / name for name in ("before", "after")]
    models = [registry.load_object(recipe.restore)(run(r, f)) for r, f in zip((before, after), folders, strict=True)]
    for name in ("vision_tower", "language_model", "connector"):
        states = [model.parts()[name].state_dict() for model in models]
        same = all(torch.equal(states[0][key], states[1][key]) for key in states[0])
        assert same == (name != "connector"), name


SCRIPT = """
import sys, torch
from pathlib import Path
from tests.training.toy import run, toy
torch.set_num_threads(1)
run(toy(steps=6), Path(sys.argv[1]))
"""


def start(folder: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(SCRIPT), str(folder)], env=environment)


@pytest.mark.slow
def test_kill_and_resume_ends_with_equal_weights(tmp_path: Path) -> None:
    """Killed four times at any moment, resumed by the same command each time."""
    whole, broken = (ready(tmp_path / name) for name in ("whole", "broken"))
    assert start(whole).wait(300) == 0
    for lines in (3, 9, 14, 25):
        process = start(broken)
        while process.poll() is None and not ((broken / LOG).is_file() and len(log(broken)) >= lines):
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    assert not (broken / loop.MODEL).exists()
    assert start(broken).wait(300) == 0
    assert weights(broken) == weights(whole)
    assert losses(broken) == losses(whole)


def test_a_finished_training_is_finished_again_without_a_step(trained: Path) -> None:
    before, lines = weights(trained), log(trained)
    run(toy(), trained)
    assert weights(trained) == before
    assert log(trained) == lines


def test_another_recipe_does_not_go_on_here(trained: Path) -> None:
    """What differs is named, with both values."""
    with pytest.raises(TrainingError, match=r"another recipe: .*; seed was 0, is 3") as caught:
        run(toy().replace({"seed": "3", "stages.see.lr": "0.5", "stages.list.feeds.0.rows": "3"}), trained)
    assert "stages.see.lr was" in caught.value.what
    assert "stages.list.feeds.0.rows was 2, is 3" in caught.value.what


@pytest.mark.parametrize("name", ["save_every", "log_every", "threads", "workers"])
def test_a_changed_setting_is_named(trained: Path, name: str) -> None:
    with pytest.raises(TrainingError, match=rf"another recipe: {name} was \d, is 7"):
        run(toy().replace({name: "7"}), trained)


def test_a_loss_that_is_no_number_stops_with_a_cure(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"stage 'see', step \d+: the loss is nan") as caught:
        run(toy(steps=40).replace({"stages.see.lr": "1e30", "stages.see.clip": "0"}), tmp_path)
    assert "--set stages.see.lr" in str(caught.value)


def test_a_loss_curve_is_drawn(trained: Path) -> None:
    assert "finetune" in (trained / loop.PLOT).read_text(encoding="utf-8")


@pytest.mark.parametrize("workers", [0, 1])
def test_broken_data_is_named_from_either_process(tmp_path: Path, workers: int) -> None:
    stage = replace(toy().stages[-1], feeds=(Feed("rows", 1),), data=str(tmp_path / "rows.json"), images=str(tmp_path))
    (tmp_path / "rows.json").write_text('[{"id": "a", "conversations": []}]', encoding="utf-8")
    with pytest.raises(DataError, match="row 'a': `conversations` must alternate"):
        run(replace(toy(), stages=(stage,), workers=workers), tmp_path / "out")


def test_an_output_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(TrainingError, match="cannot write"):
        loop.train(toy(), tmp_path / "file")


def test_files_train_a_saved_model_further(trained: Path, tmp_path: Path) -> None:
    """The full-size recipe's way: from a folder, on a file in LLaVA's format."""
    row = scene_text.llava_row("a", "a.png", [("What?", "this"), ("And?", "that")])
    (tmp_path / "rows.json").write_text(json.dumps([row] * 3), encoding="utf-8")
    draw(make_scene(1)).save(tmp_path / "a.png")
    recipe = registry.recipes.get("tinyllava-base")()
    changes = {"start": str(trained / loop.MODEL), "data": str(tmp_path), "precision": "float32", "workers": "0"}
    for name, pool in (("pretrain", "captions"), ("finetune", "mix665k")):
        changes |= {f"stages.{name}.pools.{pool}.path": "rows.json", f"stages.{name}.pools.{pool}.images": "."}
        changes |= {f"stages.{name}.steps": "2", f"stages.{name}.epochs": "0"}
        changes |= {f"stages.{name}.batch": "4", f"stages.{name}.per_device": "2"}
    loop.train(recipe.replace(changes), tmp_path / "out")
    assert {"pretrain", "finetune"} == losses(tmp_path / "out").keys()
    assert weights(tmp_path / "out") != weights(trained)
