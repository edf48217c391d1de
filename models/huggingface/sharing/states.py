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

from ...engine.decoding import (
    Draft,
    Job,
    Observer,
    Outcome,
    choose,
    no_observer,
    prefix_length,
    prompt_rows,
    rank,
)
from ...parts import host
from .packed import HfPrefix, HfSharedPrefix, Rendered

ROWS = 16
"""Most questions that go together: each holds a copy of the prefix's keys and values."""


class StateRows(HfSharedPrefix):
    """Answers all jobs about the same images behind copies of one prefix's state."""

    lone = "each answer has a copy of its image's state"
    """Why answers about other images do not go on beside these."""

    @torch.inference_mode()
    def answer(
        self, prompt: Rendered, jobs: Sequence[Job], pack_tokens: int, observe: Observer = no_observer
    ) -> list[Outcome]:
        """Outcomes in the jobs' order; the jobs must have passed `can_share`. `prompt`: of one of them."""
        rows = [row for index, job in enumerate(jobs) for row in prompt_rows(index, job)]
        shared, cache = prefix_length(rows), new_cache(self.model)
        prefix = self._prefill(rows[0].tokens[:shared], prompt, cache)
        suffixes = [self._embed(row.tokens[shared:], None) for row in rows]
        scores: dict[int, Tensor] = {}
        drafts: dict[int, Draft] = {}
        for part in equally_long([len(suffix) for suffix in suffixes], pack_tokens):
            batch = StateBatch(
                self, copied(cache, len(part), self.model.device), prefix, [suffixes[index] for index in part]
            )
            logits = batch.prefill([rows[index].logits for index in part])
            answering: dict[int, Draft] = {}
            for place, index in enumerate(part):
                job = jobs[rows[index].job]
                if job.choices:
                    scores[index] = logits[place]
                else:
                    answering[place] = drafts[rows[index].job] = Draft(job, self.decoder)
            batch.generate(answering, {place: logits[place] for place in answering}, observe)
        ranked: dict[int, list[Tensor]] = {}
        for index in sorted(scores):  # a job's choices in their order
            ranked.setdefault(rows[index].job, []).append(scores[index])
        scored = iter(rank([(jobs[index], ranked[index]) for index in sorted(ranked)], 0, observe))
        return [next(scored) if job.choices else drafts[index].outcome(0) for index, job in enumerate(jobs)]


class StateBatch:
    """Equally long questions as rows of a batch, each behind its own copy of the prefix's state."""

    def __init__(self, engine: StateRows, cache: Any, prefix: HfPrefix, suffixes: Sequence[Tensor]) -> None:
        self.engine, self.cache, self.prefix = engine, cache, prefix
        self.ids = torch.stack(list(suffixes))  # (rows, tokens)
        self.rows = list(range(len(suffixes)))
        """Which suffix each row of the batch goes on with."""

    def prefill(self, keep: Sequence[int]) -> list[Tensor]:
        """Run all suffixes; for each, the float32 logits at its last `keep` positions: (keep, vocabulary)."""
        logits = self._batch(self.ids, torch.arange(self.ids.shape[1]), max(keep))  # (rows, most kept, vocabulary)
        return [row[-count:] for row, count in zip(logits, keep, strict=True)]

    def generate(self, drafts: dict[int, Draft], logits: dict[int, Tensor], observe: Observer) -> None:
        """Answers of the suffixes at these places, until all are finished. `logits`: (1, vocabulary) of each."""
        live, step = list(drafts), 0
        scores = torch.cat([logits[place] for place in live]) if live else None  # (live, vocabulary)
        while scores is not None:
            tokens: dict[int, int] = {}
            answers = [drafts[place] for place in live]
            best = choose(scores, answers)
            for place, draft, row, chosen in zip(live, answers, scores, best, strict=True):
                observe(draft.job, step, row)
                if draft.push(chosen):
                    tokens[place] = chosen.token
            live = list(tokens)
            scores = self._step(tokens, step) if live else None
            step += 1

    def _step(self, tokens: dict[int, int], step: int) -> Tensor:
        """One token more for each live suffix: (live, vocabulary) logits. Rows of finished ones are dropped."""
        live = list(tokens)
        if live != self.rows:
            kept = torch.tensor([self.rows.index(place) for place in live])
            self.cache.reorder_cache(host.send(kept, self.ids.device))
            self.rows = live
        ids = self.engine._embed(list(tokens.values()), None)[:, None]  # (live, 1)
        return self._batch(ids, torch.tensor([self.ids.shape[1] + step]), 1)[:, 0]

    def _batch(self, ids: Tensor, behind: Tensor, keep: int) -> Tensor:
        """(rows, tokens) ids to (rows, kept, vocabulary) float32 logits. `behind`: (tokens,) places behind it."""
        places = (self.prefix.columns + behind).expand(len(ids), -1)  # (rows, tokens)
        positions = host.send(places + self.prefix.shift, ids.device)
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


def new_cache(model: Any) -> Any:
    """An empty cache with what each layer of this model keeps."""
    from transformers import DynamicCache

    return DynamicCache(config=model.config.get_text_config(decoder=True))


def copied(cache: Any, rows: int, device: torch.device) -> Any:
    """A cache of one row as one of `rows` equal rows that may be written to."""
    copies = copy.deepcopy(cache)
    copies.reorder_cache(torch.zeros(rows, dtype=torch.long, device=device))
    return copies
