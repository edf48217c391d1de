"""A step of decoding in one shape, as one compiled program: the option `compile=decode`.

The keys and values of all lanes lie in one row of columns, where each lane has a part of its own, written in place. A
step always takes as many tokens as may be decoded together and looks at one of a few numbers of columns; tokens that
nobody needs see column 0 alone, and write there. So torch.compile makes one program for each number of columns, on a
GPU a CUDA graph: one launch instead of one for each product of each layer.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

from vlmbench.base.errors import ModelError

from ...parts import host
from .cache import InPlaceLayer

FIRST, TIMES = 1024, 4
"""The least number of columns that a step looks at, and how many times as many the next number is."""
COLUMNS_A_ROW = 1024
"""Columns for each row where memory allows more."""
Given = tuple[Tensor, Mapping[str, Any]]
"""A lane's tokens, (live, ...), and what the model takes beside them."""


def missing(device: torch.device) -> str:
    """Why nothing can be compiled for a device; empty where it can."""
    if device.type == "cuda":
        return "" if importlib.util.find_spec("triton") else "triton, which torch.compile needs on a GPU, is missing"
    return "" if any(map(shutil.which, ("g++", "clang++", "c++"))) else "there is no C++ compiler (g++ or clang++)"


@dataclass(frozen=True)
class Part:
    """The columns of a lane."""

    start: int
    columns: int

    @property
    def end(self) -> int:
        """The first column behind it."""
        return self.start + self.columns


