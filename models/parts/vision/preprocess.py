"""Turn an RGB image into the numbers a vision tower reads, bit for bit as the published processors do.

PIL resizes and numpy counts, never torchvision: its bicubic differs by up to two levels, and a processor of
transformers 5 takes it silently where it is installed (facts in docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vlmbench.base.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image
    from torch import Tensor

    Floats = NDArray[np.float32]

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
HALF = (0.5, 0.5, 0.5)
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
BICUBIC = 3


@dataclass(frozen=True, slots=True)
class Processor:
    """What a preprocessor_config.json says, as values.

    Rules: transformers v4.40.1, models/siglip and models/clip, image_processing_*.py (resize, centre crop, rescale,
    normalise, in this order).
    """

    height: int | None = None
    width: int | None = None
    """Size of a resize that ignores the shape (SigLIP); None with `shortest`."""
    shortest: int | None = None
    """Length of the shortest edge of a resize that keeps the shape (CLIP)."""
    crop: tuple[int, int] | None = None
    """(height, width) of the centre crop."""
    resample: int = BICUBIC
    scale: float | None = 1 / 255
    mean: tuple[float, ...] | None = HALF
    std: tuple[float, ...] | None = HALF

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of what comes out. Raises ModelError when the image's shape decides it."""
        if self.crop is not None:
            return self.crop
        if self.height is None or self.width is None:
            raise ModelError("images of different shapes would give different sizes", hint="set do_center_crop")
        return self.height, self.width

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Processor:
        """Read a preprocessor_config.json. Raises ModelError for a size it cannot understand."""
        size = config.get("size", {})
        size = {"shortest_edge": size} if isinstance(size, int) else size
        if config.get("do_resize", True) and not ({"height", "width"} <= set(size) or "shortest_edge" in size):
            raise ModelError(
                f"size {size!r} is neither height and width nor shortest_edge", where="preprocessor_config.json"
            )
        crop = config.get("crop_size", {})
        crop = {"height": crop, "width": crop} if isinstance(crop, int) else crop
        if config.get("do_center_crop") and max(crop.values(), default=0) > size.get("shortest_edge", 0):
            message = f"crop_size {crop!r} is larger than the resized image ({size!r})"
            raise ModelError(
                message, where="preprocessor_config.json", hint="the published ones crop at most shortest_edge"
            )
        normalise = config.get("do_normalize", True)
        return cls(
            height=size.get("height"),
            width=size.get("width"),
            shortest=size.get("shortest_edge"),
            crop=(crop["height"], crop["width"]) if config.get("do_center_crop") and crop else None,
            resample=config.get("resample", BICUBIC),
            scale=config.get("rescale_factor", 1 / 255) if config.get("do_rescale", True) else None,
            mean=tuple(config.get("image_mean", HALF)) if normalise else None,
            std=tuple(config.get("image_std", HALF)) if normalise else None,
        )

    def __call__(self, image: Image) -> Floats:
        """An RGB image to (3, height, width) float32."""
        import numpy as np

        pixels = np.asarray(self._resize(image))
        if self.crop is not None:
            pixels = _centre_crop(pixels, self.crop)
        # Scaled in float64 and rounded once, then normalised in float32: the order decides the last bit.
        floats = pixels.astype(np.float64) * self.scale if self.scale is not None else pixels
        floats = floats.astype(np.float32)
        if self.mean is not None and self.std is not None:
            floats = (floats - np.array(self.mean, dtype=np.float32)) / np.array(self.std, dtype=np.float32)
        return np.ascontiguousarray(floats.transpose(2, 0, 1))

    def _resize(self, image: Image) -> Image:
        from PIL.Image import Resampling

        if self.height is not None and self.width is not None:
            return image.resize((self.width, self.height), Resampling(self.resample))
        if self.shortest is None:
            return image
        short, long = sorted(image.size)
        longest = int(self.shortest * long / short)
        width, height = image.size
        size = (self.shortest, longest) if width <= height else (longest, self.shortest)
        return image.resize(size, Resampling(self.resample))


