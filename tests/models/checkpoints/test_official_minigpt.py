"""Official checkpoints of the MiniGPT family: read, answered from, converted, and written back byte for byte."""

from __future__ import annotations

import io
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import Blip2QFormerConfig

from tests.models import tiny_minigpt
from tests.models.checkpoints import official
from tests.models.checkpoints.official import KINDS, Official, make
from tests.models.tiny import picture
from vlmbench.base.errors import ModelError
from vlmbench.base.model import Model
from vlmbench.base.samples import Generation, ImageRef, Request
from vlmbench.base.trainable import Kept
from vlmbench.models.checkpoints import folder as checkpoints
from vlmbench.models.checkpoints import native as own
from vlmbench.models.checkpoints.checkpoint import SourceFiles
from vlmbench.models.checkpoints.minigpt import pth as minigpt_pth
from vlmbench.models.checkpoints.minigpt.config import config_of, prompt_format_of
from vlmbench.models.checkpoints.minigpt.names import ours_to_official
from vlmbench.models.checkpoints.minigpt.shape_check import meta_network
from vlmbench.models.checkpoints.minigpt.write import BLIP2, CHECKPOINT, EVA, LANGUAGE
from vlmbench.models.network.minigpt_blueprint import blueprint
from vlmbench.models.network.network import ties
from vlmbench.models.parts import reshaping
from vlmbench.models.parts.language.lora import Adapters
from vlmbench.models.systems import convert, minigpt
from vlmbench.models.zoo.variants import VARIANTS

pytestmark = pytest.mark.slow


@pytest.fixture(params=KINDS)
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Official:
    return make(tmp_path / "official", request.param)


def given(files: Official, **more: str | int) -> SourceFiles:
    edge = official.EDGES[files.kind]
    told: dict[str, str | int] = {"image_size": edge, **more}
    return SourceFiles(files.vit, files.qformer, files.llm, **told)  # type: ignore[arg-type]


def ask(model: Model) -> list[str]:
    requests = []
    for seed in range(2):
        buffer = io.BytesIO()
        picture(seed).save(buffer, "PNG")
        shown = ImageRef(f"{seed}.png", partial(bytes, buffer.getvalue()))
        for prompt in ("Is there a cat?", "What is it?"):
            requests.append(Request(f"{seed} {prompt}", prompt, (shown,), generation=Generation(max_new_tokens=6)))
    answers = [
        (request, response) for group in (requests[:2], requests[2:]) for request, response in model.answer([group])
    ]
    assert all(response.finish != "error" for _, response in answers), answers
    return [response.text for _, response in sorted(answers, key=lambda pair: pair[0].sample_id)]


