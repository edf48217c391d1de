"""Many continuations of one prefix in a single row: attention mask and positions.

A packed row is `[s1|s2|...]` behind a shared prefix. Each token sees the whole prefix and the tokens of its own suffix
up to itself; each suffix stands at the positions right after the prefix, as if it were alone. So every suffix gets the
same numbers as in a row of its own. Pure functions from lengths to tensors; masks are bool, True where seen.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

SLACK = 8
"""What part of the limit of tokens a pack may have above it."""
PREFIX = -1
"""The owner of prefix columns: seen by all."""


def pack(measures: Sequence[Sequence[int]], limits: Sequence[int]) -> list[list[int]]:
    """Split suffixes, in order, into packs whose sums exceed no limit; a suffix that does has a pack of its own.

    `measures`: for each suffix one number per limit. A limit of 0 is none.
    """
    packs: list[list[int]] = []
    sums: list[int] = []
    for index, measure in enumerate(measures):
        sums = [held + one for held, one in zip(sums or [0] * len(limits), measure, strict=True)]
        if not packs or any(limit and held > limit for held, limit in zip(sums, limits, strict=True)):
            packs.append([])
            sums = list(measure)
        packs[-1].append(index)
    return packs


def even_packs(measures: Sequence[Sequence[int]], limits: Sequence[int]) -> list[list[int]]:
    """Like `pack`, with sums of the first measure that are as even as its order allows.

    They may exceed the first limit by a part of it (SLACK) where that makes fewer packs: each reads all weights anew.
    """
    first, others = limits[0], limits[1:]
    if not first:
        return pack(measures, limits)
    most = first + first // SLACK
    packs = pack(measures, (most, *others))
    if len(packs) == 1:
        return packs
    least = max(1, sum(measure[0] for measure in measures) // max(len(packs), 1))
    while least < most:  # a lower limit never makes fewer packs
        middle = (least + most) // 2
        found = pack(measures, (middle, *others))
        if len(found) > len(packs):
            least = middle + 1
        else:
            most, packs = middle, found
    return packs


def owners(lengths: Sequence[int], prefix: int = 0) -> Tensor:
    """(prefix + total,) which suffix each column belongs to: PREFIX, then 0, 1, ..."""
    suffixes = torch.arange(len(lengths)).repeat_interleave(torch.tensor(lengths, dtype=torch.long))  # (total,)
    return torch.cat([torch.full((prefix,), PREFIX, dtype=torch.long), suffixes])


def restart(lengths: Sequence[int], prefix: int) -> Tensor:
    """(total,) position ids of the suffixes: each one starts at `prefix` again."""
    return torch.cat([torch.arange(prefix, prefix + length) for length in lengths])


def ends(lengths: Sequence[int]) -> Tensor:
    """(suffixes,) index in the row of each suffix's last token."""
    return torch.tensor(lengths, dtype=torch.long).cumsum(0) - 1


def block_mask(lengths: Sequence[int], prefix: int) -> Tensor:
    """(total, prefix + total) bool: what each packed token sees behind a cached prefix."""
    column = owners(lengths, prefix)  # (prefix + total,)
    row = column[prefix:]  # (total,)
    index = torch.arange(len(column))
    own = (column == row[:, None]) & (index <= index[prefix:, None])  # (total, prefix + total): causal, own suffix
    return own | (column == PREFIX)  # (prefix + total,) broadcasts: the prefix is visible to all


def prefix_mask(prefix: int, columns: int) -> Tensor:
    """(prefix, columns) bool: what the prefix's own tokens see of a row that begins with them."""
    return torch.ones(prefix, columns, dtype=torch.bool).tril()


def step_mask(owner: Tensor, live: Sequence[int]) -> Tensor:
    """(live, columns) bool: what one new token per live suffix sees; the new tokens are `owner`'s last columns."""
    return (owner == PREFIX) | (owner == torch.tensor(live, dtype=torch.long)[:, None])  # (columns,) | (live, columns)


def step_positions(lengths: Sequence[int], prefix: int, live: Sequence[int], step: int) -> Tensor:
    """(live,) positions of the tokens that the live suffixes append at this step, counted from 0."""
    return torch.tensor([prefix + lengths[index] + step for index in live], dtype=torch.long)


def common_prefix(rows: Sequence[tuple[int, ...]]) -> int:
    """Length of the longest common prefix of token rows."""
    first, last = min(rows), max(rows)
    for index, (token, other) in enumerate(zip(first, last, strict=False)):
        if token != other:
            return index
    return min(len(first), len(last))
