"""TinyLLaVA's first code against what it computed, in parts: tower, MLP and resampler."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.golden.parity.legacy import LegacyCase, connector_of, parts, tower_of
from vlmbench.models.parts.connector.connector import Connector
from vlmbench.models.parts.vision.tower import VisionTower

Counted = Callable[[Path, int], None]
KINDS = ("legacy",)
Pieces = tuple[VisionTower, list[Connector]]


@pytest.fixture(scope="session")
def first(parity_folder: Path) -> LegacyCase:
    return LegacyCase.read(parity_folder)


def pieces(first: LegacyCase) -> Pieces:
    tower = tower_of(first)
    return tower, [connector_of(case, tower.tokens()) for case in (first, first.resampled())]


def test_tower_and_connectors_give_what_the_official_ones_give(first: LegacyCase, counted: Counted) -> None:
    found = list(parts(first, *pieces(first)))
    counted(first.folder, len(found))
    assert not [difference for difference in found if difference.bad]
    assert len(found) >= 3


# Mistakes that must be seen.


def first_patch_dropped(tower: VisionTower, connectors: list[Connector], _: pytest.MonkeyPatch) -> None:
    tower.selection = "patch"


def tapped_earlier(tower: VisionTower, connectors: list[Connector], _: pytest.MonkeyPatch) -> None:
    tower.layer -= 1


def norm_at_the_end(tower: VisionTower, connectors: list[Connector], _: pytest.MonkeyPatch) -> None:
    tower.final_norm = True


def latents_read_too(tower: VisionTower, connectors: list[Connector], monkeypatch: pytest.MonkeyPatch) -> None:
    """As Factory's resampler does."""
    layers: Any = connectors[1]._connector.resampler_blocks
    for layer in layers:

        def both(hidden: Tensor, features: Tensor, own: Callable[..., Tensor] = layer.forward) -> Tensor:
            fitted = functional.pad(hidden, (0, features.shape[-1] - hidden.shape[-1]))
            return own(hidden, torch.cat([features, fitted], dim=1))

        monkeypatch.setattr(layer, "forward", both)


def affine_lost(tower: VisionTower, connectors: list[Connector], _: pytest.MonkeyPatch) -> None:
    for module in connectors[1].modules():
        if isinstance(module, nn.LayerNorm):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)


MISTAKES = [first_patch_dropped, tapped_earlier, norm_at_the_end, latents_read_too, affine_lost]


@pytest.mark.parametrize("mistake", MISTAKES, ids=[mistake.__name__ for mistake in MISTAKES])
def test_a_mistake_is_seen(
    mistake: Callable[[VisionTower, list[Connector], pytest.MonkeyPatch], None],
    first: LegacyCase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tower, connectors = pieces(first)
    mistake(tower, connectors, monkeypatch)
    assert [difference for difference in parts(first, tower, connectors) if difference.bad]