class StepLayer(DynamicLayer):  # type: ignore[misc]  # transformers counts as Any
    """A layer of the whole row, as a step sees it: new columns go where `places` says."""

    def __init__(self) -> None:
        super().__init__()
        self.wide: tuple[Tensor, Tensor] | None = None
        """Keys and values, (1, heads, columns, head_dim) each."""
        self.places: Any = None
        """(tokens,) the columns that they write."""
        self.seen = 0
        """How many columns they look at."""

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Write (1, heads, tokens, head_dim) new columns. Returns those that are looked at."""
        assert self.wide is not None
        keys, values = self.wide
        keys.index_copy_(2, self.places, key_states)
        values.index_copy_(2, self.places, value_states)
        return keys[:, :, : self.seen], values[:, :, : self.seen]

    def get_seq_length(self) -> int:
        """Always the same, so that no program depends on it: positions and masks are given."""
        return 0


class PartLayer(InPlaceLayer):
    """A layer of one lane: its part of the whole row."""

    def __init__(self, whole: StepLayer, part: Part, columns: int) -> None:
        """`columns`: of the whole row."""
        super().__init__(part.columns)
        self.whole, self.part, self.columns = whole, part, columns

    def _grow(self, total: int, *new: Tensor) -> None:
        """All the room that there will be."""
        if self.whole.wide is None:
            one, other = (states.new_zeros((*states.shape[:2], self.columns, states.shape[3])) for states in new)
            self.whole.wide = one, other
        keys, values = (wide[:, :, self.part.start : self.part.end] for wide in self.whole.wide)
        self._wide = keys, values

    def advance(self, count: int) -> None:
        """So many columns more were written by a step."""
        assert self._wide is not None
        total = self.get_seq_length() + count
        self.keys, self.values = (wide[:, :, :total] for wide in self._wide)


class StaticRow:
    """The row of columns, and the program of a step. `engine`: a PackedEngine."""

    def __init__(self, engine: Any, rows: int, memory: int, device: torch.device) -> None:
        """`rows`: tokens of a step; `memory`: bytes of keys and values. Raises ModelError where it cannot be had."""
        if reason := missing(device):
            raise ModelError(f"compile=decode: {reason}", hint="install it, or leave out compile")
        self.engine, self.rows, self.device = engine, rows, device
        self.columns = 1 + min(max(memory // max(engine.column_bytes, 1), FIRST), rows * COLUMNS_A_ROW)
        layers = int(engine.lm.config.get_text_config().num_hidden_layers)
        self.cache = Cache(layers=[StepLayer() for _ in range(layers)])
        self.parts: dict[Any, Part] = {}
        """Each lane's."""
        cuda = device.type == "cuda"
        self._program = torch.compile(self._forward, dynamic=False, mode="reduce-overhead" if cuda else "default")

    def free(self, columns: int, lanes: Collection[Any]) -> Part | None:
        """The first part of so many columns that none of these lanes, which go on, has."""
        for lane in [lane for lane in self.parts if lane not in lanes]:
            self._clear(self.parts.pop(lane))
        start = 1
        for part in sorted(self.parts.values(), key=lambda part: part.start):
            if part.start - start >= columns:
                break
            start = part.end
        return Part(start, columns) if start + columns <= self.columns else None

    @torch.inference_mode()
    def _clear(self, part: Part) -> None:
        """What is not a number would reach others: a column that is not seen counts 0 times, and 0 x NaN is NaN."""
        for layer in self.cache.layers:
            for wide in layer.wide or ():
                wide[:, :, part.start : part.end] = 0

    def take(self, lane: Any, part: Part) -> Cache:
        """A lane's cache in its part."""
        self.parts[lane] = part
        return Cache(layers=[PartLayer(layer, part, self.columns) for layer in self.cache.layers])

    @torch.inference_mode()
    def step(self, lanes: Sequence[Any], given: Sequence[Given]) -> Tensor:
        """A token for each live answer of lanes that have parts: (live, vocabulary) float32 logits."""
        counts = [len(row) for row, _ in given]
        parts = [self.parts[lane] for lane in lanes]
        held = [part.start + lane.cache.layers[0].get_seq_length() for part, lane in zip(parts, lanes, strict=True)]
        seen = FIRST
        while seen < max(part.end for part in self.parts.values()):
            seen *= TIMES
        seen = min(seen, self.columns)
        spare = self.rows - sum(counts)
        columns = [start + at for start, count in zip(held, counts, strict=True) for at in range(count)]
        places = host.send(torch.tensor([*columns, *[0] * spare]), self.device)
        for layer in self.cache.layers:
            layer.places, layer.seen = places, seen
        mask = torch.zeros(1, 1, self.rows, seen, dtype=torch.bool, device=self.device)
        mask[:, :, sum(counts) :, :1] = True
        at = 0
        for part, start, count, (_, settings) in zip(parts, held, counts, given, strict=True):
            visible = settings["attention_mask"]  # (1, 1, live, columns), None: all
            mask[:, :, at : at + count, part.start : start + count] = True if visible is None else visible
            at += count
        tokens = torch.cat([row for row, _ in given])
        positions = torch.cat([settings["position_ids"] for _, settings in given], dim=-1)
        logits = self._program(_padded(tokens, 0, spare), mask, _padded(positions, -1, spare))
        for lane, count in zip(lanes, counts, strict=True):
            for layer in lane.cache.layers:
                layer.advance(count)
        found: Tensor = logits[: sum(counts)].float()
        return found.clone() if self.device.type == "cuda" else found  # the next step writes there

    def _forward(self, tokens: Tensor, mask: Tensor, positions: Tensor) -> Tensor:
        """(rows, ...) tokens, a (1, 1, rows, columns) mask and (..., 1, rows) positions to (rows, vocabulary)."""
        output = self.engine._forward(
            tokens, past_key_values=self.cache, use_cache=True, attention_mask=mask, position_ids=positions
        )
        logits: Tensor = output.logits[0]
        return logits


def _padded(tensor: Tensor, dim: int, count: int) -> Tensor:
    """With so many zeros behind it."""
    shape = list(tensor.shape)
    shape[dim] = count
    return torch.cat([tensor, tensor.new_zeros(shape)], dim=dim)


def reason_against(given: Sequence[Given]) -> str:
    """Why a step of these lanes cannot go in one shape; empty where it can."""
    for _, settings in given:
        if more := settings.keys() - {"attention_mask", "position_ids"}:
            return f"its rows take {', '.join(sorted(more))} of their own"
        mask = settings["attention_mask"]
        if isinstance(mask, Mapping):
            return "its layers take masks of several kinds"
        if mask is not None and mask.dtype != torch.bool:
            return "its attention takes no bool mask"
    return ""
