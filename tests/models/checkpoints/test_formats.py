"""Each form of TinyLLaVA's checkpoints: found, loaded, answering, written back bit for bit; damaged ones refused."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.models.checkpoints.formats import KINDS, LEGACY_SIGLIP, QFORMER, factory, legacy, lora, made, part, tensors
from tests.models.checkpoints.test_damaged import evil
from tests.models.systems.test_tinyllava import ask
from tests.models.tiny import picture
from vlmbench.base.errors import ModelError
from vlmbench.base.samples import Conversation
from vlmbench.models.checkpoints import folder as checkpoints
from vlmbench.models.checkpoints.tinyllava import detect as tinyllava_formats
from vlmbench.models.checkpoints.tinyllava.legacy import open_projector
from vlmbench.models.systems import tinyllava
from vlmbench.models.systems.tinyllava import TinyLLaVA

TABLES = {
    "connector._connector.bert.embeddings.position_ids": torch.arange(9)[None],
    "language_model.model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4),
}
TURNS = (("Is there a cat?", "yes"),)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def pair(kind: str, tmp_path: Path) -> tuple[Path, TinyLLaVA]:
    """An official folder, and the network it holds."""
    _, make, told = KINDS[kind]
    return tmp_path / "official", make(tmp_path / "official", **told)


def bits(folder: Path) -> dict[str, tuple[torch.dtype, bytes]]:
    """File and name to the bits of every tensor under a folder."""
    found = {}
    for file in sorted(folder.rglob("*.*")):
        if file.suffix in (".safetensors", ".bin"):
            state = load_file(file) if file.suffix == ".safetensors" else torch.load(file, weights_only=True)
            for name, tensor in state.items():
                found[f"{file.relative_to(folder)} {name}"] = tensor.dtype, bytes(tensor.view(torch.uint8).numpy())
    return found


@torch.no_grad()
def logits(system: TinyLLaVA) -> Tensor:
    """Of one row with a picture."""
    return torch.as_tensor(system.network(system.collate([Conversation(TURNS, picture())])))


def test_it_is_known_and_computes_what_it_holds(kind: str, pair: tuple[Path, TinyLLaVA]) -> None:
    folder, expected = pair
    assert tinyllava_formats.find(folder) == KINDS[kind][0]
    model = tinyllava.load(str(folder))
    ask(model)
    assert model.facts["visual_tokens"] == expected.visual_tokens
    found = model.system
    assert isinstance(found, TinyLLaVA)
    assert found.template.name == expected.template.name
    assert torch.allclose(logits(found), logits(expected), atol=1e-4)
    assert not any("lora" in name for name, _ in found.network.named_parameters())


def test_there_and_back_every_bit_is_equal(kind: str, pair: tuple[Path, TinyLLaVA], tmp_path: Path) -> None:
    folder, expected = pair
    tinyllava_formats.write(tinyllava_formats.open_folder(folder), tmp_path / "ours")
    ours = tinyllava_formats.open_folder(tmp_path / "ours")
    assert ours.format_name == "native"
    system = tinyllava.load(str(tmp_path / "ours")).system
    assert isinstance(system, TinyLLaVA)
    assert torch.allclose(logits(system), logits(expected), atol=1e-4)
    tinyllava_formats.write(ours, tmp_path / "again", KINDS[kind][0])
    assert bits(tmp_path / "again") == bits(folder)
    one, other = (json.loads((at / "config.json").read_text("utf-8")) for at in (folder, tmp_path / "again"))
    assert {**one, "converted_from": None} == {**other, "converted_from": None}
    again = tinyllava.load(str(tmp_path / "again")).system
    assert isinstance(again, TinyLLaVA)
    assert torch.allclose(logits(again), logits(expected), atol=1e-4)


# Damage.


def weights_of(folder: Path) -> Path:
    """One weight file of a folder."""
    return next(file for file in sorted(folder.rglob("*.*")) if file.suffix in (".bin", ".safetensors"))


def change(file: Path, how: Callable[[dict[str, Tensor]], Any]) -> None:
    """Change the tensors of a weight file."""
    safe = file.suffix == ".safetensors"
    state = load_file(file) if safe else torch.load(file, weights_only=True)
    how(state)
    if safe:
        save_file(state, file)
    else:
        torch.save(state, file)


def lose(state: dict[str, Tensor]) -> None:
    state.pop(sorted(state)[0])


def add(state: dict[str, Tensor]) -> None:
    state["strange"] = torch.ones(1)


def turn(state: dict[str, Tensor]) -> None:
    name = sorted(state)[-1]
    state[name] = torch.ones(3, *state[name].shape)


def halve(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def poison(file: Path) -> None:
    at = file if file.suffix == ".bin" else file.with_name("pytorch_model.bin")
    if at != file:
        file.unlink()
    at.write_bytes(evil(b""))


DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "missing": (lambda file: change(file, lose), "[12] missing: "),
    "unexpected": (lambda file: change(file, add), "1 unexpected: .*strange"),
    "wrong shape": (lambda file: change(file, turn), r"1 of another shape: .*\[3, .*instead of"),
    "truncated": (halve, "damaged"),
    "code": (poison, "holds code|without adapter_model"),
}


@pytest.mark.parametrize("harm", DAMAGE)
@pytest.mark.parametrize("name", ["stages", "lora", "legacy phi", "hf 4", "factory qformer", "factory mixture"])
def test_damage_is_refused(name: str, harm: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, make, told = KINDS[name]
    make(tmp_path / "official", **told)
    harmed, said = DAMAGE[harm]
    harmed(weights_of(tmp_path / "official"))
    with pytest.raises(ModelError, match=said):
        tinyllava.load(str(tmp_path / "official"))
    assert "ran" not in capsys.readouterr().out


def edit(folder: Path, name: str, **told: Any) -> None:
    content = json.loads((folder / name).read_text("utf-8"))
    (folder / name).write_text(json.dumps({**content, **told}), "utf-8")


REFUSED: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "other architecture": (
        "legacy phi",
        lambda at: edit(at, "config.json", architectures=["TinyLlavaQwen2ForCausalLM"]),
        "TinyLlavaQwen2ForCausalLM",
    ),
    "unknown tower": ("legacy phi", lambda at: (at / "vision_config.json").unlink(), "'tiny' is not known"),
    "tower with too few layers": (
        "legacy phi",
        lambda at: edit(at, "vision_config.json", num_hidden_layers=7),
        "3 layers of a vision tower of 7",
    ),
    "start and end of the picture": (
        "legacy phi",
        lambda at: edit(at, "config.json", mm_use_im_start_end=True),
        "tokens of its own",
    ),
    "unpadded": (
        "legacy phi",
        lambda at: edit(at, "config.json", mm_patch_merge_type="spatial_unpad"),
        "mm_patch_merge_type",
    ),
    "tokenizer with code": (
        "legacy stablelm",
        lambda at: (at / "arcade100k.tiktoken").touch(),
        "arcade100k",
    ),
    "a part is missing": ("stages", lambda at: (at / "connector" / "pytorch_model.bin").unlink(), "no connector"),
    "no adapters": ("lora", lambda at: (at / "adapter_model.safetensors").unlink(), "without adapter_model"),
    "dora": ("lora", lambda at: edit(at, "adapter_config.json", use_dora=True), "use_dora is True"),
    "other peft": ("lora", lambda at: edit(at, "adapter_config.json", peft_type="IA3"), "'IA3'"),
    "targets by pattern": ("lora", lambda at: edit(at, "adapter_config.json", target_modules="all"), "no list"),
    "other projector": ("hf 4", lambda at: edit(at, "config.json", projector_hidden_act="silu"), "projector"),
    "several layers": ("hf 4", lambda at: edit(at, "config.json", vision_feature_layer=[-2, -5]), "projector"),
    "other selection": (
        "hf 4",
        lambda at: edit(at, "config.json", vision_feature_select_strategy="patch"),
        "no vision_feature_select_strategy 'patch'",
    ),
    "unknown second tower": (
        "factory mixture",
        lambda at: edit(at, "config.json", vision_config2=None),
        "second vision tower 'tiny-dinov2' is not known",
    ),
    "towers that do not fit": (
        "factory mixture",
        lambda at: edit(
            at, "config.json", vision_config2={**KINDS["factory mixture"][2]["vision_config2"], "patch_size": 7}
        ),
        "CLIP gives 5 tokens",
    ),
    "a mixture without its connector": (
        "factory mixture",
        lambda at: edit(at, "config.json", connector_type="mlp2x_gelu"),
        "do not fit",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_understood_is_refused(name: str, tmp_path: Path) -> None:
    kind, harm, said = REFUSED[name]
    _, make, told = KINDS[kind]
    make(tmp_path / "official", **told)
    harm(tmp_path / "official")
    with pytest.raises(ModelError, match=said):
        tinyllava.load(str(tmp_path / "official"))


def test_a_trained_bias_does_not_fit_the_first_code(tmp_path: Path) -> None:
    legacy(tmp_path / "official")
    system = tinyllava.restore(tmp_path / "official")
    torch.nn.init.ones_(system.network.language_model.lm_head.bias)
    system.save(tmp_path / "ours")
    with pytest.raises(ModelError, match=r"lm_head.bias is not zero"):
        tinyllava_formats.write(tinyllava_formats.open_folder(tmp_path / "ours"), tmp_path / "again", "legacy")


def test_adapters_stay_adapters_for_training(tmp_path: Path) -> None:
    merged = lora(tmp_path / "official")
    system = tinyllava.restore(tmp_path / "official")
    assert any("lora_A" in name for name, _ in system.network.named_parameters())
    system.network.eval()
    assert torch.allclose(logits(system), logits(merged), atol=1e-4)
    system.save(tmp_path / "ours")
    again = tinyllava.load(str(tmp_path / "ours")).system
    assert isinstance(again, TinyLLaVA)
    assert torch.allclose(logits(again), logits(merged), atol=1e-4)


def test_the_alpha_of_adapters_is_in_the_fingerprint(tmp_path: Path) -> None:
    lora(tmp_path / "official")
    before = tinyllava_formats.open_folder(tmp_path / "official").fingerprint()
    edit(tmp_path / "official", "adapter_config.json", lora_alpha=7)
    assert tinyllava_formats.open_folder(tmp_path / "official").fingerprint() != before


def test_a_base_stage_with_its_two_neighbours(tmp_path: Path) -> None:
    legacy(tmp_path / "official")
    system = made(tmp_path, vision_feature_select_strategy="cls_patch")
    torch.nn.init.zeros_(system.network.language_model.lm_head.bias)
    state = {name: tensor.float() for name, tensor in tensors(system).items()}
    stage, words, tower = tmp_path / "stage", tmp_path / "phi", tmp_path / "siglip"
    for folder in (stage, words, tower):
        folder.mkdir()
    config = json.loads((tmp_path / "official" / "config.json").read_text("utf-8"))
    (stage / "config.json").write_text(json.dumps(config), "utf-8")
    projector = part(state, "connector._connector.")
    torch.save({f"model.mm_projector.{name}": tensor for name, tensor in projector.items()}, stage / "mm_projector.bin")
    language = part(state, "language_model.")
    language.pop("lm_head.bias")
    save_file(language, words / "model.safetensors")
    for file in system.files.iterdir():
        (words / file.name).write_bytes(file.read_bytes())
    whole = {**part(state, "vision_tower._vision_tower."), "logit_scale": torch.ones(1)}
    save_file(whole, tower / "model.safetensors")
    told = {"model_type": "siglip", "vision_config": system.config["vision_config"]}
    (tower / "config.json").write_text(json.dumps(told), "utf-8")

    with pytest.raises(ModelError, match="projector alone"):
        tinyllava.load(str(stage))
    tinyllava_formats.write(open_projector(stage, language_model=words, vision_tower=tower), tmp_path / "ours")
    found = tinyllava.load(str(tmp_path / "ours")).system
    assert isinstance(found, TinyLLaVA)
    assert torch.allclose(logits(found), logits(system), atol=1e-4)


def test_a_converted_older_model_is_told_of_and_can_be_set_right(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frozen = dict.fromkeys(("tune_type_llm", "tune_type_connector", "tune_type_vision_tower"), "frozen")
    factory(tmp_path / "official", **frozen)
    with caplog.at_level(logging.WARNING):
        dropped = tinyllava.load(str(tmp_path / "official"))
    assert "vision_feature_select_strategy=cls_patch" in caplog.text
    caplog.clear()
    kept = tinyllava.load(str(tmp_path / "official"), vision_feature_select_strategy="cls_patch")
    assert "cls_patch" not in caplog.text
    assert (dropped.facts["visual_tokens"], kept.facts["visual_tokens"]) == (3, 4)
    assert kept.settings["vision_feature_select_strategy"] == LEGACY_SIGLIP["vision_feature_select_strategy"]
    trained = {**frozen, "tune_type_connector": "full"}
    factory(tmp_path / "trained", **trained)
    tinyllava.load(str(tmp_path / "trained"))
    assert "cls_patch" not in caplog.text


@pytest.mark.parametrize("prefixed", [True, False])
def test_as_transformers_own_class_computes_it(prefixed: bool, tmp_path: Path) -> None:
    from transformers import LlavaConfig, LlavaForConditionalGeneration

    _, make, told = KINDS["hf 4" if prefixed else "hf 5"]
    make(tmp_path / "official", **told)
    own = json.loads((tmp_path / "official" / "config.json").read_text("utf-8"))
    theirs = LlavaForConditionalGeneration(LlavaConfig(**{**own, "image_token_index": 7})).float().eval()
    state = load_file(tmp_path / "official" / "model.safetensors")
    given = {}
    for name, tensor in state.items():
        name = name.replace("vision_tower.vision_model.", "vision_tower.").replace("language_model.lm_head", "lm_head")
        name = name.replace("language_model.model.", "language_model.")
        given[name if name.startswith("lm_head") else f"model.{name}"] = tensor.float()
    theirs.load_state_dict(given)
    system = tinyllava.load(str(tmp_path / "official")).system
    assert isinstance(system, TinyLLaVA)
    batch = system.collate([Conversation(TURNS, picture())])
    (row,) = batch["input_ids"].tolist()
    spread = [token for one in row for token in ([7] * 4 if one < 0 else [3 if one == 7 else one])]
    with torch.no_grad():
        expected = theirs(input_ids=torch.tensor([spread]), pixel_values=batch["images"]).logits
        batch["input_ids"] = torch.tensor([[3 if one == 7 else one for one in row]])
        assert torch.allclose(system.network(batch), expected, atol=1e-4)


def test_loading_lets_go_of_what_it_has_copied(tmp_path: Path) -> None:
    system = factory(tmp_path / "official")
    state = tinyllava_formats.open_folder(tmp_path / "official").state()
    left = checkpoints.assign_state(system.network, state, where="here")
    assert (state, left) == ({}, {})


@pytest.mark.parametrize("form", ["factory_lora", "legacy", "hf_llava", "safetensors"])
def test_a_form_that_cannot_hold_a_model_says_so(form: str, tmp_path: Path) -> None:
    factory(tmp_path / "official")
    with pytest.raises(ModelError, match=r"no adapters|not a checkpoint of|no format 'safetensors'"):
        tinyllava_formats.write(tinyllava_formats.open_folder(tmp_path / "official"), tmp_path / "other", form)


def test_a_whole_model_as_parts(tmp_path: Path) -> None:
    expected = factory(tmp_path / "official", **QFORMER)
    tinyllava_formats.write(tinyllava_formats.open_folder(tmp_path / "official"), tmp_path / "parts", "factory_stages")
    assert tinyllava_formats.find(tmp_path / "parts") == "factory_stages"
    found = tinyllava.load(str(tmp_path / "parts")).system
    assert isinstance(found, TinyLLaVA)
    assert torch.allclose(logits(found), logits(expected), atol=1e-4)


def test_a_tied_head_may_be_named_twice(tmp_path: Path) -> None:
    expected = factory(tmp_path / "official", text={"tie_word_embeddings": True})
    official = tmp_path / "official"
    state = load_file(official / "model.safetensors")
    state["language_model.lm_head.weight"] = state["language_model.model.embed_tokens.weight"]
    (official / "model.safetensors").unlink()
    torch.save(state, official / "pytorch_model.bin")
    tinyllava_formats.write(tinyllava_formats.open_folder(official), tmp_path / "again")
    again = bits(tmp_path / "again")
    assert {name.split()[1]: value for name, value in again.items()} == {
        name.split()[1]: value for name, value in bits(official).items()
    }
    for folder in (official, tmp_path / "again"):
        found = tinyllava.load(str(folder)).system
        assert isinstance(found, TinyLLaVA)
        assert torch.allclose(logits(found), logits(expected), atol=1e-4)


def test_tables_that_files_hold_are_given_back(tmp_path: Path) -> None:
    factory(tmp_path / "official", **QFORMER)
    change(tmp_path / "official" / "model.safetensors", lambda state: state.update(TABLES))
    tinyllava.restore(tmp_path / "official").save(tmp_path / "again")
    again = load_file(tmp_path / "again" / "model.safetensors")
    assert all(torch.equal(again[name], table) for name, table in TABLES.items())
