"""Several pictures in a question: both engines against a plain forward of the concatenated embeddings; mutants fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL.Image import Image
from torch import Tensor

from tests.models import tiny, tiny_minigpt
from tests.models.engine.test_engine import Answers, ask, check_equal
from tests.models.engine.toy import noise, toy
from vlmbench.base.samples import Example, Generation, ImageRef, Request
from vlmbench.data.images.decoding import decode
from vlmbench.models.engine import group_images
from vlmbench.models.engine.engine import Engine
from vlmbench.models.engine.group_images import GroupFeatures, images_of, turns_of
from vlmbench.models.engine.shared_prefix import SharedPrefix
from vlmbench.models.parts.protocols import IMAGE_TOKEN, System

pytestmark = pytest.mark.slow

SYSTEMS = ("toy", "tinyllava", *tiny_minigpt.KINDS)
SIX = Generation(max_new_tokens=6)
A, B, C = noise(1), noise(2), noise(3)
GROUP = (
    Request("first", "which is larger?", (A, B), generation=SIX),
    Request("other", "which one is red?", (A, B), generation=SIX),
    Request("swapped", "which is larger?", (B, A), generation=SIX),
    Request("twice", "which is larger?", (A, A), generation=SIX),
    Request("inside", "is the cat or the dog larger?", (A, B), generation=SIX, image_places=(10, 21)),
    Request("moved", "is the cat or the dog larger?", (A, B), generation=SIX, image_places=(10, 29)),
    Request("both", "which is as here?", (A, B, C), generation=SIX, image_places=(0, 0, 12)),
    Request("one", "what is it?", (A,), generation=SIX),
    Request("none", "what is it?", generation=SIX),
    Request(
        "shown",
        "and this?",
        (B,),
        generation=SIX,
        examples=(Example("x", "what is it?", "a cat", (A,)), Example("y", "is it here?", "no", (C, A), (3, 6))),
    ),
    Request("later", "why?", (A, B), generation=SIX, history=(("which of these?", "this"),), image_places=(9, 14)),
)


def build(kind: str, folder: Path) -> Any:
    """A system of a kind, at toy size."""
    if kind == "toy":
        return toy("llama")
    if kind != "tinyllava":
        return tiny_minigpt.build(folder, kind)
    system = tiny.build(folder, tiny.config("phi"))
    tiny_minigpt.spread(system.network)
    return system


@torch.inference_mode()
def naive(system: System, request: Request, steps: int) -> list[Tensor]:
    """Logits of greedy steps: the whole row of concatenated embeddings through the model again for each token."""
    ids = system.encode(turns_of(request))
    table, rows = system.network.language_model.get_input_embeddings(), []
    shown = iter(images_of(request))
    for token in ids:
        if token == IMAGE_TOKEN:
            rows.append(system.network.image_features(system.pixels(decode(next(shown).load()))[None])[0])
        else:
            rows.append(table(torch.tensor([token])))
    assert not list(shown), "a picture without a place"
    found: list[Tensor] = []
    for _ in range(steps):
        found.append(system.network.language_model(inputs_embeds=torch.cat(rows)[None]).logits[0, -1])
        rows.append(table(found[-1].argmax()[None]))
    return found


def check_naive(said: Answers, system: System, group: Sequence[Request] = GROUP) -> None:
    """Each question's logits are those of the plain forward."""
    for request in group:
        response = said.responses[request.sample_id]
        assert response.finish != "error", response.error
        steps = said.logits[request.sample_id]
        worst = max(
            float((mine - other).abs().max())
            for mine, other in zip(steps, naive(system, request, len(steps)), strict=True)
        )
        assert worst < 1e-4, request.sample_id


@pytest.mark.parametrize("kind", SYSTEMS)
def test_both_engines_equal_a_plain_forward(kind: str, tmp_path: Path) -> None:
    system = build(kind, tmp_path)
    simple = ask(system, [GROUP], kind="simple")
    check_naive(simple, system)
    for tokens in (512, 30):
        check_equal(ask(system, [GROUP], pack_tokens=tokens), simple)
    firsts = {name: steps[0] for name, steps in simple.logits.items()}
    for one, other in (("first", "swapped"), ("first", "twice"), ("inside", "moved"), ("first", "one")):
        assert float((firsts[one] - firsts[other]).abs().max()) > 1e-2


@pytest.mark.parametrize("kind", SYSTEMS)
def test_prompt_tokens_count_each_picture(kind: str, tmp_path: Path) -> None:
    system = build(kind, tmp_path)
    said = ask(system, [GROUP])
    visual = system.network.image_features(system.pixels(decode(A.load()))[None]).shape[1]
    for request in GROUP:
        ids, pictures = system.encode(turns_of(request)), len(images_of(request))
        assert ids.count(IMAGE_TOKEN) == pictures
        assert said.responses[request.sample_id].prompt_tokens == len(ids) + pictures * (visual - 1)


@pytest.mark.parametrize("kind", ["toy", "minigpt4"])
def test_choices_about_several_pictures(kind: str, tmp_path: Path) -> None:
    system = build(kind, tmp_path)
    group = [replace(request, choices=("yes", "no", "a red one")) for request in GROUP]
    check_equal(ask(system, [group], pack_tokens=40), ask(system, [group], kind="simple"))


def swapped(self: GroupFeatures, keys: Any, real: Any = GroupFeatures.of) -> Any:
    return real(self, tuple(keys)[::-1])


def wrong_picture(self: GroupFeatures, keys: Any, real: Any = GroupFeatures.of) -> Any:
    keys = tuple(keys)
    return real(self, (*keys[:-1], keys[0])) if keys else []


