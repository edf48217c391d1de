"""How much packed and one-by-one logits differ on this machine and dtype: the scale for fragile margins."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vlmbench.base.samples import Generation

from ..parts.protocols import System, Turn
from .decoding import Job
from .shared_prefix import SharedPrefix
from .simple import OneByOne

if TYPE_CHECKING:
    from PIL.Image import Image

QUESTIONS = (
    "Is there a red square in the image?",
    "What is in the picture?",
    "How many circles are there? Answer the question using a single word or phrase.",
    "Is the cat to the left of the dog?",
    "What colour is it?",
    "Please describe this image in detail.",
    "Where?",
    "Which is larger, the first or the second one? Answer yes or no.",
)
N_IMAGES = 4
STEPS = 2


NOISE: Mapping[torch.dtype, float] = {torch.float32: 1e-3, torch.float16: 1e-2, torch.bfloat16: 5e-2}
"""How far logits may part by rounding alone, as a share of the largest, in deep networks with sharp attention. A wrong
position, mask or image moves them by a tenth and more."""


def tolerance(dtype: torch.dtype, largest: float) -> float:
    """How far logits may part by rounding alone. `largest`: the largest of them."""
    return NOISE.get(dtype, NOISE[torch.float32]) * largest


class LogitRecorder:
    """The logits of each job, step by step."""

    def __init__(self) -> None:
        self.rows: dict[Job, list[Tensor]] = {}

    def record(self, job: Job, step: int, logits: Tensor) -> None:
        """The engines' observer."""
        self.rows.setdefault(job, []).append(logits)


def largest_difference(shared: SharedPrefix, simple: OneByOne, pack_tokens: int) -> float:
    """The largest difference of any logit over 32 fixed questions about drawn images, where the answers agree."""
    system, worst = shared.system, 0.0
    jobs = fixed_jobs(system)
    for number in range(N_IMAGES):
        features = test_features(system, number)
        packed, alone = LogitRecorder(), LogitRecorder()
        shared.answer(features, jobs, pack_tokens, packed.record)
        for job in jobs:
            simple.answer(features, job, alone.record)
            for mine, other in zip(packed.rows[job], alone.rows[job], strict=False):
                if not is_finite(mine) or not is_finite(other):
                    break  # no answer comes from here, so none is fragile
                worst = max(worst, max_difference(mine, other))
                if int(mine.argmax()) != int(other.argmax()):
                    break  # from here on they answer different texts
    return worst


def fixed_jobs(system: System) -> list[Job]:
    """The fixed questions, each about one image."""
    turns = [[Turn(text, images=1)] for text in QUESTIONS]
    return [Job(tuple(system.encode(asked)), Generation(max_new_tokens=STEPS)) for asked in turns]


@torch.inference_mode()
def test_features(system: System, number: int) -> list[Tensor]:
    """What the network sees of a drawn image, (visual tokens, width)."""
    parameter = next(system.module.parameters())
    pixels = system.pixels(test_image(number)).to(device=parameter.device, dtype=parameter.dtype)
    return [system.network.image_features(pixels[None])[0]]


def is_finite(logits: Tensor) -> bool:
    """Whether a row of logits is a prediction: no NaN, no +inf, and not -inf everywhere."""
    return math.isfinite(float(logits.max()))


def max_difference(first: Tensor, other: Tensor) -> float:
    """The largest difference of two rows of logits: 0 where both rule a token out (-inf), infinite for NaN."""
    gap = torch.where(first == other, 0.0, (first - other).abs())
    return float(gap.nan_to_num(nan=float("inf")).max())


def test_image(number: int) -> Image:
    """Draw a test image: some rectangles, different for each number."""
    from PIL import Image, ImageDraw

    random = torch.Generator().manual_seed(number)
    image = Image.new("RGB", (320, 240), (200, 205, 210))
    pen = ImageDraw.Draw(image)
    for _ in range(6):
        x, y, wide, high, *colour = torch.randint(0, 160, (7,), generator=random).tolist()
        pen.rectangle((x, y, x + wide, y + high), fill=tuple(colour))
    return image
