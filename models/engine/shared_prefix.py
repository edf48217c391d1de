"""All questions about a picture at once: the prefix is worked on once, the questions run as one packed row behind it.

Per picture: encode it; prefill the longest common token prefix of its prompts into a cache; run the rest of all prompts
as one row with a block mask and restarted positions (see packing); then append one token for each live answer to the
same row, step by step. Equal to one-by-one up to the order in which floating-point sums are taken.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..parts.protocols import IMAGE_TOKEN, System
from . import packing
from .decoding import Draft, Job, Observer, Outcome, Words, attention_mask, greedy, nobody, rank


@dataclass(frozen=True)
class Line:
    """One row of tokens to run: a prompt to answer, or a prompt with one of its choices to score."""

    job: int
    feed: tuple[int, ...]
    """The tokens to feed; a choice's last token predicts nothing and is left out."""
    keep: int
    """How many of the last positions' logits are wanted."""


def lines_of(index: int, job: Job) -> list[Line]:
    """A job's rows."""
    if not job.choices:
        return [Line(index, job.ids, 1)]
    start = job.answer_start
    return [Line(index, ids[:-1], len(ids) - start) for ids in job.choice_ids]


def head(ids: Sequence[int]) -> tuple[int, ...]:
    """The prompt through its picture: only prompts with equal heads can share a prefix that holds the picture."""
    return tuple(ids[: ids.index(IMAGE_TOKEN) + 1]) if IMAGE_TOKEN in ids else ()


def prefix_length(lines: Sequence[Line]) -> int:
    """How many tokens to prefill once: all that the lines share, less what each must feed itself for its own logits.

    Nothing for a single line, which goes through in one piece.
    """
    if len(lines) == 1:
        return 0
    return min(packing.common_prefix([line.feed for line in lines]), min(len(line.feed) - line.keep for line in lines))


class Packed(ABC):
    """Prefills what prompts share and runs the rest in packs behind it; how tokens go through a network is left open.

    Memory: one prefix and at most about `pack_tokens` tokens more.
    """

    words: Words
    lm: Any
    """The transformers model whose attention the masks are for."""

    @abstractmethod
    def _embed(self, ids: Sequence[int], features: Any) -> Tensor:
        """What stands for these tokens in a row: (tokens, ...)."""

    @abstractmethod
    def _forward(self, row: Tensor, features: Any = None, **settings: Any) -> Any:
        """What the model makes of a row. `features`: the picture's, where the row is a prefix."""

    def _prefill(self, ids: Sequence[int], features: Any, cache: Any) -> int:
        """Run the prefix into the cache. Returns its length with the picture's tokens."""
        row = self._embed(ids, features)
        places = torch.arange(len(row), device=row.device)
        self._forward(row, features, position_ids=places[None], past_key_values=cache, use_cache=True, logits_to_keep=1)
        return len(row)

    def _run(self, row: Tensor, mask: Tensor | None, positions: Tensor, cache: Any, wanted: Tensor) -> Tensor:
        """(tokens, ...) behind the cache to logits, (wanted, vocabulary); the head runs on the wanted places alone."""
        logits: Tensor = self._forward(
            row,
            attention_mask=mask,
            position_ids=positions[None],
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=wanted,
        ).logits[0]
        return logits

    def _bucket(
        self,
        lines: Sequence[Line],
        jobs: Sequence[Job],
        features: Any,
        pack_tokens: int,
        observe: Observer,
        drafts: dict[int, Draft],
        scored: dict[int, list[Tensor]],
    ) -> None:
        """Prefill what the lines share, then run them pack by pack behind it."""
        shared = prefix_length(lines)
        cache = new_cache()
        prefix = self._prefill(lines[0].feed[:shared], features, cache) if shared else 0
        suffixes = [self._embed(line.feed[shared:], features) for line in lines]
        packs = packing.pack([len(suffix) for suffix in suffixes], pack_tokens)
        for pack in packs:
            row = Row(self, cache, prefix, [suffixes[index] for index in pack])
            logits = row.read([lines[index].keep for index in pack])
            answering: dict[int, Draft] = {}
            for place, (index, rows) in enumerate(zip(pack, logits, strict=True)):
                line = lines[index]
                if jobs[line.job].choices:
                    scored.setdefault(line.job, []).append(rows)
                else:
                    answering[place] = drafts[line.job] = Draft(jobs[line.job], self.words)
            row.write(answering, {place: logits[place] for place in answering}, observe)
            if pack is not packs[-1]:
                cache.crop(-row.added)


