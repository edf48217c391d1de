"""`--attention matmul`: plain products give sdpa's attention within bfloat16's rounding, in every form of mask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.models import tiny_minigpt
from tests.models.engine.test_engine import ask, largest, questions
from tests.models.engine.test_quantize import system
from tests.models.huggingface import tiny_hf
from tests.models.huggingface.asking import questions as hf_questions
from vlmbench.base.errors import ModelError, UnknownNameError
from vlmbench.models.engine.engine import Engine
from vlmbench.models.huggingface import load as hf
from vlmbench.models.parts.kernels import attention


class Module(nn.Module):
    is_causal = True


def tensors(heads: int, groups: int, queries: int, keys: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    shapes = (2, heads, queries, 16), (2, groups, keys, 16), (2, groups, keys, 16)
    query, key, value = (torch.randn(shape, generator=random).to(dtype) for shape in shapes)
    return query, key, value


def masks(queries: int, keys: int) -> dict[str, Tensor | None]:
    seen = torch.rand(1, 1, queries, keys, generator=torch.Generator().manual_seed(1)) < 0.6
    seen[..., 0] = True
    each = seen.expand(2, 6, queries, keys).clone()
    each[1, 3, :, 1:] = False
    return {
        "none": None,
        "bool": seen,
        "by head": each,
        "added": torch.zeros(seen.shape).masked_fill(~seen, torch.finfo(torch.bfloat16).min),
    }


@pytest.mark.parametrize("mask", ["none", "bool", "by head", "added"])
@pytest.mark.parametrize("groups", [6, 2])
@pytest.mark.parametrize("size", [(9, 9), (5, 9), (1, 9)])
@pytest.mark.parametrize("scores", [1, 100, 1 << 20])
def test_it_is_sdpa_within_rounding(
    monkeypatch: pytest.MonkeyPatch, mask: str, groups: int, size: tuple[int, int], scores: int
) -> None:
    monkeypatch.setattr(attention, "SCORES", scores)
    monkeypatch.setattr(attention, "BLOCK", 4)
    query, key, value = tensors(6, groups, *size, torch.bfloat16)
    given = masks(*size)[mask]
    found, weights = attention.attend(Module(), query, key, value, given, scaling=0.3)
    causal = given is None and size[0] > 1
    whole = None if given is None else given if given.dtype == torch.bool else given.float()
    wanted = functional.scaled_dot_product_attention(
        query.float(), key.float(), value.float(), whole, is_causal=causal, scale=0.3, enable_gqa=groups < 6
    )
    assert weights is None and found.dtype == torch.bfloat16
    assert float((found.float() - wanted.transpose(1, 2)).abs().max()) < 0.02


def test_towers_look_both_ways() -> None:
    query, key, value = tensors(6, 6, 9, 9, torch.bfloat16)
    found, _ = attention.attend(Module(), query, key, value, None, is_causal=False)
    wanted = functional.scaled_dot_product_attention(query.float(), key.float(), value.float())
    assert float((found.float() - wanted.transpose(1, 2)).abs().max()) < 0.02


def test_other_number_types_and_dropout_go_to_sdpa() -> None:
    query, key, value = tensors(6, 6, 9, 9, torch.float32)
    found, _ = attention.attend(Module(), query, key, value, None)
    wanted = functional.scaled_dot_product_attention(query, key, value, is_causal=True).transpose(1, 2)
    assert torch.equal(found, wanted)
    torch.manual_seed(0)
    dropped, _ = attention.attend(Module(), query.bfloat16(), key.bfloat16(), value.bfloat16(), None, dropout=1.0)
    assert not bool(dropped.any())


def near(make: Any, groups: Any, **options: Any) -> bool:
    """Whether bfloat16's logits are about as far from float32's with matmul as with sdpa."""
    whole, plain = ask(make(), groups), ask(make(), groups, dtype="bfloat16")
    found = ask(make(), groups, dtype="bfloat16", attention="matmul", **options)
    return largest(found, whole) <= 1.5 * largest(plain, whole)


@pytest.mark.parametrize("kind", ["shared", "simple"])
def test_logits_are_as_near_to_float32_as_those_of_sdpa(kind: str) -> None:
    assert near(system, questions(2, 8, tokens=1), kind=kind)


@pytest.mark.parametrize("kind", tiny_minigpt.KINDS)
def test_the_minigpt_family_too(tmp_path: Path, kind: str) -> None:
    assert near(lambda: tiny_minigpt.build(tmp_path, kind), questions(2, 4, tokens=1))


def test_a_missing_mask_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mutant: questions that see each other move logits by more than rounding."""
    monkeypatch.setattr(attention, "additive", lambda mask, dtype: torch.zeros(1, 1, 1, 1, dtype=dtype))
    assert not near(system, questions(2, 8, tokens=1))


def test_it_reaches_tower_and_language_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: set[str] = set()
    attend = attention.attend

    def watch(module: nn.Module, *rest: Any, **more: Any) -> Any:
        seen.add(type(module).__name__)
        return attend(module, *rest, **more)

    monkeypatch.setattr(attention, "attend", watch)
    ask(tiny_minigpt.build(tmp_path, "tinygptv"), questions(1, 2), dtype="bfloat16", attention="matmul")
    assert seen == {"Blip2Attention", "Blip2QFormerMultiHeadAttention", "NormedAttention"}


def test_key_and_refusals() -> None:
    plain = Engine(system(), dtype="bfloat16").settings
    assert "attention" not in plain
    assert Engine(system(), dtype="bfloat16", attention="sdpa").settings == plain
    assert Engine(system(), dtype="bfloat16", attention="matmul").settings == {**plain, "attention": "matmul"}
    with pytest.raises(ModelError, match=r"for bfloat16 on a CPU, not for float32 on cpu.*\n.*--dtype bfloat16"):
        Engine(system(), attention="matmul")
    with pytest.raises(UnknownNameError, match="no attention named 'flash'"):
        Engine(system(), attention="flash")
    assert "on cuda" in attention.missing(torch.device("cuda"), torch.bfloat16)


def test_transformers_models_take_it(tmp_path: Path) -> None:
    folder = str(tiny_hf.checkpoint("llava", tmp_path))
    with pytest.raises(ModelError, match="bfloat16 on a CPU"):
        hf.load(folder, attention="matmul")
    model = hf.load(folder, attention="matmul", dtype="bfloat16")
    assert model.settings["attention"] == "matmul"
    assert (model.facts["sharing"], model.settings["engine"]) == ("yes", "shared")
    answered = list(model.answer(hf_questions(2, 4)))
    assert len(answered) == 8 and all(response.finish != "error" for _, response in answered)
