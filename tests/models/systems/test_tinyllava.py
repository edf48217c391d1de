"""TinyLLaVA as a whole: fresh models, training batches, checkpoints there and back, damaged ones refused."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.models.tiny import build, config, picture
from vlmbench.base.errors import ModelError
from vlmbench.base.model import Model
from vlmbench.base.samples import Conversation, Generation, ImageRef, Request
from vlmbench.base.trainable import Trainable
from vlmbench.models.checkpoints import folder as checkpoints
from vlmbench.models.systems import tinyllava
from vlmbench.models.systems.tinyllava import TinyLLaVA

TURNS = (("Is there a cat?", "yes"), ("What is it?", "a red square"), ("How many?", "2"))
FAMILIES = [("phi", "siglip_vision_model"), ("llama", "clip_vision_model"), ("phi", "clip_vision_model")]


@pytest.fixture(params=FAMILIES, ids="-".join)
def system(request: pytest.FixtureRequest, tmp_path: Path) -> TinyLLaVA:
    return build(tmp_path / "tokenizer", config(*request.param))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A synthetic Factory checkpoint."""
    build(tmp_path / "tokenizer", config()).save(tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


def gradients(system: TinyLLaVA, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    system.network.zero_grad(set_to_none=True)
    torch.autograd.backward(system.loss(batch))
    return {name: p.grad.clone() for name, p in system.network.named_parameters() if p.grad is not None}


def ask(model: Model, prompt: str = "Is there a cat?") -> str:
    buffer = io.BytesIO()
    picture().save(buffer, "PNG")
    shown = ImageRef("a.png", partial(bytes, buffer.getvalue()))
    request = Request("1", prompt, (shown,), generation=Generation(max_new_tokens=4))
    ((_, response),) = model.answer([[request]])
    assert response.finish != "error", response.error
    return response.text


# Fresh models.


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    one, same, other = (
        build(tmp_path / str(i), config(), seed=seed).network.state_dict() for i, seed in enumerate((3, 3, 4))
    )
    assert all(torch.equal(tensor, same[name]) for name, tensor in one.items())
    assert not torch.equal(one["connector._connector.0.weight"], other["connector._connector.0.weight"])


def test_building_leaves_the_callers_random_numbers_alone(tmp_path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    build(tmp_path, config())
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("tied", [False, True])
def test_embeddings_start_small(tmp_path: Path, tied: bool) -> None:
    network = build(tmp_path, config(text={"tie_word_embeddings": tied})).network
    table, head = network.language_model.get_input_embeddings().weight, network.language_model.lm_head.weight
    assert 0.019 < float(table.detach().std()) < 0.021
    assert (table is head) is tied


def test_it_is_trainable_and_names_its_parts(system: TinyLLaVA) -> None:
    assert isinstance(system, Trainable)
    assert list(system.parts()) == ["vision_tower", "connector", "language_model"]
    assert {name.split(".")[0] for name in system.network.state_dict()} == set(system.parts())


@pytest.mark.parametrize("kind", ["stablelm", "gemma", "qwen2"])
def test_other_families_run(tmp_path: Path, kind: str) -> None:
    system = build(tmp_path, {**config(kind, text={"num_key_value_heads": 2, "head_dim": 16}), "conv_version": "phi"})
    assert float(system.loss(system.collate([Conversation(TURNS, picture())])).detach()) == pytest.approx(5.77, abs=0.4)


# Batches.


@pytest.mark.parametrize("template", ["", "pretrain"])
@pytest.mark.parametrize("seen", [True, False])
def test_independent_questions_are_as_if_alone(system: TinyLLaVA, template: str, seen: bool) -> None:
    image = picture() if seen else None
    other = picture(1) if seen else None
    packed = system.collate(
        [Conversation(TURNS, image, independent=True), Conversation(TURNS[:2], other, independent=True)], template
    )
    alone = [Conversation((turn,), image) for turn in TURNS] + [Conversation((turn,), other) for turn in TURNS[:2]]
    apart = system.collate(alone, template)
    assert len(packed["input_ids"]) == 2
    assert torch.allclose(system.loss(packed), system.loss(apart), atol=1e-6)
    ours, theirs = gradients(system, packed), gradients(system, apart)
    assert ours.keys() == theirs.keys()
    assert all(torch.allclose(grad, theirs[name], atol=1e-5) for name, grad in ours.items())


def test_eager_and_sdpa_learn_the_same(tmp_path: Path) -> None:
    system = build(tmp_path, config())
    batch = system.collate([Conversation(TURNS, picture(), independent=True), Conversation(TURNS[:1], picture(1))])
    eager = gradients(system, batch)
    system.network.language_model.set_attn_implementation("sdpa")
    assert all(torch.allclose(grad, eager[name], atol=1e-5) for name, grad in gradients(system, batch).items())


def test_rows_of_all_kinds_in_one_batch(system: TinyLLaVA) -> None:
    rows = [
        Conversation(TURNS, picture()),
        Conversation(TURNS[:1], None),
        Conversation(TURNS, picture(1), independent=True),
        Conversation(TURNS[:2], None, independent=True),
    ]
    sizes = [int((system.collate([row])["labels"] != -100).sum()) for row in rows]
    losses = [float(system.loss(system.collate([row])).detach()) for row in rows]
    together = float(system.loss(system.collate(rows)).detach())
    assert together == pytest.approx(sum(map(float.__mul__, losses, map(float, sizes))) / sum(sizes), abs=1e-5)


def test_a_dialogue_is_not_a_set_of_questions(system: TinyLLaVA) -> None:
    dialogue, questions = (system.collate([Conversation(TURNS, picture(), independent=one)]) for one in (False, True))
    assert abs(float((system.loss(dialogue) - system.loss(questions)).detach())) > 1e-4


def test_given_features_replace_pixels(system: TinyLLaVA) -> None:
    batch = system.collate([Conversation(TURNS, picture()), Conversation(TURNS[:1], picture(1))])
    expected = system.loss(batch)
    pixels = batch.pop("images")
    with torch.no_grad():
        tower = system.network.vision_tower(pixels)
        joined = system.network.connector(tower)
    assert torch.allclose(system.loss({**batch, "image_features": tower}), expected, atol=1e-6)
    assert torch.allclose(system.loss({**batch, "prefix_embeds": joined}), expected, atol=1e-6)
    longer = torch.cat([joined, joined], dim=1).requires_grad_()
    torch.autograd.backward(system.loss({**batch, "prefix_embeds": longer}))
    assert longer.grad is not None and bool(longer.grad.abs().sum() > 0)
    with pytest.raises(ModelError, match="no images"):
        system.loss(batch)


def test_long_rows_are_cut_with_their_picture_tokens_counted(tmp_path: Path) -> None:
    long = (("Is there a cat?", "yes " * 400),)
    system = build(tmp_path, config(tokenizer_model_max_length=300))
    batch = system.collate([Conversation(long, picture())])
    assert batch["input_ids"].shape == (1, 300)
    assert system.network(batch).shape[1] == 300
    packed = system.collate([Conversation(long * 2, picture(), independent=True)])
    assert torch.allclose(system.loss(packed), system.loss(batch), atol=1e-6)


def test_nothing_to_learn_is_a_loss_of_zero_with_a_gradient(system: TinyLLaVA) -> None:
    batch = system.collate([Conversation(TURNS, picture())])
    batch["labels"] = torch.full_like(batch["labels"], -100)
    assert not any(bool(grad.any()) for grad in gradients(system, batch).values())


def test_a_miscounted_row_is_masked_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    system = build(tmp_path, config())
    with caplog.at_level(logging.WARNING):
        batch = system.collate([Conversation((("Say ASSISTANT: now", "no"),), picture(), id="row 7")])
    assert not bool((batch["labels"] != -100).any())
    assert "row 7 is masked" in caplog.text


def test_autocast_trains(system: TinyLLaVA) -> None:
    batch = system.collate([Conversation(TURNS, picture(), independent=True)])
    full = system.loss(batch)
    with torch.autocast("cpu", torch.bfloat16):
        loss = system.loss(batch)
    torch.autograd.backward(loss)
    assert loss.dtype == torch.float32
    assert abs(float((loss - full).detach())) < 0.05


def test_rope_tables_stay_exact_in_half_precision(system: TinyLLaVA) -> None:
    before = system.network.language_model.model.rotary_emb.inv_freq.clone()
    system.network.to(torch.bfloat16)
    assert torch.equal(system.network.language_model.model.rotary_emb.inv_freq, before)
    assert {p.dtype for p in system.network.parameters()} == {torch.bfloat16}


# Checkpoints.


@pytest.mark.parametrize("tied", [False, True])
def test_there_and_back_every_byte_is_equal(tmp_path: Path, tied: bool) -> None:
    build(tmp_path / "tokenizer", config(text={"tie_word_embeddings": tied})).save(tmp_path / "one")
    tinyllava.restore(tmp_path / "one").save(tmp_path / "two")
    names = sorted(file.name for file in (tmp_path / "one").iterdir())
    assert names == sorted(file.name for file in (tmp_path / "two").iterdir())
    assert all((tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes() for name in names)
    assert ("language_model.lm_head.weight" in load_file(tmp_path / "one" / "model.safetensors")) is not tied
    prints = {checkpoints.CheckpointFolder.open(tmp_path / name, "tinyllava").fingerprint() for name in ("one", "two")}
    assert len(prints) == 1


def pickled(folder: Path, state: dict[str, Tensor]) -> None:
    torch.save(state, folder / "pytorch_model.bin")


def sharded(folder: Path, state: dict[str, Tensor]) -> None:
    shards = {f"model-0000{i + 1}-of-00003.safetensors": sorted(state)[i::3] for i in range(3)}
    for file, names in shards.items():
        save_file({name: state[name] for name in names}, folder / file)
    weight_map = {name: file for file, names in shards.items() for name in names}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}), "utf-8")


def with_old_tables(folder: Path, state: dict[str, Tensor]) -> None:
    old = {
        "language_model.model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4),
        "vision_tower._vision_tower.vision_model.embeddings.position_ids": torch.arange(4)[None],
    }
    save_file({**state, **old}, folder / "model.safetensors")


def halved(folder: Path, state: dict[str, Tensor]) -> None:
    save_file({name: tensor.half() for name, tensor in state.items()}, folder / "model.safetensors")


@pytest.mark.parametrize("form", [pickled, sharded, with_old_tables, halved])
def test_other_forms_of_weights(form: Callable[[Path, dict[str, Tensor]], None], folder: Path) -> None:
    expected = ask(tinyllava.load(str(folder)))
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    form(folder, state)
    model = tinyllava.load(str(folder))
    assert {p.dtype for p in model.system.module.parameters()} == {torch.float32}
    for name, tensor in model.system.module.state_dict().items():
        assert torch.allclose(tensor, state[name], atol=1e-3), name
    assert form is halved or ask(model) == expected


def test_every_file_that_decides_answers_is_in_the_fingerprint(folder: Path) -> None:
    def current() -> str:
        return checkpoints.CheckpointFolder.open(folder, "tinyllava").fingerprint()

    seen = {current()}
    (folder / "training_log.jsonl").write_text("{}", "utf-8")
    assert {current()} == seen
    for name in ("config.json", "tokenizer_config.json", "merges.txt"):
        (folder / name).write_text((folder / name).read_text("utf-8") + "\n", "utf-8")
        seen.add(current())
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    assert len(seen | {current()}) == 5


def test_loading_does_not_ask_a_hub(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("asked the network")

    monkeypatch.setattr("socket.socket.connect", refuse)
    content = json.loads((folder / "config.json").read_text("utf-8"))
    content["llm_model_name_or_path"] = content["tokenizer_name_or_path"] = "microsoft/phi-2"
    content["auto_map"] = {"AutoConfig": "configuration.TinyLlavaConfig"}
    (folder / "config.json").write_text(json.dumps(content), "utf-8")
    ask(tinyllava.load(str(folder)))


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such folder"):
        tinyllava.load(str(tmp_path / "absent"))


def test_without_the_shipped_checkpoint_the_cure_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tinyllava, "NANO", tmp_path / "absent")
    with pytest.raises(ModelError, match="vlmbench train nano"):
        tinyllava.load(None)


def test_what_a_loaded_model_says_of_itself(folder: Path) -> None:
    model = tinyllava.load(str(folder), template="llama", image_aspect_ratio="pad")
    assert model.settings["template"] == "llama" and model.settings["image_aspect_ratio"] == "pad"
    sizes = [value for name, value in model.facts.items() if name.startswith("parameters_")]
    assert model.facts["parameters"] == sum(map(int, sizes)) == sum(p.numel() for p in model.system.module.parameters())
    assert model.facts["visual_tokens"] == 3
    assert "training_log" not in model.facts