def all_places_first(request: Request, real: Any = group_images.turns_of) -> Any:
    return [replace(turn, places=()) for turn in real(request)]


def late_place(request: Request, real: Any = group_images.turns_of) -> Any:
    turns = real(request)
    return [replace(turn, places=tuple(min(at + 1, len(turn.question)) for at in turn.places)) for turn in turns]


def first_again(self: SharedPrefix, prefix: Any, features: Any) -> Any:
    """Behind the prefix the pictures begin anew."""
    return features


MUTANTS: dict[str, tuple[Any, str, Callable[..., Any]]] = {
    "order swapped": (GroupFeatures, "of", swapped),
    "wrong picture": (GroupFeatures, "of", wrong_picture),
    "all pictures first": ("vlmbench.models.engine.engine", "turns_of", all_places_first),
    "place moved": ("vlmbench.models.engine.engine", "turns_of", late_place),
    "pictures behind the prefix begin anew": (SharedPrefix, "_behind", first_again),
}


@pytest.mark.parametrize("kind", SYSTEMS)
@pytest.mark.parametrize("mutant", MUTANTS)
def test_mutants_fail_the_check(kind: str, mutant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = build(kind, tmp_path)
    more = [replace(request, sample_id=f"{request.sample_id}2", prompt=f"{request.prompt} or not") for request in GROUP]
    check_naive(ask(system, [[*GROUP, *more]]), system)
    target, name, broken = MUTANTS[mutant]
    if isinstance(target, str):
        monkeypatch.setattr(f"{target}.{name}", broken)
    else:
        monkeypatch.setattr(target, name, broken)
    with pytest.raises(AssertionError):
        check_naive(ask(system, [[*GROUP, *more]]), system)


@pytest.mark.parametrize("kind", ["shared", "simple"])
def test_each_picture_is_read_and_encoded_once_a_group(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    system, read, encoded = toy(), Counter[str](), Counter[int]()
    encode, pixels = system.network.image_features, system.pixels

    def count_reads(image: Image) -> Tensor:
        read[image.tobytes().hex()] += 1
        return pixels(image)

    def count_encoded(given: Tensor) -> Tensor:
        encoded[hash(given.numpy().tobytes())] += len(given)
        return encode(given)

    monkeypatch.setattr(system.network, "image_features", count_encoded)
    monkeypatch.setattr(system, "pixels", count_reads)
    ask(system, [GROUP], kind=kind)
    assert list(read.values()) == list(encoded.values()) == [1, 1, 1]


def test_questions_about_the_same_pictures_share_their_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a timing: counts the tokens that go through the language model."""
    system, fed = toy(), []
    forward = system.network.language_model.forward

    def count(*args: Any, **kwargs: Any) -> Any:
        fed.append(kwargs["inputs_embeds"].shape[1])
        return forward(*args, **kwargs)

    monkeypatch.setattr(system.network.language_model, "forward", count)
    one = Generation(max_new_tokens=1)
    group = [Request(str(n), f"{word}?", (A, B), generation=one) for n, word in enumerate(("what", "is", "are"))]
    inside = [replace(request, sample_id=f"in-{request.sample_id}", image_places=(0, 2)) for request in group]
    ask(system, [group], pack_tokens=64)
    visual, start, suffixes = 16, len("\0Sees: "), [len(f"{word}? ASSISTANT:") for word in ("what", "is", "are")]
    assert fed == [start + 2 * visual + len(" USER: "), sum(suffixes)]
    fed.clear()
    ask(system, [group])
    assert fed == [start + 2 * visual + len(" USER: ") + sum(suffixes)], "one row where that is short"
    fed.clear()
    ask(system, [[replace(inside[0], images=(A, B)), replace(inside[1], images=(B, A))]])
    assert len(fed) == 2, "other pictures: nothing to share"
    assert min(fed) > 2 * visual
    fed.clear()
    ask(system, [inside], pack_tokens=100)  # the second picture of each stands behind the words in which they differ
    assert fed[0] == start + visual + len(" USER: ")
    assert fed[1] == sum(suffixes) + 3 * visual


def test_a_picture_that_cannot_be_read_fails_its_own_questions() -> None:
    broken = ImageRef("broken.png", partial(bytes, b"\x89PNG\r\n\x1a\nxx"))
    bad = [
        Request("second", "which?", (A, broken), generation=SIX),
        replace(GROUP[9], sample_id="example", examples=(Example("x", "what?", "a cat", (broken,)),)),
    ]
    said = ask(toy(), [[*bad, *GROUP]])
    for request in bad:
        assert said.responses[request.sample_id].finish == "error"
        assert "broken.png" in said.responses[request.sample_id].error
    assert {name: said.texts[name] for name in ask(toy(), [GROUP]).texts} == ask(toy(), [GROUP]).texts


@pytest.mark.parametrize("places", [(0,), (0, 1, 2), (3, 1), (-1, 2), (0, 99)])
def test_places_that_do_not_fit_are_an_error(places: tuple[int, ...]) -> None:
    asked = Request("odd", "which one?", (A, B), generation=SIX, image_places=places)
    ((_, response),) = Engine(toy()).answer([[asked]])
    assert response.finish == "error"
    assert f"image places {places} do not fit 2 images and a text of 10 characters" in response.error


def test_a_place_at_the_front_is_images_first() -> None:
    first, placed = turns_of(GROUP[0])[0], turns_of(replace(GROUP[0], image_places=(0, 0)))[0]
    assert (placed.first, placed.pieces()) == (first.first, first.pieces()) == (2, ["which is larger?"])
    assert turns_of(replace(GROUP[0], image_places=(0, 5)))[0].pieces() == ["which", " is larger?"]
