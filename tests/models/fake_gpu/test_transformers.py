"""transformers models on a GPU that is not there: what each family shares, plain batches, choices, number types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
import torch

from tests.models.fake_gpu.device import GPU, fake_gpu
from tests.models.huggingface.asking import Groups, questions, system
from vlmbench.base.samples import Generation, Request
from vlmbench.models.engine.quantize import quantize
from vlmbench.models.engine.together import Together
from vlmbench.models.huggingface.engine import HfEngine

pytestmark = pytest.mark.slow
TOKENS = 3
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Path:
    """A model, and a way to ask it."""

    family: str
    sharing: str
    """What the model's questions share, as the tables tell."""
    options: Mapping[str, Any] = field(default_factory=dict)
    dtype: torch.dtype = torch.float32
    ranked: bool = False
    generation: Generation = Generation(TOKENS)
    waits: int = 1
    """Most waits between two forwards of the language model."""
    quantized: str = ""

    def groups(self) -> Groups:
        """Three questions about one image, two about another."""
        first, second = questions(2, 3, tokens=TOKENS, ranked=self.ranked)
        return [[self._as_told(request) for request in group] for group in (first, second[:2])]

    def _as_told(self, request: Request) -> Request:
        return Request(request.sample_id, request.prompt, request.images, request.choices, self.generation)


BATCHED, SIMPLE = {"kind": "batched"}, {"kind": "simple"}
PATHS: dict[str, Path] = {
    "packed": Path("llava", "yes"),
    "packed, ranked": Path("llava", "yes", ranked=True),
    "packed, bfloat16": Path("llava", "yes", dtype=torch.bfloat16),
    "packed, float16": Path("llava", "yes", dtype=torch.float16),
    "packed, int8": Path("llava", "yes", quantized="int8"),
    "positions on three axes": Path("qwen2_5_vl", "yes"),
    "windows": Path("gemma3", "yes"),
    "cross-attention": Path("mllama", "yes"),
    "copied states": Path("qwen3_5", "yes, by copies"),
    "features": Path("paligemma", "refused"),
    "batches": Path("llava", "not asked for", BATCHED),
    "batches, ranked": Path("llava", "not asked for", BATCHED, ranked=True),
    "batches, bfloat16": Path("llava", "not asked for", BATCHED, dtype=torch.bfloat16),
    "one by one": Path("llava", "not asked for", SIMPLE),
    "beams": Path("llava", "not asked for", SIMPLE, generation=Generation(TOKENS, num_beams=2), waits=9),
}


def opened(path: Path, device: torch.device) -> HfEngine:
    """An engine over a model of its own."""
    model = system(path.family)
    model.model.to(path.dtype)
    if path.quantized:
        quantize(model.model.get_decoder(), path.quantized, device)
    model.model.to(device)
    return HfEngine(model, **{"batch": "4", "cache_memory": 10**7, **path.options})


def asked(engine: HfEngine, path: Path) -> dict[str, Any]:
    """Each question's text and choices."""
    said = {request.sample_id: response for request, response in engine.answer(path.groups())}
    assert not [response.error for response in said.values() if response.error]
    return {
        name: (response.text, [(score.choice, round(score.logprob, 3)) for score in response.choices])
        for name, response in said.items()
    }


@pytest.mark.parametrize("name", PATHS)
def test_every_path_runs_on_a_gpu(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the host waits at most once between two forwards of the language model: for the tokens of a step."""
    path = PATHS[name]
    monkeypatch.setattr(Together, "_tried", Together._joined)
    with fake_gpu() as gpu:
        engine = opened(path, GPU)
        assert engine.sharing.startswith(path.sharing), engine.sharing
        engine.batching = "yes" if engine.kind == "batched" else engine.batching
        at: list[tuple[int, bool]] = []
        engine.system.model.get_decoder().register_forward_pre_hook(
            lambda _, args, given: at.append((len(gpu.waits), is_step(given))), with_kwargs=True
        )
        there = asked(engine, path)
    if path.dtype == torch.float32:
        assert there == asked(opened(path, CPU), path)
    steps = [later - before for (before, _), (later, step) in pairwise(at) if step]
    assert steps or path.ranked
    assert max(steps, default=0) <= path.waits, gpu.waits[at[0][0] :]


def is_step(given: dict[str, Any]) -> bool:
    """Whether a forward is of answers' new tokens alone: few, behind a prompt."""
    inputs = given["inputs_embeds"] if given.get("inputs_embeds") is not None else given["input_ids"]
    return bool(inputs.shape[0] * inputs.shape[1] <= 5)
