"""A batch of training on a GPU that is not there, up to the loss: torch's backward pass asks for a real device."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.models import tiny
from tests.models.fake_gpu.device import GPU, fake_gpu, number_of
from vlmbench.models.parts.protocols import IGNORE, IMAGE_TOKEN


def batch(questions: bool) -> dict[str, torch.Tensor]:
    """A row with an image; with two questions behind one prefix."""
    ids = torch.tensor([[1, IMAGE_TOKEN, 5, 6, 7, 8, 9]])
    labels = torch.tensor([[IGNORE, IGNORE, IGNORE, 6, 7, 8, 9]])
    segments = {"segments": torch.tensor([[0, 0, 0, 1, 1, 2, 2]])} if questions else {}
    pixels = torch.randn(1, 3, 28, 28, generator=torch.Generator().manual_seed(0))
    return {"input_ids": ids, "labels": labels, "attention_mask": torch.ones_like(ids), "images": pixels, **segments}


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("questions", [False, True])
def test_the_loss_is_that_of_a_cpu(questions: bool, dtype: torch.dtype, tmp_path: Path) -> None:
    network = tiny.build(tmp_path, tiny.config()).network.to(dtype)
    expected = network.loss(batch(questions))
    with fake_gpu():
        network.to(GPU)
        loss = network.loss(batch(questions))
        assert loss.device == GPU
    assert number_of(loss).item() == pytest.approx(expected.item(), rel=1e-5 if dtype == torch.float32 else 0.02)
