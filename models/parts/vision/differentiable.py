"""The preparation of images as a function with gradients: what an attack on the original pixels goes through.

Every step of it is linear in the pixels, apart from limits: padding, resizing, cropping, scaling, normalising. PIL's
resize is a matrix for the columns and then one for the rows, which are read off PIL itself by resizing an identity;
after each of the two PIL cuts off what is outside 0..255. The one difference from `Preparation` is that PIL also rounds
to whole levels there, and nothing is rounded here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from .preprocess import HALF, Preparation, Processor

if TYPE_CHECKING:
    from numpy.typing import NDArray

WHITE = 255


def prepared(pixels: Tensor, preparation: Preparation) -> Tensor:
    """(height, width, 3) in 0..255 to the tower's input, (3, height', width'), as `preparation` gives it."""
    processor = preparation.processor
    image = pixels.permute(2, 0, 1)  # (3, height, width)
    if preparation.aspect == "pad":
        image = _padded(image, processor)
    image = _resized(image, processor)
    if processor.crop is not None:
        top, left = ((side - kept) // 2 for side, kept in zip(image.shape[1:], processor.crop, strict=True))
        image = image[:, top : top + processor.crop[0], left : left + processor.crop[1]]
    if processor.scale is not None:
        image = image * processor.scale
    if processor.mean is not None and processor.std is not None:
        mean, std = (image.new_tensor(values)[:, None, None] for values in (processor.mean, processor.std))
        image = (image - mean) / std
    return image


def _padded(image: Tensor, processor: Processor) -> Tensor:
    """In the middle of a square of the mean colour, as `expand_to_square`."""
    _, height, width = image.shape
    edge = max(height, width)
    colour = image.new_tensor([int(value * 255) for value in (processor.mean or HALF)])
    square = colour[:, None, None].expand(3, edge, edge).clone()
    top, left = (edge - height) // 2, (edge - width) // 2
    square[:, top : top + height, left : left + width] = image
    return square


def _resized(image: Tensor, processor: Processor) -> Tensor:
    height, width = image.shape[1:]
    if processor.height is not None and processor.width is not None:
        size = (processor.height, processor.width)
    elif processor.shortest is not None:
        longest = int(processor.shortest * max(height, width) / min(height, width))
        size = (longest, processor.shortest) if width <= height else (processor.shortest, longest)
    else:
        return image
    rows, columns = (
        torch.from_numpy(_resize_matrix(before, after, processor.resample)).to(image)
        for before, after in zip((height, width), size, strict=True)
    )
    return (rows @ (image @ columns.T).clamp(0, WHITE)).clamp(0, WHITE)


@lru_cache(maxsize=32)
def _resize_matrix(before: int, after: int, resample: int) -> NDArray[np.float32]:
    """(after, before): what PIL's filter makes of each pixel of a line."""
    from PIL import Image
    from PIL.Image import Resampling

    identity = Image.fromarray(np.eye(before, dtype=np.float32))
    return np.ascontiguousarray(np.asarray(identity.resize((after, before), Resampling(resample))).T)
