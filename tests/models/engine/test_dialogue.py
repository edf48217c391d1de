"""Dialogues: a later question's ids are those of the whole conversation in one go, and both engines heed it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.models.engine.test_engine import ask, check_equal
from tests.models.engine.toy import noise, toy
from tests.models.tiny import build, config
from vlmbench.base.samples import Generation, Request
from vlmbench.models.engine.group_images import turns_of
from vlmbench.models.parts.protocols import IMAGE_TOKEN, Turn
from vlmbench.models.systems.tinyllava import TinyLLaVA

TURNS = (("What is there?", "a red square"), ("Is it large?", "yes"), ("And blue?", "no"))
SIX = Generation(max_new_tokens=6)


@pytest.fixture(params=["phi", "llama"])
def system(request: pytest.FixtureRequest, tmp_path: Path) -> TinyLLaVA:
    """A fresh model of each kind of tokenizer: without a BOS and with one."""
    return build(tmp_path / "tokenizer", config(request.param))


def dialogue(question: str, image: bool = True, history: Sequence[tuple[str, str]] = TURNS) -> list[Turn]:
    """The turns of a request about a picture or none."""
    shown = (noise(0),) if image else ()
    return turns_of(Request("asked", question, shown, history=tuple(history)))


@pytest.mark.parametrize("image", [True, False])
def test_ids_are_those_of_the_whole_conversation(system: TinyLLaVA, image: bool) -> None:
    learnt = list(
        system.template.encode_for_training(
            [*TURNS, ("Why?", "so")], system.tokenizer, image=image, max_length=10**6
        ).ids
    )
    going_on = system.encode(dialogue("Why?", image), answer="so")
    assert going_on == learnt[: len(going_on)]  # all but the end token
    assert len(going_on) == len(learnt) - len(system.tokenizer.ids(system.template.eos)) + system.template.bos
    assert going_on.count(IMAGE_TOKEN) == image
    asked = system.encode(dialogue("Why?", image))
    assert asked[:-1] == going_on[: len(asked) - 1]  # the last token may swallow the answer's first blank


def test_the_picture_belongs_to_the_first_question(system: TinyLLaVA) -> None:
    ids = system.encode(dialogue("Why?"))
    first = system.encode([Turn(TURNS[0][0], images=1)])
    assert ids[: len(first) - 1] == first[:-1]
    assert ids.count(IMAGE_TOKEN) == 1


def test_words_that_look_like_a_picture_make_no_second_one(system: TinyLLaVA) -> None:
    odd = (("What is <image> there?", "an <image>"), ("<image> Is it?", "yes"))
    plain = (("What is  there?", "an"), ("Is it?", "yes"))
    ids = system.encode(dialogue("So <image>?", history=odd))
    assert ids == system.encode(dialogue("So ?", history=plain))
    assert IMAGE_TOKEN not in system.encode(dialogue("So <image>?", image=False, history=odd))


@pytest.mark.parametrize("kind", ["phi", "llama"])
def test_both_engines_heed_what_was_said(kind: str) -> None:
    system = toy(kind)
    plain = Request("plain", "and what else?", (noise(1),), generation=SIX)
    turns = (("what is it?", "a cat"), ("how big?", "big"))
    group = [plain, replace(plain, sample_id="one", history=turns[:1]), replace(plain, sample_id="two", history=turns)]
    shared, simple = ask(system, [group]), ask(system, [group], kind="simple")
    check_equal(shared, simple)
    assert len(set(shared.texts.values())) == 3
    written = f"{turns[0][0]} ASSISTANT:{turns[0][1]} USER: {plain.prompt}"
    in_one_go = ask(system, [[replace(plain, prompt=written)]])
    assert in_one_go.texts["plain"] == shared.texts["one"]
