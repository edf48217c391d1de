"""Thoughts with tokens of their own: the limits of the thought and of the answer, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmbench.base.samples import Generation, Response
from vlmbench.models.engine.decoding import Best, Draft, Job, Outcome, drawn
from vlmbench.models.engine.engine import respond
from vlmbench.parsing.thinking import apart

END = 0


@dataclass(frozen=True)
class Letters:
    """One token per character; 0 ends."""

    opened: str = ""
    """What the prompt ends with."""
    tags: tuple[tuple[str, str], ...] = ()
    end_ids = frozenset({END})
    stop: tuple[str, ...] = ()

    def decode(self, ids: Sequence[int]) -> str:
        return (self.opened + "".join(map(chr, ids))).strip()


def generated(text: str, generation: Generation, decoder: Letters | None = None) -> tuple[Outcome, Response]:
    """What becomes of a model that says this text and then ends."""
    draft = Draft(Job((1,), generation), decoder or Letters())
    for token in [*map(ord, text), END]:
        if not draft.push(Best(token, 1.0, 1.0)):
            break
    outcome = draft.outcome(0)
    again = drawn(draft.job, draft.system, [*map(ord, text), END][: generation.longest], 1, len(draft.ids))
    assert (again.text, again.finish, again.reasoning_tokens) == (
        outcome.text,
        outcome.finish,
        outcome.reasoning_tokens,
    )
    return outcome, apart(respond(outcome))


THOUGHT = "<think>It is red.</think>"
N = len(THOUGHT)


@pytest.mark.parametrize(("budget", "length"), [(N, 3), (N, 4), (N + 50, 3), (0, N + 3), (0, N + 4)])
def test_the_answer_has_its_own_tokens_behind_the_thought(budget: int, length: int) -> None:
    outcome, response = generated(THOUGHT + "Red", Generation(length, max_reasoning_tokens=budget))
    ended = length in (4, N + 4)
    assert (response.text, response.reasoning) == ("Red", "It is red.")
    assert response.finish == outcome.finish == ("stop" if ended else "length")
    assert response.reasoning_tokens == N and response.new_tokens == N + 3 + ended


def test_an_answer_is_cut_at_its_own_limit() -> None:
    _, response = generated(THOUGHT + "Red and blue", Generation(3, max_reasoning_tokens=500))
    assert (response.text, response.finish, response.new_tokens) == ("Red", "length", N + 3)
    _, plain = generated("Red and blue", Generation(3, max_reasoning_tokens=500))
    assert (plain.text, plain.finish, plain.reasoning_tokens) == ("Red", "length", 0)


@pytest.mark.parametrize("budget", range(9, N))
def test_a_thought_ends_with_its_budget(budget: int) -> None:
    outcome, response = generated(THOUGHT + "Red", Generation(50, max_reasoning_tokens=budget))
    assert (response.text, response.finish, response.new_tokens) == ("", "length", budget)
    assert outcome.reasoning_tokens == budget


def test_without_a_budget_a_thought_uses_up_the_answers_tokens() -> None:
    _, response = generated(THOUGHT + "Red", Generation(12))
    assert (response.text, response.finish, response.new_tokens) == ("", "length", 12)


def test_several_thoughts_share_the_budget() -> None:
    text = "<think>a</think>\n<think>b</think> Red"
    _, response = generated(text, Generation(4, max_reasoning_tokens=33))
    assert (response.text, response.reasoning) == ("Red", "a\n\nb") and response.finish == "length"
    _, cut = generated(text, Generation(4, max_reasoning_tokens=32))
    assert (cut.text, cut.new_tokens) == ("", 32)


def test_a_thought_that_the_prompt_opens() -> None:
    decoder = Letters(opened="<think>")
    _, response = generated("It is.</think>Red", Generation(3, max_reasoning_tokens=14), decoder)
    assert (response.text, response.reasoning, response.reasoning_tokens) == ("Red", "It is.", 14)
    _, cut = generated("It is.</think>Red", Generation(3, max_reasoning_tokens=13), decoder)
    assert (cut.text, cut.finish, cut.new_tokens) == ("", "length", 13)
    _, silent = generated("", Generation(3), decoder)
    assert (silent.text, silent.finish) == ("", "length")


def test_stop_texts_and_named_tags() -> None:
    generation = Generation(20, stop=("is",), max_reasoning_tokens=100)
    _, response = generated(THOUGHT + "Red is it", generation)
    assert (response.text, response.finish, response.reasoning) == ("Red", "stop", "It is red.")
    decoder = Letters(tags=(("<plan>", "</plan>"),))
    outcome, _ = generated("<plan>abc</plan>Red", Generation(3, max_reasoning_tokens=16), decoder)
    assert outcome.reasoning_tokens == 16 and apart(respond(outcome), decoder.tags).text == "Red"


@given(
    st.text("ab <>/", max_size=30),
    st.text("ab <>/", max_size=12),
    st.integers(8, 60),
    st.integers(1, 12),
)
def test_limits_hold_whatever_is_said(thought: str, answer: str, budget: int, length: int) -> None:
    text = f"<think>{thought}</think>{answer}"
    outcome, response = generated(text, Generation(length, max_reasoning_tokens=budget))
    assert outcome.new_tokens <= budget + length
    if len(thought) + 15 > budget:
        assert response.text == "" and response.finish == "length" and outcome.new_tokens == budget
    else:
        expected = answer.strip()
        assert expected.startswith(response.text) and (response.text == expected or response.finish == "length")
        assert outcome.new_tokens == len(thought) + 15 + min(length, len(answer) + 1)


@given(st.text("ab <[", max_size=30), st.integers(1, 12), st.integers(1, 40))
def test_a_budget_changes_nothing_where_no_thought_begins(text: str, length: int, budget: int) -> None:
    plain, _ = generated(text, Generation(length))
    given_more, _ = generated(text, Generation(length, max_reasoning_tokens=budget))
    assert given_more == plain
