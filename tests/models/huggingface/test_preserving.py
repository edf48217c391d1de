"""`vlmbench.evaluate` leaves a caller's model, processor and process as they were, whether it ends well or not."""

from __future__ import annotations

import logging
import random
import signal
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import vlmbench
from tests.models.huggingface import tiny_hf
from vlmbench.base.errors import VlmbenchError
from vlmbench.runs.restore_state import preserved

HOOKS = [name for name in vars(torch.nn.Module()) if name.endswith("_hooks")]


def state(model: Any, processor: Any) -> dict[str, Any]:
    """All that a training loop could notice."""
    tokenizer, pictures = processor.tokenizer, processor.image_processor
    return {
        "training": {name: module.training for name, module in model.named_modules()},
        "attributes": {name: sorted(vars(module)) for name, module in model.named_modules()},
        "hooks": [len(getattr(module, name)) for module in model.modules() for name in HOOKS],
        "generation": [id(getattr(module, "generation_config", None)) for module in model.modules()],
        "generation settings": getattr(model.generation_config, "to_dict", dict)(),
        "config": model.config.to_json_string(use_diff=False),
        "attention": [
            getattr(one.config, "_attn_implementation", "") for one in model.modules() if hasattr(one, "config")
        ],
        "gradients": [one.requires_grad for one in model.parameters()],
        "accumulated": [None if one.grad is None else id(one.grad) for one in model.parameters()],
        "place": [(str(one.dtype), str(one.device), one.data_ptr()) for one in model.parameters()],
        "tokenizer": (tokenizer.padding_side, tokenizer.truncation_side, tokenizer.backend_tokenizer.to_str()),
        "pictures": (type(pictures), sorted(vars(pictures))),
        **process(),
    }


def process() -> dict[str, Any]:
    return {
        "torch": torch.get_rng_state().tolist(),
        "numpy": str(np.random.get_state()),
        "random": random.getstate(),
        "grad": torch.is_grad_enabled(),
        "SIGTERM": signal.getsignal(signal.SIGTERM),
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "filters": list(warnings.filters),
        "levels": [logging.getLogger(name).level for name in ("", "transformers")] + [logging.root.manager.disable],
    }


@pytest.fixture
def trained() -> tuple[Any, Any]:
    """A tiny LLaVA in the middle of training: some parts frozen, dropout on, a hook and settings of the user's."""
    model, processor = tiny_hf.build("llava")
    model.train()
    model.model.vision_tower.eval()
    for parameter in model.model.vision_tower.parameters():
        parameter.requires_grad = False
    model.generation_config.update(temperature=0.3, do_sample=True, repetition_penalty=1.3)
    model.config.use_cache = False
    model.lm_head.register_forward_hook(lambda *_: None)
    processor.tokenizer.padding_side = "right"
    return model, processor


def wreck(model: Any, processor: Any) -> None:
    """What an evaluation could do at worst."""
    model.eval().requires_grad_(True)
    model.lm_head.weight.grad = torch.ones_like(model.lm_head.weight)
    model.generation_config = None
    model.config.use_cache, model.config.text_config.vocab_size = True, 7
    model.config._attn_implementation = "eager"
    model.model.register_forward_pre_hook(lambda *_: None)
    model.model.rope_deltas = torch.zeros(1)
    processor.tokenizer.padding_side = "left"
    processor.tokenizer.backend_tokenizer.enable_truncation(3)
    processor.image_processor.__class__ = type("Other", (type(processor.image_processor),), {})
    processor.image_processor.do_resize = None
    torch.manual_seed(3), np.random.seed(3), random.seed(3)
    torch.set_grad_enabled(False)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(torch.get_num_threads() + 1)
    warnings.simplefilter("ignore")
    logging.getLogger("transformers").setLevel(logging.CRITICAL)
    logging.disable(logging.ERROR)
    signal.signal(signal.SIGTERM, lambda *_: None)


def test_whatever_is_changed_comes_back(trained: tuple[Any, Any]) -> None:
    before = state(*trained)
    with preserved(*trained):
        wreck(*trained)
        changed = state(*trained)
    assert {name for name in before if before[name] == changed[name]} <= {"place"}
    assert state(*trained) == before
    with pytest.raises(KeyError), preserved(*trained):
        wreck(*trained)
        raise KeyError
    assert state(*trained) == before


def test_a_model_in_training_goes_on_as_before(trained: tuple[Any, Any], tmp_path: Path) -> None:
    model, processor = trained
    before = state(model, processor)
    result = vlmbench.evaluate(model, "pope,vsr", processor=processor, limit=4, output=tmp_path / "run")
    assert result.coverage == 1.0 and state(model, processor) == before
    assert vlmbench.evaluate(model, "pope,vsr", processor=processor, limit=4).records["text"].tolist() == (
        result.records["text"].tolist()
    )


@pytest.mark.parametrize("where", ["in the forward pass", "in a task", "in the words"])
def test_it_does_after_a_failure_too(trained: tuple[Any, Any], where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, processor = trained

    def broken(*_: Any, **__: Any) -> Iterator[Any]:
        raise KeyboardInterrupt

    if where == "in the forward pass":
        monkeypatch.setattr(model.model.vision_tower, "forward", broken)
    if where == "in a task":
        monkeypatch.setattr("vlmbench.runs.execution.runner.execute", broken)
    before = state(model, processor)
    options: dict[str, Any] = {"limit": 4, **({"no_such": 1} if where == "in the words" else {})}
    with pytest.raises((KeyboardInterrupt, VlmbenchError)):
        vlmbench.evaluate(model, "pope", processor=processor, **options)
    assert state(model, processor) == before


def drawing(images: list[Any], question: str) -> str:
    """An answer that draws numbers and changes settings."""
    torch.manual_seed(0), np.random.seed(0), random.seed(0)
    torch.set_grad_enabled(False)
    warnings.simplefilter("ignore")
    return random.choice(["yes", "no"])


@pytest.mark.parametrize("fails", [False, True])
def test_a_functions_process_is_left_alone(fails: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    before = process()
    if fails:
        monkeypatch.setattr("vlmbench.runs.execution.runner.execute", _refuse)
        with pytest.raises(RuntimeError):
            vlmbench.evaluate(drawing, "pope", limit=4)
    else:
        vlmbench.evaluate(drawing, "pope", limit=4)
    assert process() == before


def _refuse(*_: Any, **__: Any) -> Callable[..., Any]:
    raise RuntimeError