class SharedPrefix(Packed):
    """Answers all jobs about one picture, over an assembled system."""

    def __init__(self, system: System) -> None:
        self.system = self.words = system
        self.lm: Any = system.network.language_model

    @torch.inference_mode()
    def answer(
        self, pixels: Tensor | None, jobs: Sequence[Job], pack_tokens: int, observe: Observer = nobody
    ) -> list[Outcome]:
        """Outcomes in the jobs' order. `pixels`: (3, height, width) on the network's device; None: no image."""
        features = None if pixels is None else self.system.network.image_features(pixels[None])[0]
        buckets: dict[tuple[int, ...], list[Line]] = {}
        for index, job in enumerate(jobs):
            for line in lines_of(index, job):
                buckets.setdefault(head(line.feed), []).append(line)
        scored: dict[int, list[Tensor]] = {}
        drafts: dict[int, Draft] = {}
        for lines in buckets.values():
            self._bucket(lines, jobs, features, pack_tokens, observe, drafts, scored)
        visual = 0 if features is None else features.shape[0]
        return [
            rank(job, scored[index], visual, observe) if job.choices else drafts[index].outcome(visual)
            for index, job in enumerate(jobs)
        ]

    def _forward(self, row: Tensor, features: Any = None, **settings: Any) -> Any:
        """The features are in the row already."""
        return self.lm(inputs_embeds=row[None], **settings)

    def _embed(self, ids: Sequence[int], features: Tensor | None) -> Tensor:
        """Ids to (tokens, width), the picture's features in its place."""
        row = torch.tensor(ids, dtype=torch.long, device=self.device)
        return self.system.network.embed(row, features if IMAGE_TOKEN in ids else None)

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.system.module.parameters()).device


class Row:
    """One packed row behind a cached prefix: the suffixes are read once, then the answers written token by token."""

    def __init__(self, engine: Packed, cache: Any, prefix: int, suffixes: Sequence[Tensor]) -> None:
        self.engine, self.cache, self.prefix = engine, cache, prefix
        self.embeds = torch.cat(list(suffixes))
        self.lengths = [len(suffix) for suffix in suffixes]
        self.owner = packing.owners(self.lengths, prefix)
        self.added = 0
        """Columns this row has added to the cache."""

    def read(self, keep: Sequence[int]) -> list[Tensor]:
        """Run all suffixes; for each, the float32 logits at its last `keep` positions: (keep, vocabulary)."""
        last = packing.ends(self.lengths).tolist()
        wanted = [at for end, count in zip(last, keep, strict=True) for at in range(end - count + 1, end + 1)]
        alone = self.prefix == 0 and len(self.lengths) == 1
        seen = None if alone else packing.block_mask(self.lengths, self.prefix)
        logits = self._forward(self.embeds, seen, packing.restart(self.lengths, self.prefix), wanted)
        return list(torch.split(logits, list(keep)))

    def write(self, drafts: dict[int, Draft], logits: dict[int, Tensor], observe: Observer) -> None:
        """Greedy answers of the suffixes at these places, until all are finished."""
        step = 0
        rows = torch.cat([logits[place] for place in drafts]) if drafts else None
        live = list(drafts)
        while rows is not None:
            tokens: dict[int, int] = {}
            for place, row, best in zip(live, rows, greedy(rows), strict=True):
                observe(drafts[place].job, step, row)
                if drafts[place].push(best):
                    tokens[place] = best.token
            live = list(tokens)
            rows = self._step(tokens, step) if live else None
            step += 1

    def _step(self, tokens: dict[int, int], step: int) -> Tensor:
        """Append one token for each live suffix: (live, vocabulary) logits of what comes next."""
        live = list(tokens)
        embeds = self.engine._embed(list(tokens.values()), None)
        self.owner = torch.cat([self.owner, torch.tensor(live, dtype=torch.long)])
        positions = packing.step_positions(self.lengths, self.prefix, live, step)
        return self._forward(embeds, packing.step_mask(self.owner, live), positions, list(range(len(live))))

    def _forward(self, embeds: Tensor, seen: Tensor | None, positions: Tensor, wanted: Sequence[int]) -> Tensor:
        """Tokens behind the cache to (wanted, vocabulary) float32."""
        device = embeds.device
        dtype = embeds.dtype if embeds.is_floating_point() else self.engine.lm.dtype
        mask = None if seen is None else attention_mask(seen, self.engine.lm, device, dtype)
        kept = torch.tensor(wanted, dtype=torch.long, device=device)
        logits = self.engine._run(embeds, mask, positions.to(device), self.cache, kept)
        self.added += len(embeds)
        return logits.float()


def new_cache() -> Any:
    """An empty cache that keeps every position."""
    from transformers import DynamicCache

    return DynamicCache()
