"""Ranking of choices: log-probabilities over the shared prefix equal those of whole sequences run alone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from tests.models.engine.test_engine import ask, check_equal, questions
from tests.models.engine.toy import ToySystem, letter_id, noise, toy
from vlmbench.base.samples import Generation, Request
from vlmbench.data.images.decoding import decode
from vlmbench.models.engine.group_images import turns_of
from vlmbench.models.parts.protocols import Turn

CHOICES = ("yes", "no", "a long answer", "y", "ye")


def ranked(pictures: int = 3, each: int = 5) -> list[list[Request]]:
    return [
        [Request(r.sample_id, r.prompt, r.images, CHOICES, r.generation) for r in group]
        for group in questions(pictures, each)
    ]


def by_hand(system: ToySystem, request: Request, choice: str, tokens: int) -> float:
    """The sum over the last `tokens` tokens of the whole sequence, in one plain forward."""
    network = system.network
    ids = system.encode(turns_of(request), answer=choice)
    features = network.image_features(system.pixels(decode(request.images[0].load()))[None])[0]
    embeds = network.embed(torch.tensor(ids), [features])[None]
    logprobs = network.language_model(inputs_embeds=embeds).logits[0].log_softmax(-1)
    return sum(float(logprobs[-1 - n, ids[-n]]) for n in range(1, tokens + 1))


@pytest.mark.parametrize("kind", ["phi", "llama"])
@pytest.mark.parametrize("tokens", [512, 20])
def test_choices_are_scored_as_alone(kind: str, tokens: int) -> None:
    system, groups = toy(kind), ranked()
    shared, simple = ask(system, groups, pack_tokens=tokens), ask(system, groups, kind="simple")
    check_equal(shared, simple)
    with torch.inference_mode():
        for request in groups[0] + groups[1]:
            scores = shared.responses[request.sample_id].choices
            assert tuple(score.choice for score in scores) == CHOICES
            for score, twin in zip(scores, simple.responses[request.sample_id].choices, strict=True):
                assert score.tokens == len(score.choice) == twin.tokens
                assert score.logprob == pytest.approx(twin.logprob, abs=1e-4)
                hand = by_hand(system, request, score.choice, score.tokens)
                assert score.logprob == pytest.approx(hand, abs=1e-4)
            best = sorted((score.logprob for score in scores), reverse=True)
            assert shared.responses[request.sample_id].margin == pytest.approx(best[0] - best[1], abs=1e-6)


def test_ranking_and_writing_share_one_group() -> None:
    written, chosen = questions(2, 6), ranked(2, 3)
    mixed = [
        [*group, *(Request(f"r{r.sample_id}", r.prompt, r.images, r.choices) for r in more)]
        for group, more in zip(written, chosen, strict=True)
    ]
    check_equal(ask(toy(), mixed), ask(toy(), mixed, kind="simple"))
    plain = ask(toy(), written)
    assert {name: ask(toy(), mixed).texts[name] for name in plain.texts} == plain.texts


class Merging(ToySystem):
    """A tokenizer that merges ":y" into one token, so that a choice's first letter changes the prompt's last token."""

    def encode(self, turns: Sequence[Turn], *, answer: str = "", system: str = "") -> list[int]:
        ids = super().encode(turns, answer=answer, system=system)
        merged: list[int] = []
        for token in ids:
            if merged and merged[-1] == letter_id(":") and token == letter_id("y"):
                merged[-1] = letter_id("~")
            else:
                merged.append(token)
        return merged


def test_tokens_merged_over_the_border_are_scored_in_all_choices() -> None:
    system = Merging(toy().network)
    group = [Request(f"{i}", f"{'abc'[i]} it", (noise(0),), CHOICES) for i in range(3)]
    shared, simple = ask(system, [group]), ask(system, [group], kind="simple")
    check_equal(shared, simple)
    # ":" is scored in "no" as it is inside "~" in "yes": both are what follows " ASSISTANT".
    assert [score.tokens for score in shared.responses["0"].choices] == [3, 3, 14, 1, 2]


def test_choices_without_tokens_are_an_error() -> None:
    group = [
        Request("bad", "which?", (noise(0),), ("yes", "")),
        Request("good", "which?", (noise(0),), ("yes", "no")),
        Request("text", "which?", (noise(0),), (), Generation(3)),
    ]
    for kind in ("shared", "simple"):
        said = ask(toy(), [group], kind=kind).responses
        assert said["bad"].finish == "error"
        assert "cannot rank" in said["bad"].error
        assert len(said["good"].choices) == 2
        assert said["good"].finish == said["text"].finish == "stop" or said["text"].finish == "length"
