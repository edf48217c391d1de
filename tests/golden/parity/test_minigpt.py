"""MiniGPT-4, MiniGPT-v2 and TinyGPT-V against what the official code computed, for every parity folder of theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from tests.golden.parity.arrays import Difference, seen
from tests.golden.parity.minigpt import CHECKS, Case, activations, learning, preparation
from vlmbench.models.checkpoints.minigpt.names import checkpoint_keys, official_to_ours, ours_to_official
from vlmbench.models.parts.connector.connector import MergeFour
from vlmbench.models.parts.language import lora
from vlmbench.models.parts.language.phi_norms import HalfTables
from vlmbench.models.parts.prompts import minigpt_templates
from vlmbench.models.systems.minigpt import MiniGPT

Counted = Callable[[Path, int], None]
KINDS = ("minigpt",)
Mutate = Callable[[MiniGPT], None]
Check = Callable[[Case, MiniGPT], Iterator[Difference]]


@pytest.fixture(scope="session")
def case(parity_folder: Path) -> Case:
    return Case.read(parity_folder)


@pytest.fixture(scope="session")
def loaded(case: Case) -> MiniGPT:
    return case.load()


@pytest.mark.parametrize("check", CHECKS)
def test_equals_the_official_code(
    check: str, case: Case, loaded: MiniGPT, counted: Counted, record_property: Callable[[str, object], None]
) -> None:
    found = list(CHECKS[check](case, loaded))
    counted(case.folder, len(found))
    worst = max(found, key=lambda difference: difference.found)
    record_property("worst", f"{worst.name} {worst.found:.2e}")
    assert not [difference for difference in found if difference.bad]


def test_there_and_back_every_byte_is_equal(case: Case, counted: Counted) -> None:
    theirs = load_file(case.folder / "model.safetensors")
    ours = ours_to_official(official_to_ours(theirs, case.config()), case.config())
    assert ours.keys() == theirs.keys()
    assert all(tensor.dtype == ours[name].dtype for name, tensor in theirs.items())
    assert all(tensor.numpy().tobytes() == ours[name].numpy().tobytes() for name, tensor in theirs.items())
    counted(case.folder, len(theirs))


def test_the_same_keys_are_in_a_checkpoint(case: Case, counted: Counted) -> None:
    theirs = load_file(case.folder / "model.safetensors")
    ours = official_to_ours(theirs, case.config())
    assert sorted(checkpoint_keys(ours, case.config())) == sorted(case.info["official_checkpoint_keys"])
    counted(case.folder, 1)


@torch.no_grad()
def test_merged_adapters_are_the_same_function(case: Case, counted: Counted) -> None:
    system = case.load()
    if system.network.blueprint.lora is None:
        return
    lora.merge(system.network.language_model)
    assert not [name for name, _ in system.network.named_parameters() if "lora" in name]
    found = [difference for difference in activations(case, system) if "logits" in difference.name]
    counted(case.folder, len(found))
    assert found
    assert not [difference for difference in found if difference.bad]


# A comparison that cannot fail proves nothing: each of these mistakes must be seen.


def norm_behind_tower_with_inner_eps(system: MiniGPT) -> None:
    tower = system.network.vision_tower._vision_tower.vision_model
    tower.post_layernorm.eps = tower.config.layer_norm_eps


def inner_eps_of_the_tower(system: MiniGPT) -> None:
    for name, module in system.network.vision_tower.named_modules():
        if isinstance(module, nn.LayerNorm) and "layers" in name:
            module.eps = 1e-3


def class_token_kept_or_dropped(system: MiniGPT) -> None:
    tower = system.network.vision_tower
    tower.selection = "cls_patch" if tower.selection == "patch" else "patch"
    if isinstance(merge := system.network.connector._connector, MergeFour):
        forward = merge.forward
        merge.forward = lambda features: forward(features[:, :-1])  # type: ignore[method-assign]


def squares_merged(system: MiniGPT) -> None:
    """Four neighbours of a 2 x 2 square, as the paper's words may be read, in the place of four in a row."""
    merge: Any = system.network.connector._connector
    forward = merge.forward

    def squares(features: Tensor) -> Tensor:
        images, tokens, width = features.shape
        edge = int(tokens**0.5)
        grid = features.view(images, edge // 2, 2, edge // 2, 2, width).transpose(2, 3)
        return forward(grid.reshape(images, tokens, width))  # type: ignore[no-any-return]

    merge.forward = squares


def branch_norm_dropped(system: MiniGPT) -> None:
    for layer in system.network.language_model.model.layers:
        layer.self_attn.post_layernorm = nn.Identity()


class Behind(nn.Module):
    """A norm of queries or keys behind the rotation: rotates, norms, and rotates back for the rest to redo."""

    def __init__(self, norm: nn.Module, attention: Any) -> None:
        super().__init__()
        self.norm, self.rotated, self.tables = norm, attention.rotary_ndims, (torch.empty(0), torch.empty(0))
        attention.register_forward_pre_hook(self.remember, with_kwargs=True)

    def remember(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.tables = kwargs["position_embeddings"]

    def turn(self, heads: Tensor, sign: int) -> Tensor:
        front, rest = heads[..., : self.rotated], heads[..., self.rotated :]
        cos, sin = self.tables
        one, other = front.chunk(2, dim=-1)
        return torch.cat([front * cos + sign * torch.cat([-other, one], dim=-1) * sin, rest], dim=-1)

    def forward(self, heads: Tensor) -> Tensor:
        return self.turn(self.norm(self.turn(heads, 1)), -1)


def query_norm_behind_the_rotation(system: MiniGPT) -> None:
    for layer in system.network.language_model.model.layers:
        attention = layer.self_attn
        attention.q_layernorm = Behind(attention.q_layernorm, attention)
        attention.k_layernorm = Behind(attention.k_layernorm, attention)


def query_norm_dropped(system: MiniGPT) -> None:
    for layer in system.network.language_model.model.layers:
        layer.self_attn.q_layernorm = nn.Identity()


def exact_tables(system: MiniGPT) -> None:
    model = system.network.language_model.model
    assert isinstance(model.rotary_emb, HalfTables)
    model.rotary_emb = model.rotary_emb.rotary


def adapters_twice(system: MiniGPT) -> None:
    for module in system.network.language_model.modules():
        if hasattr(module, "scaling") and isinstance(module.scaling, dict):
            module.scaling = {name: 2 * scale for name, scale in module.scaling.items()}


def query_order(system: MiniGPT) -> None:
    connector: Any = system.network.connector._connector
    connector.query_tokens.data = connector.query_tokens.data.flip(1)


def second_layer_first(system: MiniGPT) -> None:
    connector: Any = system.network.connector._connector
    layers = connector.bert.encoder.layer
    layers[0], layers[2] = layers[2], layers[0]


def blank_moved(system: MiniGPT) -> None:
    system.prompt_format = replace(system.prompt_format, answer=system.prompt_format.answer + " ")


def no_blank_behind_the_image(system: MiniGPT) -> None:
    system.prompt_format = replace(system.prompt_format, question=system.prompt_format.question.rstrip())


MUTANTS: list[tuple[Mutate, Check, str, Callable[[MiniGPT], bool]]] = [
    (norm_behind_tower_with_inner_eps, activations, "ln_vision", lambda system: True),
    (inner_eps_of_the_tower, activations, "vit", lambda system: True),
    (class_token_kept_or_dropped, activations, "img_embeds", lambda system: True),
    (squares_merged, activations, "img_embeds", lambda s: s.visual_tokens == 4 and s.name == "minigptv2"),
    (branch_norm_dropped, activations, "chat logits", lambda system: system.network.blueprint.branch_norm),
    (query_norm_behind_the_rotation, activations, "chat logits", lambda s: s.network.blueprint.branch_norm),
    (query_norm_dropped, activations, "chat logits", lambda system: system.network.blueprint.branch_norm),
    (exact_tables, activations, "chat logits", lambda system: system.network.blueprint.half_tables),
    (adapters_twice, activations, "chat logits", lambda system: system.network.blueprint.lora is not None),
    (query_order, activations, "img_embeds", lambda s: s.network.blueprint.connector != "merge4_linear"),
    (second_layer_first, activations, "qformer", lambda s: s.network.blueprint.connector != "merge4_linear"),
    (blank_moved, preparation, "chat prompt", lambda system: True),
    (no_blank_behind_the_image, preparation, "chat prompt", lambda system: True),
]


@pytest.mark.parametrize(("mutate", "check", "off", "fits"), MUTANTS, ids=[mutant[0].__name__ for mutant in MUTANTS])
def test_a_mistake_is_seen(mutate: Mutate, check: Check, off: str, fits: Callable[[MiniGPT], bool], case: Case) -> None:
    system = case.load()
    if not fits(system):
        return
    mutate(system)
    assert seen(off, check(case, system))


def test_a_second_begin_token_too_few_is_seen(case: Case, loaded: MiniGPT, monkeypatch: pytest.MonkeyPatch) -> None:
    """MiniGPT-v2 answers behind two BOS, one of the template and one of the tokenizer."""
    if case.info["chat_prompt"].startswith("<s>"):
        whole = minigpt_templates.to_ids
        monkeypatch.setattr(minigpt_templates, "to_ids", lambda text, tokenizer: whole(text, tokenizer)[1:])
        assert [difference for difference in activations(case, loaded) if difference.bad]


def test_a_longer_lesson_is_seen(case: Case, loaded: MiniGPT, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end sign is learnt; without it every batch's labels differ."""
    lesson = Case.lesson

    def endless(self: Case, *arguments: Any) -> minigpt_templates.TrainingFormat:
        return replace(lesson(self, *arguments), end="")

    monkeypatch.setattr(Case, "lesson", endless)
    assert [difference for difference in preparation(case, loaded) if difference.bad]
    assert [difference for difference in learning(case, loaded) if difference.bad]
