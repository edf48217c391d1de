"""A batch of text alone: as in Factory, the connector gets a gradient of zeros, and AdamW goes on moving it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.models import tiny
from vlmbench.base.samples import Conversation

QFORMER = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


@pytest.mark.parametrize("name", ["linear", "mlp2x_gelu", "resampler", "legacy_resampler", "qformer"])
def test_the_connector_gets_zeros(name: str, tmp_path: Path) -> None:
    told: dict[str, Any] = {
        "connector_type": name,
        "num_queries": 4,
        "num_resampler_layers": 2,
        "resampler_hidden_size": 36,
    }
    model = tiny.build(tmp_path, tiny.config(**told, qformer_config=QFORMER))
    model.tune({"connector": "full", "language_model": "full"})
    model.module.train()
    text = model.collate([Conversation((("What?", "yes"),))], "pretrain")
    seen = model.collate([Conversation((("<image>\nWhat?", "yes"),), tiny.picture())], "pretrain")
    connector = model.parts()["connector"]
    model.loss(seen).backward()  # type: ignore[no-untyped-call]
    moved = {one for one, weight in connector.named_parameters() if weight.grad is not None}
    model.module.zero_grad()
    model.loss(text).backward()  # type: ignore[no-untyped-call]
    found = {one: weight.grad for one, weight in connector.named_parameters() if weight.grad is not None}
    assert found.keys() == moved
    assert not any(gradient.any() for gradient in found.values())
