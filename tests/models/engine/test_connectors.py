"""The shared-prefix engine against one-by-one on networks with each connector and tower of TinyLLaVA."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.models.checkpoints.formats import LEGACY_RESAMPLER, MIXTURE, QFORMER, RESAMPLER, made
from tests.models.engine.test_engine import ask, check_equal, questions
from vlmbench.models.systems.tinyllava import TinyLLaVA

pytestmark = pytest.mark.slow

NETWORKS: dict[str, tuple[dict[str, Any], int]] = {
    "mixture": (MIXTURE, 8),
    "qformer": (QFORMER, 5),
    "resampler": (RESAMPLER, 5),
    "legacy resampler": (LEGACY_RESAMPLER, 5),
    "linear": ({"connector_type": "linear", "vision": "clip_vision_model"}, 4),
}
"""Name to its config, and the visual tokens it has."""


@pytest.fixture(params=NETWORKS)
def system(request: pytest.FixtureRequest, tmp_path: Path) -> TinyLLaVA:
    told, tokens = NETWORKS[request.param]
    found = made(tmp_path, **told)
    assert found.visual_tokens == tokens
    torch.manual_seed(7)
    with torch.no_grad():  # so that answers hang on the picture, and vary
        for name, weight in found.network.named_parameters():
            if weight.ndim >= 2:
                weight.normal_(0.0, 1.0 if "embed" in name or "head" in name else 1.6 / weight.shape[-1] ** 0.5)
    return found


def test_sharing_the_picture_changes_no_answer(system: TinyLLaVA) -> None:
    groups = questions(3, 8)
    simple = ask(system, groups, kind="simple")
    assert all(response.finish != "error" for response in simple.responses.values())
    check_equal(ask(system, groups, kind="shared"), simple)
    assert len(set(simple.texts.values())) > 1


def test_a_mistake_in_the_picture_is_seen(system: TinyLLaVA, monkeypatch: pytest.MonkeyPatch) -> None:
    groups = questions(3, 8)
    simple = ask(system, groups, kind="simple")
    own = system.network.connector.forward
    monkeypatch.setattr(system.network.connector, "forward", lambda seen: own(seen).flip(1))
    with pytest.raises(AssertionError):
        check_equal(ask(system, groups, kind="shared"), simple)
