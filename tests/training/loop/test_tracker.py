"""A training's numbers in trackers: the way of `--log-to`."""

from __future__ import annotations

from pathlib import Path

import pytest

from vlmbench.base.errors import TrainingError, UsageError
from vlmbench.training.loop.metrics_log import Tracker


def test_lines_of_the_log_as_curves(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    tracker = Tracker("tensorboard", tmp_path, "nano")
    for loss in (3.0, 2.5):
        tracker.log({"stage": "pretrain", "loss": loss, "note": "not a number"})
    tracker.close()
    read = EventAccumulator(str(tmp_path / "tensorboard"))
    read.Reload()
    assert [(one.step, one.value) for one in read.Scalars("pretrain/loss")] == [(1, 3.0), (2, 2.5)]
    assert read.Tags()["scalars"] == ["pretrain/loss"]


def test_trackers_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TrainingError, match="no tracker 'mlfow'"):
        Tracker("mlfow", tmp_path, "nano")
    monkeypatch.setattr("vlmbench.base.process.extras.find_spec", lambda module: None)
    with pytest.raises(UsageError, match="needs wandb, which is not installed"):
        Tracker("wandb", tmp_path, "nano")
