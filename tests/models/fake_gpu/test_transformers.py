"""transformers models on a GPU that is not there: what each family shares, plain batches, choices, number types.

Left out: beams, whose random numbers transformers asks CUDA for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import _disable_current_modes

from tests.models.fake_gpu.answers import texts
from tests.models.fake_gpu.device import GPU, fake_gpu
from tests.models.huggingface.asking import Groups, questions, system
from vlmbench.base.samples import Generation, Request
from vlmbench.models.engine.quantize import quantize
from vlmbench.models.engine.together import Together
from vlmbench.models.huggingface import prefix_check
from vlmbench.models.huggingface.engine import HfEngine
from vlmbench.models.huggingface.prompts import Prompts

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # PaliGemma's processor
]
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
    quantized: str = ""

    def groups(self) -> Groups:
        """Three questions about one image, two about another."""
        first, second = questions(2, 3, tokens=TOKENS, ranked=self.ranked)
        return [[self._as_told(request) for request in group] for group in (first, second[:2])]

    def _as_told(self, request: Request) -> Request:
        return Request(request.sample_id, request.prompt, request.images, request.choices, self.generation)


BATCHED, SIMPLE = {"kind": "batched"}, {"kind": "simple"}
PATHS: dict[str, Path] = {
    "packed, ranked": Path("llava", "yes", ranked=True),
    "packed, bfloat16": Path("llava", "yes", dtype=torch.bfloat16),
    "packed, float16": Path("llava", "yes", dtype=torch.float16),
    "packed, int8": Path("llava", "yes", quantized="int8"),
    "positions on three axes": Path("qwen2_5_vl", "yes"),
    "windows": Path("gemma3", "yes"),
    "cross-attention": Path("mllama", "yes"),
    "copied states": Path("llava", "yes, by copies of the prefix's state: told"),
    "features": Path("paligemma", "refused"),
    "batches, ranked": Path("llava", "not asked for", BATCHED, ranked=True),
    "one by one, bfloat16": Path("llava", "not asked for", SIMPLE, dtype=torch.bfloat16),
}


def opened(path: Path, device: torch.device) -> HfEngine:
    """An engine over a model of its own."""
    model = system(path.family)
    model.model.to(path.dtype)
    if path.quantized:
        quantize(model.model.get_decoder(), path.quantized, device)
    model.model.to(device)
    return HfEngine(model, **{"batch": "4", "cache_memory": 10**7, **path.options})


@pytest.mark.parametrize("name", PATHS)
def test_every_path_runs_on_a_gpu(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the host waits at most once from the end of a forward to the end of the next step's: for its tokens."""
    path = PATHS[name]
    monkeypatch.setattr(Together, "_tried", Together._joined)
    monkeypatch.setattr(Prompts, "prompt", on_the_host)
    if name == "copied states":  # as for families whose layers keep a state, which take long here
        monkeypatch.setitem(prefix_check.NO_PACK, "told", lambda _: True)
    with fake_gpu() as gpu:
        engine = opened(path, GPU)
        assert engine.sharing.startswith(path.sharing), engine.sharing
        engine.batching = "yes" if engine.kind == "batched" else engine.batching
        at: list[tuple[int, bool]] = []
        engine.system.model.register_forward_hook(
            lambda _, args, given, output: at.append((len(gpu.waits), is_step(given))), with_kwargs=True
        )
        there = texts(engine.answer(path.groups()))
    if path.dtype == torch.float32:
        assert there == texts(opened(path, CPU).answer(path.groups()))
    steps = [later - before for (before, _), (later, step) in pairwise(at) if step]
    assert steps or path.ranked
    assert max(steps, default=0) <= 1, gpu.waits[at[0][0] :]


def on_the_host(self: Prompts, *given: Any, real: Any = Prompts.prompt) -> Any:
    """A processor works on the host alone."""
    with _disable_current_modes():
        return real(self, *given)


def is_step(given: dict[str, Any]) -> bool:
    """Whether a forward is of answers' new tokens alone: few, and no image."""
    return given.get("pixel_values") is None and given["input_ids"].numel() <= 5
