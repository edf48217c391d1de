"""TinyLLaVA's first code against what it computed: tower, MLP, resampler, and the whole models around them."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from tests.golden.legacy_parity import LegacyCase, connector_of, is_legacy, parts, tower_of
from tests.golden.tinyllava_parity import CHECKS, activations, turns
from vlmbench.models.engine import Engine
from vlmbench.models.formats import tinyllava_forms
from vlmbench.models.parts.connector import Connector
from vlmbench.models.parts.vision import VisionTower
from vlmbench.models.tinyllava import TinyLLaVA, restore
from vlmbench.nouns import Generation, Picture, Request

Counted = Callable[[Path, int], None]
Pieces = tuple[VisionTower, list[Connector]]


def reads(folder: Path) -> bool:
    """Whether a parity folder is of TinyLLaVA's first code."""
    return is_legacy(folder)


@pytest.fixture(scope="session")
def first(parity_folder: Path) -> LegacyCase:
    case = LegacyCase.read(parity_folder)
    assert isinstance(case, LegacyCase)
    return case


@pytest.fixture(params=["mlp", "resampler"])
def case(request: pytest.FixtureRequest, first: LegacyCase) -> LegacyCase:
    return first.resampled() if request.param == "resampler" else first


@pytest.fixture
def system(case: LegacyCase, tmp_path: Path) -> TinyLLaVA:
    if not case.whole:
        pytest.skip(f"{case.folder.name} holds no language model: its tower and connectors are checked apart")
    return restore(case.checkpoint(tmp_path / "checkpoint"), attention="sdpa")


def pieces(first: LegacyCase) -> Pieces:
    tower = tower_of(first)
    return tower, [connector_of(case, tower.tokens()) for case in (first, first.resampled())]


def test_tower_and_connectors_give_what_the_official_ones_give(first: LegacyCase, counted: Counted) -> None:
    found = list(parts(first, *pieces(first)))
    counted(first.folder, len(found))
    assert not [difference for difference in found if difference.bad]
    assert len(found) >= 3


@pytest.mark.parametrize("check", CHECKS)
def test_the_whole_equals_the_official_code(check: str, case: LegacyCase, system: TinyLLaVA, counted: Counted) -> None:
    found = list(CHECKS[check](case, system))
    counted(case.folder, len(found))
    assert not [difference for difference in found if difference.bad]


@pytest.mark.parametrize("kind", ["shared", "simple"])
def test_engine_answers_as_the_official_generate(
    kind: str, case: LegacyCase, system: TinyLLaVA, counted: Counted
) -> None:
    buffer = io.BytesIO()
    case.image.save(buffer, "PNG")
    picture = Picture("image.png", partial(bytes, buffer.getvalue()))
    asked = turns(case.info["conversation"])[0][0].replace("<image>\n", "")
    theirs = [int(token) for token in case.arrays["greedy_ids"][0]]
    request = Request("1", asked, (picture,), generation=Generation(max_new_tokens=len(theirs)))
    ((_, response),) = Engine(system, kind=kind).answer([[request]])
    counted(case.folder, 1)
    assert response.text == system.decode(theirs)


def test_there_and_back_every_tensor_is_equal(case: LegacyCase, tmp_path: Path, counted: Counted) -> None:
    if not case.whole:
        pytest.skip(f"{case.folder.name} holds no language model")
    official = case.checkpoint(tmp_path / "official")
    tinyllava_forms.write(tinyllava_forms.open_folder(official), tmp_path / "ours")
    tinyllava_forms.write(tinyllava_forms.open_folder(tmp_path / "ours"), tmp_path / "again", "legacy")
    theirs, ours = (load_file(folder / "model.safetensors") for folder in (official, tmp_path / "again"))
    assert theirs.keys() == ours.keys()
    assert all(t.dtype == ours[n].dtype and t.numpy().tobytes() == ours[n].numpy().tobytes() for n, t in theirs.items())
    counted(case.folder, len(theirs))


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


def test_the_first_codes_field_for_patches_would_lose_one(first: LegacyCase, tmp_path: Path) -> None:
    """What the official converter makes of the field that the first code never read."""
    if not first.whole:
        pytest.skip(f"{first.folder.name} holds no language model")
    system = restore(first.checkpoint(tmp_path / "checkpoint"), attention="sdpa")
    system.network.vision_tower.selection = "patch"
    assert "eval logits" in [difference.name for difference in activations(first, system) if difference.bad]
