"""The vllm adapter with vLLM itself, where it is installed: the answers of transformers, in any order and batch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.transformers_server import QUESTIONS, asked, directly, make_llava
from vlmbench.models import vllm as adapter

pytest.importorskip("vllm", reason="vLLM is not installed: pip install 'vlmbench[vllm]'", exc_type=ImportError)
GROUPS = [[asked(number, question) for question in QUESTIONS] for number in range(3)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("llava")
    make_llava(made)
    return made


@pytest.fixture(scope="module")
def model(folder: Path) -> Any:
    """In float32, as the reference; small, so that it fits beside others."""
    small: dict[str, Any] = {"gpu_memory_utilization": 0.2, "max_model_len": 256, "enforce_eager": True}
    return adapter.load(str(folder), dtype="float32", batch=4, **small)


def test_answers_are_those_of_transformers(folder: Path, model: Any) -> None:
    found = {request.sample_id: response for request, response in model.answer(GROUPS)}
    assert {name: response.text.strip() for name, response in found.items()} == {
        name: text.strip() for name, text in directly(folder).items()
    }
    assert all(response.margin is not None and response.prompt_tokens > 16 for response in found.values())


def test_choices_are_ranked(model: Any) -> None:
    """Every token of a choice is scored."""
    [(request, free)] = model.answer([[GROUPS[0][0]]])
    [(_, response)] = model.answer([[replace(request, choices=("yes", "no", free.text))]])
    assert [score.choice for score in response.choices] == ["yes", "no", free.text]
    assert all(score.tokens > 0 and score.logprob < 0 for score in response.choices)
