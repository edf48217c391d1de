"""What each patch of a drawn scene shows: dense targets for a vision tower, and words in the place of an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from vlmbench.scenes.lettering import LETTERS, LEXICON, MARGIN, WIDTH
from vlmbench.scenes.scene import (
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
    from vlmbench.scenes.lettering import Board
    from vlmbench.scenes.scene import Thing

    from ..scenes.photos import Photo

LEAST = 5
"""A patch shows a thing that covers this many percent of it: patches it barely touches cannot be learned."""
SLOTS = 8
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

SIGN, UNCLEAR = "sign", "unclear"
COUNTS = ("", "1", "2", "3", "4", "5", "6")
_DIGITS = ("", *"0123456789")
_WORDS: tuple[tuple[str, ...], ...] = (
    ("", *KINDS, SIGN),
    ("", *COLORS),
    ("", *SIZES),
    ("", *TEXTURES),
    COUNTS,
    (*GROUNDS, UNCLEAR),
    (*STYLES, UNCLEAR),
    COUNTS,
    ROWS,
    COLUMNS,
    ("", *LEXICON),
    *(_DIGITS, _DIGITS, _DIGITS),
    ("", *LETTERS),
)
"""The classes of the targets; "" is the background. Of the thing: kind, colour, size, texture, how many of its kind
there are. Of the image: ground, style, number of things. Then the patch's own row and column: they are known anyway,
but a tower that need not say them does not keep them in its features, and no language model behind it can tell left
from right. Of a sign: its word, or the digits of its number, and the letter in the patch.
"""
_SCENERY, _SIGN = 5, 10
"""Where these targets start."""
SIGNS = 5.0
"""Weight of what signs say: few patches show any of it, and it is the hardest to see."""


def targets(photos: Sequence[Photo], patch: int) -> Tensor:
    """(images, targets, patches) classes."""
    side = SIDE // patch
    cell = np.arange(side) * patch // CELL
    places = np.stack([np.repeat(cell, side), np.tile(cell, side)])
    arrays = []
    for photo in photos:
        scene, clear = photo.scene, not photo.unusable
        owner = owners(scene, patch) if clear else np.full(side * side, -1)
        table = [(0,) * _SCENERY, *(_classes(scene, thing) for thing in scene.things)]
        things = np.array(table, dtype=np.int64)[owner + 1].T
        visible = (scene.ground, scene.style, COUNTS[len(scene.things)]) if clear else (UNCLEAR, UNCLEAR, "")
        scenery = [_WORDS[_SCENERY + at].index(word) for at, word in enumerate(visible)]
        read = np.zeros((len(_WORDS) - _SIGN, side * side), dtype=np.int64)
        for board in photo.boards if clear else ():
            _put(board, things, read, patch)
        arrays.append(np.concatenate([things, np.tile(np.array(scenery)[:, None], (1, side * side)), places, read]))
    return torch.from_numpy(np.stack(arrays))


def _classes(scene: Scene, thing: Thing) -> tuple[int, ...]:
    words = (thing.kind, thing.color, thing.size, thing.texture, str(scene.count(thing.kind)))
    return tuple(names.index(word) for names, word in zip(_WORDS, words, strict=False))


def _put(board: Board, things: Ints, read: Ints, patch: int) -> None:
    """A sign into the targets, over what was behind it."""
    side = SIDE // patch
    number = board.word if board.word.isdecimal() else ""
    word = _WORDS[_SIGN].index("" if number else board.word)
    digits = [_DIGITS.index(digit) for digit in number]
    for at, share in _covered(board, patch).items():
        column = at % side
        things[:, at] = (_WORDS[0].index(SIGN), _WORDS[1].index(board.color), 0, 0, 0)
        read[:, at] = 0
        read[0, at] = word
        read[1 : 1 + len(digits), at] = digits
        letter = (column * patch + patch // 2 - board.x - MARGIN) // (board.scale * (WIDTH + 1))
        if 0 <= letter < len(board.word) and share >= 50:
            read[4, at] = _WORDS[_SIGN + 4].index(board.word[letter])


def _covered(board: Board, patch: int) -> dict[int, int]:
    """The patches that a sign covers by a fifth at least, with percents."""
    side = SIDE // patch
    grid = np.zeros((SIDE, SIDE), dtype=np.int64)
    grid[board.y : board.y + board.height, board.x : board.x + board.width] = 100
    share = grid.reshape(side, patch, side, patch).mean(axis=(1, 3)).reshape(-1)
    return {int(at): int(share[at]) for at in np.nonzero(share >= 20)[0]}


class PatchHeads(nn.Module):
    """Reads the targets off a vision tower's features. Used while the tower learns, then discarded."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self._sizes = [len(names) for names in _WORDS]
        self.norm = nn.LayerNorm(width)
        self.read = nn.Linear(width, sum(self._sizes))

    def forward(self, features: Tensor, targets: Tensor) -> Tensor:
        """(images, patches, width) and (images, targets, patches) to the weighted sum of mean cross-entropies."""
        scores = self.read(self.norm(features.float())).float().split(self._sizes, dim=-1)
        losses = [functional.cross_entropy(s.transpose(1, 2), targets[:, at]) for at, s in enumerate(scores)]
        return torch.stack(losses[:_SIGN]).sum() + SIGNS * torch.stack(losses[_SIGN:]).sum()


