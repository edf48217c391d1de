"""The masks of a packed row for each kind of layer that a model has: full, sliding window, chunks.

In a packed row a token's column is not its place in its prompt, so windows are measured by places.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ...engine.decoding import attention_mask

FULL, SLIDING, CHUNKED = "full_attention", "sliding_attention", "chunked_attention"
"""transformers' names of kinds of layers (`config.layer_types`); a decoder takes masks by these names."""
FIELDS = {SLIDING: "sliding_window", CHUNKED: "attention_chunk_size"}
"""Where a config has the width of a kind's window or chunks."""
STATES = ("linear_attention", "conv", "hybrid", "hybrid_sliding")
"""Kinds of layers that keep a state instead of positions."""


def layer_kinds(config: Any) -> list[str]:
    """The kinds of a language model's layers, each once."""
    kinds: Sequence[str] | None = getattr(config, "layer_types", None)
    if kinds is None:
        kinds = [SLIDING if width_of(config, SLIDING) else CHUNKED if width_of(config, CHUNKED) else FULL]
    return sorted(set(kinds))


def width_of(config: Any, kind: str) -> int:
    """The width of a kind's window or chunks; 0 where there is none."""
    return int((getattr(config, FIELDS[kind], None) if kind in FIELDS else None) or 0)


def in_window(rows: Tensor, columns: Tensor, width: int) -> Tensor:
    """(lanes, rows) and (lanes, columns) places to (lanes, rows, columns) bool: what a window reaches back to."""
    return columns[:, None] > rows[..., None] - width


def in_chunk(rows: Tensor, columns: Tensor, width: int) -> Tensor:
    """The same for layers that see their own chunk of the prompt alone."""
    return columns[:, None] // width == rows[..., None] // width


REACH: Mapping[str, Callable[[Tensor, Tensor, int], Tensor]] = {SLIDING: in_window, CHUNKED: in_chunk}


def masks(visible: Tensor, places: Tensor, lm: Any, device: torch.device, dtype: torch.dtype) -> Any:
    """The mask as the decoder takes it: one for all layers, or one for each kind of layer by its name.

    `visible`: (lanes, tokens, columns) bool. `places`: (lanes, columns), the tokens' own last.
    """
    rows, made = places[:, -visible.shape[1] :], {}
    for kind in layer_kinds(lm.config):
        width = width_of(lm.config, kind)
        seen = visible & REACH[kind](rows, places, width) if width else visible
        made[kind] = attention_mask(seen, lm, device, dtype)
    return made if len(made) > 1 else next(iter(made.values()))


@contextmanager
def narrowed(lm: Any, model: Any, tokens: int) -> Iterator[bool]:
    """While it lasts, windows and chunks that hold all of so many tokens hold half of them: a trial sees them work.

    Yields whether there are any.
    """
    kinds = [kind for kind in layer_kinds(lm.config) if width_of(lm.config, kind) >= tokens]
    held = [getattr(module, "config", None) for module in model.modules()]  # classes copy the configs they are given
    same = [config for config in held if isinstance(config, type(lm.config))]
    configs = {id(config): config for config in (*same, model.config.get_text_config(decoder=True))}.values()
    before = [(config, FIELDS[kind], getattr(config, FIELDS[kind], None)) for config in configs for kind in kinds]
    try:
        for config, field, _ in before:
            setattr(config, field, max(2, tokens // 2))
        yield bool(before)
    finally:
        for config, field, width in before:
            setattr(config, field, width)
