"""The stand-in for vLLM answers what vLLM answered: records of real calls, and the interface that it may use."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from tests.models.vllm_real.checkpoints import make
from tests.models.vllm_real.record import CALLS, RECORDS, asked
from tests.support import vllm_stand_in

pytestmark = pytest.mark.slow
RECORDED = json.loads(RECORDS.read_text("utf-8"))
NEAR = 1e-3
"""Of log-probabilities: sums in another order, by another version of torch."""


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    made = {}
    for name in RECORDED["calls"]:
        folder = tmp_path_factory.mktemp(name)
        make(folder, name)
        made[name] = vllm_stand_in.LLM(str(folder), max_model_len=256)
    return made


@pytest.mark.parametrize("title", CALLS)
@pytest.mark.parametrize("name", RECORDED["calls"])
def test_the_stand_in_answers_as_vllm(engines: dict[str, Any], name: str, title: str) -> None:
    found = asked(engines[name], vllm_stand_in.SamplingParams, CALLS[title])
    expected = RECORDED["calls"][name][title]
    if isinstance(expected, dict):
        assert found == expected
        return
    for ours, theirs in zip(found, expected, strict=True):
        for part in ("prompt_token_ids", "text", "token_ids", "finish_reason"):
            assert ours[part] == theirs[part], part
        for part in ("logprobs", "prompt_logprobs"):
            assert (ours[part] is None) == (theirs[part] is None)
            for step, other in zip(ours[part] or [], theirs[part] or [], strict=True):
                assert step == (other and pytest.approx(other, abs=NEAR))


def defaults(what: Any) -> dict[str, str]:
    """By parameter."""
    return {one.name: repr(one.default) for one in inspect.signature(what).parameters.values() if one.name != "self"}


def test_the_stand_in_takes_only_what_vllm_takes() -> None:
    real = RECORDED["interface"]
    ours = {
        "SamplingParams": defaults(vllm_stand_in.SamplingParams),
        "EngineArgs": defaults(vllm_stand_in.LLM),
        "generate": defaults(vllm_stand_in.LLM.generate),
        "chat": defaults(vllm_stand_in.LLM.chat),
    }
    required = {"model", "limit_mm_per_prompt"}  # EngineArgs names a model by default, and makes an empty dict
    for part, parameters in ours.items():
        assert set(parameters) <= set(real[part])
        assert {name: real[part][name] for name in parameters if name not in required} == {
            name: default for name, default in parameters.items() if name not in required
        }
    kinds = [kind.__name__ for kind in vllm_stand_in.EngineDeadError.__mro__[:-2]]
    assert kinds == real["errors"]["EngineDeadError"] and str(vllm_stand_in.EngineDeadError()) == real["dead"]
    assert RECORDED["version"] == vllm_stand_in.__version__


def test_the_records_are_of_every_call() -> None:
    assert (
        all(set(calls) == set(CALLS) for calls in RECORDED["calls"].values()) and Path(RECORDS).stat().st_size < 10**5
    )
