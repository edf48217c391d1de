"""Asking tiny transformers models in tests, with every step's logits looked at."""

from __future__ import annotations

import io
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from tests.models.huggingface import tiny_hf
from tests.models.huggingface.tiny_families import FAMILIES
from vlmbench.base.samples import Generation, ImageRef, Request, Response
from vlmbench.models.huggingface.engine import HfEngine
from vlmbench.models.huggingface.system import HfSystem

SIZES = ((40, 40), (60, 30), (30, 60))
WORDS = ("is", "there", "what", "where", "how", "many", "red", "a", "the", "cat", "left", "of", "and", "picture")
CHOICES = ("yes", "no", "a red cat")
TOLERANCE = 1e-4
Groups = list[list[Request]]


@dataclass
class Answers:
    """What an engine said and the logits of each of its steps."""

    engine: HfEngine
    responses: dict[str, Response] = field(default_factory=dict)
    logits: dict[str, list[Tensor]] = field(default_factory=dict, repr=False)  # a failed assert prints the rest

    @property
    def texts(self) -> dict[str, str]:
        return {name: response.text for name, response in self.responses.items()}


def system(kind: str, **more: Any) -> HfSystem:
    """A tiny model with its processor."""
    return HfSystem(*tiny_hf.build(FAMILIES[kind]), **more)


def noisy(seed: int) -> ImageRef:
    """A picture of noise, in one of three forms."""
    width, height = SIZES[seed % len(SIZES)]
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    data = io.BytesIO()
    Image.fromarray(values).save(data, "PNG")
    return ImageRef(f"{seed}.png", partial(bytes, data.getvalue()))


def questions(pictures: int, each: int, *, tokens: int = 4, ranked: bool = False, images: int = 1) -> Groups:
    """Different questions of different lengths, ids `picture-number`; every third ranks choices where `ranked`."""
    choose, groups = random.Random(0), []
    for number in range(pictures):
        seen = tuple(noisy(number + 10 * at) for at in range(images))
        texts: dict[str, None] = {}
        while len(texts) < each:
            texts[" ".join(choose.choices(WORDS, k=choose.randint(1, 6))) + "?"] = None
        groups.append(
            [
                Request(f"{number}-{at}", text, seen, CHOICES if ranked and at % 3 == 2 else (), Generation(tokens))
                for at, text in enumerate(texts)
            ]
        )
    return groups


def ask(model: HfSystem, groups: Iterable[Sequence[Request]], **options: Any) -> Answers:
    """Answers with their logits."""

    def see(request: Request, step: int, logits: Tensor) -> None:
        steps = found.logits.setdefault(request.sample_id, [])
        assert step == len(steps)
        steps.append(logits)

    found = Answers(HfEngine(model, observer=see, **options))
    found.responses = {request.sample_id: response for request, response in found.engine.answer(groups)}
    return found


def check_equal(one: Answers, other: Answers, tolerance: float = TOLERANCE) -> None:
    """Equal answers, and every logit of every step within the tolerance."""
    assert all(response.finish != "error" for response in one.responses.values()), one.responses
    assert one.texts == other.texts
    for name, response in one.responses.items():
        same = other.responses[name]
        assert (response.finish, response.new_tokens) == (same.finish, same.new_tokens)
        assert response.prompt_tokens == same.prompt_tokens
        scores = [(score.choice, score.tokens) for score in response.choices]
        assert scores == [(score.choice, score.tokens) for score in same.choices]
        for score, again in zip(response.choices, same.choices, strict=True):
            assert abs(score.logprob - again.logprob) < tolerance
    assert largest(one, other) < tolerance


def largest(one: Answers, other: Answers) -> float:
    """The largest difference of any logit."""
    assert one.logits.keys() == other.logits.keys()
    return max(
        float((row - again).abs().max())
        for name in one.logits
        for row, again in zip(one.logits[name], other.logits[name], strict=False)
    )
