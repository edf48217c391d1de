"""The shared-prefix engine against one-by-one: equal answers, logits within 1e-4 at every step; mutants fail."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.models.engine.toy import ToySystem, noise, toy
from vlmbench.base.samples import Generation, Request, Response
from vlmbench.data.images.decoding import decode
from vlmbench.models.engine import packing
from vlmbench.models.engine.decoding import image_prefix
from vlmbench.models.engine.engine import Engine
from vlmbench.models.engine.group_images import turns_of
from vlmbench.models.engine.shared_prefix import SharedPrefix
from vlmbench.models.parts.protocols import System

pytestmark = pytest.mark.slow

KINDS = ("phi", "llama")
WORDS = [
    "is",
    "are",
    "there",
    "what",
    "where",
    "how",
    "many",
    "red",
    "blue",
    "big",
    "a",
    "the",
    "cat",
    "dog",
    "square",
    "circle",
    "left",
    "right",
    "of",
    "and",
    "picture",
]
Groups = list[list[Request]]


@dataclass
class Answers:
    """What an engine said and the logits of each of its steps."""

    responses: dict[str, Response] = field(default_factory=dict)
    logits: dict[str, list[Tensor]] = field(default_factory=dict, repr=False)  # a failed assert prints the rest

    @property
    def texts(self) -> dict[str, str]:
        return {name: response.text for name, response in self.responses.items()}


def ask(system: System, groups: Iterable[Sequence[Request]], **options: Any) -> Answers:
    found = Answers()

    def see(request: Request, step: int, logits: Tensor) -> None:
        steps = found.logits.setdefault(request.sample_id, [])
        assert step == len(steps)
        steps.append(logits)

    engine = Engine(system, observer=see, **options)
    found.responses = {request.sample_id: response for request, response in engine.answer(groups)}
    return found


def questions(pictures: int, each: int, *, tokens: int = 6, seed: int = 0) -> Groups:
    """Different questions of different lengths, ids `picture-number`."""
    choose, groups = random.Random(seed), []
    for number in range(pictures):
        image = noise(seed * 1000 + number)
        texts: dict[str, None] = {}
        while len(texts) < each:
            texts[" ".join(choose.choices(WORDS, k=choose.randint(1, 6))) + "?"] = None
        groups.append(
            [
                Request(f"{number}-{index}", text, (image,), generation=Generation(max_new_tokens=tokens))
                for index, text in enumerate(texts)
            ]
        )
    return groups


def largest(one: Answers, other: Answers) -> float:
    """The largest difference of any logit at any step."""
    assert {name: len(steps) for name, steps in one.logits.items()} == {
        name: len(steps) for name, steps in other.logits.items()
    }
    pairs = [(a, b) for name in one.logits for a, b in zip(one.logits[name], other.logits[name], strict=True)]
    return max(float((a - b).abs().max()) for a, b in pairs)


def check_equal(one: Answers, other: Answers) -> None:
    """The exactness check itself."""
    assert one.texts == other.texts
    assert largest(one, other) < 1e-4
    for name, response in one.responses.items():
        twin = other.responses[name]
        assert (response.finish, response.error) == (twin.finish, twin.error)
        assert (response.prompt_tokens, response.new_tokens) == (twin.prompt_tokens, twin.new_tokens)
        assert response.margin == pytest.approx(twin.margin, abs=2e-4)


def both(system: ToySystem, groups: Groups, **options: Any) -> Answers:
    """Ask both ways, check that they agree, and return what was said."""
    simple = ask(system, groups, kind="simple")
    check_equal(ask(system, groups, kind="shared", **options), simple)
    assert all(response.finish != "error" for response in simple.responses.values())
    return simple


@pytest.mark.parametrize("kind", KINDS)
def test_five_hundred_questions_are_answered_as_one_by_one(kind: str) -> None:
    groups = questions(16, 32)
    said = both(toy(kind), groups)
    assert len(said.responses) == 512
    assert len(set(said.texts.values())) >= 10
    for group in groups:
        assert len({said.texts[request.sample_id] for request in group}) >= 3
    assert len({len(steps) for steps in said.logits.values()}) >= 3, "answers of one length only"


@pytest.mark.parametrize("kind", KINDS)
def test_answers_depend_on_the_picture(kind: str) -> None:
    groups = questions(4, 16)
    moved = [
        [Request(r.sample_id, r.prompt, other[0].images, (), r.generation) for r in group]
        for group, other in zip(groups, groups[1:] + groups[:1], strict=True)
    ]
    one, other = ask(toy(kind), groups).texts, ask(toy(kind), moved).texts
    assert sum(one[name] != other[name] for name in one) > len(one) / 2


def leak(lengths: Sequence[int], prefix: int) -> Tensor:
    """Each suffix sees those before it, too."""
    total = sum(lengths)
    return torch.ones(total, prefix + total, dtype=torch.bool).tril(prefix)


def late_prefill(lengths: Sequence[int], prefix: int, real: Any = packing.restart) -> Tensor:
    return real(lengths, prefix) + 1  # type: ignore[no-any-return]


def late_step(*args: Any, real: Any = packing.step_positions) -> Tensor:
    return real(*args) + 1  # type: ignore[no-any-return]


def step_leak(owner: Tensor, live: Sequence[int]) -> Tensor:
    return torch.ones(len(live), len(owner), dtype=torch.bool)


def wrong_picture(self: SharedPrefix, ids: Any, features: Any, cache: Any, real: Any = SharedPrefix._prefill) -> Any:
    return real(self, ids, [seen.flip(0) for seen in features], cache)


def no_first_token(self: SharedPrefix, ids: Any, features: Any, cache: Any, real: Any = SharedPrefix._prefill) -> Any:
    return real(self, ids[1:], features, cache)


def cut_picture(self: SharedPrefix, ids: Any, features: Any, cache: Any, real: Any = SharedPrefix._prefill) -> Any:
    return real(self, ids, [seen[:-1] for seen in features], cache)


def all_seen(prefix: int, columns: int) -> Tensor:
    """The prefix sees the suffixes."""
    return torch.ones(prefix, columns, dtype=torch.bool)


Mutants = dict[str, tuple[Any, str, Callable[..., Any]]]
MUTANTS: Mutants = {
    "positions + 1 in prefill": (packing, "restart", late_prefill),
    "positions + 1 in decode": (packing, "step_positions", late_step),
    "suffixes see each other": (packing, "block_mask", leak),
    "answers see each other": (packing, "step_mask", step_leak),
    "logits of the token before": (packing, "ends", lambda lengths: torch.tensor(lengths).cumsum(0) - 2),
}
SEVERAL_PACKS: Mutants = {
    "wrong picture": (SharedPrefix, "_prefill", wrong_picture),
    "first token dropped": (SharedPrefix, "_prefill", no_first_token),
    "prefix cut inside the picture": (SharedPrefix, "_prefill", cut_picture),
}
ONE_ROW: Mutants = {"prefix sees the suffixes": (packing, "prefix_mask", all_seen)}
TOKENS = {100: MUTANTS | SEVERAL_PACKS, 4096: MUTANTS | ONE_ROW}
"""What is broken where the prefix runs first and several packs behind it, and where all of it is one row."""


@functools.cache
def unchanged(kind: str) -> tuple[Groups, Answers]:
    """Questions and their answers one by one; packed they are the same."""
    groups = questions(4, 10)
    simple = ask(toy(kind), groups, kind="simple")
    for tokens in TOKENS:
        check_equal(ask(toy(kind), groups, pack_tokens=tokens), simple)
    return groups, simple


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("tokens", "mutant"), [(tokens, name) for tokens, names in TOKENS.items() for name in names])
def test_mutants_fail_the_check(kind: str, tokens: int, mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    groups, simple = unchanged(kind)
    monkeypatch.setattr(*TOKENS[tokens][mutant])
    broken = ask(toy(kind), groups, pack_tokens=tokens)
    assert all(response.finish != "error" for response in broken.responses.values()), "it must fail by its numbers"
    with pytest.raises(AssertionError):
        check_equal(broken, simple)
    first = [(broken.logits[name][0] - simple.logits[name][0]).abs().max() for name in simple.logits]
    second = [
        (broken.logits[name][1] - simple.logits[name][1]).abs().max()
        for name in simple.logits
        if min(len(broken.logits[name]), len(simple.logits[name])) > 1
    ]
    assert float(max(first + second)) > 1e-2


@pytest.mark.parametrize("kind", KINDS)
def test_order_packs_and_company_change_nothing(kind: str) -> None:
    groups = questions(3, 16)
    plain = ask(toy(kind), groups)
    shuffled = [random.Random(1).sample(group, len(group)) for group in groups]
    check_equal(ask(toy(kind), shuffled), plain)
    for tokens in (1, 64, 256, 4096):
        check_equal(ask(toy(kind), groups, pack_tokens=tokens), plain)
    check_equal(ask(toy(kind), [[request] for group in groups for request in group]), plain)
    strangers = [
        [Request(f"stranger-{r.sample_id}", f"{r.prompt} or else", r.images, (), r.generation) for r in group]
        for group in groups
    ]
    mixed = ask(toy(kind), [group + more for group, more in zip(groups, strangers, strict=True)])
    check_equal(Answers({n: mixed.responses[n] for n in plain.texts}, {n: mixed.logits[n] for n in plain.texts}), plain)


def test_the_same_run_twice_is_the_same() -> None:
    groups = questions(2, 12)
    one, other = ask(toy(), groups), ask(toy(), groups)
    assert one.texts == other.texts
    assert largest(one, other) == 0.0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("layout", "prompts"),
    [
        ("{image}{prompt}", ["a", "b", "c", "d"]),
        ("{image} {prompt}:", ["is it", "was it", "has it", "not it"]),
        ("{image} {prompt}:", ["only one question"]),
        ("{image} {prompt}:", ["yes", "yes or no", "yes or no or", "y"]),
        ("{prompt} about {image}:", ["what", "where", "which one"]),
        ("{prompt}{image}", ["what", "where", "what else"]),
        ("{image}", ["ignored", "ignored as well"]),
    ],
    ids=["suffix of 1", "equal lengths", "one question", "prefixes of each other", "late", "last", "picture alone"],
)
def test_shapes_of_prompts(kind: str, layout: str, prompts: Sequence[str]) -> None:
    asked = Generation(max_new_tokens=5)
    groups = [[Request(f"{p}-{i}", text, (noise(p),), (), asked) for i, text in enumerate(prompts)] for p in range(3)]
    both(toy(kind, layout), groups)
    both(toy(kind, layout), groups, pack_tokens=4)


def test_eager_attention_takes_the_mask_as_numbers() -> None:
    both(toy("phi", attention="eager"), questions(2, 8))


def test_no_picture_and_mixed_pictures_in_one_group() -> None:
    texts = [Request(f"t{i}", f"{word} is it?", (), (), Generation(max_new_tokens=4)) for i, word in enumerate(WORDS)]
    both(toy(), [texts])
    strange = toy(layout="{prompt}")
    strange.encode = lambda turns, **_: [5 + ord(c) % 50 for c in turns[0].question]  # type: ignore[method-assign]
    both(strange, [texts])
    mixed = [request for group in questions(4, 5) for request in group] + texts
    both(toy(), [random.Random(2).sample(mixed, len(mixed))])


def test_ends_first_at_length_and_at_different_steps() -> None:
    groups = questions(4, 16, tokens=12)
    plain = both(toy(), groups)
    assert {response.finish for response in plain.responses.values()} == {"stop", "length"}
    assert len({response.new_tokens for response in plain.responses.values()}) >= 5
    system = toy()
    firsts = {int(steps[0].argmax()) for steps in plain.logits.values()}
    system.end_ids = frozenset({min(firsts)})
    ended = both(system, groups)
    empty = [response for response in ended.responses.values() if response.new_tokens == 1]
    assert empty
    assert all(response.text == "" and response.finish == "stop" for response in empty)
    none = ask(system, [[Request("0", "what?", (noise(0),), (), Generation(max_new_tokens=0))]]).responses["0"]
    assert (none.text, none.finish, none.new_tokens) == ("", "length", 0)


def test_stop_texts_over_several_tokens_are_cut() -> None:
    groups = questions(3, 12, tokens=12)
    plain = ask(toy(), groups)
    name = max(plain.texts, key=lambda name: len(plain.texts[name]))
    stop = plain.texts[name][3:6]
    stopped = [
        [Request(r.sample_id, r.prompt, r.images, (), Generation(12, (stop, "never seen"))) for r in group]
        for group in groups
    ]
    said = both(toy(), stopped)
    for other, text in plain.texts.items():
        assert said.texts[other] == (text.split(stop)[0].strip() if stop in text else text)
    assert said.responses[name].finish == "stop"
    assert said.responses[name].new_tokens == 6
    system = toy()
    system.stop = (stop,)
    assert both(system, groups).texts == said.texts


def test_simple_is_what_transformers_generates() -> None:
    system = toy("llama")
    network = system.network
    groups = questions(2, 6)
    said = ask(system, groups, kind="simple")
    for request in groups[0] + groups[1]:
        picture = request.images[0]
        features = network.image_features(system.pixels(decode(picture.load()))[None])[0]
        embeds = network.embed(torch.tensor(system.encode(turns_of(request))), [features])[None]
        new = network.language_model.generate(
            inputs_embeds=embeds,
            attention_mask=torch.ones(embeds.shape[:2], dtype=torch.long),
            max_new_tokens=6,
            do_sample=False,
            eos_token_id=sorted(system.end_ids),
            pad_token_id=1,
        )
        assert system.decode(new[0].tolist()) == said.texts[request.sample_id]


@pytest.mark.parametrize("tokens", [512, 430])
def test_engine_reads_the_prefix_once(tokens: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a timing: counts the tokens that go through the language model, in one row where they are few."""
    fed: list[int] = []
    system = toy()
    forward = system.network.language_model.forward

    def count(*args: Any, **kwargs: Any) -> Any:
        fed.append(kwargs["inputs_embeds"].shape[1])
        return forward(*args, **kwargs)

    monkeypatch.setattr(system.network.language_model, "forward", count)
    groups = questions(1, 16, tokens=1)
    ask(system, groups, pack_tokens=tokens)
    prompts = [system.encode(turns_of(request)) for request in groups[0]]
    prefix = packing.common_prefix([tuple(prompt) for prompt in prompts])
    expected = [prefix + 15, sum(len(prompt) - prefix for prompt in prompts)]
    assert fed == (expected if sum(expected) > tokens else [sum(expected)])
    assert (sum(expected) > tokens) == (tokens == 430)
    assert image_prefix(prompts[0]) == tuple(prompts[0][:8])
