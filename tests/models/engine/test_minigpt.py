"""The shared-prefix engine on MiniGPT-4, MiniGPT-v2 and TinyGPT-V: as one by one, to 1e-4; mutants fail."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.models import tiny_minigpt
from tests.models.engine.test_engine import MUTANTS, Answers, ask, check_equal, questions
from vlmbench.base.samples import Request
from vlmbench.models.systems.minigpt import MiniGPT

KINDS = tuple(tiny_minigpt.KINDS)
GROUPS = questions(3, 8)


@pytest.mark.parametrize("kind", KINDS)
def test_packed_questions_are_answered_as_one_by_one(kind: str, tmp_path: Path) -> None:
    system = tiny_minigpt.build(tmp_path, kind)
    groups = questions(6, 24, tokens=8)
    simple = ask(system, groups, kind="simple")
    check_equal(ask(system, groups, kind="shared"), simple)
    assert len(simple.responses) == 144
    assert all(response.finish != "error" for response in simple.responses.values())
    assert len(set(simple.texts.values())) >= 20


@pytest.fixture(scope="module", params=KINDS)
def unchanged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[MiniGPT, Answers]:
    """A system, and its answers one by one; packed they are the same."""
    system = tiny_minigpt.build(tmp_path_factory.mktemp("system"), request.param)
    simple = ask(system, GROUPS, kind="simple")
    check_equal(ask(system, GROUPS, pack_tokens=100), simple)
    return system, simple


@pytest.mark.parametrize("mutant", MUTANTS)
def test_mutants_fail_the_check(
    mutant: str, unchanged: tuple[MiniGPT, Answers], monkeypatch: pytest.MonkeyPatch
) -> None:
    system, simple = unchanged
    monkeypatch.setattr(*MUTANTS[mutant])
    with pytest.raises(AssertionError):
        check_equal(ask(system, GROUPS, pack_tokens=100), simple)


@pytest.mark.parametrize("kind", KINDS)
def test_ranked_choices_are_the_same(kind: str, tmp_path: Path) -> None:
    system = tiny_minigpt.build(tmp_path, kind)
    groups = [
        [Request(r.sample_id, r.prompt, r.images, ("yes", "no", "a red square")) for r in group]
        for group in questions(2, 6)
    ]
    packed, alone = ask(system, groups).responses, ask(system, groups, kind="simple").responses
    for name, response in packed.items():
        assert response.finish != "error", response.error
        for one, other in zip(response.choices, alone[name].choices, strict=True):
            assert one.logprob == pytest.approx(other.logprob, abs=1e-3)
            assert one.tokens == other.tokens


def test_an_answer_ends_at_the_next_speaker(tmp_path: Path) -> None:
    """`###` ends an answer of the Vicuna form, whatever tokens spell it."""
    system = tiny_minigpt.build(tmp_path, "minigpt4")
    groups = questions(4, 12, tokens=12)
    plain = ask(system, groups)
    text = max(plain.texts.values(), key=len)
    system.prompt_format = replace(system.prompt_format, stop=(text[2:4],))
    stopped = ask(system, groups)
    assert text[2:4] not in "".join(stopped.texts.values())
    assert any(response.finish == "stop" for response in stopped.responses.values())
