"""The arrays of parity folders, with or without a batch axis, and how far ours are from them.

An array may hold one sample or any number of samples: every reader takes it as a batch, and compares each sample.
Tolerances are those of the folders' README: ids and labels equal; 1e-4 on activations; 1e-3 relative on losses.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

ACTIVATIONS, RELATIVE, ZERO_GRADIENT = 1e-4, 1e-3, 1e-6
AXES = {
    "batch_*": 2,  # a collated batch is one sample of it
    "*pixel_values*": 3,
    "*_ids": 1,
    "*labels": 1,
    "*targets": 1,
    "*mask": 1,
    "*_atts": 1,
    "greedy": 1,
    "*": 2,  # tokens x width, or tokens x vocabulary
}
"""By an array's name: the axes of one sample. The first pattern that fits counts."""


def batch(name: str, array: np.ndarray) -> Tensor:
    """An array [B, ...]: a batch axis is added where there is none, and several are made one."""
    axes = next(axes for pattern, axes in AXES.items() if fnmatch(name, pattern))
    if array.ndim < axes:
        raise ValueError(f"{name}: an array of shape {array.shape}; one sample of it has {axes} axes")
    return torch.from_numpy(array.reshape(-1, *array.shape[array.ndim - axes :]))


class Arrays(Mapping[str, Tensor]):
    """The arrays of an .npz file, each as a batch [B, ...]."""

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.raw = dict(arrays)

    @classmethod
    def read(cls, file: Path) -> Arrays:
        """Read a file."""
        with np.load(file) as arrays:
            return cls(arrays)

    def __getitem__(self, name: str) -> Tensor:
        return batch(name, self.raw[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.raw)

    def __len__(self) -> int:
        return len(self.raw)


def together(columns: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Columns of a batch at one size: a column with one sample serves all samples of the others."""
    most = max(map(len, columns.values()))
    return {name: of_size(column, most) for name, column in columns.items()}


def of_size(column: Tensor, size: int) -> Tensor:
    """A batch of a size: itself, or its only sample repeated."""
    return column.expand(size, *column.shape[1:]) if len(column) == 1 else column


def read_images(folder: Path) -> tuple[Image.Image, ...]:
    """image.png, or image0.png and so on."""
    return tuple(Image.open(path).convert("RGB") for path in sorted(folder.glob("image*.png")))


def sample_image(images: Sequence[Image.Image], number: int) -> Image.Image:
    """The image of a sample: its own, or the first where there is none."""
    return images[number if number < len(images) else 0]


@dataclass(frozen=True)
class Difference:
    """How far one thing is off, and how far it may be."""

    name: str
    found: float
    allowed: float = 0.0

    @property
    def bad(self) -> bool:
        """Too far, or not a number."""
        return not self.found <= self.allowed


def seen(name: str, found: Iterator[Difference]) -> bool:
    """Whether something of a name is off: the thing itself, one of its samples or one of several arrays of it."""
    return any(difference.bad and f"{difference.name} ".startswith(f"{name} ") for difference in found)


def unequal(name: str, ours: object, theirs: object) -> Difference:
    """0 when equal, 1 when not."""
    return Difference(name, float(not np.array_equal(np.asarray(ours), np.asarray(theirs))))


def apart(name: str, ours: Tensor, theirs: Tensor) -> Difference:
    """Largest absolute difference; infinite when the shapes differ."""
    far = math.inf if ours.shape != theirs.shape else float((ours - theirs).abs().max())
    return Difference(name, far, ACTIVATIONS)


def relative(name: str, ours: float, theirs: float, scale: float | None = None) -> Difference:
    """Relative difference of two numbers."""
    return Difference(name, abs(ours - theirs) / max(abs(scale or theirs), 1e-12), RELATIVE)


def per_sample(
    name: str, ours: Tensor, theirs: Tensor, compare: Callable[[str, Tensor, Tensor], Difference] = apart
) -> Iterator[Difference]:
    """Compare each stored sample [B, ...] with ours; one sample of ours stands for all, one of theirs is the first."""
    if len(ours) not in (1, len(theirs)) and len(theirs) != 1:
        yield Difference(f"{name} samples", math.inf)
        return
    for number, right in enumerate(theirs):
        own = name if len(theirs) == 1 else f"{name} sample {number}"
        yield compare(own, of_size(ours, len(theirs))[number], right)
