"""The order of an epoch: plain, or rows of like length together, as TinyLLaVA's fine-tuning has them.

Source: TinyLLaVA_Factory tinyllava/train/tinyllava_trainer.py@53f12c7. It draws from torch's global chance; here a
generator of its own is seeded by (seed, epoch), and gives the same order as the official functions from that seed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vlmbench.base.errors import UnknownNameError

from .draws import mix
from .entries import IMAGE_WORDS, Rows

Numbers = np.ndarray[Any, Any]
GROUPS = ("", "length", "modality")


def order(rows: Rows, seed: int, epoch: int, batch: int = 1, group: str = "", world: int = 1) -> Numbers:
    """Numbers of all rows in the order of an epoch, int64.

    `group`: "" shuffles; `length` puts rows of like length into a batch; `modality` besides keeps rows with an image
    apart from those without (`group_by_modality_length`). Of each `batch` * `world` rows, dealt so that the parts are
    of like length, the first `batch` are for the first process. Raises UnknownNameError.
    """
    if group not in GROUPS:
        raise UnknownNameError("grouping", group, GROUPS)
    import torch

    chance = torch.Generator().manual_seed(mix(seed, "order", epoch))
    if not group:
        return torch.randperm(len(rows), generator=chance).numpy()
    signed = _signed(rows)
    if group == "modality":
        return by_modality(signed, batch, world, chance)
    return by_length(np.abs(signed) + IMAGE_WORDS * (signed > 0), batch, world, chance)


def _signed(rows: Rows) -> Numbers:
    """(rows,) words, below 0 for rows without an image."""
    known = getattr(rows, "lengths", None)
    if known is not None:
        return np.asarray(known)
    return np.array([rows.length(at) * (1 if rows.has_image(at) else -1) for at in range(len(rows))], np.int64)


def by_modality(lengths: Numbers, batch: int, world: int, chance: Any) -> Numbers:
    """Official `get_modality_length_grouped_indices`; where all rows are of one kind, by length alone."""
    import torch

    with_image, plain = np.flatnonzero(lengths > 0), np.flatnonzero(lengths < 0)
    if not len(with_image) or not len(plain):
        return by_length(np.abs(lengths), batch, world, chance)
    mega = batch * world
    kinds = [
        _cut(which[by_length(np.abs(lengths[which]), batch, world, chance)], mega) for which in (with_image, plain)
    ]
    whole = [part for parts in kinds for part in parts[:-1]]
    # The last of both kinds may be short; together they are one mixed batch in front or at the end, or both.
    rest = np.concatenate([parts[-1] for parts in kinds])
    whole = [whole[at] for at in torch.randperm(len(whole), generator=chance).tolist()]
    if len(rest) >= mega:
        whole, rest = [rest[:mega], *whole], rest[mega:]
    return np.concatenate([*whole, rest])


def by_length(lengths: Numbers, batch: int, world: int, chance: Any) -> Numbers:
    """Official `get_length_grouped_indices`: a shuffle, cut into megabatches, each sorted and dealt out."""
    import torch

    mixed = torch.randperm(len(lengths), generator=chance).numpy()
    indices = np.empty_like(mixed)
    for first in range(0, len(mixed), batch * world):
        part = mixed[first : first + batch * world]
        falling = part[np.argsort(-lengths[part], kind="stable")]
        indices[first : first + len(part)] = [at for chunk in _dealt(falling, lengths, world) for at in chunk]
    return indices


def _cut(items: Numbers, size: int) -> list[Numbers]:
    return [items[at : at + size] for at in range(0, len(items), size)]


def _dealt(falling: Numbers, lengths: Numbers, world: int) -> list[list[int]]:
    """Rows, the longest first, to as many chunks as there are processes, of even length together."""
    if len(falling) % world:
        return [falling[first::world].tolist() for first in range(world)]
    size = len(falling) // world
    chunks: list[list[int]] = [[] for _ in range(world)]
    loads = [0.0] * world
    for at in falling.tolist():
        least = loads.index(min(loads))
        chunks[least].append(at)
        loads[least] += float(lengths[at])
        if len(chunks[least]) == size:
            loads[least] = float("inf")
    return chunks
