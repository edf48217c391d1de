"""TinyLLaVA's first code against what it computed: whole models, with the MLP and with the resampler."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.golden.parity.arrays import seen
from tests.golden.parity.legacy import LegacyCase
from tests.golden.parity.tinyllava import CHECKS, activations, answered
from vlmbench.models.checkpoints.tinyllava import detect as tinyllava_formats
from vlmbench.models.systems.tinyllava import TinyLLaVA, restore

Counted = Callable[[Path, int], None]
KINDS = ("whole legacy",)


@pytest.fixture(scope="session")
def first(parity_folder: Path) -> LegacyCase:
    return LegacyCase.read(parity_folder)


@pytest.fixture(params=["mlp", "resampler"])
def case(request: pytest.FixtureRequest, first: LegacyCase) -> LegacyCase:
    return first.resampled() if request.param == "resampler" else first


@pytest.fixture
def system(case: LegacyCase, tmp_path: Path) -> TinyLLaVA:
    return restore(case.checkpoint(tmp_path / "checkpoint"), attention="sdpa")


@pytest.mark.parametrize("check", CHECKS)
def test_the_whole_equals_the_official_code(check: str, case: LegacyCase, system: TinyLLaVA, counted: Counted) -> None:
    found = list(CHECKS[check](case, system))
    counted(case.folder, len(found))
    assert not [difference for difference in found if difference.bad]


@pytest.mark.parametrize("kind", ["shared", "simple"])
def test_engine_answers_as_the_official_generate(
    kind: str, case: LegacyCase, system: TinyLLaVA, counted: Counted
) -> None:
    for response, theirs in answered(case, system, kind):
        assert response.text == theirs
        counted(case.folder, 1)


def test_there_and_back_every_tensor_is_equal(case: LegacyCase, tmp_path: Path, counted: Counted) -> None:
    official = case.checkpoint(tmp_path / "official")
    tinyllava_formats.write(tinyllava_formats.open_folder(official), tmp_path / "ours")
    tinyllava_formats.write(tinyllava_formats.open_folder(tmp_path / "ours"), tmp_path / "again", "legacy")
    theirs, ours = (load_file(folder / "model.safetensors") for folder in (official, tmp_path / "again"))
    assert theirs.keys() == ours.keys()
    assert all(t.dtype == ours[n].dtype and t.numpy().tobytes() == ours[n].numpy().tobytes() for n, t in theirs.items())
    counted(case.folder, len(theirs))


def test_the_first_codes_field_for_patches_would_lose_one(first: LegacyCase, tmp_path: Path) -> None:
    """What the official converter makes of the field that the first code never read."""
    system = restore(first.checkpoint(tmp_path / "checkpoint"), attention="sdpa")
    system.network.vision_tower.selection = "patch"
    assert seen("eval logits", activations(first, system))
