"""What each patch of a drawn scene shows: dense targets for a vision tower, and words in the place of a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from vlmbench.scenes import (
    CELL,
    COLORS,
    COLUMNS,
    GROUNDS,
    KINDS,
    ROWS,
    SIDE,
    SIZES,
    STYLES,
    TEXTURES,
    Scene,
    coverage,
)

if TYPE_CHECKING:
    from vlmbench.scenes import Thing

LEAST = 5
"""A patch shows a thing that covers this many percent of it: patches it barely touches cannot be learnt."""
SLOTS = 7
"""Words of a patch, at most."""

Ints = NDArray[np.int64]


@lru_cache(maxsize=4096)
def _touched(kind: str, side: int, texture: str, left: int, top: int, patch: int) -> NDArray[np.bool_]:
    """Which patches a thing covers, when its box starts (left, top) pixels into the first patch."""
    bright, dim = coverage(kind, side, texture)
    rows, columns = -(-(top + side) // patch), -(-(left + side) // patch)
    area = np.zeros((rows * patch, columns * patch), dtype=np.int64)
    area[top : top + side, left : left + side] = (bright + dim)[:, :, 0]
    share: Ints = area.reshape(rows, patch, columns, patch).sum(axis=(1, 3))
    return share * 100 >= LEAST * 16 * patch * patch


def owners(scene: Scene, patch: int) -> Ints:
    """(patches,) index of the thing that each patch shows, in reading order; -1 where it shows the background."""
    grid = np.full((SIDE // patch, SIDE // patch), -1, dtype=np.int64)
    for index, thing in enumerate(scene.things):
        x, y, side, _ = thing.box
        hit = _touched(thing.kind, side, thing.texture, x % patch, y % patch, patch)
        spot = grid[y // patch : y // patch + hit.shape[0], x // patch : x // patch + hit.shape[1]]
        spot[hit] = index
    return grid.reshape(-1)


# ---------------------------------------------------------------------------------------------------- dense targets

_WORDS: tuple[tuple[str, ...], ...] = (
    ("", *KINDS),
    ("", *COLORS),
    ("", *SIZES),
    ("", *TEXTURES),
    tuple(GROUNDS),
    STYLES,
)
"""The classes of the six targets; "" is the background."""


def targets(scenes: Sequence[Scene], patch: int) -> Tensor:
    """(scenes, 6, patches) classes of kind, colour, size, texture, ground and style."""
    made = []
    for scene in scenes:
        owner = owners(scene, patch)
        table = [(0, 0, 0, 0), *(_classes(thing) for thing in scene.things)]
        dense = np.array(table, dtype=np.int64)[owner + 1].T
        scenery = [_WORDS[4].index(scene.ground), _WORDS[5].index(scene.style)]
        made.append(np.concatenate([dense, np.tile(np.array(scenery)[:, None], (1, len(owner)))]))
    return torch.from_numpy(np.stack(made))


def _classes(thing: Thing) -> tuple[int, ...]:
    words = (thing.kind, thing.color, thing.size, thing.texture)
    return tuple(names.index(word) for names, word in zip(_WORDS, words, strict=False))


class PatchHeads(nn.Module):
    """Reads the six targets off a vision tower's features. Used while the tower learns, then thrown away."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self._sizes = [len(names) for names in _WORDS]
        self.norm = nn.LayerNorm(width)
        self.read = nn.Linear(width, sum(self._sizes))

    def forward(self, features: Tensor, targets: Tensor) -> Tensor:
        """(scenes, patches, width) and (scenes, 6, patches) to the sum of six mean cross-entropies."""
        scores = self.read(self.norm(features.float())).float().split(self._sizes, dim=-1)
        losses = [functional.cross_entropy(s.transpose(1, 2), targets[:, at]) for at, s in enumerate(scores)]
        return torch.stack(losses).sum()


# ------------------------------------------------------------------------------------------------- scenes in words


def words(scenes: Sequence[Scene], patch: int, vocabulary: Mapping[str, int], *, things: bool) -> Tensor:
    """(scenes, places, SLOTS) ids of the words that describe each place; -1 is none.

    The places are the picture's patches; or, with `things`, six things at most and the background.
    """
    made = np.full((len(scenes), 7 if things else (SIDE // patch) ** 2, SLOTS), -1, dtype=np.int64)
    for index, scene in enumerate(scenes):
        said = [_said(thing) for thing in scene.things]
        scenery = (scene.ground, scene.style, "background")
        rows = [*said, *[()] * (6 - len(said)), scenery] if things else list(_by_patch(scene, said, scenery, patch))
        for place, row in enumerate(rows):
            made[index, place, : len(row)] = [vocabulary["Ġ" + word] for word in row]
    return torch.from_numpy(made)


def _said(thing: Thing) -> tuple[str, ...]:
    return thing.kind, thing.color, thing.size, thing.texture, "thing", thing.row, thing.column


def _by_patch(
    scene: Scene, said: Sequence[tuple[str, ...]], scenery: tuple[str, ...], patch: int
) -> list[tuple[str, ...]]:
    side = SIDE // patch
    rows = []
    for place, owner in enumerate(owners(scene, patch)):
        row, column = (place // side) * patch // CELL, (place % side) * patch // CELL
        rows.append(said[owner] if owner >= 0 else (*scenery, ROWS[row], COLUMNS[column]))
    return rows


def summed(table: Tensor, ids: Tensor, noise: float) -> Tensor:
    """(scenes, places, d) sums of word embeddings, with noise, as a connector will never be exact."""
    there = ids >= 0
    sums = (functional.embedding(ids.clamp(min=0), table) * there.unsqueeze(-1)).sum(dim=2)
    return sums + torch.randn_like(sums) * noise * sums.detach().square().mean().sqrt()
