"""All questions about a picture at once, over any transformers model that passes the self-check of hf_sharing.

The packed row of engine_shared, with token ids instead of embeddings: the model's own forward takes the pictures'
tensors with the prefix, and ids, block mask and restarted positions behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..engine.decoding import Draft, Job, Observer, Outcome, Words, nobody, rank
from ..engine.shared_prefix import Line, Packed, lines_of, prefix_length
from .prompts import Media


class SharedMedia(Packed):
    """Answers all jobs about the same pictures."""

    def __init__(self, model: Any, words: Words, image_id: int | None) -> None:
        self.model, self.words, self.lm, self.image_id = model, words, model.get_decoder(), image_id

    def can_share(self, jobs: Sequence[Job]) -> bool:
        """Whether the jobs have a prefix worth sharing: one that holds their pictures whole, where they have any."""
        lines = _lines(jobs)
        shared = prefix_length(lines)
        return shared > 0 and all(self.image_id not in line.feed[shared:] for line in lines)

    @torch.inference_mode()
    def answer(self, media: Media, jobs: Sequence[Job], pack_tokens: int, observe: Observer = nobody) -> list[Outcome]:
        """Outcomes in the jobs' order; the jobs must have passed `can_share`."""
        scored: dict[int, list[Tensor]] = {}
        drafts: dict[int, Draft] = {}
        self._bucket(_lines(jobs), jobs, media, pack_tokens, observe, drafts, scored)
        return [
            rank(job, scored[index], 0, observe) if job.choices else drafts[index].outcome(0)
            for index, job in enumerate(jobs)
        ]

    def _forward(self, row: Tensor, features: Media | None = None, **settings: Any) -> Any:
        pictures = features.to(self.model.device, self.model.dtype) if features is not None else {}
        return self.model(input_ids=row[None], **pictures, **settings)

    def _embed(self, ids: Sequence[int], features: Any) -> Tensor:
        """The ids themselves: the model embeds them."""
        return torch.tensor(ids, dtype=torch.long, device=self.model.device)


def _lines(jobs: Sequence[Job]) -> list[Line]:
    return [line for index, job in enumerate(jobs) for line in lines_of(index, job)]
