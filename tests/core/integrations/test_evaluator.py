"""Evaluations from any loop: model, processor and process are as they were, in all that a training notices."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.core.integrations.tiny_training import model_and_processor, rows
from tests.models.huggingface.test_preserving import state
from vlmbench.base.errors import ModelError
from vlmbench.integrations import Evaluator
from vlmbench.integrations.loggers.sent_run import metrics
from vlmbench.integrations.unwrapping import all_weights, rebuilt, unwrapped

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def training() -> tuple[Any, Any, torch.optim.Optimizer]:
    """A model in the middle of training: one half of an accumulated step is done."""
    model, processor = model_and_processor()
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    one_step(model, optimizer)
    half_step(model)
    return model, processor, optimizer


def batch(numbers: slice) -> dict[str, Any]:
    """Some of the rows, stacked."""
    return {name: torch.stack([row[name] for row in rows()[numbers]]) for name in rows()[0]}


def half_step(model: Any, numbers: slice = slice(0, 2)) -> float:
    """Gradients of one micro-batch are added to those that are there."""
    loss = model(**batch(numbers)).loss
    loss.backward()
    return float(loss.detach())


def one_step(model: Any, optimizer: torch.optim.Optimizer) -> None:
    """One optimizer step over one micro-batch."""
    half_step(model)
    optimizer.step()
    optimizer.zero_grad()


def gradients(model: Any) -> list[Any]:
    """Where each gradient lies, and its content."""
    return [(one.grad.data_ptr(), one.grad.tolist()) if one.grad is not None else None for one in model.parameters()]


def test_in_the_middle_of_gradient_accumulation(training: tuple[Any, Any, Any], tmp_path: Path) -> None:
    model, processor, _ = training
    processor.tokenizer.padding_side = "right"
    before, weights, grads = state(model, processor), _bytes(model), gradients(model)
    assert any(one is not None for one in grads)
    found = Evaluator("pope,vsr", processor=processor, output=tmp_path, limit=4)(model, 7)
    assert found["vlmbench/pope_coverage"] == 1.0 and (tmp_path / "step-0000007" / "run.json").is_file()
    assert state(model, processor) == before
    assert _bytes(model) == weights and gradients(model) == grads


def _bytes(model: Any) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize(
    "inside",
    [torch.inference_mode, torch.no_grad, lambda: torch.autocast("cpu", dtype=torch.bfloat16)],
    ids=["inference mode", "no_grad", "autocast"],
)
def test_where_it_is_called_decides_nothing(
    training: tuple[Any, Any, Any], inside: Callable[[], Any], tmp_path: Path
) -> None:
    model, processor, _ = training
    evaluator = Evaluator("vsr", processor=processor, output=tmp_path, limit=6)
    outside = evaluator(model, 1)
    with inside():
        modes = _modes()
        assert evaluator(model, 2) == outside and _modes() == modes
    assert half_step(model) > 0, "what was cached inside does not stop a backward pass"


def _modes() -> list[Any]:
    return [
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.get_autocast_dtype("cpu"),
        torch.is_autocast_cache_enabled(),
    ]


def test_an_evaluation_of_a_step_is_repeated_where_the_weights_are_others(
    training: tuple[Any, Any, Any], tmp_path: Path
) -> None:
    """As after a restart from an earlier checkpoint."""
    model, processor, optimizer = training
    evaluator = Evaluator("pope", processor=processor, output=tmp_path, limit=2)
    evaluator(model, 1)
    assert evaluator.result is not None
    first = evaluator.result.manifest["model"]["fingerprint"]
    one_step(model, optimizer)
    evaluator(model, 1)
    assert evaluator.result.manifest["model"]["fingerprint"] != first


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # PEFT reads it
def test_wrapped_models(training: tuple[Any, Any, Any], tmp_path: Path) -> None:
    from peft import LoraConfig, PromptTuningConfig, get_peft_model

    model, _ = model_and_processor()
    processor = training[1]
    assert unwrapped(nn.DataParallel(model)) is model
    assert unwrapped(torch.compile(model, backend="eager")) is model
    evaluator = Evaluator("vsr", processor=processor, output=tmp_path, limit=6)
    plain = evaluator(model, 1)
    adapted = get_peft_model(model, LoraConfig(target_modules=["q_proj"], init_lora_weights=True)).train()
    before = state(adapted, processor)
    assert evaluator(adapted, 2) == plain, "adapters begin with zeros"
    assert state(adapted, processor) == before
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=5)
    assert evaluator.result is not None
    answers = evaluator.result.records["text"].tolist() + evaluator.result.records["value"].tolist()
    evaluator(nn.DataParallel(adapted), 3)
    assert evaluator.result.records["text"].tolist() + evaluator.result.records["value"].tolist() != answers
    asked = PromptTuningConfig(num_virtual_tokens=2, task_type="FEATURE_EXTRACTION")
    prompted = get_peft_model(model_and_processor()[0].model.language_model, asked)
    with pytest.raises(ModelError, match="PROMPT_TUNING of PEFT lives outside the network"):
        unwrapped(prompted)


def test_a_compiled_forward_is_not_compiled_for_each_shape(training: tuple[Any, Any, Any], tmp_path: Path) -> None:
    model, processor = model_and_processor()
    calls: list[int] = []

    def backend(graph: Any, inputs: Any) -> Any:
        calls.append(1)
        return graph.forward

    model.compile(backend=backend)
    compiled = model._compiled_call_impl
    Evaluator("pope", processor=processor, output=tmp_path, limit=2)(model, 1)
    assert not calls and model._compiled_call_impl is compiled


def test_divided_weights_that_are_not_understood() -> None:
    zero = nn.Linear(2, 2)
    zero.bias.ds_id = 1  # type: ignore[attr-defined]
    with pytest.raises(ModelError, match=r"bias: .* by DeepSpeed ZeRO-3"):
        all_weights(zero)
    assert all_weights(nn.Linear(2, 2)) is None
    with pytest.raises(ModelError, match="Linear is divided among processes, and has no config") as told:
        rebuilt(nn.Linear(2, 2), {}, None)
    assert "build=" in told.value.hint
    weights = {"weight": torch.ones(2, 2), "bias": torch.ones(2)}
    assert torch.equal(rebuilt(nn.Linear(2, 2), weights, lambda: nn.Linear(2, 2)).bias, torch.ones(2))


def test_the_names_of_metrics() -> None:
    entry = {
        "f1": {"value": 50.0, "low": 40.0, "high": None, "n": 3},
        "accuracy": {"value": np.float64(60), "low": 1.0, "high": 2.0, "n": 3},
        "none": {"value": None},
        "part": {"value": 1.0, "breakdown": "split", "label": "a"},
        "headline": "f1",
        "coverage": 0.5,
    }
    assert metrics({"pope@llava": entry}) == {
        "vlmbench/pope@llava_f1": 50.0,
        "vlmbench/pope@llava_f1_low": 40.0,
        "vlmbench/pope@llava_accuracy": 60.0,
        "vlmbench/pope@llava_coverage": 0.5,
    }
