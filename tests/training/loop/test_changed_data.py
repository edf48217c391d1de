"""Data that were changed between two runs of a training are noticed, whatever they are; equal data go on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.training.sources.test_shards import shard
from tests.training.test_twins import losses, twin
from tests.training.toy import ready
from vlmbench.base.errors import TrainingError
from vlmbench.scenes import captions as scene_text
from vlmbench.training.loop import data_state, loop
from vlmbench.training.loop.stage_run import StageRun
from vlmbench.training.loop.state import LOG
from vlmbench.training.recipe.recipe import Pool, Recipe
from vlmbench.training.scenes.feature_pool import open_pool


def rows(folder: Path, count: int, answer: str = "that") -> None:
    told = [scene_text.llava_row(str(at), f"{at % 7}.png", [("What?", f"{answer} {at}")]) for at in range(count)]
    (folder / "rows.json").write_text(json.dumps(told), encoding="utf-8")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "start" / "connector").mkdir(parents=True)
    for at in range(7):
        Image.new("RGB", (8, 8), (at, 0, 0)).save(folder / f"{at}.png")
    rows(folder, 40)
    shard(folder / "00000.tar", {str(at): f"Row {at}." for at in range(9)})
    shard(folder / "00001.tar", {str(at): f"Line {at}." for at in range(9)})
    (folder / "start" / "config.json").write_text("{}", encoding="utf-8")
    (folder / "start" / "connector" / "model.safetensors").write_bytes(b"weights")
    return folder


POOLS = (Pool("mix", "llava", "rows.json", "."), Pool("laion", "webdataset", "{00000..00009}.tar"))


def recipe(data: Path) -> Recipe:
    """Three steps a stage on rows of files."""
    whole = twin("tinyllava-base")
    stages = (replace(whole.stages[1], pools=POOLS[:1], batch=2, per_device=1, steps=4, alike=False),)
    return replace(whole, stages=stages, data=str(data))


def state(data: Path) -> dict[str, object]:
    """What a training with every kind of data would store."""
    whole = recipe(data)
    stage = replace(whole.stages[0], pools=POOLS)
    made = replace(whole, stages=(stage,), start=str(data / "start"), config={})
    opened = {pool.name: open_pool(pool, made, 0) for pool in POOLS}
    return {**data_state.of_files(made), **data_state.of_rows(stage, opened)}


def other_rows(data: Path) -> None:
    rows(data, 37, "this")


def as_large(data: Path) -> None:
    rows(data, 40, "thus")


def other_picture(data: Path) -> None:
    Image.new("RGB", (8, 8), (0, 0, 99)).save(data / "3.png")


def other_shard(data: Path) -> None:
    shard(data / "00001.tar", {str(at): f"Word {at}." for at in range(9)})


def other_weights(data: Path) -> None:
    (data / "start" / "connector" / "model.safetensors").write_bytes(b"weighty")


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "other rows": (other_rows, r"rows\.json is not what .*: bytes were [\d,]+, are [\d,]+"),
    "as large as before": (as_large, r"rows\.json is not what .*: as large as before, but with another content"),
    "one picture": (other_picture, r"rows of finetune\.mix is not what"),
    "one shard": (other_shard, r"00009\}\.tar is not what .* another content"),
    "a shard less": (lambda data: (data / "00001.tar").unlink(), r"00009\}\.tar is not what .*: files were 2, are 1"),
    "a shard more": (lambda data: shutil.copy(data / "00001.tar", data / "00002.tar"), "files were 2, are 3"),
    "a shard cut": (lambda data: (data / "00000.tar").write_bytes(b"x" * 700), r"00009\}\.tar is not what"),
    "start's weights": (other_weights, "start is not what"),
    "start's config": (lambda data: (data / "start" / "config.json").write_text('{"a": 1}'), "start is not what"),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_change_of_data_is_noticed(data: Path, kind: str) -> None:
    change, says = CHANGES[kind]
    before = json.loads(json.dumps(state(data)))  # as a checkpoint has it
    data_state.check(before, state(data), data)
    change(data)
    with pytest.raises(TrainingError, match=says) as caught:
        data_state.check(before, state(data), data)
    assert "give --output another folder" in caught.value.hint


class StoppedError(Exception):
    """The process ends here."""


def stop_after_a_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    save = StageRun._save

    def once(self: StageRun, stage: int, step: int, log: int) -> None:
        save(self, stage, step, log)
        raise StoppedError

    monkeypatch.setattr(StageRun, "_save", once)


def test_a_training_does_not_go_on_with_other_rows(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor with another picture; with the old ones it ends as one that ran through."""
    torch.set_num_threads(1)
    shutil.copytree(data, tmp_path / "kept")
    loop.train(recipe(data), ready(tmp_path / "calm"))
    with monkeypatch.context() as patch, pytest.raises(StoppedError):
        stop_after_a_checkpoint(patch)
        loop.train(recipe(data), ready(tmp_path / "out"))
    for change in (other_rows, other_picture):
        change(data)
        with pytest.raises(TrainingError, match="is not what this training began with"):
            loop.train(recipe(data), tmp_path / "out")
        shutil.copytree(tmp_path / "kept", data, dirs_exist_ok=True)
    loop.train(recipe(data), tmp_path / "out")
    assert losses(tmp_path / "out") == losses(tmp_path / "calm")
    assert not caplog.records


@pytest.mark.slow
def test_pictures_that_turn_out_damaged_are_told(data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """At the stage's end, in the log and as a warning, from the process that prepares batches too."""
    torch.set_num_threads(1)
    for at in (1, 4):
        (data / f"{at}.png").write_bytes((data / f"{at}.png").read_bytes()[:40])
    for workers in (0, 1):
        caplog.clear()
        told = replace(recipe(data), bad_rows=0.9, workers=workers)
        folder = ready(tmp_path / str(workers))
        loop.train(replace(told, stages=(replace(told.stages[0], steps=10),)), folder)
        lines = [json.loads(line) for line in (folder / LOG).read_text(encoding="utf-8").splitlines()]
        bad = lines[-1]["pools"]["mix"]["bad"]["damaged image"]
        assert bad >= 2
        (record,) = caplog.records
        assert f"stage 'finetune', pool 'mix': {bad} damaged image" in record.getMessage()
        assert "1.png" in record.getMessage() or "4.png" in record.getMessage()
