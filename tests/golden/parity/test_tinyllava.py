"""TinyLLaVA against what the official code computed, for every parity folder of a TinyLLaVA Factory model."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from tests.golden.parity.arrays import Difference, seen
from tests.golden.parity.tinyllava import CHECKS, Case, activations, answered, preparation
from vlmbench.models.network import network as assemble
from vlmbench.models.network import splice_images as splice
from vlmbench.models.network.splice_images import Layout
from vlmbench.models.parts.vision import dino
from vlmbench.models.parts.vision import tower as vision
from vlmbench.models.systems.tinyllava import TinyLLaVA

Counted = Callable[[Path, int], None]
KINDS = ("factory",)


@pytest.fixture(scope="session")
def case(parity_folder: Path) -> Case:
    return Case.read(parity_folder)


@pytest.fixture(scope="session")
def loaded(case: Case, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TinyLLaVA]:
    at = tmp_path_factory.mktemp(case.folder.name) / "checkpoint"
    return at, case.load(at)


@pytest.fixture
def system(case: Case, tmp_path: Path) -> TinyLLaVA:
    """One of its own for each test that changes it."""
    return case.load(tmp_path / "checkpoint")


@pytest.mark.parametrize("check", CHECKS)
def test_equals_the_official_code(
    check: str,
    case: Case,
    loaded: tuple[Path, TinyLLaVA],
    counted: Counted,
    record_property: Callable[[str, object], None],
) -> None:
    found = list(CHECKS[check](case, loaded[1]))
    counted(case.folder, len(found))
    worst = max(found, key=lambda difference: difference.found)
    record_property("worst", f"{worst.name} {worst.found:.2e}")
    assert not [difference for difference in found if difference.bad]


@pytest.mark.parametrize("kind", ["shared", "simple"])
def test_engine_answers_as_the_official_generate(
    kind: str, case: Case, loaded: tuple[Path, TinyLLaVA], counted: Counted
) -> None:
    for response, theirs in answered(case, loaded[1], kind):
        assert response.text == theirs
        assert response.prompt_tokens == case.arrays["eval_logits"].shape[1]
        counted(case.folder, 1)


def test_saved_again_it_is_the_same_checkpoint(
    case: Case, loaded: tuple[Path, TinyLLaVA], tmp_path: Path, counted: Counted
) -> None:
    checkpoint, system = loaded
    system.save(tmp_path / "again")
    theirs, ours = (load_file(folder / "model.safetensors") for folder in (checkpoint, tmp_path / "again"))
    assert theirs.keys() == ours.keys()
    assert all(tensor.numpy().tobytes() == ours[name].numpy().tobytes() for name, tensor in theirs.items())
    for file in checkpoint.glob("*.json"):
        assert json.loads(file.read_text("utf-8")) == json.loads((tmp_path / "again" / file.name).read_text("utf-8"))
    assert {file.name for file in checkpoint.iterdir()} == {file.name for file in (tmp_path / "again").iterdir()}
    counted(case.folder, len(theirs))


# A comparison that cannot fail proves nothing: each of these mistakes must be seen.


def drop_last(system: TinyLLaVA, monkeypatch: pytest.MonkeyPatch) -> None:
    strategy = system.network.vision_tower.selection
    monkeypatch.setitem(vision.SELECTIONS, strategy, lambda features: features[:, :-1])


def drop_first_or_not(system: TinyLLaVA, monkeypatch: pytest.MonkeyPatch) -> None:
    tower = system.network.vision_tower
    tower.selection = "cls_patch" if tower.selection == "patch" else "patch"


def tap_later(system: TinyLLaVA, monkeypatch: pytest.MonkeyPatch) -> None:
    system.network.vision_tower.layer += 1


def tap_earlier(system: TinyLLaVA, monkeypatch: pytest.MonkeyPatch) -> None:
    system.network.vision_tower.layer -= 1


def vision_eps(system: TinyLLaVA, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in system.network.vision_tower.modules():
        if isinstance(module, nn.LayerNorm):
            module.eps *= 100


def shift_after_image(system: TinyLLaVA, monkeypatch: pytest.MonkeyPatch) -> None:
    def shifted(*arguments: Any) -> Layout:
        layout = splice.build_layout(*arguments)
        return replace(layout, positions=layout.positions + ((layout.ids < 0).cumsum(1) > 0).long())

    monkeypatch.setattr(assemble, "build_layout", shifted)


def blank_at_the_end(system: TinyLLaVA, monkeypatch: pytest.MonkeyPatch) -> None:
    system.template = replace(system.template, open_answer="ASSISTANT: ")


def blank_before_question(system: TinyLLaVA, monkeypatch: pytest.MonkeyPatch) -> None:
    system.template = replace(system.template, before_question="USER:  ", after_question="")


def one_more_masked(system: TinyLLaVA, monkeypatch: pytest.MonkeyPatch) -> None:
    system.template = replace(system.template, bos=system.template.bos + 1)


Check = Callable[[Case, TinyLLaVA], Iterator[Difference]]
MUTANTS: list[tuple[Callable[[TinyLLaVA, pytest.MonkeyPatch], None], Check, str]] = [
    (drop_last, activations, "vision features"),
    (drop_first_or_not, activations, "vision features"),
    (tap_later, activations, "vision features"),
    (tap_earlier, activations, "vision features"),
    (vision_eps, activations, "vision features"),
    (shift_after_image, activations, "eval logits"),
    (blank_at_the_end, preparation, "eval ids"),
    (blank_before_question, preparation, "eval ids"),
    (one_more_masked, preparation, "train labels"),
]


@pytest.mark.parametrize(("mutate", "check", "off"), MUTANTS, ids=[mutate.__name__ for mutate, _, _ in MUTANTS])
def test_a_mistake_is_seen(
    mutate: Callable[[TinyLLaVA, pytest.MonkeyPatch], None],
    check: Check,
    off: str,
    case: Case,
    system: TinyLLaVA,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not any(difference.bad for difference in check(case, system))
    mutate(system, monkeypatch)
    with torch.no_grad():
        assert seen(off, check(case, system))


# Mistakes in a part that only some folders have.


def order_swapped(system: TinyLLaVA, monkeypatch: pytest.MonkeyPatch) -> None:
    mixture: Any = system.network.connector._connector
    mixture.clip, mixture.dinov2 = mixture.dinov2, mixture.clip
    own = mixture.forward
    monkeypatch.setattr(mixture, "forward", lambda seen: own(torch.cat([*seen.chunk(2, 1)][::-1], dim=1)))


def one_behind_the_other(system: TinyLLaVA, monkeypatch: pytest.MonkeyPatch) -> None:
    mixture: Any = system.network.connector._connector
    own = mixture.forward
    monkeypatch.setattr(mixture, "forward", lambda seen: torch.cat([own(seen)[:, 0::2], own(seen)[:, 1::2]], dim=1))


def sampled_elsewhere(system: TinyLLaVA, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dino, "NUDGE", 0.0)


def affine_norm(system: TinyLLaVA, monkeypatch: pytest.MonkeyPatch) -> None:
    bert: Any = system.network.connector._connector.bert
    shifted = nn.LayerNorm(bert.config.hidden_size, eps=bert.config.layer_norm_eps)
    nn.init.constant_(shifted.bias, 0.1)
    bert.layernorm = shifted


def every_layer_crosses(system: TinyLLaVA, monkeypatch: pytest.MonkeyPatch) -> None:
    bert: Any = system.network.connector._connector.bert
    layers = bert.encoder.layer
    layers[1].has_cross_attention, layers[1].crossattention = True, layers[0].crossattention


def latents_not_read(system: TinyLLaVA, monkeypatch: pytest.MonkeyPatch) -> None:
    layers: Any = system.network.connector._connector.layers
    for attention, _ in layers:

        def kv(seen: Tensor, own: Any = attention.to_kv, tokens: int = system.network.vision_tower.tokens()) -> Tensor:
            return (
                torch.as_tensor(functional.linear(seen, own.weight)) * (torch.arange(seen.shape[1]) < tokens)[:, None]
            )

        monkeypatch.setattr(attention.to_kv, "forward", kv)


PARTIAL: dict[str, list[Callable[[TinyLLaVA, pytest.MonkeyPatch], None]]] = {
    "mof_mlp": [order_swapped, one_behind_the_other],
    "qformer": [affine_norm, every_layer_crosses],
    "resampler": [latents_not_read],
}


def test_a_mistake_in_its_connector_is_seen(case: Case, system: TinyLLaVA, monkeypatch: pytest.MonkeyPatch) -> None:
    mistakes = list(PARTIAL.get(system.network.blueprint.connector, ()))
    second = system.network.blueprint.second_vision
    if second and second["image_size"] != system.network.blueprint.vision["image_size"]:
        mistakes.append(sampled_elsewhere)
    for mistake in mistakes:
        changed = copy.deepcopy(system)
        with monkeypatch.context() as patched, torch.no_grad():
            mistake(changed, patched)
            assert seen("connector", activations(case, changed)), mistake.__name__
