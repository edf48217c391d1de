"""`--quantize int8-dynamic`: near the whole model, row by row, in the key, and refused where there is no VNNI."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.models.engine.test_engine import ask, largest, questions
from tests.models.engine.test_quantize import large, system
from tests.models.huggingface import tiny_hf
from tests.models.huggingface.asking import questions as hf_questions
from vlmbench.base.errors import ModelError, UsageError
from vlmbench.models.engine import memory
from vlmbench.models.engine.engine import Engine
from vlmbench.models.engine.quantize import quantize
from vlmbench.models.huggingface import load as hf
from vlmbench.models.parts.kernels import int8_dynamic
from vlmbench.models.parts.kernels.int8_dynamic import Int8DynamicLinear
from vlmbench.runs import opening
from vlmbench.runs.options import ModelOptions

pytestmark = pytest.mark.skipif(bool(int8_dynamic.missing(torch.device("cpu"))), reason="no VNNI instructions")
CPU = torch.device("cpu")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rows", [(1,), (2, 7), (0,), ()])
@pytest.mark.parametrize("bias", [True, False])
def test_a_layer_stays_near(dtype: torch.dtype, rows: tuple[int, ...], bias: bool) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(96, 40, bias=bias).to(dtype)
    inputs = torch.randn(*rows, 96, dtype=dtype)
    wanted = layer(inputs).detach().float()
    found = Int8DynamicLinear(layer)(inputs).detach()
    assert (found.shape, found.dtype) == (wanted.shape, dtype)
    assert not wanted.numel() or float((found.float() - wanted).norm() / wanted.norm()) < 0.02


def test_products_are_those_of_the_codes() -> None:
    """Whole numbers, whose products are exact: largest ones, zeros and a row of its own scale."""
    layer = nn.Linear(512, 3, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[127.0], [-127.0], [1.0]]).expand(3, 512) / 127)
        layer.weight[2, 0] = 1.0
    inputs = torch.stack([torch.full((512,), 127.0), torch.full((512,), -127.0), torch.zeros(512), torch.ones(512)])
    found = Int8DynamicLinear(layer)(inputs).detach()
    assert torch.allclose(found, inputs @ layer.weight.detach().T, rtol=5e-3, atol=1e-3)


def test_company_changes_nothing() -> None:
    layer = Int8DynamicLinear(nn.Linear(96, 40))
    rows = torch.randn(8, 96)
    together = layer(torch.cat([rows, 1000.0 * torch.randn(3, 96)]))[:8]
    assert torch.equal(together, torch.cat([layer(row[None]) for row in rows]))


def test_bytes_fall_and_weights_are_counted() -> None:
    model = large()
    before, weights = memory.stored_bytes(model), memory.parameters(model)
    quantize(model, "int8-dynamic", CPU)
    assert memory.stored_bytes(model) <= 0.34 * before
    assert memory.parameters(model) == weights
    assert type(model.get_output_embeddings()) is nn.Linear
    assert model.dtype == torch.float32


def test_both_engines_agree_within_its_rounding() -> None:
    groups = questions(3, 6, tokens=1)
    shared = ask(system(), groups, quantize="int8-dynamic")
    simple = ask(system(), groups, quantize="int8-dynamic", kind="simple")
    highest = max(float(step.abs().max()) for steps in shared.logits.values() for step in steps)
    assert largest(shared, simple) <= 0.02 * highest
    whole = ask(system(), groups)
    assert 0 < largest(shared, whole) <= 0.2 * highest


def test_it_is_in_the_key_and_goes_with_onednn() -> None:
    plain = Engine(system()).settings
    engine = Engine(system(), quantize="int8-dynamic", linear="onednn")
    assert engine.settings == {**plain, "quantize": "int8-dynamic", "linear": "onednn"}
    kinds = {type(module).__name__ for module in engine.system.module.modules()}
    assert {"OneDnnLinear", "Int8DynamicLinear"} <= kinds


def test_it_needs_a_cpu_with_vnni_and_no_torchao(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "the model is on cuda" in int8_dynamic.missing(torch.device("cuda"))
    monkeypatch.setitem(sys.modules, "torchao.quantization", None)
    Engine(system(), quantize="int8-dynamic")
    monkeypatch.setattr("vlmbench.base.process.extras.find_spec", lambda module: None)
    assert ModelOptions("tinyllava", quantize="int8-dynamic").loader_options()["quantize"] == "int8-dynamic"
    with pytest.raises(UsageError, match="--quantize needs torchao"):
        opening.check_model(ModelOptions("tinyllava", quantize="int8"))
    monkeypatch.setattr(int8_dynamic, "has_vnni", lambda: False)
    with pytest.raises(ModelError, match=r"--quantize int8-dynamic: this processor has no VNNI.*\n.*--quantize int8"):
        Engine(system(), quantize="int8-dynamic")


def test_transformers_models_take_it(tmp_path: Path) -> None:
    model = hf.load(str(tiny_hf.checkpoint("llava", tmp_path)), quantize="int8-dynamic")
    assert model.settings["quantize"] == "int8-dynamic"
    decoder: Any = model.hf.model.get_decoder()
    assert any(isinstance(module, Int8DynamicLinear) for module in decoder.modules())
    assert (model.facts["sharing"], model.settings["engine"]) == ("yes", "shared")
    answered = list(model.answer(hf_questions(2, 4, ranked=True)))
    assert len(answered) == 8 and all(response.finish != "error" for _, response in answered)
