"""Shared prefixes over transformers models: equal to plain runs, refused where they must be, and mutants fail."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.models.huggingface import tiny_hf
from tests.models.huggingface.asking import CHOICES, Answers, ask, check_equal, largest, noisy, questions, system
from vlmbench.base.samples import Generation, Request
from vlmbench.models.engine import packing
from vlmbench.models.huggingface import prefix_check
from vlmbench.models.huggingface.engine import HfEngine
from vlmbench.models.huggingface.prompts import ImageTensors, Prompt
from vlmbench.models.huggingface.sharing.packed import HfSharedPrefix

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # PaliGemma's processor
]


def both(kind: str, groups: Any, **options: Any) -> Answers:
    """Shared, checked against one by one."""
    shared = ask(system(kind), groups, **options)
    assert (shared.engine.kind, shared.engine.sharing) == ("shared", "yes")
    check_equal(shared, ask(system(kind), groups, kind="simple"))
    return shared


@pytest.mark.parametrize("kind", tiny_hf.SHARING)
def test_sharing_changes_no_answer_and_no_logit(kind: str) -> None:
    groups = questions(3, 12, ranked=True)
    said = both(kind, groups)
    assert said.engine.facts["engine_packed"] == 36
    assert len(set(said.texts.values())) >= 10
    assert 0 < said.engine._difference < 1e-4


@pytest.mark.parametrize("kind", tiny_hf.SHARING)
def test_order_packs_and_company_change_nothing(kind: str) -> None:
    groups = questions(2, 9)
    plain = both(kind, groups)
    check_equal(ask(system(kind), [random.Random(1).sample(group, len(group)) for group in groups]), plain)
    for tokens in (1, 30, 4096):
        check_equal(ask(system(kind), groups, pack_tokens=tokens), plain)
    check_equal(ask(system(kind), [[request] for group in groups for request in group]), plain)
    mixed = [request for group in questions(2, 9) for request in group]
    check_equal(ask(system(kind), [random.Random(2).sample(mixed, len(mixed))]), plain)


@pytest.mark.parametrize("kind", tiny_hf.SHARING)
def test_choices_of_a_lone_question_share_its_prompt(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    groups = [[Request(str(at), "which is it?", (noisy(at),), CHOICES, Generation(1))] for at in range(3)]
    simple = ask(system(kind), groups, kind="simple")
    packed = ask(system(kind), groups)
    check_equal(packed, simple)
    assert packed.engine.facts["engine_packed"] == 3
    scores = {round(score.logprob, 2) for response in simple.responses.values() for score in response.choices}
    assert len(scores) == 3 * len(CHOICES), "the images make no difference"


def test_several_pictures_share_too() -> None:
    said = both("llava", questions(2, 6, images=2))
    assert said.engine.facts["engine_packed"] == 12


def test_the_picture_goes_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a timing: counts pictures and tokens that go through the network."""
    model = system("llava")
    engine = HfEngine(model)
    seen: list[tuple[int, bool]] = []
    forward = model.model.forward

    def count(*args: Any, **kwargs: Any) -> Any:
        seen.append((kwargs["input_ids"].shape[1], kwargs.get("pixel_values") is not None))
        return forward(*args, **kwargs)

    monkeypatch.setattr(model.model, "forward", count)
    group = questions(1, 10, tokens=1)[0]
    made = [model.question(request, [noisy_image()]).job.ids for request in group]
    list(engine.answer([group]))
    prefix = packing.common_prefix(made)
    assert seen == [(prefix, True), (sum(len(ids) - prefix for ids in made), False)]


def noisy_image() -> Any:
    from vlmbench.data.images import decoding as images

    return images.decode(noisy(0).load())


