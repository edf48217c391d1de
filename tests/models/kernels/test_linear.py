"""`--linear`: oneDNN gives the answers of torch, is part of the key, and is refused where it would not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.models import tiny, tiny_minigpt
from tests.models.engine.test_engine import ask, check_equal, largest, questions
from tests.models.engine.test_quantize import system
from vlmbench.base.errors import ModelError, UnknownNameError
from vlmbench.base.process import exit_codes
from vlmbench.cli import main as cli
from vlmbench.models.engine import linear_choice, memory
from vlmbench.models.engine.engine import Engine
from vlmbench.models.engine.linear_choice import LinearChoice
from vlmbench.models.engine.margin_scale import LogitRecorder
from vlmbench.models.parts.kernels import linear
from vlmbench.models.parts.kernels.linear import OneDnnLinear
from vlmbench.models.systems import tinyllava
from vlmbench.runs.storage.run_files import read_manifest


def packed(network: nn.Module) -> list[OneDnnLinear]:
    return [module for module in network.modules() if isinstance(module, OneDnnLinear)]


def as_if_faster(times: float) -> Any:
    return lambda network: (times, 1.0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rows", [(1,), (2, 7), (0,), ()])
def test_a_layer_gives_the_same_product(dtype: torch.dtype, rows: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Linear(100, 37), nn.Linear(37, 8, bias=False)).to(dtype)
    weights = [weight.clone() for weight in plain.parameters()]
    inputs = torch.randn(*rows, 100, dtype=dtype)
    wanted = plain(inputs).detach()
    linear.pack(plain)
    assert len(packed(plain)) == 2
    with torch.inference_mode():
        found = plain(inputs)
    assert found.shape == wanted.shape and found.dtype == dtype
    assert torch.allclose(found.float(), wanted.float(), atol=1e-5 if dtype == torch.float32 else 2e-2)
    linear.unpack(plain)
    assert all(torch.equal(one, other) for one, other in zip(weights, plain.parameters(), strict=True))


def test_weights_are_held_once_and_counted() -> None:
    model: Any = system(tied=True).network.language_model
    before = memory.parameters(model), memory.stored_bytes(model)
    linear.pack(model)
    assert (memory.parameters(model), memory.stored_bytes(model)) == before
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    left = [name for name, weight in model.named_parameters() if weight.ndim > 1]
    assert left == ["model.embed_tokens.weight"]


@pytest.mark.parametrize("kind", ["shared", "simple"])
@pytest.mark.parametrize("quantize", ["", "int8"])
def test_answers_and_logits_are_those_of_torch(kind: str, quantize: str) -> None:
    groups = questions(3, 8)
    plain = ask(system(), groups, kind=kind, quantize=quantize)
    other = system()
    found = ask(other, groups, kind=kind, quantize=quantize, linear="onednn")
    assert packed(other.module)
    check_equal(found, plain)
    assert len(set(plain.texts.values())) > 8


def test_bfloat16_stays_within_its_rounding() -> None:
    groups = questions(2, 6, tokens=1)
    plain = ask(system(), groups, dtype="bfloat16")
    found = ask(system(), groups, dtype="bfloat16", linear="onednn")
    highest = max(float(step.abs().max()) for steps in plain.logits.values() for step in steps)
    assert largest(found, plain) <= 0.02 * highest


@pytest.mark.parametrize("kind", tiny_minigpt.KINDS)
def test_the_minigpt_family_too(tmp_path: Path, kind: str) -> None:
    groups = questions(2, 6)
    made = [tiny_minigpt.build(tmp_path / name, kind) for name in ("torch", "onednn")]
    check_equal(ask(made[1], groups, linear="onednn"), ask(made[0], groups))


def test_the_key_holds_it_only_where_it_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Engine(system()).settings
    assert "linear" not in plain
    assert Engine(system(), linear="mkl").settings == plain
    assert Engine(system(), linear="onednn").settings == {**plain, "linear": "onednn"}
    monkeypatch.setattr(linear_choice, "measure", as_if_faster(1.02))
    slow = Engine(system(), linear="auto")
    assert slow.settings == plain and not packed(slow.system.module)
    assert slow.facts["linear"] == "mkl" and "not faster" in str(slow.facts["linear_refused"])
    monkeypatch.setattr(linear_choice, "measure", as_if_faster(2.0))
    fast = Engine(system(), linear="auto")
    assert fast.settings == {**plain, "linear": "onednn"} and packed(fast.system.module)
    assert (fast.facts["linear"], fast.facts["linear_speed"]) == ("onednn", 2.0)
    assert 0 <= float(fast.facts["linear_trial_difference"]) < 1e-4


def test_the_measurement_covers_every_layer() -> None:
    module = system().module
    shapes = linear.shapes(module)
    assert sum(count for *_, count in shapes) == sum(type(part) is nn.Linear for part in module.modules())
    assert all(seconds > 0 for seconds in linear_choice.measure(module))
    assert not packed(module)


@pytest.mark.parametrize("factor", [1.001, 1.1, float("nan")])
def test_a_kernel_that_changes_logits_is_refused(monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
    monkeypatch.setattr(linear_choice, "measure", as_if_faster(2.0))
    product = linear.product
    monkeypatch.setattr(linear, "product", lambda *parts: product(*parts) * factor)
    module = system()
    with pytest.raises(ModelError, match=r"--linear onednn: .*\n.*--linear auto"):
        Engine(module, linear="onednn")
    assert not packed(module.module)
    plain = system()
    engine = Engine(plain, linear="auto")
    assert (engine.linear.used, engine.settings) == ("mkl", Engine(system()).settings)
    assert all(torch.equal(a, b) for a, b in zip(plain.module.parameters(), system().module.parameters(), strict=True))


def test_a_network_that_amplifies_rounding_is_held_to_its_own_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel as good as torch's is not refused because the network is sensitive; a worse one is, by name."""
    product = linear.product

    def off(times: float) -> Any:
        def moved(inputs: torch.Tensor, *rest: Any) -> torch.Tensor:
            out = product(inputs, *rest)
            return out + times * torch.finfo(out.dtype).eps * out.square().mean().sqrt() * torch.randn_like(out)

        return moved

    def sharp() -> Any:
        made = system()
        with torch.no_grad():
            for name, weight in made.module.named_parameters():
                if any(part in name for part in ("q_proj", "k_proj")):
                    weight.mul_(30.0)
        return made

    monkeypatch.setattr(linear_choice, "CLOSE", 0.0)
    monkeypatch.setattr(linear, "product", off(4.0))
    assert Engine(sharp(), linear="onednn").linear.used == "onednn"
    monkeypatch.setattr(linear, "product", off(400.0))
    with pytest.raises(ModelError, match="rounding alone moves them"):
        Engine(sharp(), linear="onednn")


