"""Prefix sharing over any transformers model that passes prefix_check.

The packed row of shared_prefix, with token ids instead of embeddings: the model's own forward takes the images'
tensors with the prefix, and ids, block mask and restarted positions behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..engine.decoding import AnswerDecoder, Draft, Job, Observer, Outcome, no_observer, rank
from ..engine.shared_prefix import PackedEngine, PromptRow, prefix_length, prompt_rows
from .prompts import ImageTensors


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
        shared = prefix_length(prompts)
        return shared > 0 and all(self.image_id not in prompt.tokens[shared:] for prompt in prompts)

    @torch.inference_mode()
    def answer(
        self, media: ImageTensors, jobs: Sequence[Job], pack_tokens: int, observe: Observer = no_observer
    ) -> list[Outcome]:
        """Outcomes in the jobs' order; the jobs must have passed `can_share`."""
        scored: dict[int, list[Tensor]] = {}
        drafts: dict[int, Draft] = {}
        self._answer_group(_prompt_rows(jobs), jobs, media, pack_tokens, observe, drafts, scored)
        return [
            rank(job, scored[index], 0, observe) if job.choices else drafts[index].outcome(0)
            for index, job in enumerate(jobs)
        ]

    def _forward(self, row: Tensor, features: ImageTensors | None = None, **settings: Any) -> Any:
        images = features.to(self.model.device, self.model.dtype) if features is not None else {}
        return self.model(input_ids=row[None], **images, **settings)  # (1, tokens)

    def _embed(self, ids: Sequence[int], features: Any) -> Tensor:
        """The ids themselves, (tokens,): the model embeds them."""
        return torch.tensor(ids, dtype=torch.long, device=self.model.device)


def _prompt_rows(jobs: Sequence[Job]) -> list[PromptRow]:
    return [prompt for index, job in enumerate(jobs) for prompt in prompt_rows(index, job)]
