"""vLLM in this process against transformers: answers, dialogues, rankings and margins, whatever the template."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.toys import gone, png
from tests.support.transformers_server import QUESTIONS, asked
from vlmbench.base.samples import Generation, ImageRef, Request, Response
from vlmbench.models.huggingface import load as hf
from vlmbench.models.servers import vllm as adapter

pytest.importorskip("vllm", reason="vLLM is not installed: make vllm-test", exc_type=ImportError)
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # vLLM and its torch warn of themselves
NEAR = 1e-3
"""Of log-probabilities and margins in float32, as vLLM and transformers add in another order; 1e-4 is usual."""
GROUPS = [[asked(number, question) for question in QUESTIONS] for number in range(3)]
FIRST = GROUPS[0][0]
LONGEST = {"tiny": 256, "tinybos": 256, "wide": 1400}


@dataclass
class Pair:
    """One checkpoint in both."""

    name: str
    vllm: Any
    hf: Any
    cached: list[tuple[int, int]] = field(default_factory=list)
    """Of each prompt that vLLM was given: its tokens, and those that the prefix cache held."""

    def both(self, groups: Sequence[Sequence[Request]]) -> list[tuple[Response, Response]]:
        """Responses side by side."""
        self.cached.clear()
        ours = {request.sample_id: response for request, response in self.vllm.answer(groups)}
        theirs = {request.sample_id: response for request, response in self.hf.answer(groups)}
        return [(ours[name], theirs[name]) for name in theirs]

    def count_cached(self) -> None:
        """From here on."""
        engine, _ = self.vllm._engine()
        llm = engine.llm
        generate = llm.generate

        def counting(*args: Any, **more: Any) -> Any:
            outputs = generate(*args, **more)
            self.cached += [(len(one.prompt_token_ids), one.num_cached_tokens) for one in outputs]
            return outputs

        llm.generate = counting


@pytest.fixture(scope="module", params=LONGEST)
def pair(request: pytest.FixtureRequest, checkpoints: dict[str, Path]) -> Iterator[Pair]:
    """In float32, as the reference; small, so that it fits beside others; one process."""
    folder = str(checkpoints[request.param])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
        patch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")  # GiB
        small: dict[str, Any] = {"max_model_len": LONGEST[request.param], "enforce_eager": True}
        model = adapter.load(folder, dtype="float32", batch_size=4, **small)
        assert isinstance(model, adapter.InProcess)
        made = Pair(request.param, model, hf.load(folder, engine="simple"))
        made.count_cached()
        yield made
        model._loaded = None
        gc.collect()


def same(pair: tuple[Response, Response]) -> None:
    """Equal but for the order of sums."""
    ours, theirs = pair
    assert (ours.error, theirs.error) == ("", "")
    assert (ours.prompt_tokens, ours.new_tokens, ours.finish) == (
        theirs.prompt_tokens,
        theirs.new_tokens,
        theirs.finish,
    )
    assert ours.margin == pytest.approx(theirs.margin, abs=NEAR)
    assert ours.text == theirs.text
    assert [(one.choice, one.tokens) for one in ours.choices] == [(one.choice, one.tokens) for one in theirs.choices]
    assert [one.logprob for one in ours.choices] == pytest.approx([one.logprob for one in theirs.choices], abs=NEAR)


def test_answers_are_those_of_transformers(pair: Pair) -> None:
    for each in pair.both(GROUPS):
        same(each)


TALK = replace(FIRST, sample_id="talk", history=(("Is it red?", "yes"),))
CHOICES = (("a", "b"), ("yes", "no way"), ("no", "no way", "not"), ("A", "B", "C", "D"), ("a red cat", "a red car"))


def test_dialogues_several_images_and_rankings(pair: Pair) -> None:
    """Choices of one token and of several, that begin alike, after a turn that was answered; two images; none."""
    ranked = [replace(FIRST, sample_id=str(at), choices=one) for at, one in enumerate(CHOICES)]
    later = replace(TALK, sample_id="later", choices=("yes", "no"))
    two = replace(FIRST, sample_id="two", images=(*FIRST.images, *GROUPS[1][0].images))
    turned = replace(two, sample_id="turned", images=two.images[::-1])
    text = replace(FIRST, sample_id="text", images=())
    for each in pair.both([[TALK, *ranked, later], [two], [turned], [text]]):
        same(each)


def test_limits_and_stops(pair: Pair) -> None:
    """Stop strings, a least length, one token."""
    words = [response.text for _, response in pair.vllm.answer([GROUPS[0]])]
    stop = next((text[2] for text in words if len(text) > 3 and text[2].isascii()), "e")
    settings = (Generation(6, (stop,)), Generation(6, min_new_tokens=6), Generation(1))
    asked = [replace(FIRST, sample_id=str(at), generation=one) for at, one in enumerate(settings)]
    for each in pair.both([asked]):
        same(each)


def test_drawn_answers_are_the_same_in_any_company(pair: Pair) -> None:
    drawn = Generation(6, temperature=1.0)
    samples = [replace(FIRST, sample_id=str(at), generation=drawn) for at in range(3)]
    first = [response.text for _, response in pair.vllm.answer([samples])]
    again = {
        request.sample_id: response.text for request, response in pair.vllm.answer([[one] for one in samples[::-1]])
    }
    assert first == [again[one.sample_id] for one in samples] and len(set(first)) > 1


def test_bad_questions_fail_alone(pair: Pair) -> None:
    """Too long, free and ranked; an image that cannot be read, in the words of hf."""
    long = replace(FIRST, sample_id="long", prompt="Is it? " * 300)
    bad = [long, replace(long, sample_id="ranked", choices=("yes", "no"))]
    lost = replace(FIRST, sample_id="lost", images=(ImageRef("gone", partial(gone, "gone.png")),))
    found = {one.sample_id: response for one, response in pair.vllm.answer([[*GROUPS[0], *bad], [lost]])}
    for one in bad:
        assert found[one.sample_id].finish == "error" and "context length" in found[one.sample_id].error
    [(_, theirs)] = pair.hf.answer([[lost]])
    assert found["lost"].error == theirs.error
    assert all(found[one.sample_id].finish in ("stop", "length") for one in GROUPS[0])


def test_the_prefix_cache_is_read(pair: Pair) -> None:
    """Blocks of 128 tokens on a CPU: of 600 the image's first 512, but for its first question."""
    if pair.name != "wide":
        pytest.skip("its prompts fill no block")
    new = replace(FIRST, images=(ImageRef("new", partial(bytes, png((1, 77, 30)))),))
    questions = [replace(new, sample_id=str(at), prompt=f"Is it {word}?") for at, word in enumerate("abcd")]
    ranked = [replace(one, sample_id=f"r{one.sample_id}", choices=("yes", "no")) for one in questions]
    longer = [replace(one, sample_id=f"l{one.sample_id}", choices=("no way", "nobody", "not")) for one in questions]
    for each in pair.both([[*questions, *ranked, *longer]]):
        same(each)
    assert len(pair.cached) == 4 + 4 + 4 * len({"", "no", "no ", "no w", "no wa", "nob", "nobo", "nobod"})
    assert all(tokens > 577 for tokens, _ in pair.cached)
    assert [held for _, held in pair.cached] == [0, *[512] * (len(pair.cached) - 1)]


def test_many_choices(pair: Pair) -> None:
    many = tuple(a + b for a in "yesnoYN" for b in "abcdefghijklmnopqrstuvwxyz")
    for each in pair.both([[replace(FIRST, sample_id="many", choices=many)]]):
        same(each)
