"""Keys and values of one packed row, written in place.

transformers' DynamicCache joins old and new columns with `torch.cat`, which copies all of them for each token: half of
a decode step of 16 rows behind 764 tokens each. Here a layer has room for more columns than it holds, writes new ones
behind the others, and returns views. The numbers are bit for bit the same.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import Cache, DynamicLayer

BLOCK, GROWTH = 32, 0.125
"""A layer that is full gets room for so many more columns, or for this share of what it holds, if that is more."""


class InPlaceLayer(DynamicLayer):  # type: ignore[misc]  # transformers counts as Any
    """The keys and values of a layer, (rows, heads, columns, head_dim) each: views of tensors with more columns."""

    def __init__(self, most: int = 0, soon: int = 0) -> None:
        """`most`: columns that there will be at most; 0: unknown. `soon`: as many will come for certain."""
        super().__init__()
        self._most, self._soon = most, soon
        self._wide: tuple[Tensor, Tensor] | None = None
        """Keys and values with all their room, (rows, heads, room, head_dim)."""

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Nothing is held at first. Not DynamicLayer's own: it copies an empty tensor to the device."""
        self.dtype, self.device, self.is_initialized = key_states.dtype, key_states.device, True
        self.keys, self.values = key_states[:, :, :0], value_states[:, :, :0]
        self._wide = None

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Write new columns, (rows, heads, new, head_dim), behind the others. Returns all columns so far."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        held = self.get_seq_length()
        total = held + key_states.shape[-2]
        if self._wide is None or total > self._wide[0].shape[-2]:
            self._grow(total, key_states, value_states)
        assert self._wide is not None
        for wide, new in zip(self._wide, (key_states, value_states), strict=True):
            wide[:, :, held:total] = new
        self.keys, self.values = (wide[:, :, :total] for wide in self._wide)
        return self.keys, self.values

    def _grow(self, total: int, *new: Tensor) -> None:
        """Move to tensors with room for `total` columns and some to come."""
        room = max(total, self._soon)
        room += max(BLOCK, int(GROWTH * room))
        if self._most:
            room = max(total, min(room, self._most))
        wider = []
        for held, states in zip((self.keys, self.values), new, strict=True):
            rows, heads, _, width = states.shape
            wide = states.new_empty((rows, heads, room, width))
            wide[:, :, : held.shape[-2]] = held
            wider.append(wide)
        self._wide = (wider[0], wider[1])

    @property
    def nbytes(self) -> int:
        """Bytes of keys and values with all their room."""
        return sum(wide.nbytes for wide in self._wide or ())

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Rows stay where they are: beams are searched elsewhere."""
        raise NotImplementedError

    def batch_repeat_interleave(self, repeats: int) -> None:
        """See `reorder_cache`."""
        raise NotImplementedError

    def batch_select_indices(self, indices: Tensor) -> None:
        """See `reorder_cache`."""
        raise NotImplementedError


def new_cache(most: int = 0, soon: int = 0) -> Cache:
    """An empty cache that keeps every position. `most`, `soon`: see InPlaceLayer."""
    cache = DynamicCache()
    cache.layer_class_to_replicate = partial(InPlaceLayer, most, soon)
    return cache
