"""MiniGPT-4, MiniGPT-v2 and TinyGPT-V: saved and read again, adapters, parts, learning."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from tests.models import tiny, tiny_minigpt
from tests.models.engine.test_engine import ask, questions
from vlmbench.base import registry
from vlmbench.base.errors import ModelError
from vlmbench.base.samples import Conversation, Generation, ImageRef, Request
from vlmbench.base.trainable import Trainable
from vlmbench.models.parts.connector.connector import MergeFour, Widths
from vlmbench.models.parts.language import lora
from vlmbench.models.parts.language.lora import Adapters
from vlmbench.models.parts.language.phi_norms import HalfTables
from vlmbench.models.systems import minigpt

KINDS = tuple(tiny_minigpt.KINDS)


def png(seed: int) -> ImageRef:
    import io

    buffer = io.BytesIO()
    tiny.picture(seed).save(buffer, "PNG")
    return ImageRef(f"{seed}.png", partial(bytes, buffer.getvalue()))


@pytest.fixture(params=KINDS)
def saved(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path, minigpt.MiniGPT]:
    system = tiny_minigpt.build(tmp_path / "tokenizer", request.param)
    system.save(tmp_path / "one")
    return system.name, tmp_path / "one", system


def test_every_byte_comes_back(saved: tuple[str, Path, minigpt.MiniGPT], tmp_path: Path) -> None:
    name, folder, _ = saved
    again = minigpt.restore(name, folder)
    assert isinstance(again, Trainable)
    again.save(tmp_path / "two")
    for file in folder.iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes(), file.name


def test_it_answers_from_its_folder_with_merged_adapters(saved: tuple[str, Path, minigpt.MiniGPT]) -> None:
    name, folder, system = saved
    groups = questions(2, 6)
    expected = ask(system, groups).texts
    load = registry.load_object(registry.MODELS[name])
    model = load(str(folder))
    assert model.name == name
    assert {request.sample_id: response.text for request, response in model.answer(groups)} == expected
    assert not [key for key, _ in model.system.module.named_parameters() if "lora" in key]
    assert model.settings["template"] == system.prompt_format.name
    assert model.facts["visual_tokens"] == system.visual_tokens


def test_another_template_can_be_asked_for(saved: tuple[str, Path, minigpt.MiniGPT]) -> None:
    name, folder, _ = saved
    model = minigpt.load(name, str(folder), template="vicuna0")
    assert model.settings["template"] == "vicuna0"
    with pytest.raises(ModelError, match="no prompt template 'phi'"):
        minigpt.load(name, str(folder), template="phi")


def test_a_folder_of_another_system_is_refused(saved: tuple[str, Path, minigpt.MiniGPT]) -> None:
    name, folder, _ = saved
    other = "minigptv2" if name != "minigptv2" else "minigpt4"
    with pytest.raises(ModelError, match=f"model_type is '{name}', not '{other}'"):
        registry.load_object(registry.MODELS[other])(str(folder))


def test_without_a_checkpoint_it_says_what_to_name() -> None:
    with pytest.raises(ModelError, match="holds no trained minigptv2"):
        minigpt.load("minigptv2", None)


def test_shared_adapters_are_stored_once(tmp_path: Path) -> None:
    system = tiny_minigpt.build(tmp_path / "tokenizer", "tinygptv")
    attention = system.network.language_model.model.layers[0].self_attn
    one, two, three = (getattr(attention, name).lora_A["default"].weight for name in tiny_minigpt.FUSED)
    assert one is two
    assert two is three
    system.save(tmp_path / "one")
    names = load_file(tmp_path / "one" / "model.safetensors")
    assert sum("layers.0.self_attn" in name and "lora_A" in name for name in names) == 2  # q, k, v as one; dense
    again = minigpt.restore("tinygptv", tmp_path / "one")
    attention = again.network.language_model.model.layers[0].self_attn
    assert attention.q_proj.lora_A["default"].weight is attention.v_proj.lora_A["default"].weight


@torch.no_grad()
def test_merging_keeps_the_function(tmp_path: Path) -> None:
    system = tiny_minigpt.build(tmp_path, "tinygptv")
    hidden = torch.randn(2, 7, 32)
    before = system.network.language_model(inputs_embeds=hidden).logits
    lora.merge(system.network.language_model)
    after = system.network.language_model(inputs_embeds=hidden).logits
    assert float((before - after).abs().max()) < 1e-4
    assert not [name for name, _ in system.network.named_modules() if "lora" in name]


@pytest.mark.parametrize(
    ("told", "what"),
    [
        ({"rank": 4, "alpha": 8}, "no targets"),
        ({"rank": 4, "alpha": 8, "targets": ["q_proj"], "r": 3}, "no setting 'r'"),
    ],
)
def test_adapters_say_what_is_wrong(told: dict[str, Any], what: str) -> None:
    with pytest.raises(ModelError, match=what):
        Adapters.from_config(told)


def test_adapters_on_layers_that_are_not_there() -> None:
    with pytest.raises(ModelError, match="no adapters can be put in"):
        lora.add(nn.Sequential(nn.Linear(2, 2)), Adapters(2, 4, ("query",)))


def test_four_patches_of_a_row_become_one() -> None:
    merge = MergeFour(Widths(vision=1, language=4, visual_tokens=16))
    with torch.no_grad():
        merge.projector.weight.copy_(torch.eye(4))
        merge.projector.bias.zero_()
    picture = torch.arange(16.0).view(1, 16, 1)
    assert merge(picture)[0].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [12, 13, 14, 15]]
    with pytest.raises(ModelError, match="9 visual tokens cannot be merged by 4"):
        MergeFour(Widths(vision=1, language=4, visual_tokens=9))


def test_rotary_tables_are_rounded_in_any_number_type(tmp_path: Path) -> None:
    system = tiny_minigpt.build(tmp_path, "tinygptv")
    tables = system.network.language_model.model.rotary_emb
    assert isinstance(tables, HalfTables)
    at = torch.arange(700)[None]
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        cos, _ = tables(torch.empty(1, 1, dtype=dtype), at)
        exact, _ = tables.rotary(torch.empty(1, 1), position_ids=at)
        assert cos.dtype == dtype
        assert torch.equal(cos, exact.half().to(dtype))


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns(kind: str, tmp_path: Path) -> None:
    """A few steps on three pictures bring the loss down, through every part that has gradients."""
    torch.manual_seed(0)
    system = tiny_minigpt.build(tmp_path, kind)
    system.network.train()
    rows = [Conversation((("what is it?", word),), tiny.picture(i)) for i, word in enumerate(("yes", "no", "a red"))]
    batch = system.collate(rows)
    optimiser = torch.optim.AdamW(system.network.parameters(), lr=1e-2)
    losses = []
    for _ in range(20):
        loss = system.loss(batch)
        losses.append(float(loss.detach()))
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
    assert losses[-1] < 0.5 * losses[0]
    reached = {name.partition(".")[0] for name, p in system.network.named_parameters() if p.grad is not None}
    assert reached == {"vision_tower", "connector", "language_model"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_or_misshapen_weight_is_named(kind: str, tmp_path: Path) -> None:
    system = tiny_minigpt.build(tmp_path / "tokenizer", kind)
    folder = tmp_path / "one"
    system.save(folder)
    state = load_file(folder / "model.safetensors")
    name = next(name for name in state if "post_layernorm.weight" in name)
    tensor = state.pop(name)
    save_file(state, folder / "model.safetensors")
    with pytest.raises(ModelError, match=f"1 missing: {name}"):
        minigpt.restore(system.name, folder)
    save_file({**state, name: torch.cat([tensor, tensor])}, folder / "model.safetensors")
    with pytest.raises(ModelError, match=r"1 of another shape: .*post_layernorm"):
        minigpt.restore(system.name, folder)
    (folder / "config.json").write_text(json.dumps({"model_type": system.name}), "utf-8")
    with pytest.raises(ModelError, match="no text_config"):
        minigpt.restore(system.name, folder)


def test_sampling_and_beams_go_one_by_one(tmp_path: Path) -> None:
    system = tiny_minigpt.build(tmp_path, "minigpt4")
    asked = [Generation(6, temperature=1.0, top_p=0.9), Generation(6, num_beams=3)]
    groups = [[Request(str(i), "what is there?", (png(1),), generation=g) for i, g in enumerate(asked)]]
    one, other = ask(system, groups).texts, ask(system, groups).texts
    assert one == other
