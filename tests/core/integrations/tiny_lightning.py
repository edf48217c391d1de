"""A LightningModule around a tiny LLaVA, and a Trainer, for tests of the callback."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch.utils.data import DataLoader

from tests.core.integrations.tiny_training import model_and_processor, rows


@cache
def _class() -> type[Any]:
    import pytorch_lightning

    class Module(pytorch_lightning.LightningModule):  # type: ignore[misc]  # an optional package is not checked
        """The network is its `model`; each loss is kept."""

        def __init__(self) -> None:
            super().__init__()
            self.model, self.processor = model_and_processor()
            self.model.train()
            self.losses: list[float] = []

        def training_step(self, batch: Any, number: int) -> Any:
            loss = self.model(**batch).loss
            self.losses.append(float(loss.detach()))
            return loss

        def validation_step(self, batch: Any, number: int) -> None:
            self.log("val_loss", self.model(**batch).loss)

        def configure_optimizers(self) -> Any:
            return torch.optim.AdamW(self.model.parameters(), lr=1e-2)

    return Module


def module() -> Any:
    """A fresh one, with the same weights and random numbers each time."""
    torch.manual_seed(0)
    return _class()()


def trainer(*, callbacks: list[Any], **settings: Any) -> Any:
    """Four steps on the CPU, two of them an epoch, with a validation after each epoch."""
    import pytorch_lightning

    options: dict[str, Any] = {"logger": False, "enable_checkpointing": False, **settings}
    return pytorch_lightning.Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=2,
        limit_train_batches=2,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=callbacks,
        **options,
    )


def loaders() -> tuple[Any, Any]:
    """Batches of two rows to train on, and one to validate with."""
    made = rows()
    return DataLoader(made, batch_size=2, shuffle=True), DataLoader(made[:2], batch_size=2)  # type: ignore[arg-type]
