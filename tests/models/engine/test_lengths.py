"""min_new_tokens and length_penalty: both engines against transformers' own generation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from tests.models.engine.test_engine import Answers, ask, both, check_equal, questions
from tests.models.engine.toy import ToySystem, toy
from vlmbench.base.samples import Generation, Request
from vlmbench.data.images.decoding import decode
from vlmbench.models.engine import decoding
from vlmbench.models.engine.group_images import turns_of

pytestmark = pytest.mark.slow

TWELVE = Generation(max_new_tokens=12)
GROUPS = questions(2, 8)


def ending() -> tuple[ToySystem, Answers]:
    """A system in which many answers end early, and its answers."""
    system = toy("llama")
    firsts = [int(steps[0].argmax()) for steps in ask(system, GROUPS).logits.values()]
    system.end_ids = frozenset({max(firsts, key=firsts.count), firsts[0], 1})
    return system, ask(system, asked(TWELVE))


def asked(generation: Generation) -> list[list[Request]]:
    return [[replace(request, generation=generation) for request in group] for group in GROUPS]


def generated(system: ToySystem, request: Request, **settings: object) -> list[int]:
    """New tokens of transformers' own generation."""
    network = system.network
    features = network.image_features(system.pixels(decode(request.images[0].load()))[None])[0]
    embeds = network.embed(torch.tensor(system.encode(turns_of(request))), [features])[None]
    new: torch.Tensor = network.language_model.generate(
        inputs_embeds=embeds,
        attention_mask=torch.ones(embeds.shape[:2], dtype=torch.long),
        do_sample=False,
        eos_token_id=sorted(system.end_ids),
        pad_token_id=1,
        **settings,
    )
    return list(new[0].tolist())


@pytest.mark.parametrize("least", [1, 4, 12, 20])
def test_no_answer_ends_before_min_new_tokens(least: int) -> None:
    system, plain = ending()
    assert sum(response.new_tokens <= min(least, 11) for response in plain.responses.values()) >= 2
    said = both(system, asked(replace(TWELVE, min_new_tokens=least)), pack_tokens=60)
    for request in GROUPS[0] + GROUPS[1]:
        new = generated(system, request, max_new_tokens=12, min_new_tokens=min(least, 12))
        response = said.responses[request.sample_id]
        assert response.text == system.decode([token for token in new if token not in system.end_ids])
        assert response.new_tokens == len(new) >= min(least + 1, 12)
        assert response.finish == ("stop" if new[-1] in system.end_ids else "length")


def test_questions_of_different_least_lengths_share_a_pack() -> None:
    system, plain = ending()
    mixed = [
        [
            replace(request, generation=replace(TWELVE, min_new_tokens=(0, 5, 9)[number % 3]))
            for number, request in enumerate(group)
        ]
        for group in GROUPS
    ]
    said = both(system, mixed)
    unbound = [request.sample_id for group in mixed for request in group if not request.generation.min_new_tokens]
    assert all(said.texts[name] == plain.texts[name] for name in unbound)
    assert said.texts != plain.texts


def test_a_pack_that_lets_answers_end_fails_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    system, _ = ending()
    groups = asked(replace(TWELVE, min_new_tokens=6))
    simple = ask(system, groups, kind="simple")
    monkeypatch.setattr(decoding, "without_ends", lambda rows, drafts: rows)
    with pytest.raises(AssertionError):
        check_equal(ask(system, groups), simple)


def test_stop_texts_count_behind_min_new_tokens_only() -> None:
    system = toy()
    plain = ask(system, asked(TWELVE))
    name = max(plain.texts, key=lambda name: len(plain.texts[name]))
    text = plain.texts[name]
    assert len(text) == 12
    assert len(set(text)) >= 3

    def stopped(stop: str, least: int) -> tuple[str, str, int]:
        said = both(system, asked(Generation(12, (stop,), min_new_tokens=least))).responses[name]
        return said.text, said.finish, said.new_tokens

    at = text.index(text[4:6])
    assert stopped(text[4:6], at + 1) == (text[:at].strip(), "stop", at + 2), "it ends behind the least length"
    assert stopped(text[4:6], at + 2)[2] > at + 2, "it ends within the least length"
    assert stopped(text[4:6], 12) == (text, "length", 12)


@pytest.mark.parametrize("generation", [Generation(8, (), 1.5, 0.9), Generation(8, num_beams=3)])
def test_sampled_answers_and_beams_have_a_least_length(generation: Generation) -> None:
    system, _ = ending()
    group: Sequence[Request] = asked(generation)[0]
    free = ask(system, [group])
    bound = ask(system, [[replace(one, generation=replace(generation, min_new_tokens=7)) for one in group]])
    assert min(response.new_tokens for response in free.responses.values()) < 7
    assert min(response.new_tokens for response in bound.responses.values()) >= 7
    assert {response.finish for response in bound.responses.values()} <= {"stop", "length"}


def test_the_length_penalty_is_that_of_transformers() -> None:
    system, _ = ending()
    lengths = {}
    for penalty in (-3.0, 1.0, 3.0):
        group = asked(Generation(12, num_beams=4, length_penalty=penalty))[0]
        said = ask(system, [group])
        lengths[penalty] = sum(response.new_tokens for response in said.responses.values())
        for request in group:
            new = generated(system, request, max_new_tokens=12, num_beams=4, length_penalty=penalty)
            assert said.texts[request.sample_id] == system.decode([t for t in new if t not in system.end_ids])
    assert lengths[-3.0] < lengths[3.0]
    alone = Generation(12, length_penalty=3.0)
    assert ask(system, asked(alone)).texts == ask(system, asked(TWELVE)).texts, "without beams it says nothing"
