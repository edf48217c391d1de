"""Language models in 8 and 4 bits: bytes fall, answers stay near, both engines agree, what must stay whole stays."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import PhiConfig, PhiForCausalLM

from tests.models import tiny, tiny_minigpt
from tests.models.engine.test_engine import ask, check_equal, questions
from tests.models.engine.toy import BOS, VOCABULARY, ToyNetwork, ToySystem
from tests.support.paths import ROOT
from vlmbench.base.errors import ModelError, UnknownNameError
from vlmbench.base.process import exit_codes
from vlmbench.cli import main as cli
from vlmbench.models.engine import memory
from vlmbench.models.engine.engine import Engine
from vlmbench.models.engine.quantize import Int4Linear, linear_layers, quantize
from vlmbench.models.systems import tinyllava
from vlmbench.models.zoo import model_stats
from vlmbench.runs.storage.run_files import read_manifest

CPU = torch.device("cpu")
WIDTH = 64


def system(*, tied: bool = False, width: int = WIDTH) -> ToySystem:
    """A fresh toy with a Phi whose widths go into groups, spread so that answers vary."""
    torch.manual_seed(3)
    config = PhiConfig(
        vocab_size=VOCABULARY,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=512,
        bos_token_id=BOS,
        eos_token_id=1,
        pad_token_id=1,
        tie_word_embeddings=tied,
    )
    network = ToyNetwork(PhiForCausalLM(config), width).eval()
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.ndim >= 2:
                weight.normal_(0.0, 1.0 if "embed" in name else 1.6 / weight.shape[-1] ** 0.5)
    return ToySystem(network)


def large() -> Any:
    """A language model whose weights are mostly in its Linear layers, as in real ones."""
    torch.manual_seed(0)
    config = PhiConfig(
        vocab_size=256, hidden_size=256, intermediate_size=1024, num_hidden_layers=3, num_attention_heads=4
    )
    return PhiForCausalLM(config).eval()


@pytest.mark.parametrize(
    ("mode", "dtype", "share"),
    [
        ("int8", torch.float32, 0.32),
        ("int4", torch.float32, 0.23),
        ("int8", torch.bfloat16, 0.57),
        ("int4", torch.bfloat16, 0.37),
        ("int8", torch.float16, 0.65),
    ],
)
def test_bytes_fall(mode: str, dtype: torch.dtype, share: float) -> None:
    model = large().to(dtype)
    before, weights = memory.stored_bytes(model), memory.parameters(model)
    quantize(model, mode, CPU)
    assert memory.stored_bytes(model) <= share * before
    assert memory.parameters(model) == weights


def test_int8_at_least_halves_the_bytes_of_float32() -> None:
    model = large()
    before = memory.stored_bytes(model)
    quantize(model, "int8", CPU)
    assert 2 * memory.stored_bytes(model) <= before


@pytest.mark.parametrize(("mode", "limit"), [("int8", 0.01), ("int4", 0.1)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_layer_stays_near(mode: str, limit: float, dtype: torch.dtype) -> None:
    model = large().to(dtype)
    layer = model.model.layers[0].mlp.fc1
    layer.bias.data.normal_(0.0, 0.01)
    inputs = torch.randn(3, 5, layer.in_features).to(dtype)
    wanted = layer(inputs).detach().float()
    quantize(model, mode, CPU)
    found = model.model.layers[0].mlp.fc1(inputs).detach()
    assert found.dtype == dtype
    assert float((found.float() - wanted).norm() / wanted.norm()) < limit


def test_the_four_bits_are_those_weights() -> None:
    """Every weight is within half a step of its own, in its own place."""
    layer = nn.Linear(96, 8)
    few = Int4Linear.of(layer)
    steps = few.scale.float().repeat_interleave(32, dim=1)
    # Half a step for the code, as much for a zero that is a whole number, and bfloat16's rounding of the step.
    assert bool(((few.weight(torch.float32) - layer.weight).abs() <= 1.06 * steps).all())
    assert few.packed.shape == (8, 48) and few.scale.shape == (8, 3)


def test_int8_does_not_overflow_in_float16() -> None:
    """Large activations, as some tokens of real models have: whole numbers would sum past 65504."""
    model = large().half()
    layer = model.model.layers[0].mlp.fc1
    inputs = torch.full((1, layer.in_features), 60.0, dtype=torch.float16)
    with torch.no_grad():
        layer.weight.fill_(0.02)
    quantize(model, "int8", CPU)
    found = layer(inputs).detach()
    assert bool(torch.isfinite(found).all())
    assert float(found.mean()) == pytest.approx(60 * 0.02 * layer.in_features, rel=0.01)


@pytest.mark.parametrize("mode", ["int8", "int4"])
def test_both_engines_agree_on_the_rounded_model(mode: str) -> None:
    groups = questions(3, 8)
    shared = ask(system(), groups, quantize=mode)
    simple = ask(system(), groups, quantize=mode, kind="simple")
    check_equal(shared, simple)
    assert len(set(shared.texts.values())) > 8
    whole = ask(system(), groups)
    assert any(not torch.equal(whole.logits[name][0], steps[0]) for name, steps in shared.logits.items())


@pytest.mark.parametrize("mode", ["int8", "int4"])
@pytest.mark.parametrize("tied", [False, True])
def test_embedding_and_head_stay_whole(mode: str, tied: bool) -> None:
    model: Any = system(tied=tied).network.language_model
    before = {name: copy.deepcopy(weight) for name, weight in model.named_parameters()}
    quantize(model, mode, CPU)
    table, head = model.get_input_embeddings().weight, model.get_output_embeddings()
    assert type(head) is nn.Linear
    assert (head.weight is table) == tied
    assert torch.equal(table, before["model.embed_tokens.weight"])
    if not tied:
        assert torch.equal(head.weight, before["lm_head.weight"])
    assert not list(linear_layers(model))
    for name, weight in model.named_parameters():
        assert "norm" not in name or torch.equal(weight, before[name])


@pytest.mark.parametrize("mode", ["int8", "int4"])
def test_adapters_stay_whole_and_still_work(mode: str) -> None:
    from peft import LoraConfig, inject_adapter_in_model

    model: Any = system().network.language_model
    inject_adapter_in_model(LoraConfig(r=4, target_modules=["q_proj", "fc1"]), model)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(0.0, 0.5)
    ids = torch.arange(10, 40)[None]
    adapted = model(ids).logits.detach()
    quantize(model, mode, CPU)
    left = [name for name, module in model.named_modules() if type(module) is nn.Linear and "lora" in name]
    assert len(left) == 2 * 2 * 2
    rounded = model(ids).logits.detach()
    for name, module in model.named_modules():
        if name.endswith("lora_B.default"):
            module.weight.data.zero_()
    bare = model(ids).logits.detach()
    assert float((rounded - adapted).norm()) < 0.5 * float((bare - adapted).norm())


@pytest.mark.parametrize("kind", ["shared", "simple"])
def test_sampling_works_on_the_rounded_model(kind: str) -> None:
    groups = questions(1, 2)
    warm = [replace(r, generation=replace(r.generation, temperature=1.0)) for r in groups[0]]
    assert all(r.finish != "error" for r in ask(system(), [warm], quantize="int4", kind=kind).responses.values())


def test_settings_hold_it_only_when_it_is_set() -> None:
    assert "quantize" not in Engine(system()).settings
    assert Engine(system(), quantize="int8").settings["quantize"] == "int8"


def test_facts_tell_memory_and_time() -> None:
    engine = Engine(system())
    assert int(engine.facts["peak_memory_bytes"]) > 50_000_000
    assert "seconds_per_question" not in engine.facts
    answered = list(engine.answer(questions(2, 3)))
    words = sum(len(response.text.split()) for _, response in answered)
    seconds = sum(response.seconds for _, response in answered)
    assert engine.facts["seconds_per_question"] == pytest.approx(seconds / 6, rel=0.01)
    assert engine.facts["seconds_per_word"] == pytest.approx(seconds / words, rel=0.01)


def test_what_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownNameError, match="no quantization named 'int3'"):
        Engine(system(), quantize="int3")
    with pytest.raises(ModelError, match=r"takes 48 inputs, which do not go into groups of 32"):
        Engine(system(width=48), quantize="int4")
    Engine(system(width=48), quantize="int8")
    twice = system()
    Engine(twice, quantize="int4")
    with pytest.raises(ModelError, match="no layers left"):
        Engine(twice, quantize="int4")
    monkeypatch.setitem(sys.modules, "torchao.quantization", None)
    with pytest.raises(ModelError, match=r"pip install 'torchao>=0\.18'"):
        Engine(system(), quantize="int8")


RESIDENT = """
import torch
from vlmbench.models.parts.quiet_import import import_transformers
import_transformers()
from transformers import PhiConfig, PhiForCausalLM
from tests.performance.engines.engine_memory import resident
from vlmbench.models.engine.memory import release_memory
from vlmbench.models.engine.quantize import check, quantize
check("int8")
before = resident("VmRSS")
sizes = dict(vocab_size=64, hidden_size=512, intermediate_size=2048, num_hidden_layers=16, num_attention_heads=8)
model = PhiForCausalLM(PhiConfig(**sizes))
release_memory()
whole = resident("VmRSS") - before
quantize(model, "int8", torch.device("cpu"))
release_memory()
print(whole, resident("VmRSS") - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_the_system_gets_the_memory_back() -> None:
    """What is resident falls as the bytes do, and nothing is said beside it."""
    done = subprocess.run([sys.executable, "-c", RESIDENT], cwd=ROOT, capture_output=True, text=True, check=True)
    whole, rounded = map(float, done.stdout.split())
    assert whole > 180
    assert rounded < 0.4 * whole
    assert done.stderr == ""


@pytest.mark.parametrize("kind", ["phi", "llama"])
def test_a_checkpoint_loads_with_it(tmp_path: Path, kind: str) -> None:
    """Facts tell weights and bytes by part; only the language model's bytes fall."""
    whole = tiny.build(tmp_path, tiny.config(kind))
    whole.save(tmp_path)
    before, after = tinyllava.load(str(tmp_path)), tinyllava.load(str(tmp_path), quantize="int8")
    for name, value in before.facts.items():
        if name.startswith("parameters") or name in ("weight_bytes_vision_tower", "weight_bytes_connector"):
            assert after.facts[name] == value
    assert int(after.facts["weight_bytes_language_model"]) < int(before.facts["weight_bytes_language_model"])
    parts = [int(value) for name, value in after.facts.items() if name.startswith("weight_bytes_")]
    assert after.facts["weight_bytes"] == sum(parts)
    assert after.settings == {**before.settings, "quantize": "int8"}
    assert after.fingerprint == before.fingerprint


@pytest.mark.parametrize("kind", ["phi", "llama"])
@pytest.mark.parametrize("mode", ["int8", "int4"])
def test_the_arithmetic_of_real_sizes_is_what_really_holds_the_weights(tmp_path: Path, kind: str, mode: str) -> None:
    """`vlmbench models` counts bytes without weights: the same, to the byte, as loaded ones take, tables aside."""
    network = tiny.build(tmp_path, tiny.config(kind)).network.to(torch.bfloat16)
    tables = sum(buffer.nbytes for buffer in network.buffers())
    counted = model_stats.memory(network)
    assert memory.stored_bytes(network) - tables == counted["bfloat16"]
    quantize(network.language_model, mode, CPU)
    assert memory.stored_bytes(network) - tables == counted[mode]


def test_the_main_job_takes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the settings, so in every answer's key; the facts stand in run.json; a model without it says so."""
    words = ["run", "--tasks", "pope", "--limit", "12", "--quantize", "int4", "--output", str(tmp_path / "run")]
    assert cli.main([*words, "--model", "tinyllava"]) == exit_codes.OK
    told = read_manifest(tmp_path / "run")["model"]
    assert told["settings"]["quantize"] == "int4"
    named = ("weight_bytes_language_model", "peak_memory_bytes", "seconds_per_question", "seconds_per_word")
    assert all(told["facts"][name] > 0 for name in named)
    text = json.loads((tinyllava.NANO / "config.json").read_text(encoding="utf-8"))["text_config"]
    table = text["vocab_size"] * text["hidden_size"]  # stays float32; what else there is takes less than a byte each
    rest = told["facts"]["parameters_language_model"] - table
    assert told["facts"]["weight_bytes_language_model"] < 4 * table + rest
    capsys.readouterr()
    assert cli.main([*words, "--model", "echo"]) == exit_codes.USER_MUST_CHANGE
    assert "model echo has no --quantize" in capsys.readouterr().err


@pytest.mark.parametrize("kind", tiny_minigpt.KINDS)
def test_the_minigpt_family_too(tmp_path: Path, kind: str) -> None:
    """Q-Formers, split attention with adapters, TinyGPT-V's norms: what is around the rounded layers does not mind."""
    groups = questions(2, 6)
    made = [tiny_minigpt.build(tmp_path / name, kind) for name in ("packed", "alone")]
    shared = ask(made[0], groups, quantize="int8")
    check_equal(shared, ask(made[1], groups, quantize="int8", kind="simple"))
    assert all(response.finish != "error" for response in shared.responses.values())
