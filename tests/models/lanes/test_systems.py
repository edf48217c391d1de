"""Answers decoded together, across images: equal to one by one at any number of rows, whatever else is in flight."""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.models.engine.test_engine import Answers, Groups, ask, check_equal, questions
from tests.models.engine.toy import noise, toy
from vlmbench.base.samples import Generation, Request
from vlmbench.data.images.decoding import decode
from vlmbench.models.engine import packing
from vlmbench.models.engine.engine import Engine
from vlmbench.models.engine.lanes import attention
from vlmbench.models.engine.lanes.attention import LaneAttention, LaneInputs
from vlmbench.models.engine.shared_prefix import Lane, PackedEngine
from vlmbench.models.engine.together import TOGETHER, Together

pytestmark = pytest.mark.slow

KINDS = ("phi", "llama")
ROWS = (1, 4, 16, 64)


@functools.cache
def alone(kind: str) -> tuple[Groups, Answers]:
    """512 questions about 64 images, and their answers one by one."""
    groups = questions(64, 8, tokens=12)
    return groups, ask(toy(kind), groups, kind="simple")


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_those_of_one_by_one(kind: str, rows: int) -> None:
    groups, simple = alone(kind)
    assert len(simple.responses) == 512
    assert len(set(simple.texts.values())) >= 10
    assert len({response.new_tokens for response in simple.responses.values()}) >= 5, "answers of one length"
    check_equal(ask(toy(kind), groups, batch=rows), simple)
    check_equal(ask(toy(kind), [[request] for group in groups for request in group[:2]], batch=rows), first(simple, 2))


def first(answers: Answers, count: int) -> Answers:
    """Those of each image's first questions."""
    kept = [name for name in answers.responses if int(name.split("-")[1]) < count]
    return Answers({name: answers.responses[name] for name in kept}, {name: answers.logits[name] for name in kept})


def test_rows_are_bounded_and_images_meet() -> None:
    groups, _ = alone("phi")
    for rows in ROWS:
        engine = Engine(toy(), batch=rows)
        list(engine.answer(groups))
        assert int(engine.facts["decoding_rows_peak"]) <= rows
        assert engine.facts["decoding"] == (TOGETHER if rows > 8 else "not tried")
    assert engine.facts["decoding_rows_peak"] == 64


def test_a_row_at_its_end_makes_room_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one question an image the next image starts as soon as an answer ends, while the others go on."""
    live: list[int] = []
    real = Together._fits

    def note(self: Together, lane: Lane) -> bool:
        fits = real(self, lane)
        if fits:
            live.append(sum(other.live for other in self._lanes))
        return fits

    monkeypatch.setattr(Together, "_fits", note)
    groups = [[request] for group in alone("phi")[0] for request in group[:1]]
    list(Engine(toy(), batch=4).answer(groups))
    assert len(live) == 64
    assert live[:4] == [0, 1, 2, 3]
    assert sum(count >= 2 for count in live[4:]) > 50


@pytest.mark.parametrize("kind", KINDS)
def test_company_and_order_change_nothing(kind: str) -> None:
    groups, simple = alone(kind)
    shuffled = [random.Random(1).sample(group, len(group)) for group in random.Random(2).sample(groups, len(groups))]
    check_equal(ask(toy(kind), shuffled, batch=24, pack_tokens=100), simple)


def mixed() -> Groups:
    """Ranked choices, stop texts, shortest lengths and drawn answers beside each other, about 12 images."""
    groups = questions(12, 6, tokens=10)
    changes: list[Callable[[Request], Request]] = [
        lambda r: r,
        lambda r: replace(r, choices=("yes", "no", "a long answer")),
        lambda r: replace(r, generation=Generation(10, ("e", "a", "~"))),
        lambda r: replace(r, generation=Generation(10, min_new_tokens=8)),
        lambda r: replace(r, generation=Generation(10, temperature=0.8)),
        lambda r: replace(r, generation=Generation(7, temperature=1.0, top_p=0.7, min_new_tokens=3)),
    ]
    return [[change(request) for change, request in zip(changes, group, strict=True)] for group in groups]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_answer(kind: str) -> None:
    groups = mixed()
    simple = ask(toy(kind), groups, kind="simple")
    for rows in ROWS:
        said = ask(toy(kind), groups, batch=rows)
        assert said.texts == simple.texts
        for name, response in said.responses.items():
            twin = simple.responses[name]
            assert (response.finish, response.new_tokens, response.error) == (twin.finish, twin.new_tokens, "")
            assert [score.choice for score in response.choices] == [score.choice for score in twin.choices]
            for score, other in zip(response.choices, twin.choices, strict=True):
                assert score.logprob == pytest.approx(other.logprob, abs=1e-4)
    drawn = [simple.texts[name] for name in simple.texts if name.endswith(("-4", "-5"))]
    assert len(set(drawn)) == len(drawn)


def test_drawn_answers_have_seeds_of_their_own() -> None:
    """The same question drawn five times gives five answers, and each is the same in other company."""
    request = questions(1, 1)[0][0]
    draws = [replace(request, sample_id=str(n), generation=Generation(9, temperature=1.0)) for n in range(5)]
    together = ask(toy(), [draws]).texts
    assert len(set(together.values())) == 5
    apart = ask(toy(), [*questions(3, 4, tokens=9), *([draw] for draw in draws)], batch=16).texts
    assert {name: apart[name] for name in together} == together


def test_stops_end_a_drawn_answer_where_they_are() -> None:
    groups = [[replace(r, generation=Generation(12, temperature=1.0)) for r in g] for g in questions(2, 4)]
    whole = ask(toy(), groups).texts
    stop = {name: text[3:5].strip() or "~" for name, text in whole.items()}
    stopped = [
        [replace(r, generation=replace(r.generation, stop=(stop[r.sample_id],))) for r in group] for group in groups
    ]
    for kind in ("shared", "simple"):
        said = ask(toy(), stopped, kind=kind)
        assert said.texts == {name: text.split(stop[name])[0].strip() for name, text in whole.items()}
        assert sum(said.texts[name] != text for name, text in whole.items()) >= 4


def late_column(self: Any, key_states: Tensor, value_states: Tensor, *args: Any) -> tuple[Tensor, Tensor]:
    """Each lane's new columns are written one too late: the column before them is what lay there."""
    for part, lane in zip(self.joint.parts, self.joint.lanes, strict=True):
        layer, keys, values = lane.cache.layers[self.index], key_states[:, :, part], value_states[:, :, part]
        layer.update(torch.zeros_like(keys[:, :, :1]), torch.zeros_like(values[:, :, :1]))
        layer.update(keys[:, :, 1:], values[:, :, 1:]) if keys.shape[2] > 1 else None
    return key_states, value_states