@pytest.mark.parametrize("kind", tiny_hf.REFUSED)
def test_refused_and_said_so(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    said = ask(system(kind), questions(2, 3))
    assert said.engine.settings["engine"] == "batched"
    assert said.engine.sharing.startswith("refused: ")
    assert tiny_hf.REFUSED[kind] in said.engine.sharing
    assert tiny_hf.REFUSED[kind] in caplog.text
    check_equal(said, ask(system(kind), questions(2, 3), kind="simple"))


@pytest.mark.parametrize("kind", tiny_hf.REFUSED)
def test_the_trial_refuses_what_the_config_does_not_tell(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefix_check, "NO_PREFIX", {})
    engine = HfEngine(system(kind))
    assert engine.kind == "batched"
    assert engine.sharing.startswith("refused: ")


def test_names_play_no_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model is judged by what it is: the same under another's name."""
    for kind, alias, expected in (("llava", "blip2", "shared"), ("blip2", "llava", "batched")):
        model = system(kind)
        monkeypatch.setattr(type(model.model.config), "model_type", alias)
        model.model.__class__ = type(f"{alias}ForConditionalGeneration", (type(model.model),), {})
        assert HfEngine(model).kind == expected


def test_flash_attention_takes_no_block_mask() -> None:
    model = system("llava").model
    model.get_decoder().config._attn_implementation = "flash_attention_2"
    assert prefix_check.NO_PACK["this implementation of attention takes no block mask"](model)


def test_eager_attention_shares() -> None:
    model = system("llava")
    model.model.set_attn_implementation("eager")
    groups = questions(2, 6)
    shared = ask(model, groups)
    assert shared.engine.kind == "shared"
    check_equal(shared, ask(system("llava"), groups, kind="simple"))


def test_pictures_prepared_after_the_question_are_not_shared() -> None:
    model = system("llava")
    real = model.prompts.prompt

    def told(text: str, images: Sequence[Any]) -> Any:
        made = real(text, images)
        tensors = {**made.media.tensors, "of": torch.tensor([len(text)])}
        return type(made)(made.ids, made.rows, ImageTensors(tensors))

    model.prompts.prompt = told  # type: ignore[method-assign]
    assert "depends on the question" in HfEngine(model).sharing


def test_a_picture_behind_the_question_is_not_shared() -> None:
    kind, processor = tiny_hf.build("llava")
    template = processor.chat_template
    processor.chat_template = "{% for m in messages %}{{ m['content'][-1]['text'] }}<image>{% endfor %}"
    from vlmbench.models.huggingface.system import HfSystem

    assert "do not begin with the image" in HfEngine(HfSystem(kind, processor)).sharing
    assert template


def shifted(lengths: Sequence[int], prefix: int, real: Any = packing.restart) -> Tensor:
    return real(lengths, prefix) + 1  # type: ignore[no-any-return]


def shifted_step(*args: Any, real: Any = packing.step_positions) -> Tensor:
    return real(*args) + 1  # type: ignore[no-any-return]


def leak(lengths: Sequence[int], prefix: int, real: Any = packing.block_mask) -> Tensor:
    mask = real(lengths, prefix)
    return mask | torch.ones_like(mask).tril(prefix)  # type: ignore[no-any-return]


def step_leak(owner: Tensor, live: Sequence[int]) -> Tensor:
    return torch.ones(len(live), len(owner), dtype=torch.bool)


def wrong_picture(
    self: HfSharedPrefix, ids: Any, prompt: Prompt, cache: Any, real: Any = HfSharedPrefix._prefill
) -> Any:
    tensors = prompt.media.tensors.items()
    turned = {name: value.flip(-1) if value.is_floating_point() else value for name, value in tensors}
    return real(self, ids, replace(prompt, media=ImageTensors(turned)), cache)


def no_first_token(self: HfSharedPrefix, ids: Any, prompt: Any, cache: Any, real: Any = HfSharedPrefix._prefill) -> Any:
    rows = {name: value[:, 1:] for name, value in prompt.rows.items()}
    return real(self, ids[1:], replace(prompt, rows=rows), cache)


MUTANTS: dict[str, tuple[Any, str, Callable[..., Any]]] = {
    "positions + 1 in prefill": (packing, "restart", shifted),
    "positions + 1 in decode": (packing, "step_positions", shifted_step),
    "suffixes see each other": (packing, "block_mask", leak),
    "answers see each other": (packing, "step_mask", step_leak),
    "wrong picture": (HfSharedPrefix, "_prefill", wrong_picture),
    "first token dropped": (HfSharedPrefix, "_prefill", no_first_token),
}


@pytest.mark.parametrize("kind", tiny_hf.SHARING)
@pytest.mark.parametrize("mutant", MUTANTS)
def test_mutants_fail_the_check(kind: str, mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    groups = questions(2, 8)
    simple = ask(system(kind), groups, kind="simple")
    monkeypatch.setattr(prefix_check, "self_check", lambda *_: ("", 0.0))
    check_equal(ask(system(kind), groups), simple)
    monkeypatch.setattr(*MUTANTS[mutant])
    broken = ask(system(kind), groups)
    assert all(response.finish != "error" for response in broken.responses.values()), "it must fail by its numbers"
    with pytest.raises(AssertionError):
        check_equal(broken, simple)
    assert largest(broken, simple) > 1e-3


@pytest.mark.parametrize("kind", tiny_hf.SHARING)
@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_trial_refuses_mutants(kind: str, mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*MUTANTS[mutant])
    engine = HfEngine(system(kind))
    assert "logits part by" in engine.sharing
    copies = engine.sharing.startswith("yes, by copies of the prefix's state: shared logits part by")
    assert copies == (MUTANTS[mutant][1] != "_prefill"), "copies have their own rows, but the same prefix"


def test_out_of_memory_halves_the_pack(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = questions(2, 8)
    plain = ask(system("llava"), groups).texts
    engine = HfEngine(system("llava"))
    real = HfSharedPrefix.run

    def scarce(self: HfSharedPrefix, row: Tensor, *args: Any, **settings: Any) -> Any:
        if len(row) > 32:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, row, *args, **settings)

    monkeypatch.setattr(HfSharedPrefix, "run", scarce)
    assert {request.sample_id: response.text for request, response in engine.answer(groups)} == plain
    assert engine.facts["engine_memory_retries"] == 9  # packs of 512 to 64 tokens are too many, for two images


def test_a_pack_that_fails_is_an_error_of_its_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = HfEngine(system("llava"))
    real = HfSharedPrefix.buckets

    def fail(self: HfSharedPrefix, jobs: Any) -> Any:
        if len(jobs) > 1:
            raise ValueError("broken")
        return real(self, jobs)

    monkeypatch.setattr(HfSharedPrefix, "buckets", fail)
    groups = [*questions(1, 3), [Request("alone", "what?", (noisy(5),), (), Generation(2))]]
    said = {request.sample_id: response for request, response in engine.answer(groups)}
    assert {name for name, response in said.items() if response.finish == "error"} == {"0-0", "0-1", "0-2"}
    assert said["0-0"].error == "ValueError: broken"
