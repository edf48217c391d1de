"""The images' prefix once, its state copied for each question about them: for models that a packed row does not suit.

Layers of linear attention and convolutions keep a state instead of positions, so tokens of several questions cannot lie
in one row; nor can they where attention takes no block mask. Here each question is a row of a batch behind a copy of
all that the prefix left in the cache. Only questions with equally many tokens go together: no row is padded, so that
the model's own masks hold.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ...engine.decoding import Draft, Job, Observer
from ...engine.shared_prefix import PackedRow, PromptRow, prefix_length
from .packed import HfPrefix, HfSharedPrefix

ROWS = 16
"""Most questions that go together: each holds a copy of the prefix's keys and values."""


class StateRows(HfSharedPrefix):
    """Answers all jobs about the same images behind copies of one prefix's state."""

    def new_cache(self) -> Any:
        """An empty cache with what each layer of this model keeps."""
        from transformers import DynamicCache

        return DynamicCache(config=self.model.config.get_text_config(decoder=True))

    def _answer_group(
        self,
        prompts: Sequence[PromptRow],
        jobs: Sequence[Job],
        features: Any,
        pack_tokens: int,
        observe: Observer,
        drafts: dict[int, Draft],
        scored: dict[int, list[Tensor]],
    ) -> None:
        """Prefill what the prompts share, then run the rest of them, equally long ones together."""
        shared, cache = prefix_length(prompts), self.new_cache()
        prefix = self._prefill(prompts[0].tokens[:shared], features, cache)
        lengths = [len(prompt.tokens) - shared for prompt in prompts]
        found: dict[int, Tensor] = {}
        for part in equally_long(lengths, pack_tokens):
            suffixes = [self._embed(prompts[index].tokens[shared:], None) for index in part]
            batch = StateBatch(self, copied(cache, len(part)), prefix, suffixes)
            logits = batch.prefill([prompts[index].logits for index in part])
            found |= {index: rows for index, rows in zip(part, logits, strict=True) if jobs[prompts[index].job].choices}
            answering = {place: index for place, index in enumerate(part) if index not in found}
            for index in answering.values():
                drafts[prompts[index].job] = Draft(jobs[prompts[index].job], self.decoder)
            live = {place: drafts[prompts[index].job] for place, index in answering.items()}
            batch.generate(live, {place: logits[place] for place in live}, observe)
        for index in sorted(found):  # a job's choices in their order
            scored.setdefault(prompts[index].job, []).append(found[index])


class StateBatch(PackedRow):
    """Equally long questions as rows of a batch, each behind its own copy of the prefix's state."""

    engine: StateRows
    prefix: HfPrefix

    def __init__(self, engine: StateRows, cache: Any, prefix: HfPrefix, suffixes: Sequence[Tensor]) -> None:
        super().__init__(engine, cache, prefix, suffixes)
        self.rows = list(range(len(suffixes)))
        """Which suffix each row of the batch goes on with."""

    def prefill(self, keep: Sequence[int]) -> list[Tensor]:
        """Run all suffixes; for each, the float32 logits at its last `keep` positions: (keep, vocabulary)."""
        tokens = self.embeds.view(len(self.rows), -1)  # (rows, tokens)
        logits = self._batch(tokens, torch.arange(tokens.shape[1]), max(keep))  # (rows, most kept, vocabulary)
        return [row[-count:] for row, count in zip(logits, keep, strict=True)]

    def _step(self, tokens: dict[int, int], step: int) -> Tensor:
        """One token more for each live suffix; rows of those that are finished are dropped."""
        live = list(tokens)
        if live != self.rows:
            self.cache.reorder_cache(torch.tensor([self.rows.index(place) for place in live]))
            self.rows = live
        ids = self.engine._embed(list(tokens.values()), None)[:, None]  # (live, 1)
        return self._batch(ids, torch.tensor([self.lengths[0] + step]), 1)[:, 0]

    def _batch(self, ids: Tensor, behind: Tensor, keep: int) -> Tensor:
        """(rows, tokens) ids to (rows, kept, vocabulary) float32 logits. `behind`: (tokens,) places behind it."""
        places = (self.prefix.columns + behind).expand(len(ids), -1)  # (rows, tokens)
        positions = (places + self.prefix.shift).to(ids.device)
        prefixes = [self.prefix] * len(ids)
        settings = self.engine._settings(prefixes, None, places, positions, self.engine.model.dtype)
        output = self.engine.model(
            input_ids=ids, past_key_values=self.cache, use_cache=True, logits_to_keep=keep, **settings
        )
        logits: Tensor = output.logits
        return logits.float()


def equally_long(lengths: Sequence[int], limit: int) -> list[list[int]]:
    """Indices of suffixes, those of one length together: at most `limit` tokens and ROWS rows, but always one."""
    by_length: dict[int, list[int]] = {}
    for index, length in enumerate(lengths):
        by_length.setdefault(length, []).append(index)
    parts = []
    for length, same in by_length.items():
        most = max(1, min(ROWS, limit // length))
        parts += [same[first : first + most] for first in range(0, len(same), most)]
    return parts


def copied(cache: Any, rows: int) -> Any:
    """A cache of one row as one of `rows` equal rows that may be written to."""
    copies = copy.deepcopy(cache)
    copies.reorder_cache(torch.zeros(rows, dtype=torch.long))
    return copies