def turned(lanes: Any) -> Any:
    """Each lane with the next one's cache, as far as their masks allow."""
    caches = [lane.cache for lane in lanes]
    return [replace(lane, cache=cache) for lane, cache in zip(lanes, [*caches[1:], caches[0]], strict=True)]


def other_lane(self: Any, lanes: Any, inner: str, real: Any = attention._Joint.__init__) -> None:
    real(self, turned(lanes), inner)


def seen_by_all(owner: Tensor, live: Any) -> Tensor:
    return torch.ones(len(live), len(owner), dtype=torch.bool)


def late_positions(self: Any, lanes: Any, real: Any = LaneAttention.joined) -> Any:
    moved = [
        LaneInputs(lane.row, lane.cache, {**lane.settings, "position_ids": lane.settings["position_ids"] + 1})
        for lane in lanes
    ]
    return real(self, moved)


MUTANTS: dict[str, tuple[Any, str, Callable[..., Any]]] = {
    "cache offset + 1": (attention._JointLayer, "update", late_column),
    "another lane's prefix": (attention._Joint, "__init__", other_lane),
    "positions + 1": (LaneAttention, "joined", late_positions),
    "columns of others and of ended answers seen": (packing, "step_mask", seen_by_all),
}


def even() -> tuple[Groups, Answers]:
    """Questions of one length, so that lanes can be mistaken for each other, two an image."""
    words = ("left", "down", "blue", "pink", "cats", "dogs", "them", "fish")
    groups = [
        [
            Request(f"{number}-{at}", f"is it {word}?", (noise(number),), generation=Generation(8))
            for at, word in enumerate(random.Random(number).sample(words, 2))
        ]
        for number in range(8)
    ]
    return groups, ask(toy(), groups, kind="simple")