def _centre_crop(pixels: NDArray[np.uint8], crop: tuple[int, int]) -> NDArray[np.uint8]:
    """(height, width, 3) to (crop height, crop width, 3)."""
    top, left = (pixels.shape[0] - crop[0]) // 2, (pixels.shape[1] - crop[1]) // 2
    return pixels[top : top + crop[0], left : left + crop[1]]


def expand_to_square(image: Image, processor: Processor) -> Image:
    """Put the image in the middle of a square of the processor's mean colour.

    Source: TinyLLaVA_Factory tinyllava/data/image_preprocess.py@53f12c7 (colour int(mean * 255), offset rounded down).
    """
    from PIL import Image as Images

    width, height = image.size
    if width == height:
        return image
    edge = max(width, height)
    red, green, blue = (int(value * 255) for value in (processor.mean or HALF))
    square = Images.new("RGB", (edge, edge), (red, green, blue))
    square.paste(image, ((edge - width) // 2, (edge - height) // 2))
    return square


def _as_it_is(image: Image, _: Processor) -> Image:
    return image


ASPECTS: Mapping[str, Callable[[Image, Processor], Image]] = {"square": _as_it_is, "pad": expand_to_square}
"""`image_aspect_ratio` to what happens to the image before the processor."""


def default_processor(vision: Mapping[str, Any]) -> dict[str, Any]:
    """The preprocessor_config.json that the tower's own publisher gives, for a folder without one.

    Factory folders have none: the official code asks the hub by the tower's name. Raises ModelError for a tower whose
    processor is not known.
    """
    size = vision["image_size"]
    squashed = {"size": {"height": size, "width": size}}
    common = {
        "do_resize": True,
        "do_rescale": True,
        "do_normalize": True,
        "resample": BICUBIC,
        "rescale_factor": 1 / 255,
    }
    known: dict[str, dict[str, Any]] = {
        "siglip_vision_model": {**squashed, "image_mean": [*HALF], "image_std": [*HALF]},
        # MiniGPT-4 minigpt4/processors/blip_processors.py@d94738a; its training processor does the same.
        "blip_2_vision_model": {**squashed, "image_mean": [*CLIP_MEAN], "image_std": [*CLIP_STD]},
        "clip_vision_model": {
            "size": {"shortest_edge": size},
            "do_center_crop": True,
            "crop_size": {"height": size, "width": size},
            "image_mean": [*CLIP_MEAN],
            "image_std": [*CLIP_STD],
        },
        # Its images are smaller than those of its position table (518).
        "dinov2": {
            "size": {"shortest_edge": 256},
            "do_center_crop": True,
            "crop_size": {"height": 224, "width": 224},
            "image_mean": [*IMAGENET_MEAN],
            "image_std": [*IMAGENET_STD],
        },
    }
    kind = vision["model_type"]
    if kind not in known:
        raise ModelError(f"no preprocessing known for {kind!r}", hint="put a preprocessor_config.json into the folder")
    return {**common, **known[kind]}


@dataclass(frozen=True, slots=True)
class Preparation:
    """From an RGB image to the tower's input: the aspect rule, then the processor."""

    processor: Processor
    aspect: str = "square"

    def __post_init__(self) -> None:
        """Raises ModelError for an aspect rule that does not exist here (anyres: no published recipe uses it)."""
        if self.aspect not in ASPECTS:
            raise ModelError(f"no image_aspect_ratio {self.aspect!r}", hint=f"there are: {', '.join(ASPECTS)}")

    def __call__(self, image: Image) -> Tensor:
        """An RGB image to (3, height, width) float32."""
        import torch

        rgb = image if image.mode == "RGB" else image.convert("RGB")
        return torch.from_numpy(self.processor(ASPECTS[self.aspect](rgb, self.processor)))
