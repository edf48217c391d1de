"""The cache that is written in place: bit for bit transformers' own, and no copies while there is room."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from transformers import DynamicCache

from tests.models.engine.toy import network
from vlmbench.models.engine.lanes.cache import BLOCK, InPlaceLayer, new_cache


def states(new: int, seed: int) -> tuple[Tensor, Tensor]:
    """Keys and values of some columns: (1, heads, new, head_dim)."""
    made = torch.Generator().manual_seed(seed)
    return torch.randn(1, 2, new, 4, generator=made), torch.randn(1, 2, new, 4, generator=made)


def test_columns_are_those_of_torch_cat_through_growth_and_cuts() -> None:
    ours, theirs = new_cache(), DynamicCache()
    for at, new in enumerate((5, 1, 40, 3, 1, 1, 200, 7, 1)):
        for layer in (0, 1):
            mine, other = ours.update(*states(new, at), layer), theirs.update(*states(new, at), layer)
            assert all(torch.equal(one, two) for one, two in zip(mine, other, strict=True))
        assert ours.get_seq_length() == theirs.get_seq_length()
        assert ours.get_mask_sizes(3, 0) == theirs.get_mask_sizes(3, 0)
        if at % 3 == 2:
            ours.crop(-4)
            theirs.crop(-4)
            assert ours.get_seq_length() == theirs.get_seq_length()


def test_nothing_moves_while_there_is_room() -> None:
    layer = InPlaceLayer()
    keys, _ = layer.update(*states(6, 0))
    for step in range(1, BLOCK + 1):
        grown, values = layer.update(*states(1, step))
        assert (grown.data_ptr(), grown.shape[-2], values.shape[-2]) == (keys.data_ptr(), 6 + step, 6 + step)
    assert layer.update(*states(1, 99))[0].data_ptr() != keys.data_ptr()


def test_a_layer_that_is_reset_begins_anew() -> None:
    layer = InPlaceLayer()
    layer.update(*states(6, 0))
    layer.reset()
    assert layer.get_seq_length() == 0
    assert torch.equal(layer.update(*states(3, 1))[0], states(3, 1)[0])


@pytest.mark.parametrize("kind", ["phi", "llama"])
def test_logits_are_bit_for_bit_those_of_transformers_cache(kind: str) -> None:
    language = network(kind).language_model
    ours, theirs = new_cache(), DynamicCache()
    ids = torch.randint(0, 90, (1, 60), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        for row in [ids[:, :40], *torch.split(ids[:, 40:], 1, dim=1)]:
            one, two = (language(input_ids=row, past_key_values=cache, use_cache=True) for cache in (ours, theirs))
            assert torch.equal(one.logits, two.logits)
