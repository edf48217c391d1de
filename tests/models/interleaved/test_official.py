"""Ids and pixel tensors are those of `processor.apply_chat_template` on the same messages, and mutants are not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch

from tests.models.huggingface import tiny_hf
from tests.models.huggingface.tiny_families import FAMILIES
from tests.models.interleaved.dialogues import MESSAGES, REQUESTS, model
from vlmbench.base.samples import ImageRef, Request
from vlmbench.chat import turns as chat_turns
from vlmbench.chat.turns import Turn
from vlmbench.data.images import decoding as images
from vlmbench.models.huggingface import engine as hf_engine
from vlmbench.models.huggingface import questions
from vlmbench.models.huggingface.engine import HfEngine
from vlmbench.models.huggingface.plain import Question
from vlmbench.models.huggingface.system import HfSystem

pytestmark = pytest.mark.slow

CLASSES = ("qwen2_5_vl", "onevision", "idefics3", "internvl", "gemma3")
NOT_INPUTS = ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids")


@cache
def engine(kind: str) -> HfEngine:
    return HfEngine(HfSystem(*tiny_hf.build(FAMILIES[kind])), kind="simple")


def prepared(kind: str, request: Request) -> Question:
    """The question as the adapter makes it of a request, images decoded by itself."""
    [made] = engine(kind)._prepare([request])
    assert made.question is not None, made.error
    return made.question


def official(kind: str, name: str, *more: dict[str, Any]) -> dict[str, Any]:
    """What the processor makes of the messages by itself."""
    processor = engine(kind).system.prompts.processor
    messages = [{**one, "content": [_shown(part) for part in one["content"]]} for one in (*MESSAGES[name], *more)]
    return dict(
        processor.apply_chat_template(
            messages,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            add_generation_prompt=not more,
            continue_final_message=bool(more),
        )
    )


def _shown(part: Any) -> dict[str, Any]:
    return {"type": "image", "image": images.decode(part.load())} if isinstance(part, ImageRef) else part


def check(kind: str, name: str) -> None:
    """Equal ids, and equal tensors by name."""
    question, expected = prepared(kind, REQUESTS[name]), official(kind, name)
    assert question.job.ids == tuple(expected["input_ids"][0].tolist())
    tensors = question.prompt.media.tensors
    wanted = {key: value for key, value in expected.items() if key not in NOT_INPUTS}
    assert tensors.keys() == wanted.keys()
    for key, value in wanted.items():
        same = torch.equal(tensors[key], value) if isinstance(value, torch.Tensor) else tensors[key] == value
        assert same, key
    for key, value in question.prompt.rows.items():
        assert torch.equal(value, expected[key]), key
    for choice, ids in zip(question.job.choices, question.job.choice_ids, strict=True):
        assert ids == tuple(official(kind, name, model(choice))["input_ids"][0].tolist())


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("kind", CLASSES)
def test_prompts_are_those_of_the_processor(kind: str, name: str) -> None:
    check(kind, name)
    shown = engine(kind).system.prompts
    assert (shown.interleaving, shown.max_images, shown.takes_system) == ("in place", None, True)


def swapped(request: Request) -> tuple[ImageRef, ...]:
    return chat_turns.shown_images(request)[::-1]


def moved(request: Request, answer: str = "") -> list[Turn]:
    first, *later = request.image_places
    return chat_turns.turns(replace(request, image_places=(first - 1, *later)), answer)


def missing_turns(request: Request, answer: str = "") -> list[Turn]:
    return chat_turns.turns(fewer(request), answer)


def fewer(request: Request) -> Request:
    return replace(request, images=request.images[:-1], image_places=request.image_places[:-1])


def missing_images(request: Request) -> Sequence[ImageRef]:
    return chat_turns.shown_images(fewer(request))


MUTANTS: dict[str, tuple[tuple[Any, str, Callable[..., Any]], ...]] = {
    "image order swapped": ((hf_engine, "shown_images", swapped),),
    "place moved": ((questions, "turns", moved),),
    "one image missing": ((questions, "turns", missing_turns), (hf_engine, "shown_images", missing_images)),
}


@pytest.mark.parametrize("mutant", MUTANTS)
@pytest.mark.parametrize("kind", CLASSES)
def test_mutants_are_other_prompts(kind: str, mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for patch in MUTANTS[mutant]:
        monkeypatch.setattr(*patch)
    for name in ("between", "options"):
        prepared(kind, REQUESTS[name])  # a prompt it is
        with pytest.raises(AssertionError):
            check(kind, name)