def test_where_it_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownNameError, match="no library for Linear layers named 'blas'"):
        Engine(system(), linear="blas")
    with pytest.raises(ModelError, match=r"float32 and bfloat16, not in float16\n"):
        Engine(system(), linear="onednn", dtype="float16")
    assert Engine(system(), linear="auto", dtype="float16").facts["linear_refused"]
    assert "on meta" in linear.missing(nn.Linear(4, 4, device="meta"))
    assert "no Linear layers" in linear.missing(nn.ReLU())
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    with pytest.raises(ModelError, match="without oneDNN"):
        Engine(system(), linear="onednn")


def test_a_trial_that_fails_says_why() -> None:
    def fails(recorder: LogitRecorder) -> None:
        raise ValueError("no such thing")

    choice = LinearChoice("onednn")
    with pytest.raises(ModelError, match=r"the trial fails \(ValueError: no such thing\)"):
        choice.decide(nn.Sequential(nn.Linear(4, 4)), fails)
    with pytest.raises(ModelError, match="no logits to compare"):
        choice.decide(nn.Sequential(nn.Linear(4, 4)), lambda recorder: None)


def test_broken_weights_are_still_named() -> None:
    made = system()
    with torch.no_grad():
        next(made.network.language_model.model.layers[0].mlp.fc1.parameters())[0, 0] = float("nan")
    found = ask(made, questions(1, 1), linear="onednn")
    assert "fc1" in found.responses["0-0"].error


def test_the_run_records_it_and_asks_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another library is another key: the answers of the first run are not taken for the second's."""
    tiny.build(tmp_path, tiny.config("phi")).save(tmp_path / "model")
    words = ["run", "--model", f"tinyllava:{tmp_path / 'model'}", "--tasks", "pope", "--limit", "12"]
    words += ["--output", str(tmp_path / "run")]
    assert cli.main(words) == exit_codes.OK
    plain = read_manifest(tmp_path / "run")
    assert "linear" not in plain["model"]["settings"] and "linear" not in plain["model"]["facts"]
    capsys.readouterr()
    assert cli.main([*words, "--linear", "mkl"]) == exit_codes.OK
    same = read_manifest(tmp_path / "run")
    assert same["model"]["settings"] == plain["model"]["settings"]
    other = [*words[:-1], str(tmp_path / "other"), "--linear", "onednn"]
    assert cli.main(other) == exit_codes.OK
    told = read_manifest(tmp_path / "other")["model"]
    assert told["settings"] == {**plain["model"]["settings"], "linear": "onednn"}
    assert told["facts"]["linear"] == "onednn"
    assert cli.main([*words, "--linear", "onednn"]) == exit_codes.USER_MUST_CHANGE
    assert "linear" in capsys.readouterr().err


def test_the_shipped_model_takes_it() -> None:
    model = tinyllava.load(None, linear="onednn")
    assert model.settings["linear"] == "onednn"
    assert model.fingerprint == tinyllava.load(None).fingerprint
