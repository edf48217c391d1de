"""The images' prefix once, the questions about them as one packed row behind it: over any transformers model.

The packed row of engine/shared_prefix, with token ids instead of embeddings: the model's own forward takes the images'
tensors with the prefix, numbers it and masks it as it does for any prompt; behind it, it gets ids, block masks and
positions that go on from the prefix's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from ...engine.decoding import AnswerDecoder, Job, PromptRow, prefix_length, prompt_rows
from ...engine.packed_row import Prefix
from ...engine.shared_prefix import PackedEngine
from ...parts import host
from .masks import masks
from .positions import on_axes, watched


class Media(Protocol):
    """The tensors of a question's images."""

    def to(self, device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
        """By the names of the model's arguments."""


class Rendered(Protocol):
    """A question as the processor gives it."""

    @property
    def rows(self) -> Mapping[str, Tensor]:
        """What has an entry for each token, (1, tokens, ...)."""

    @property
    def media(self) -> Media:
        """Its images."""


@dataclass(frozen=True)
class HfPrefix(Prefix):
    """A prefix, and what the model needs to know of it behind it."""

    axes: int = 0
    """Numbers of a position, where it has several."""
    sees: Mapping[str, Tensor] = field(default_factory=dict)
    """What its last token sees beside the row, (1, 1, ...) by name: masks over an image for cross-attention."""


class HfSharedPrefix(PackedEngine):
    """Answers all jobs about the same images behind one shared prefix."""

    def __init__(self, model: Any, decoder: AnswerDecoder, image_id: int | None) -> None:
        self.model, self.decoder, self.lm, self.image_id = model, decoder, model.get_decoder(), image_id

    def head(self, ids: Sequence[int]) -> tuple[int, ...]:
        """A prompt through its last image: what prompts must have in common to share their images' prefix."""
        last = next((at for at in range(len(ids) - 1, -1, -1) if ids[at] == self.image_id), -1)
        return tuple(ids[: last + 1])

    def can_share(self, jobs: Sequence[Job]) -> bool:
        """Whether the jobs have a prefix worth sharing: one that holds their images whole, where they have any."""
        prompts = _prompt_rows(jobs)
        shared = self.prefix_length(prompts)
        return shared > 0 and all(self.image_id not in prompt.tokens[shared:] for prompt in prompts)

    def prefix_length(self, prompts: Sequence[PromptRow]) -> int:
        """A single prompt has a prefix, too: images can be nowhere else."""
        return prefix_length([*prompts, prompts[0]])

    def buckets(self, jobs: Sequence[Job]) -> list[list[PromptRow]]:
        """One: the jobs must have passed `can_share`."""
        return [_prompt_rows(jobs)]

    def _prefill(self, ids: Sequence[int], features: Rendered, cache: Any) -> HfPrefix:
        """Run the prefix as the model runs any prompt: its own positions and masks, with the types of its tokens."""
        row, device = self._embed(ids, None), self.model.device
        by_token = {name: value[:, : len(ids)].to(device) for name, value in features.rows.items()}
        with watched(self.lm) as seen:
            self._forward(row, features, past_key_values=cache, use_cache=True, logits_to_keep=1, **by_token)
        # Types of tokens are for the model's own positions and masks; what lies beside the row has further dimensions.
        sees = {name: value[:, -1:] for name, value in by_token.items() if value.dim() > 2}
        return HfPrefix(len(ids), seen.shift(len(ids)), seen.axes, sees)

    def _settings(
        self,
        prefixes: Sequence[Prefix],
        visible: Tensor | None,
        places: Tensor,
        positions: Tensor,
        dtype: torch.dtype,
    ) -> dict[str, Any]:
        lanes = [prefix for prefix in prefixes if isinstance(prefix, HfPrefix)]
        tokens, axes = positions.shape[1], lanes[0].axes
        mask = None if visible is None else masks(visible, places, self.lm, positions.device, dtype)
        beside = {
            name: torch.cat([lane.sees[name] for lane in lanes]).repeat_interleave(tokens, dim=1)  # (lanes, tokens, …)
            for name in lanes[0].sees
        }
        return {"attention_mask": mask, "position_ids": on_axes(positions, axes), **beside}

    def _forward(self, row: Tensor, features: Rendered | None = None, **settings: Any) -> Any:
        images = features.media.to(self.model.device, self.model.dtype) if features is not None else {}
        return self.model(input_ids=row[None], **images, **settings)  # (1, tokens)

    def _embed(self, ids: Sequence[int], features: Any) -> Tensor:
        """The ids themselves, (tokens,): the model embeds them."""
        return host.send(torch.tensor(ids, dtype=torch.long), self.model.device)


def _prompt_rows(jobs: Sequence[Job]) -> list[PromptRow]:
    return [prompt for index, job in enumerate(jobs) for prompt in prompt_rows(index, job)]