@pytest.mark.parametrize("mutant", MUTANTS)
def test_mutants_fail_the_check(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    groups, simple = even()
    monkeypatch.setattr(Together, "_tried", Together._joined)
    check_equal(ask(toy(), groups, batch=16), simple)
    monkeypatch.setattr(*MUTANTS[mutant])
    with pytest.raises(AssertionError):
        check_equal(ask(toy(), groups, batch=16), simple)


@pytest.mark.parametrize("mutant", list(MUTANTS)[:3])
def test_the_trial_refuses_mutants(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lanes then go one after the other, and answers are right."""
    groups, simple = even()
    monkeypatch.setattr(*MUTANTS[mutant])
    engine = Engine(toy(), batch=16)
    assert {request.sample_id: response.text for request, response in engine.answer(groups)} == simple.texts
    assert str(engine.facts["decoding"]).startswith("refused: ")


def test_memory_is_budgeted_beforehand() -> None:
    groups, simple = alone("phi")
    columns = 2 * 2 * 48 * 4
    for budget, rows in ((150 * columns, 1), (1200 * columns, 16), (6000 * columns, 64)):
        engine = Engine(toy(), batch=64, cache_memory=budget)
        assert {r.sample_id: response.text for r, response in engine.answer(groups)} == simple.texts
        facts = engine.facts
        assert 0.4 * budget < int(facts["cache_peak_bytes"]) <= budget == facts["cache_budget_bytes"]
        assert int(facts["decoding_rows_peak"]) >= rows // 2


def test_an_answer_beyond_the_budget_goes_alone() -> None:
    groups, simple = alone("phi")
    engine = Engine(toy(), batch=64, cache_memory=1)
    assert {r.sample_id: response.text for r, response in engine.answer(groups[:4])}.items() <= simple.texts.items()
    assert engine.facts["decoding_rows_peak"] == 1


def test_not_a_number_is_its_own_questions_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """One image's features are NaN: its questions fail, in company and by themselves, and no other does."""
    groups, simple = alone("phi")
    groups = groups[:12]
    system = toy()
    real = system.network.image_features

    def features(pixels: Tensor) -> Tensor:
        found = real(pixels)
        return found * math.nan if torch.equal(pixels[0], bad) else found

    bad = system.pixels(decode(groups[5][0].images[0].load()))
    monkeypatch.setattr(system.network, "image_features", features)
    said = {request.sample_id: response for request, response in Engine(system, batch=64).answer(groups)}
    failed = {name for name, response in said.items() if response.finish == "error"}
    assert failed == {request.sample_id for request in groups[5]}
    assert all("not finite" in said[name].error for name in failed)
    assert all(said[name].text == simple.texts[name] for name in said if name not in failed)


@pytest.mark.parametrize("error", [ValueError("broken"), torch.OutOfMemoryError("CUDA out of memory")])
def test_a_step_that_fails_is_done_again_image_by_image(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    groups, simple = alone("phi")
    real, left = Together._joined, [3]

    def fail(self: Together, *args: Any) -> Any:
        left[0] -= 1
        if not left[0]:
            raise error
        return real(self, *args)

    monkeypatch.setattr(Together, "_joined", fail)
    engine = Engine(toy(), batch=32)
    assert {request.sample_id: r.text for request, r in engine.answer(groups)} == simple.texts
    assert engine.facts["engine_memory_retries"] == isinstance(error, torch.OutOfMemoryError)
    assert engine.facts["decoding_rows"] == (32 if isinstance(error, ValueError) else 15)


def test_a_failure_of_one_answer_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    groups, simple = alone("phi")
    groups = groups[:10]
    marked = groups[3][0].prompt
    real = Lane.take

    def fail(self: Lane, logits: Tensor, chosen: Any) -> None:
        if any(marked == toy().decode(job.ids[-len(marked) - 11 : -11]) for job in self.group.jobs):
            raise ValueError("broken")
        real(self, logits, chosen)

    monkeypatch.setattr(Lane, "take", fail)
    said = {r.sample_id: response for r, response in Engine(toy(), batch=64).answer(groups)}
    failed = {name for name, response in said.items() if response.finish == "error"}
    assert failed == {request.sample_id for request in groups[3]}
    assert all(said[name].text == simple.texts[name] for name in said if name not in failed)


def test_the_time_of_a_step_is_shared_out() -> None:
    groups = questions(6, 2, tokens=12)
    said = ask(toy(), groups, batch=16).responses.values()
    assert all(response.seconds > 0 for response in said)
    engine = Engine(toy(), batch=16)
    total = sum(response.seconds for _, response in engine.answer(groups))
    assert float(engine.facts["seconds_per_question"]) == pytest.approx(total / 12, rel=0.01)


def test_eager_attention_goes_together_too() -> None:
    groups = questions(6, 2, tokens=8)
    engine = Engine(toy("llama", attention="eager"), batch=16)
    said = {request.sample_id: response.text for request, response in engine.answer(groups)}
    assert said == ask(toy("llama", attention="eager"), groups, kind="simple").texts
    assert engine.facts["decoding"] == TOGETHER


def test_what_needs_more_than_a_mask_and_positions_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = questions(4, 2, tokens=8)
    simple = ask(toy(), groups, kind="simple").texts
    real = PackedEngine._settings
    monkeypatch.setattr(PackedEngine, "_settings", lambda *args: {**real(*args), "output_hidden_states": False})
    engine = Engine(toy(), batch=16)
    assert {request.sample_id: response.text for request, response in engine.answer(groups)} == simple
    assert str(engine.facts["decoding"]).startswith("refused: its rows take output_hidden_states of their own")
