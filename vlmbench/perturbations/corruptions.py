"""Changes of an image's pixels, in five severities: RGB image to RGB image, chance drawn from a given generator.

Noise, blur and jpeg take their constants from ImageNet-C (Hendrycks & Dietterich, ICLR 2019, arXiv 1903.12261, and its
make_imagenet_c.py), which were chosen for images of 224 x 224. An image of another size gets the noise and the blur
that it would have had at 224 pixels on its shorter side, so that a severity means as much to a model that scales a
large image down. Crop and rotate are ours: ImageNet-C has neither.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vlmbench.data.images import decoding as images

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

REFERENCE = 224
"""Shorter side, in pixels, for which the constants of noise and blur are meant."""
GREY = (128, 128, 128)
"""What fills the corners of a turned image."""


@dataclass(frozen=True, slots=True)
class Corruption:
    """One kind of change."""

    change: Callable[[Image, float, np.random.Generator], Image]
    description: str
    """What it does, with `{}` for the value of a severity."""
    levels: tuple[float, ...] = ()
    """The values of severities 1 to 5; none: there are no severities."""


def blind(image: Image, value: float, chance: np.random.Generator) -> Image:
    """A uniform mid-grey image of the same size."""
    return images.blank(image)


def noise(image: Image, value: float, chance: np.random.Generator) -> Image:
    """Gaussian noise of standard deviation `value` (white is 1), drawn separately for each square of k x k pixels.

    k is the shorter side over 224, rounded, at least 1: finer noise would be averaged away when a model scales down.
    """
    import numpy as np
    from PIL import Image

    k = max(1, round(min(image.size) / REFERENCE))
    height, width = -(-image.height // k), -(-image.width // k)
    drawn = chance.standard_normal((height, width, 3)).repeat(k, 0).repeat(k, 1)[: image.height, : image.width]
    values = np.asarray(image, dtype=np.float64) / 255 + value * drawn
    return Image.fromarray((values.clip(0, 1) * 255).round().astype(np.uint8))


def blur(image: Image, value: float, chance: np.random.Generator) -> Image:
    """Gaussian blur of standard deviation `value` pixels at a shorter side of 224 (PIL's, by three box filters)."""
    from PIL import ImageFilter

    return image.filter(ImageFilter.GaussianBlur(value * min(image.size) / REFERENCE))


def jpeg(image: Image, value: float, chance: np.random.Generator) -> Image:
    """Through a JPEG file of quality `value`, with PIL's defaults (colour at half the resolution)."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=int(value))
    return images.decode(file.getvalue())


def window(size: tuple[int, int], share: float, chance: np.random.Generator) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of the part that a crop keeps: `share` of each side, anywhere in the image."""
    width, height = (max(1, round(side * share)) for side in size)
    left = int(chance.integers(0, size[0] - width, endpoint=True))
    top = int(chance.integers(0, size[1] - height, endpoint=True))
    return left, top, left + width, top + height


def crop(image: Image, value: float, chance: np.random.Generator) -> Image:
    """A window with `value` of each side, at a drawn place; not scaled up again."""
    return image.crop(window(image.size, value, chance))


def rotate(image: Image, value: float, chance: np.random.Generator) -> Image:
    """Turned by `value` degrees about its middle, to the left or the right by chance; same size, grey corners."""
    from PIL import Image

    angle = value if chance.integers(2) else -value
    return image.rotate(angle, Image.Resampling.BICUBIC, fillcolor=GREY)


CORRUPTIONS: Mapping[str, Corruption] = {
    "blind": Corruption(blind, "a uniform grey image of the same size"),
    "noise": Corruption(noise, "Gaussian noise, standard deviation {:g} of white", (0.08, 0.12, 0.18, 0.26, 0.38)),
    "blur": Corruption(blur, "Gaussian blur, standard deviation {:g} px of 224", (1, 2, 3, 4, 6)),
    "jpeg": Corruption(jpeg, "JPEG of quality {:g}", (25, 18, 15, 10, 7)),
    "crop": Corruption(crop, "a window with {:g} of each side", (0.9, 0.8, 0.7, 0.6, 0.5)),
    "rotate": Corruption(rotate, "turned by {:g} degrees, either way", (5, 10, 15, 20, 30)),
}
"""By name."""