# ------------------------------------------------------------------------------------------------- scenes in words


def words(photos: Sequence[Photo], patch: int, vocabulary: Mapping[str, int], *, things: bool) -> Tensor:
    """(images, places, SLOTS) ids of the words that describe each place; -1 is none.

    The places are the image's patches; or, with `things`, six things at most and the background.
    """
    ids = np.full((len(photos), 7 if things else (SIDE // patch) ** 2, SLOTS), -1, dtype=np.int64)
    for index, photo in enumerate(photos):
        scene = photo.scene
        descriptions = [_said(scene, thing) for thing in scene.things]
        scenery = (scene.ground, scene.style, "background", str(len(descriptions)))
        rows = (
            [*descriptions, *[()] * (6 - len(descriptions)), scenery]
            if things
            else _by_patch(photo, descriptions, scenery, patch)
        )
        for place, row in enumerate(rows):
            ids[index, place, : len(row)] = [vocabulary["Ġ" + word] for word in row]
    return torch.from_numpy(ids)


def _said(scene: Scene, thing: Thing) -> tuple[str, ...]:
    many = str(scene.count(thing.kind))
    return thing.kind, thing.color, thing.size, thing.texture, "thing", thing.row, thing.column, many


def _by_patch(
    photo: Photo, descriptions: Sequence[tuple[str, ...]], scenery: tuple[str, ...], patch: int
) -> list[tuple[str, ...]]:
    side = SIDE // patch
    rows: list[tuple[str, ...]] = []
    for place, owner in enumerate(owners(photo.scene, patch)):
        row, column = (place // side) * patch // CELL, (place % side) * patch // CELL
        background = (UNCLEAR,) if photo.unusable else scenery
        rows.append(
            descriptions[owner] if owner >= 0 and not photo.unusable else (*background, ROWS[row], COLUMNS[column])
        )
    for at, board in enumerate(photo.boards):
        word = "number" if board.word.isdecimal() else board.word.lower()
        for place in _covered(board, patch):
            rows[place] = (SIGN, board.color, word, ("top", "bottom")[at > 0])
    return rows


def summed(table: Tensor, ids: Tensor, noise: float) -> Tensor:
    """(scenes, places, d) sums of word embeddings, with noise, as a connector will never be exact."""
    there = ids >= 0
    sums = (functional.embedding(ids.clamp(min=0), table) * there.unsqueeze(-1)).sum(dim=2)
    return sums + torch.randn_like(sums) * noise * sums.detach().square().mean().sqrt()
