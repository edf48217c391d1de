"""Positions of a prefix as the model itself numbers them, and where they go on behind it.

Most models count tokens. Others give an image's tokens positions on several axes (time, height, width), so that an
image takes fewer positions than tokens. Either way text goes on behind the largest position so far, alike on all axes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor


class Seen:
    """What a decoder was given for a prefix: (1, tokens) or (axes, 1, tokens), None where it counts by itself."""

    positions: Tensor | None = None

    @property
    def axes(self) -> int:
        """How many numbers a position has; 0 for a plain one."""
        return 0 if self.positions is None or self.positions.dim() < 3 else len(self.positions)

    def shift(self, tokens: int) -> int:
        """How far positions behind a prefix of so many tokens are from a plain count."""
        return 0 if self.positions is None else int(self.positions.max()) + 1 - tokens


@contextmanager
def watched(decoder: Any) -> Iterator[Seen]:
    """Note the positions that a model gives its decoder in the first forward."""
    seen = Seen()

    def note(_module: Any, _args: Any, given: dict[str, Any]) -> None:
        if seen.positions is None:
            seen.positions = given.get("position_ids")

    hook = decoder.register_forward_pre_hook(note, with_kwargs=True)
    try:
        yield seen
    finally:
        hook.remove()


def on_axes(positions: Tensor, axes: int) -> Tensor:
    """(lanes, tokens) positions of text as the decoder takes them: (axes, lanes, tokens), all axes alike."""
    return positions.expand(axes, *positions.shape) if axes else positions
