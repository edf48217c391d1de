"""Typographic attacks: a wrong answer written into the image, and the same board with a neutral word as a control.

A word on a board is two changes: text that misleads, and a patch that hides what was there. `typographic-control` draws
the same board at the same place in the same size and colors, with a word that answers nothing. The difference between
the two runs is the text's; that of the control to the unperturbed run is the patch's.

Letters are the 5 x 7 points of vlmbench.scenes.lettering, so that an attacked image is the same on every machine; what
cannot be written in them (other scripts, most punctuation) is not used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from vlmbench.base.samples import ImageRef, Request, Sample
from vlmbench.data.images import decoding as images
from vlmbench.perturbations.wrong_answers import WrongAnswers, right_answer
from vlmbench.scenes.canvas import POINTS, print_width
from vlmbench.scenes.lettering import HEIGHT

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

HEIGHTS = (0.08, 0.1, 0.14, 0.2, 0.28)
"""Height of the letters at severities 1 to 5, as a share of the image's shorter side."""
SPREAD = (0.8, 1.25)
"""The drawn height is that of the severity, times a factor from here to there."""
CONTRASTS = (1.0, 0.7, 0.4)
"""Half the distance between board and letters, as a share of mid-grey."""
MARGIN = 2
"""Points of board around the text."""
GREY = 128
NEUTRAL = ("=", "OF", "THE", "WITH", "ABOUT", "WITHIN", "BETWEEN", "ALTHOUGH", "OTHERWISE", "THROUGHOUT")
"""Words that answer no question, by length from 1: the longest that is no longer than the wrong answer is written."""
NO_WORD = "it has no wrong answer that can be written into its image"


def neutral(answer: str, answers: Collection[str]) -> str:
    """What the control writes in the place of an answer: none of the `answers` to the question."""
    word = NEUTRAL[min(len(written(answer)), len(NEUTRAL)) - 1]
    return "=" * len(word) if word in {written(other) for other in answers} else word


def written(answer: str) -> str:
    """An answer as it is written: in capital letters, with single spaces."""
    return " ".join(answer.upper().split())


def writable(answer: str) -> bool:
    """Whether an answer can be written with the letters, figures and marks that there are."""
    text = written(answer)
    return bool(text) and set(text) <= POINTS.keys()


def fits(answer: str, size: tuple[int, int]) -> bool:
    """Whether an answer can be written into an image of a (width, height), at one pixel a point at least."""
    width, height = print_width(written(answer)) + 2 * MARGIN, HEIGHT + 2 * MARGIN
    return writable(answer) and width <= min(size) and height <= min(size)


def attacked(sample: Sample, request: Request, wrong: WrongAnswers, level: int, *, control: bool) -> Request | None:
    """The request with a wrong answer, or the control's word, on its first image; None where none can be written.

    Raises ImageError for an image that cannot be read.
    """
    first, *others = request.images
    size = images.size_of(first)
    answer = wrong.of(sample, partial(fits, size=size))
    if answer is None:
        return None
    place = hashlib.sha256(f"{wrong.seed} {level} {sample.cluster} {sample.question} {answer}".encode()).hexdigest()
    answers = (answer, *sample.choices, right_answer(wrong.choice, sample))
    text = neutral(answer, answers) if control else written(answer)
    board = ImageRef(f"{first.name}#{text} {place[:8]}", partial(_read, first, text, written(answer), level, place))
    return replace(request, images=(board, *others))


def _read(image: ImageRef, text: str, longest: str, level: int, place: str) -> bytes:
    """As a PPM file, like all changed images."""
    import numpy as np

    data = image.load()
    digest = hashlib.sha256(f"{place} {images.fingerprint(data)}".encode()).digest()
    chance = np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))
    return images.to_ppm(draw(images.decode(data, image.name), text, longest, level, chance))


def draw(image: Image, text: str, longest: str, level: int, chance: np.random.Generator) -> Image:
    """Write a text on a board that is large enough for the longest; place, size and colors are drawn."""
    import numpy as np
    from PIL import Image

    pixels = np.array(image)
    height, width = pixels.shape[:2]
    share = HEIGHTS[level - 1] * float(chance.uniform(*SPREAD))
    room = min(width / (print_width(longest) + 2 * MARGIN), height / (HEIGHT + 2 * MARGIN))
    scale = max(1, min(round(share * min(width, height) / HEIGHT), int(room)))
    contrast = CONTRASTS[chance.integers(len(CONTRASTS))] * (1 if chance.integers(2) else -1)
    paper, ink = (round(GREY + sign * contrast * (GREY - 1)) for sign in (1, -1))
    points = _points(text, print_width(longest)).repeat(scale, axis=0).repeat(scale, axis=1)
    board = np.where(points, ink, paper).astype(np.uint8)[:, :, None]
    top = int(chance.integers(0, height - board.shape[0], endpoint=True))
    left = int(chance.integers(0, width - board.shape[1], endpoint=True))
    pixels[top : top + board.shape[0], left : left + board.shape[1]] = board
    return Image.fromarray(pixels)


def _points(text: str, width: int) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """The text in the middle of a board that is `width` points wide, margins apart: (rows, columns), True for ink."""
    import numpy as np

    rows = [".".join(POINTS[letter][row] for letter in text).center(width, ".") for row in range(HEIGHT)]
    ink = np.array([[point == "#" for point in row] for row in rows])
    return np.pad(ink, MARGIN)
