"""The gradients that attacks go through: of the true preparation, of the true loss, and they do change answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from vlmbench.base.errors import ModelError, UsageError
from vlmbench.base.model import GivesImageGradients
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Example, Request
from vlmbench.data.files import Folder
from vlmbench.data.images import decoding as images
from vlmbench.models.engine.adapter import LocalModel
from vlmbench.models.huggingface.load import HfModel
from vlmbench.models.parts.vision.differentiable import prepared
from vlmbench.models.parts.vision.preprocess import CLIP_MEAN, CLIP_STD, Preparation, Processor
from vlmbench.models.systems import tinygptv, tinyllava
from vlmbench.perturbations import attacked_images, pgd

LOADERS: dict[str, Callable[..., LocalModel]] = {"tinyllava": tinyllava.load, "tinygptv": tinygptv.load}
PREPARATIONS = {
    "same size": (Preparation(Processor(height=40, width=60)), 0.0),
    "larger": (Preparation(Processor(height=96, width=96)), 1.2),
    "smaller": (Preparation(Processor(height=20, width=24, mean=CLIP_MEAN, std=CLIP_STD)), 1.2),
    "clip": (Preparation(Processor(shortest=32, crop=(32, 32), mean=CLIP_MEAN, std=CLIP_STD)), 1.2),
    "padded": (Preparation(Processor(height=30, width=30), "pad"), 1.2),
    "bilinear, raw": (Preparation(Processor(height=30, width=50, resample=2, scale=None, mean=None, std=None)), 1.2),
}
"""Preparations, with the levels by which PIL's rounding may differ: half a level in each of its two passes, the first
times what the second pass's weights add up to without their signs.
"""


@pytest.fixture(scope="module", params=LOADERS)
def model(request: pytest.FixtureRequest) -> LocalModel:
    return LOADERS[request.param](None, threads=1)


def question(number: int = 0, name: str = "gqa") -> tuple[Request, str, np.ndarray[Any, np.dtype[np.uint8]]]:
    choice = choose_task(name)
    sample = choice.task.samples(Folder.sample(name), choice.split)[number]
    request = choice.build_request(sample)
    return request, str(sample.target), np.asarray(images.decode(request.images[0].load()))


@pytest.mark.parametrize("name", PREPARATIONS)
def test_it_prepares_as_the_processor_does(name: str) -> None:
    preparation, levels = PREPARATIONS[name]
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(pixels).resize((6, 4)).resize((60, 40)))
    for image in (pixels, smooth):
        want = preparation(Image.fromarray(image))
        found = prepared(torch.from_numpy(image.astype(np.float32)), preparation)
        assert found.shape == want.shape
        level = (preparation.processor.scale or 1.0) / min(preparation.processor.std or (1.0,))
        assert float((found - want).abs().max()) <= levels * level + 1e-5


def test_gradients_are_those_of_the_loss(model: LocalModel) -> None:
    """Against the loss itself, a little further along the gradient and along its signs."""
    request, answer, image = question()
    at = image.astype(np.float32)
    value, (gradient,) = model.image_loss(request, answer, [at])
    for direction, size in ((gradient, 0.5 / np.linalg.norm(gradient)), (np.sign(gradient), 0.01)):
        ahead, behind = (model.image_loss(request, answer, [at + side * size * direction])[0] for side in (1, -1))
        expected = 2 * size * float((gradient * direction).sum())
        assert ahead - behind == pytest.approx(expected, rel=0.05)
        assert ahead > value > behind


def test_the_loss_is_that_of_answering(model: LocalModel) -> None:
    """Ranking the answer gives the same log-probability, by the engine's own code; nothing is left changed."""
    request, answer, image = question(4)
    learning = [parameter.requires_grad for parameter in model.system.network.parameters()]  # type: ignore[attr-defined]
    value, _ = model.image_loss(request, answer, [image.astype(np.float32)])
    assert learning == [parameter.requires_grad for parameter in model.system.network.parameters()]  # type: ignore[attr-defined]
    ((_, response),) = model.answer([[replace(request, choices=(answer, "another"))]])
    (score,) = [one for one in response.choices if one.choice == answer]
    assert value == pytest.approx(-score.logprob / score.tokens, abs=1e-4)


def test_attacks_change_answers(model: LocalModel, tmp_path: Any) -> None:
    """Hardly a question is still answered rightly; the same seed gives the same bytes, another seed others."""
    choice = choose_task("pope")
    samples = choice.task.samples(Folder.sample("pope"), choice.split)[:6]
    attack = pgd.parse("steps=6")

    def attacked(folder: str, seed: int = 0) -> list[Request]:
        attacks = attacked_images.Attacks(attack, seed, choice, samples, model, tmp_path / folder)
        return [request for _, request in attacks.requests(samples) if isinstance(request, Request)]

    one, two, other = attacked("one"), attacked("two"), attacked("one", seed=1)
    data = [[request.images[0].load() for request in some] for some in (one, two, other)]
    assert data[0] == data[1] and not set(data[0]) & set(data[2])
    plain = [choice.build_request(sample) for sample in samples]
    for before, request in zip(plain, one, strict=True):
        clean, shown = (np.asarray(images.decode(r.images[0].load())).astype(int) for r in (before, request))
        assert 0 < np.abs(shown - clean).max() <= 8
    right = {sample.id: sample.target for sample in samples}
    told = [
        sum(response.text == right[request.sample_id] for request, response in model.answer([[r] for r in some]))
        for some in (plain, one)
    ]
    assert told[0] >= 4 and told[1] <= 1


def test_what_cannot_be_attacked_is_refused(model: LocalModel) -> None:
    request, answer, image = question()
    floats = [image.astype(np.float32)]
    with pytest.raises(ModelError, match="has no tokens"):
        model.image_loss(request, "", floats)
    with pytest.raises(ModelError, match="2 images for a request with 1"):
        model.image_loss(request, answer, floats * 2)
    with pytest.raises(ModelError, match="few-shot"):
        model.image_loss(replace(request, examples=(Example("1", "?", "yes"),)), answer, floats)


def test_rounded_weights_and_other_adapters_give_none() -> None:
    whole = tinyllava.load(None, threads=1)
    assert isinstance(whole, GivesImageGradients) and not whole.image_gradients
    attacked_images.refuse(whole)
    whole.engine.quantize = "int8"  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="tinyllava: quantize int8 computes answers alone"):
        attacked_images.refuse(whole)
    assert HfModel.image_gradients.fget(None)  # type: ignore[attr-defined]
