"""Packed rows: who sees whom, where each token stands."""

from __future__ import annotations

import torch

from vlmbench.models.engine import packing


def test_packs_keep_order_and_limits() -> None:
    lengths = [(3,), (3,), (3,), (9,), (1,)]
    assert packing.pack(lengths, (6,)) == [[0, 1], [2], [3], [4]]
    assert packing.pack(lengths, (0,)) == [[0, 1, 2, 3, 4]]
    assert packing.pack([], (6,)) == []
    assert packing.pack([(7,)], (6,)) == [[0]]
    assert packing.pack([(1, 1), (1, 1), (1, 1)], (6, 2)) == [[0, 1], [2]]


def test_block_mask_shows_the_prefix_and_ones_own_past() -> None:
    seen = packing.block_mask([2, 1], 2).int().tolist()
    assert seen == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 1, 0, 0, 1]]


def test_positions_restart_for_each_suffix() -> None:
    assert packing.restart([2, 3], 10).tolist() == [10, 11, 10, 11, 12]
    assert packing.step_positions([2, 3], 10, [1], 0).tolist() == [13]
    assert packing.ends([2, 3]).tolist() == [1, 4]


def test_new_tokens_see_the_prefix_and_their_own_question() -> None:
    owner = torch.cat([packing.owners([1, 2], 1), torch.tensor([0, 1])])
    assert packing.step_mask(owner, [0, 1]).int().tolist() == [[1, 1, 0, 0, 1, 0], [1, 0, 1, 1, 0, 1]]


def test_common_prefix() -> None:
    assert packing.common_prefix([(1, 2, 3), (1, 2, 4), (1, 2)]) == 2
    assert packing.common_prefix([(1, 2), (1, 2)]) == 2
    assert packing.common_prefix([(1,), (2,)]) == 0
