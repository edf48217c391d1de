"""Answers of transformers models decoded together: equal to one by one at any number of rows, and mutants fail."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.models.huggingface.asking import Answers, Groups, ask, check_equal, noisy, questions, system
from tests.models.lanes.test_systems import MUTANTS
from vlmbench.base.samples import Generation, Request
from vlmbench.models.engine.together import TOGETHER, Together

pytestmark = pytest.mark.slow

ROWS = (1, 4, 16, 64)
LARGE = ("llava", "qwen2_vl", "gemma3")
"""A plain decoder, one with positions on three axes, one with windows and two-way attention in images."""
OTHERS = ("llava_next", "onevision", "idefics3", "smolvlm", "internvl", "sliding")


@functools.cache
def alone(kind: str, pictures: int, each: int) -> tuple[Groups, Answers]:
    """Questions, and their answers one by one."""
    groups = questions(pictures, each, tokens=6)
    return groups, ask(system(kind), groups, kind="simple")


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("kind", LARGE)
def test_five_hundred_answers_are_those_of_one_by_one(kind: str, rows: int) -> None:
    groups, simple = alone(kind, 63, 8)
    assert len(simple.responses) == 504
    assert len(set(simple.texts.values())) >= 10
    said = ask(system(kind), groups, batch=str(rows))
    check_equal(said, simple)
    assert said.engine.facts["decoding"] == (TOGETHER if rows > 8 else "not tried")
    assert int(said.engine.facts["decoding_rows_peak"]) <= rows
    assert said.engine.facts["engine_packed"] == 504


@pytest.mark.parametrize("kind", (*LARGE, *OTHERS))
def test_one_question_an_image(kind: str) -> None:
    groups, simple = alone(kind, 12, 3)
    said = ask(system(kind), [[request] for group in groups for request in group], batch="16")
    check_equal(said, simple)
    assert said.engine.facts["decoding"] == TOGETHER
    assert said.engine.facts["engine_packed"] == 36


def test_cross_attention_goes_image_by_image() -> None:
    groups, simple = alone("mllama", 4, 3)
    said = ask(system("mllama"), groups, batch="16")
    check_equal(said, simple)
    assert str(said.engine.facts["decoding"]).startswith("refused: its rows take cross_attention_mask")


def test_drawn_ranked_and_stopped_answers_beside_each_other() -> None:
    groups = questions(8, 6, tokens=8)
    changes: list[Callable[[Request], Request]] = [
        lambda r: r,
        lambda r: replace(r, choices=("yes", "no", "a red cat")),
        lambda r: replace(r, generation=Generation(8, ("e", "a"))),
        lambda r: replace(r, generation=Generation(8, min_new_tokens=7)),
        lambda r: replace(r, generation=Generation(8, temperature=0.8)),
        lambda r: replace(r, generation=Generation(6, temperature=1.0, top_p=0.7, min_new_tokens=3)),
    ]
    mixed = [[change(request) for change, request in zip(changes, group, strict=True)] for group in groups]
    simple = ask(system("llava"), mixed, kind="simple")
    for rows in ROWS:
        said = ask(system("llava"), mixed, batch=str(rows))
        assert said.texts == simple.texts
        assert {name: r.finish for name, r in said.responses.items()} == {
            name: r.finish for name, r in simple.responses.items()
        }
        for name, response in said.responses.items():
            pairs = zip(response.choices, simple.responses[name].choices, strict=True)
            assert all(abs(one.logprob - two.logprob) < 1e-4 for one, two in pairs)


@pytest.mark.parametrize("kind", LARGE)
@pytest.mark.parametrize("mutant", MUTANTS)
def test_mutants_fail_the_check(kind: str, mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("left", "down", "blue", "pink")
    groups = [
        [
            Request(f"{n}-{at}", f"is it {word}?", (noisy(3 * n),), (), Generation(6))
            for at, word in enumerate(words[:2])
        ]
        for n in range(6)
    ]
    simple = ask(system(kind), groups, kind="simple")
    monkeypatch.setattr(Together, "_tried", Together._joined)
    check_equal(ask(system(kind), groups, batch="16"), simple)
    monkeypatch.setattr("vlmbench.models.huggingface.prefix_check.self_check", lambda *_: ("", 0.0))
    monkeypatch.setattr(*MUTANTS[mutant])
    with pytest.raises(AssertionError):
        check_equal(ask(system(kind), groups, batch="16"), simple)


def test_images_in_flight_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many rows there may be, no more pixels than those of the bound are held."""
    groups = [[request] for group in questions(12, 1, tokens=8) for request in group]
    held: list[int] = []
    real: Any = Together._step

    def note(self: Together) -> Any:
        held.append(len(self._lanes))
        return real(self)

    monkeypatch.setattr(Together, "_step", note)
    monkeypatch.setattr("vlmbench.models.engine.together.PIXELS", 3 * 28 * 28)
    ask(system("llava"), groups, batch="16")
    assert max(held) == 3
