"""The callback of transformers' Trainer: the training is the same to the last bit, and sees the scores."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf

from tests.core.integrations.tiny_training import logged, trainer
from vlmbench.api import Result
from vlmbench.base.errors import ModelError, UnknownNameError, UsageError
from vlmbench.integrations import TrainerCallback
from vlmbench.models.huggingface.load import object_fingerprint

pytestmark = pytest.mark.slow
FIELDS = hf.TrainingArguments.__dataclass_fields__
CHECKPOINTING = next(name for name in ("activation_checkpointing", "gradient_checkpointing") if name in FIELDS)
"""Its name from transformers 5.2x on, and before."""
METRIC = "eval_vlmbench/pope_accuracy"
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "gradient checkpointing": {CHECKPOINTING: True, f"{CHECKPOINTING}_kwargs": {"use_reentrant": False}},
    "accumulation": {"gradient_accumulation_steps": 2},
    "autocast": {"bf16": True},
}


def numbers() -> list[Any]:
    """What the random number generators would give next."""
    return [torch.get_rng_state().tolist(), str(np.random.get_state()), random.getstate()]


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_the_training_is_the_same_to_the_last_bit(settings: dict[str, Any], tmp_path: Path) -> None:
    alone = trainer(tmp_path / "alone", **settings)
    alone.train()
    after_alone = numbers()
    watched = trainer(tmp_path / "watched", **settings)
    watched.add_callback(TrainerCallback(watched, "pope,vsr", every=1, limit=2))
    watched.train()
    assert numbers() == after_alone
    for name in ("loss", "grad_norm"):
        assert logged(watched, name) == logged(alone, name) and len(logged(alone, name)) == 4
    one, two = alone.model.state_dict(), watched.model.state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)
    flags = [[(module.training, getattr(module, "gradient_checkpointing", None)) for module in one.model.modules()]
             for one in (alone, watched)]  # fmt: skip
    assert flags[0] == flags[1]
    assert len(logged(watched, METRIC)) == 4 and not logged(alone, METRIC)


def test_runs_can_be_compared(tmp_path: Path) -> None:
    watched = trainer(tmp_path, steps=3)
    watched.add_callback(TrainerCallback(watched, "pope,vsr", every=2, limit=6))
    watched.train()
    runs = sorted(tmp_path.joinpath("vlmbench").iterdir())
    assert [run.name for run in runs] == ["end-0000003", "step-0000002"]
    end, middle = map(Result.load, runs)
    assert set(end.compare(middle, metric="accuracy").table().index) == {"pope", "vsr"}
    assert end.manifest["asked"]["model"] == f"{tmp_path.name}@end-0000003"
    assert end.manifest["model"]["fingerprint"] != middle.manifest["model"]["fingerprint"]
    assert logged(watched, METRIC) == [one.summary["pope"]["accuracy"]["value"] for one in (middle, end)]


def test_the_trainer_chooses_by_our_metric_and_stops_early(tmp_path: Path) -> None:
    """EarlyStoppingCallback stands before ours in the list, and finds the metric all the same."""
    watched = trainer(
        tmp_path,
        steps=8,
        eval_strategy="steps",
        eval_steps=1,
        save_strategy="steps",
        save_steps=1,
        load_best_model_at_end=True,
        metric_for_best_model="vlmbench/pope_coverage",
        greater_is_better=True,
    )
    watched.add_callback(hf.EarlyStoppingCallback(early_stopping_patience=2))
    watched.add_callback(TrainerCallback(watched, "pope", limit=2))
    watched.train()
    assert watched.state.global_step == 3, "a metric that never improves ends the training after 1 + 2 evaluations"
    assert watched.state.best_metric == 1.0 and watched.state.best_global_step == 1
    names = sorted(run.name for run in (tmp_path / "vlmbench").iterdir())
    assert names == ["end-0000003", "step-0000001", "step-0000002", "step-0000003"]
    last = Result.load(tmp_path / "vlmbench" / "end-0000003").manifest["model"]["fingerprint"]
    assert last == object_fingerprint(watched.model, watched.processing_class)
    assert METRIC in watched.evaluate()


def test_each_evaluation_is_logged_once(tmp_path: Path) -> None:
    lines: list[dict[str, float]] = []

    class Heard(hf.TrainerCallback):  # type: ignore[misc]  # transformers is not checked
        def on_log(self, *_: Any, logs: dict[str, float], **__: Any) -> None:
            lines.append(dict(logs))  # the Trainer's metrics get ours after they are logged

    watched = trainer(tmp_path, steps=2, eval_strategy="steps", eval_steps=1)
    watched.add_callback(Heard())
    watched.add_callback(TrainerCallback(watched, "pope", every=1, limit=2))
    watched.train()
    assert len([line for line in lines if METRIC in line]) == 2
    assert len([line for line in lines if "loss" in line]) == 2
    assert len(list((tmp_path / "vlmbench").iterdir())) == 2


def test_a_failure_is_raised_or_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise ModelError("out of order")

    alone = trainer(tmp_path / "alone")
    alone.train()
    monkeypatch.setattr("vlmbench.runs.execution.runner.execute", broken)
    watched = trainer(tmp_path / "watched")
    watched.add_callback(TrainerCallback(watched, "pope", every=1, limit=2, on_error="warn"))
    watched.train()
    assert logged(watched, "loss") == logged(alone, "loss") and not logged(watched, METRIC)
    assert capsys.readouterr().err.count("out of order") == 1
    failing = trainer(tmp_path / "failing")
    failing.add_callback(TrainerCallback(failing, "pope", every=2, limit=2))
    with pytest.raises(ModelError, match="out of order"):
        failing.train()
    assert failing.state.global_step == 2


@pytest.mark.parametrize(
    ("tasks", "options", "kind", "told"),
    [
        ("popo", {}, UnknownNameError, "no task named 'popo'"),
        ("pope", {"limits": 3}, UnknownNameError, "no option of vlmbench.evaluate named 'limits'"),
        ("pope", {"limit": 0}, UsageError, "leaves nothing to ask"),
        ("pope", {"data": "no/such/folder"}, UsageError, "no folder no/such/folder"),
        ("pope", {"every": 0}, UsageError, "every=0 is no number of steps"),
        ("pope", {"on_error": "ignore"}, UsageError, "on_error takes raise or warn"),
        ("pope", {"model": 1}, UsageError, "model: not among the options"),
    ],
)
def test_what_is_wrong_is_told_before_the_training(
    tasks: str, options: dict[str, Any], kind: type[Exception], told: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=told):
        TrainerCallback(trainer(tmp_path), tasks, **options)


def test_without_a_processor(tmp_path: Path) -> None:
    lacking = trainer(tmp_path)
    lacking.processing_class = None
    with pytest.raises(UsageError, match="give processor or adapter"):
        TrainerCallback(lacking, "pope")
