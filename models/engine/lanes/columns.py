"""How many columns of keys and values a cache holds, and taking some of them away again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def column_bytes(cache: Any) -> int:
    """Bytes that a column of a filled cache takes in all layers."""
    held = (states for layer in cache.layers for states in (layer.keys, layer.values))
    return sum(states[0, :, :1].nbytes for states in held if states is not None)  # None: attention to no image


def lengths(cache: Any) -> list[int]:
    """How many columns each layer holds: an image's, in layers of cross-attention."""
    return [layer.get_seq_length() for layer in cache.layers]


def crop(cache: Any, kept: Sequence[int]) -> None:
    """Take all columns behind the first `kept` of each layer away; layers that came later keep none."""
    for index, layer in enumerate(cache.layers):
        layer.crop((kept[index] if index < len(kept) else 0) - layer.get_seq_length())
