"""The callback of Lightning: the training is the same to the last bit, and its callbacks see the scores."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from tests.core.integrations import tiny_lightning
from vlmbench.base.errors import UsageError
from vlmbench.integrations import LightningCallback, lightning

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::UserWarning"),  # Lightning's advice: workers, logging interval, ...
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),  # Lightning 2.6 with torch 2.13
]
METRIC = "vlmbench/pope_accuracy"


def kept_logger() -> Any:
    """A logger that keeps what it is given."""
    import pytorch_lightning.loggers

    class Logger(pytorch_lightning.loggers.logger.DummyLogger):  # type: ignore[misc]  # not checked
        """Keeps the lines."""

        def __init__(self) -> None:
            super().__init__()
            self.lines: list[tuple[int | None, dict[str, float]]] = []

        def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
            self.lines.append((step, metrics))

    return Logger()


def fit(*callbacks: Any, **settings: Any) -> tuple[Any, Any]:
    """A finished training: module and trainer."""
    module = tiny_lightning.module()
    trainer = tiny_lightning.trainer(callbacks=list(callbacks), **settings)
    trainer.fit(module, *tiny_lightning.loaders())
    return module, trainer


def callback(folder: Path, **options: Any) -> Any:
    """Ours, with few questions."""
    return LightningCallback("pope", processor=tiny_lightning.module().processor, output=folder, limit=2, **options)


@pytest.mark.parametrize("settings", [{}, {"accumulate_grad_batches": 2}], ids=["plain", "accumulation"])
def test_the_training_is_the_same_to_the_last_bit(settings: dict[str, Any], tmp_path: Path) -> None:
    alone, _ = fit(**settings)
    after_alone = torch.get_rng_state()
    watched, _ = fit(callback(tmp_path, every=1), **settings)
    assert torch.equal(torch.get_rng_state(), after_alone)
    assert watched.losses == alone.losses and len(alone.losses) == 4
    one, two = alone.state_dict(), watched.state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert {path.name for path in tmp_path.iterdir()} == (
        {"step-0000001", "step-0000002"}
        if settings
        else {"step-0000001", "step-0000002", "step-0000003", "step-0000004"}
    )


def test_its_callbacks_and_loggers_see_the_scores(tmp_path: Path) -> None:
    from pytorch_lightning.callbacks import EarlyStopping

    stop = EarlyStopping(METRIC, mode="max", patience=1)
    logger = kept_logger()
    _, trainer = fit(stop, callback(tmp_path), logger=logger)
    assert float(trainer.callback_metrics[METRIC]) == 50.0 and float(stop.best_score) == 50.0
    logged = [(step, line[METRIC]) for step, line in logger.lines if METRIC in line]
    assert len(logged) == 2 and {value for _, value in logged} == {50.0}
    assert {path.name for path in tmp_path.iterdir()} == {"step-0000002", "step-0000004"}, "not before the training"


def test_at_the_end_alone(tmp_path: Path) -> None:
    logger = kept_logger()
    fit(callback(tmp_path, on_validation=False), logger=logger)
    assert [path.name for path in tmp_path.iterdir()] == ["end-0000004"]
    assert [step for step, line in logger.lines if METRIC in line] == [4]


def test_a_deeper_network_and_a_wrong_number(tmp_path: Path) -> None:
    made = callback(tmp_path, model="system.network")
    outer = ModuleType("outer")
    outer.system = ModuleType("system")  # type: ignore[attr-defined]
    outer.system.network = 7
    assert made._network(outer) == 7
    with pytest.raises(UsageError, match="every=0 is no number of steps"):
        callback(tmp_path, every=0)


def test_either_name_of_lightning(monkeypatch: pytest.MonkeyPatch) -> None:
    """With both loaded it is a callback of both; without any, an error that says what to install."""

    class Other:
        """The callback of another Lightning."""

    library = ModuleType("lightning.pytorch")
    library.Callback = Other  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lightning.pytorch", library)
    found = lightning.callback_class.__wrapped__()
    assert issubclass(found, Other) and issubclass(found, sys.modules["pytorch_lightning"].Callback)
    for name in lightning.LIBRARIES:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError, match="Lightning is not installed"):
        lightning.callback_class.__wrapped__()
