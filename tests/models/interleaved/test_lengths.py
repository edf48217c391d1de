"""The least length of answers, and a length penalty, by all ways of the hf adapter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from transformers import GenerationConfig

from tests.models.huggingface.asking import ask, check_equal, questions, system
from tests.models.huggingface.families import _opened
from vlmbench.base.samples import Generation, Request
from vlmbench.models.huggingface import generate
from vlmbench.models.huggingface.engine import HfEngine
from vlmbench.models.huggingface.system import HfSystem

pytestmark = pytest.mark.slow


def eager_to_end(kind: str) -> HfSystem:
    """A model whose likeliest token is nearly always an end token: half of all tokens are."""
    model = system(kind)
    model.end_ids = frozenset(range(2, 200))
    return model


def asked(**more: Any) -> list[list[Request]]:
    groups = questions(2, 4, tokens=9)
    return [[replace(one, generation=replace(one.generation, **more)) for one in group] for group in groups]


@pytest.mark.parametrize("kind", ["llava", "qwen2_vl", "blip2_t5"])
def test_no_answer_is_shorter_by_any_engine(kind: str) -> None:
    short = ask(eager_to_end(kind), asked(), kind="simple")
    assert min(response.new_tokens for response in short.responses.values()) < 5
    simple = ask(eager_to_end(kind), asked(min_new_tokens=5), kind="simple")
    lengths = [response.new_tokens for response in simple.responses.values()]
    assert min(lengths) > 5 and {response.finish for response in simple.responses.values()} <= {"stop", "length"}
    for options in ({"kind": "shared"}, {"kind": "batched", "batch": "3"}):
        check_equal(ask(eager_to_end(kind), asked(min_new_tokens=5), **options), simple)


def test_one_batch_may_have_several_lengths() -> None:
    """Packed, a group's questions may have lengths of their own."""
    mixed = [
        [replace(one, generation=replace(one.generation, min_new_tokens=at)) for at, one in enumerate(group)]
        for group in asked()
    ]
    simple = ask(eager_to_end("llava"), mixed, kind="simple")
    check_equal(ask(eager_to_end("llava"), mixed), simple)
    check_equal(ask(eager_to_end("llava"), mixed, kind="batched", batch="4"), simple)
    assert all(simple.responses[f"0-{at}"].new_tokens > at for at in range(4))


def test_without_watchers_generate_sees_to_it() -> None:
    model = eager_to_end("llava")
    engine = HfEngine(model, kind="simple")
    engine.plain.generating.way = generate.PLAIN
    [group, _] = asked(min_new_tokens=5)
    assert all(response.new_tokens > 5 for _, response in engine.answer([group]))


@pytest.mark.parametrize("penalty", [-3.0, 1.0, 3.0])
def test_beams_are_those_of_transformers_with_this_penalty(penalty: float) -> None:
    model = eager_to_end("llava")
    wanted = Generation(9, num_beams=3, length_penalty=penalty, min_new_tokens=2)
    [group, _] = asked()
    for request in (replace(one, generation=wanted) for one in group):
        [(_, response)] = HfEngine(model, kind="simple").answer([[request]])
        question = model.question(request, _opened(request))
        config = GenerationConfig(
            max_new_tokens=9, num_beams=3, length_penalty=penalty, min_new_tokens=2, eos_token_id=sorted(model.end_ids),
            pad_token_id=0, do_sample=False,
        )  # fmt: skip
        with torch.inference_mode():
            made = model.model.generate(
                input_ids=torch.tensor([question.job.ids]), generation_config=config,
                **question.prompt.media.to(model.model.device, model.model.dtype),
            )[0, len(question.job.ids) :].tolist()  # fmt: skip
        ended = next((at for at, token in enumerate(made) if token in model.end_ids), len(made))
        assert response.text == model.decode(made[:ended]) and ended >= 2


def test_sampled_answers_are_long_enough_too() -> None:
    drawn = asked(temperature=1.5, min_new_tokens=5)
    responses = ask(eager_to_end("llava"), drawn).responses.values()
    assert all(response.new_tokens > 5 for response in responses)