def to_ours(files: Official, target: Path) -> convert.Report:
    return convert.convert(files.pth, target, to="", source_files=given(files), overwrite=False)


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Same names, dtypes and bytes."""
    return one.keys() == other.keys() and all(
        tensor.dtype == other[name].dtype and tensor.numpy().tobytes() == other[name].numpy().tobytes()
        for name, tensor in one.items()
    )


def read(file: Path) -> dict[str, Tensor]:
    found: dict[str, Any] = torch.load(file, weights_only=True)
    model: dict[str, Tensor] = found.get("model", found)
    return model


# There.


def test_it_answers_at_once_and_the_same_when_converted(files: Official, tmp_path: Path) -> None:
    at_once = minigpt.load(files.system, str(files.pth), **files.options())
    answers = ask(at_once)
    assert len(set(answers)) > 1
    assert ask(minigpt.load(files.system, str(files.pth), **files.options(), engine="simple")) == answers
    report = to_ours(files, tmp_path / "ours")
    assert (report.system, report.before, report.after) == (files.system, "minigpt-pth", "vlmbench")
    assert ask(minigpt.load(files.system, str(tmp_path / "ours"))) == answers


def test_every_tensor_is_where_it_belongs(tmp_path: Path) -> None:
    """By hand for the ones whose layout changes: the rest is compared with the official code in tests/golden."""
    files = make(tmp_path, "tinygptv")
    found = minigpt_pth.read(files.pth, given(files)).tensors
    vit, llm, pth = read(files.vit), load_file(files.llm / "model.safetensors"), read(files.pth)
    bias = found["vision_tower._vision_tower.vision_model.encoder.layers.1.self_attn.qkv.bias"]
    assert torch.equal(bias[: official.VIT], vit["blocks.1.attn.q_bias"])
    assert not bias[official.VIT : 2 * official.VIT].any()
    assert torch.equal(bias[2 * official.VIT :], vit["blocks.1.attn.v_bias"])
    at, width = "language_model.model.layers.0.self_attn", official.WIDTH // official.HEADS
    whole = llm["model.layers.0.self_attn.query_key_value.weight"]
    wide = pth["llama_model.base_model.model.model.layers.0.self_attn.query_key_value.lora_B.weight"]
    for head in range(official.HEADS):
        for place, one in enumerate("qkv"):
            theirs = slice((3 * head + place) * width, (3 * head + place + 1) * width)
            ours = slice(head * width, (head + 1) * width)
            assert torch.equal(found[f"{at}.{one}_proj.base_layer.weight"][ours], whole[theirs])
            assert torch.equal(found[f"{at}.{one}_proj.lora_B.default.weight"][ours], wide[theirs])
    shared = [name for name in found if name.startswith(at) and "lora_A" in name]
    assert sorted(shared) == [f"{at}.dense.lora_A.default.weight", f"{at}.q_proj.lora_A.default.weight"]


def cubic(distance: float) -> float:
    """Keys' kernel with a = -0.75, which torch's bicubic has."""
    x, a = abs(distance), -0.75
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    return near if x <= 1 else a * (x**3 - 5 * x**2 + 8 * x - 4)


def test_positions_are_drawn_out_as_a_picture_is() -> None:
    row = torch.tensor([3.0, 1, 4, 1, 5, 9, 2, 6])
    first = torch.full((1, 1, 1), 99.0)
    table = torch.cat([first, row.expand(8, 8).reshape(1, 64, 1)], dim=1)
    assert reshaping.resized_positions(table, 64) is table
    grown = reshaping.resized_positions(table.half(), 256)
    assert (grown.shape, grown.dtype) == ((1, 257, 1), torch.float32)
    assert float(grown[0, 0]) == 99
    square = grown[0, 1:, 0].view(16, 16)
    for place in range(4, 12):
        centre = (place + 0.5) / 2 - 0.5
        expected = sum(cubic(centre - i) * float(row[i]) for i in range(int(centre) - 1, int(centre) + 3))
        assert torch.allclose(square[:, place], torch.tensor(expected), atol=1e-5)


def test_dtypes_stay(files: Official) -> None:
    found = minigpt_pth.read(files.pth, given(files)).tensors
    assert found["language_model.model.embed_tokens.weight"].dtype == torch.float16
    assert {t.dtype for name, t in found.items() if "lora" in name or "projector" in name} == {torch.float32}


def test_without_a_qformers_file_ln_vision_stays_at_its_start(tmp_path: Path) -> None:
    for kind in ("minigptv2", "minigpt4-llama2"):
        files = make(tmp_path / kind, kind)
        before = minigpt_pth.read(files.pth, given(files)).tensors
        name = "vision_tower._vision_tower.vision_model.post_layernorm."
        assert bool((before[f"{name}weight"] == 1).all())
        assert not before[f"{name}bias"].any()
        whole = torch.load(files.pth, weights_only=True)
        whole["model"]["ln_vision.weight"] = torch.full((official.VIT,), 2.0)
        whole["model"]["ln_vision.bias"] = torch.full((official.VIT,), 3.0)
        torch.save(whole, files.pth)
        after = minigpt_pth.read(files.pth, given(files)).tensors
        assert bool((after[f"{name}weight"] == 2).all())


def test_a_language_model_with_queries_apart_is_the_same(tmp_path: Path) -> None:
    files = make(tmp_path, "tinygptv")
    fused = ask(minigpt.load("tinygptv", str(files.pth), **files.options()))
    llm = files.llm / "model.safetensors"
    save_file(reshaping.split_fused(load_file(llm), official.HEADS), llm)
    assert ask(minigpt.load("tinygptv", str(files.pth), **files.options())) == fused
    to_ours(files, tmp_path / "ours")
    back(tmp_path / "ours", tmp_path / "back")
    assert equal(load_file(tmp_path / "back" / LANGUAGE / "model.safetensors"), load_file(llm))


def test_the_tables_of_the_language_models_file_are_told_and_not_used(tmp_path: Path) -> None:
    files = make(tmp_path / "official", "minigpt4")
    unused = to_ours(files, tmp_path / "ours").unused
    assert set(unused[str(files.vit)]) == {"mask_token", "norm.weight", "norm.bias"}
    assert "t5_proj.weight" in unused[str(files.qformer)]
    assert all("Qformer" in name or "t5_" in name for name in unused[str(files.qformer)])
    assert unused[str(files.llm)] == tuple(f"model.layers.{i}.self_attn.rotary_emb.inv_freq" for i in range(2))
    assert unused[str(files.pth)] == ("optimizer", "scaler")


def test_blocks_that_are_not_built_are_left_out(tmp_path: Path) -> None:
    files = make(tmp_path, "minigptv2")
    late = {**read(files.vit), "blocks.39.attn.q_bias": torch.ones(3)}
    torch.save(late, files.vit)
    assert "blocks.39.attn.q_bias" in minigpt_pth.read(files.pth, given(files)).unused[str(files.vit)]


@pytest.mark.parametrize(
    ("system", "qformer", "told", "asked", "expected"),
    [
        ("minigpt4", True, {}, {}, ("vicuna0", 224)),
        ("minigpt4", False, {}, {}, ("llama2", 224)),
        ("minigptv2", False, {}, {}, ("minigptv2", 448)),
        ("tinygptv", True, {}, {}, ("tinygptv", 448)),
        ("tinygptv", True, {}, {"image_size": 224}, ("vicuna0", 224)),
        ("tinygptv", True, {}, {"template": "vicuna0"}, ("vicuna0", 224)),
        ("tinygptv", True, {"arch": "minigpt4", "image_size": 224}, {}, ("vicuna0", 224)),
        ("tinygptv", True, {"arch": "minigpt_v2", "image_size": 448}, {}, ("tinygptv", 448)),
        ("tinygptv", True, {"arch": "minigpt_v2", "image_size": 448}, {"template": "vicuna0"}, ("vicuna0", 224)),
        ("minigptv2", False, {"image_size": 224}, {}, ("minigptv2", 224)),
        ("minigpt4", True, {"image_size": 224}, {"image_size": 448}, ("vicuna0", 448)),
    ],
)
def test_style_and_picture_size(
    system: str, qformer: bool, told: dict[str, str | int], asked: dict[str, str | int], expected: tuple[str, int]
) -> None:
    assert prompt_format_of(system, qformer, told, SourceFiles(**asked)) == expected  # type: ignore[arg-type]


def test_the_trainings_own_config_is_heeded(tmp_path: Path) -> None:
    files = make(tmp_path, "minigptv2", image_size=112, lora_alpha=8)
    config = minigpt_pth.read(files.pth, given(files, image_size=0)).config
    assert config["vision_config"]["image_size"] == 112
    assert (config["lora"]["rank"], config["lora"]["alpha"]) == (official.RANK, 8)


# And back.


def back(ours: Path, target: Path) -> convert.Report:
    return convert.convert(ours, target, to="", source_files=SourceFiles(), overwrite=False)


def test_there_and_back_every_byte_is_equal(files: Official, tmp_path: Path) -> None:
    report = to_ours(files, tmp_path / "ours")
    assert back(tmp_path / "ours", tmp_path / "back").after == "minigpt-pth"
    written = torch.load(tmp_path / "back" / CHECKPOINT, weights_only=True)
    before = torch.load(files.pth, weights_only=True)
    assert equal(written["model"], before["model"])
    assert list(written["model"]) == list(before["model"])
    assert (written["epoch"], written["config"]) == (3, before["config"])
    pairs = {EVA: files.vit, **({BLIP2: files.qformer} if files.qformer else {})}
    for name, source in pairs.items():
        used = {n: t for n, t in read(source).items() if n not in report.unused[str(source)]}
        assert equal(read(tmp_path / "back" / name), used)
    assert (tmp_path / "back" / BLIP2).exists() == bool(files.qformer)
    llm = load_file(files.llm / "model.safetensors")
    used = {n: t for n, t in llm.items() if n not in report.unused.get(str(files.llm), ())}
    assert equal(load_file(tmp_path / "back" / LANGUAGE / "model.safetensors"), used)
    told = json.loads((tmp_path / "back" / LANGUAGE / "config.json").read_text("utf-8"))
    assert told == json.loads((files.llm / "config.json").read_text("utf-8"))


def test_there_back_and_there_again(files: Official, tmp_path: Path) -> None:
    to_ours(files, tmp_path / "ours")
    back(tmp_path / "ours", tmp_path / "back")
    folder = tmp_path / "back"
    qformer = folder / BLIP2 if files.qformer else None
    again = Official(files.kind, folder, folder / CHECKPOINT, folder / EVA, folder / LANGUAGE, qformer)
    to_ours(again, tmp_path / "again")
    assert equal(load_file(tmp_path / "again" / checkpoints.SAFE), load_file(tmp_path / "ours" / checkpoints.SAFE))


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_of_ours_becomes_an_official_one(kind: str, tmp_path: Path) -> None:
    """Its checkpoint has the names that the official training saves; read again it is the same."""
    sizes: dict[str, Any] = {"vision_config": {**tiny_minigpt.config(kind)["vision_config"], "hidden_size": 176}}
    bert = {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
    system = tiny_minigpt.build(tmp_path / "words", kind, qformer_config=bert, **sizes)
    with torch.no_grad():
        for layer in system.network.vision_tower._vision_tower.vision_model.encoder.layers:
            layer.self_attn.qkv.bias[176:352] = 0
    system.save(tmp_path / "ours")
    back(tmp_path / "ours", tmp_path / "back")
    folder = tmp_path / "back"
    names = official.trained(official.Draw(0), kind).keys()
    extra = {"ln_vision.weight", "ln_vision.bias"} if kind in ("minigptv2", "minigpt4-llama2") else set()
    if kind == "tinygptv":  # the official training leaves these biases at 0; here they are drawn
        at = "llama_model.base_model.model.model.layers"
        extra = {f"{at}.{layer}.self_attn.{one}_layernorm.bias" for layer in range(2) for one in "qk"}
    assert set(torch.load(folder / CHECKPOINT, weights_only=True)["model"]) == names | extra
    told = SourceFiles(
        folder / EVA, folder / BLIP2 if (folder / BLIP2).exists() else None, folder / LANGUAGE, image_size=56
    )
    again = minigpt_pth.read(folder / CHECKPOINT, told)
    mine = own.read(tmp_path / "ours").tensors
    assert equal({n: t for n, t in again.tensors.items() if not n.startswith("official.")}, dict(mine))


def test_a_tower_with_biases_of_keys_cannot_be_written(tmp_path: Path) -> None:
    system = tiny_minigpt.build(tmp_path / "words", "minigptv2")
    system.save(tmp_path / "ours")
    with pytest.raises(ModelError, match="biases of keys are not zero"):
        back(tmp_path / "ours", tmp_path / "back")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ours", "words"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_with_fewer_heads_is_refused_and_with_fewer_neurons_is_written(kind: str, tmp_path: Path) -> None:
    to_ours(make(tmp_path / "official", kind), tmp_path / "ours")
    whole = minigpt.restore(kind.split("-")[0], tmp_path / "ours")
    whole.merge_adapters()
    blocks = whole.blocks()["language_model"]
    heads, neurons, layers = range(blocks[0].heads), range(blocks[0].mlp.weight.shape[1]), tuple(range(len(blocks)))
    for name, rest in (("heads", (heads[:1], neurons)), ("neurons", (heads, neurons[: len(neurons) // 2]))):
        kept = Kept(layers, tuple(tuple(rest[0]) for _ in layers), tuple(tuple(rest[1]) for _ in layers))
        whole.pruned({"language_model": kept}).save(tmp_path / name)
    with pytest.raises(ModelError, match="text_config has 1 heads of"):
        back(tmp_path / "heads", tmp_path / "heads-back")
    back(tmp_path / "neurons", tmp_path / "neurons-back.pth")


def test_a_saved_model_keeps_what_the_official_files_want_back(tmp_path: Path) -> None:
    files = make(tmp_path / "official", "minigptv2")
    to_ours(files, tmp_path / "ours")
    minigpt.restore("minigptv2", tmp_path / "ours").save(tmp_path / "saved")
    back(tmp_path / "saved", tmp_path / "back")
    assert equal(read(tmp_path / "back" / CHECKPOINT), read(files.pth))
    assert equal(
        read(tmp_path / "back" / EVA), {n: t for n, t in read(files.vit).items() if n[:4] not in ("mask", "norm")}
    )


def test_the_checkpoint_alone(tmp_path: Path) -> None:
    files = make(tmp_path / "official", "minigpt4")
    to_ours(files, tmp_path / "ours")
    back(tmp_path / "ours", tmp_path / "alone.pth")
    assert equal(read(tmp_path / "alone.pth"), read(files.pth))


def test_a_whole_official_state_needs_no_tower_beside(files: Official, tmp_path: Path) -> None:
    whole = {f"visual_encoder.{n}": t for n, t in read(files.vit).items() if n[:4] not in ("mask", "norm")}
    if files.qformer:
        from vlmbench.models.checkpoints.minigpt.source_files import read_blip2

        whole |= read_blip2(files.qformer).state
    expected = minigpt_pth.read(files.pth, given(files, image_size=28)).tensors
    torch.save({"model": {**whole, **read(files.pth)}}, files.pth)
    alone = minigpt_pth.read(files.pth, SourceFiles(llm=files.llm, image_size=28)).tensors
    assert equal(dict(alone), dict(expected))


def test_other_rotary_tables_are_given_back_and_change_nothing(tmp_path: Path) -> None:
    """The official code makes cosines and sines before it reads a checkpoint."""
    files = make(tmp_path / "official", "minigptv2")
    answers = ask(minigpt.load("minigptv2", str(files.pth), **files.options()))
    whole = torch.load(files.pth, weights_only=True)
    for name, tensor in whole["model"].items():
        if name.endswith("inv_freq"):
            tensor.mul_(3)
    torch.save(whole, files.pth)
    to_ours(files, tmp_path / "ours")
    assert ask(minigpt.load("minigptv2", str(tmp_path / "ours"))) == answers
    back(tmp_path / "ours", tmp_path / "back")
    assert equal(read(tmp_path / "back" / CHECKPOINT), whole["model"])


def test_tensors_that_share_their_memory_are_written_apart(tmp_path: Path) -> None:
    files = make(tmp_path / "official", "minigpt4")
    (files.llm / "model.safetensors").rename(tmp_path / "old")
    state = load_file(tmp_path / "old")
    state["lm_head.weight"] = state["model.embed_tokens.weight"]
    torch.save(state, files.llm / "pytorch_model.bin")
    to_ours(files, tmp_path / "ours")
    found = own.read(tmp_path / "ours").tensors
    table = found["language_model.model.embed_tokens.weight"]
    assert torch.equal(found["language_model.lm_head.weight"], table)


@pytest.mark.parametrize("name", [name for name, variant in VARIANTS.items() if variant.system != "tinyllava"])
def test_sizes_of_the_published_models_are_found(name: str) -> None:
    """From the names and shapes alone of the full-size official checkpoint; no weights exist."""
    expected = VARIANTS[name].config
    network = meta_network(lambda: blueprint(expected), Path())
    state = {one: tensor for one, tensor in network.state_dict().items() if one not in ties(network)}
    language = {one: value for one, value in expected["text_config"].items() if one != "qk_layernorm"}
    asked = SourceFiles(template=expected["template"] if name == "tinygptv:stage123" else "")
    found = config_of(ours_to_official(state, expected), language, {}, expected["model_type"], asked)
    bert = Blip2QFormerConfig(**found.pop("qformer_config", {}), encoder_hidden_size=1408)
    assert bert.to_dict() == Blip2QFormerConfig(**expected.get("qformer_config", {})).to_dict()
    adapters = [Adapters.from_config(told["lora"]) if "lora" in told else None for told in (found, expected)]
    assert adapters[0] == adapters[1]
    told = {one: value for one, value in expected.items() if one in found and one != "lora"}
    assert {one: value for one, value in found.items() if one != "lora"} == told
