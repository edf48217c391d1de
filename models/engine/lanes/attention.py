"""Rows of several lanes in one forward: linear layers see one row of tokens, attention sees each lane by itself.

A lane is a packed row with a cache of its own. The tokens of all lanes go through the model behind one another, and
where the model attends, each lane's tokens attend to its own keys and values alone, by the attention that the model has
anyway. So lanes need no padding, and no lane's length or mask plays a part in another's numbers.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface
from transformers.cache_utils import Cache, DynamicLayer
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from vlmbench.base.errors import ModelError

NAME = "vlmbench_lanes"
"""The attention's name among transformers' implementations."""
JOINED = frozenset({"attention_mask", "position_ids"})
"""What the model may take beside tokens where lanes go together."""


@dataclass(frozen=True)
class LaneInputs:
    """One lane's part of a forward."""

    row: Tensor
    """(tokens, width) embeddings, or (tokens,) ids."""
    cache: Cache
    settings: Mapping[str, Any]
    """Its mask, (1, 1, tokens, columns), None, or one of them by kind of layer; positions, (..., 1, tokens)."""


class _Joint:
    """The lanes of the forward that is running."""

    def __init__(self, lanes: Sequence[LaneInputs], inner: str) -> None:
        self.lanes, self.inner = lanes, inner
        ends = torch.tensor([len(lane.row) for lane in lanes]).cumsum(0).tolist()
        self.parts = [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]
        mask = lanes[0].settings["attention_mask"]
        kinds = list(mask) if isinstance(mask, Mapping) else [""]
        self.signs = {kind: torch.zeros(1, 1, 1, 1) for kind in kinds}
        """What stands for the lanes' masks on its way through the model, by kind of layer."""

    @property
    def mask(self) -> Any:
        """The mask argument of the model."""
        return self.signs.get("", self.signs)

    def masks(self, given: Tensor | None) -> list[Tensor | None]:
        """Each lane's mask, by what the model gives a layer."""
        for kind, sign in self.signs.items():
            if sign is given:
                return [_of_kind(lane.settings["attention_mask"], kind) for lane in self.lanes]
        raise ModelError("it makes its own attention mask", hint="its lanes go one by one")


def _of_kind(mask: Any, kind: str) -> Tensor | None:
    found: Tensor | None = mask[kind] if kind else mask
    return found


_RUNNING: ContextVar[_Joint] = ContextVar("lanes that go together")
"""Those of the forward that is running: a model hands its attention no more than tensors."""


class _JointLayer(DynamicLayer):  # type: ignore[misc]  # transformers counts as Any
    """Layer `index` of all lanes."""

    def __init__(self, index: int, joint: _Joint) -> None:
        super().__init__()
        self.index, self.joint = index, joint

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Write each lane's new columns to its own cache."""
        for part, lane in zip(self.joint.parts, self.joint.lanes, strict=True):
            lane.cache.layers[self.index].update(key_states[:, :, part], value_states[:, :, part])
        return key_states, value_states

    def get_seq_length(self) -> int:
        """The longest lane's."""
        return max(int(lane.cache.layers[self.index].get_seq_length()) for lane in self.joint.lanes)


def _attend(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **settings: Any
) -> tuple[Tensor, None]:
    """Attention of (1, heads, tokens, head_dim) queries, each lane's to its own columns: (1, tokens, heads, head_dim).

    `key` and `value` are the new columns; they are in the lanes' caches already.
    """
    joint = _RUNNING.get()
    inner = _inner(module, joint.inner)
    outputs = []
    for part, lane, mask in zip(joint.parts, joint.lanes, joint.masks(attention_mask), strict=True):
        layer = lane.cache.layers[module.layer_idx]
        outputs.append(inner(module, query[:, :, part], layer.keys, layer.values, mask, **settings)[0])
    return torch.cat(outputs, dim=1), None


def _inner(module: Any, name: str) -> Any:
    """The model's own attention by name; plain matmuls are a function beside the module's class."""
    if name != "eager":
        return ALL_ATTENTION_FUNCTIONS[name]
    return vars(sys.modules[type(module).__module__])["eager_attention_forward"]


AttentionInterface.register(NAME, _attend)


def reason_against(settings: Sequence[Mapping[str, Any]]) -> str:
    """Why lanes cannot go together that take these beside their tokens; empty where they can."""
    more = set().union(*settings) - JOINED
    return f"its rows take {', '.join(sorted(more))} of their own" if more else ""


class LaneAttention:
    """A language model whose attention can go lane by lane."""

    def __init__(self, lm: Any) -> None:
        self.lm = lm
        self._configs = list(
            {id(module.config): module.config for module in lm.modules() if hasattr(module, "config")}.values()
        )

    @contextmanager
    def joined(self, lanes: Sequence[LaneInputs]) -> Iterator[tuple[Tensor, Cache, dict[str, Any]]]:
        """The lanes' tokens as one row, their caches as one, mask and positions; inside, attention goes lane by lane.

        They must have passed `reason_against`.
        """
        names = [config._attn_implementation for config in self._configs]
        joint = _Joint(lanes, self.lm.config._attn_implementation)
        settings = {
            "attention_mask": joint.mask,
            "position_ids": torch.cat([lane.settings["position_ids"] for lane in lanes], dim=-1),
        }
        cache = Cache(layers=[_JointLayer(index, joint) for index in range(len(lanes[0].cache.layers))])
        token = _RUNNING.set(joint)
        try:
            for config in self._configs:
                config._attn_implementation = NAME
            yield torch.cat([lane.row for lane in lanes]), cache, settings
        finally:
            for config, name in zip(self._configs, names, strict=True):
                config._attn_implementation = name
            _RUNNING.reset(token)
