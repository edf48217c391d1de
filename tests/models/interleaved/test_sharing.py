"""Images between words: shared prefixes, batches and one by one give equal answers and logits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.models.huggingface import tiny_hf
from tests.models.huggingface.asking import CHOICES, Answers, ask, check_equal, largest, noisy, system
from tests.models.interleaved.dialogues import NO, REQUESTS, YES
from vlmbench.base.samples import Generation, Request
from vlmbench.models.huggingface.engine import HfEngine

pytestmark = pytest.mark.slow

A, B = noisy(0), noisy(1)
WORDS = ("red?", "blue or green?", "the cat?", "a picture of a dog?", "left?")


def asked(places: tuple[int, ...], start: str = "Is  or  ", **more: object) -> list[Request]:
    """Questions about the same two images in the same places; every third ranks choices."""
    made = []
    for at, word in enumerate(WORDS):
        name = f"{start}{places}{at}{len(more)}"
        choices = CHOICES if at % 3 == 2 else ()
        made.append(Request(name, start + word, (A, B), choices, Generation(4), image_places=places))
    return [replace(one, **more) for one in made]  # type: ignore[arg-type]


def all_ways(kind: str, group: list[Request]) -> Answers:
    """Shared, checked against one by one, and batches too."""
    shared = ask(system(kind), [group])
    simple = ask(system(kind), [group], kind="simple")
    check_equal(shared, simple)
    check_equal(ask(system(kind), [group], kind="batched", batch="3"), simple)
    assert shared.engine.kind == ("shared" if kind in tiny_hf.SHARING else "batched")
    return shared


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many questions go behind one prefix, each time that a group is divided."""
    real, sizes = HfEngine._parts, list[int]()

    def recorded(self: HfEngine, questions: Any) -> Any:
        found = real(self, questions)
        sizes.extend(map(len, found))
        return found

    monkeypatch.setattr(HfEngine, "_parts", recorded)
    return sizes


@pytest.mark.parametrize("kind", tiny_hf.SHARING)
def test_all_engines_answer_alike(kind: str, parts: list[int]) -> None:
    """Several places at once: those that agree share, the others go alone."""
    group = [
        *asked((3, 7)),
        *asked((3, 7), system="Be brief.", examples=(YES, NO)),
        *asked((0, 3))[:1],
        *asked(())[:2],
        replace(REQUESTS["twice"], images=(B, B)),
    ]
    shared = all_ways(kind, group)
    assert len(set(shared.texts.values())) > 5
    assert sorted(parts[: len(parts) // 3]) == [1, 1, 2, 5, 5] and shared.engine.facts["engine_packed"] == 14


def test_places_that_differ_share_nothing(parts: list[int]) -> None:
    """Each question has its second image somewhere else: no prefix holds both."""
    group = [
        Request(str(at), f"Is {'x' * at} or red?", (A, B), (), Generation(4), image_places=(3, 4 + at))
        for at in range(1, 5)
    ]
    shared = all_ways("llava", group)
    assert shared.engine.kind == "shared" and set(parts) == {1}


@pytest.mark.parametrize("kind", ["llava", "idefics3"])
def test_the_order_of_images_decides(kind: str) -> None:
    """What is compared can tell two orders apart."""
    group = asked((3, 7))
    turned = [replace(one, images=(B, A)) for one in group]
    assert largest(ask(system(kind), [group]), ask(system(kind), [turned])) > 1e-3
