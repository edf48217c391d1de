"""All questions about the same images at once: the prefix runs once, the questions as one packed row behind it.

Per group of questions: prefill the longest common token prefix of its prompts into a cache; run the rest of all prompts
as one row with a block mask and restarted positions (see packing); then append one token for each live answer to the
same row, step by step. A short prefix and its only pack are one row. Equal to one-by-one up to the order in which
floating-point sums are taken.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from ..network import skip_unused
from ..parts.protocols import IMAGE_TOKEN, System
from . import packing
from .decoding import (
    AnswerDecoder,
    Best,
    Draft,
    Job,
    Observer,
    Outcome,
    PromptRow,
    attention_mask,
    choose,
    image_prefix,
    no_observer,
    prefix_length,
    prompt_rows,
    rank,
    visual_tokens,
)
from .lanes.columns import column_bytes, crop, lengths
from .packed_row import PackedRow, Prefix


class PackedEngine(ABC):
    """Prefills what prompts share and runs the rest in packs behind it; how tokens go through a network is open."""

    decoder: AnswerDecoder
    lone = ""
    """Why its lanes cannot go beside others; empty where that is tried."""
    joins_prefix = False
    """Whether a prefix may go through the network in one row with the prompts behind it, where all are short."""
    column_bytes = 0
    """Bytes that a column of keys and values takes in all layers: 0 before the first lane has run."""
    lm: Any
    """The transformers model whose attention the masks are for."""

    prefix_length = staticmethod(prefix_length)
    """How many tokens of some prompts to prefill once."""

    @abstractmethod
    def _embed(self, ids: Sequence[int], features: Any) -> Tensor:
        """Tokens as the model takes them: (tokens, width) embeddings, or (tokens,) ids."""

    def _embed_each(self, rows: Sequence[Sequence[int]], features: Any) -> Sequence[Tensor]:
        """`_embed` for each of some rows; text alone is looked up at once."""
        if any(IMAGE_TOKEN in ids for ids in rows):
            return [self._embed(ids, features) for ids in rows]
        return torch.split(self._embed([*chain.from_iterable(rows)], features), [len(ids) for ids in rows])

    @abstractmethod
    def _forward(self, row: Tensor, features: Any = None, **settings: Any) -> Any:
        """Run one row, (tokens, ...), through the model. `features`: those of the image, where the row is a prefix."""

    def _behind(self, prefix: Sequence[int], features: Any) -> Any:
        """The features of the images behind a prefix; all of a prompt's are in its prefix unless an engine says so."""
        return features

    def _prefill(self, ids: Sequence[int], features: Any, cache: Any) -> Prefix:
        """Run the prefix and fill the cache, (1, heads, prefix, head_dim) per layer."""
        row = self._embed(ids, features)  # (prefix, ...)
        positions = torch.arange(len(row), device=row.device)  # (prefix,)
        self._forward(
            row, features, position_ids=positions[None], past_key_values=cache, use_cache=True, logits_to_keep=1
        )
        return Prefix(len(row))

    def _settings(
        self, prefixes: Sequence[Prefix], visible: Tensor | None, places: Tensor, positions: Tensor, dtype: torch.dtype
    ) -> dict[str, Any]:
        """What the model takes beside tokens and cache, for lanes that run together: one packed row behind each prefix.

        `visible`: (lanes, tokens, columns) bool, None for the model's own mask. `places`: (lanes, columns) each
        column's place in its own prompt; the row's tokens are the last ones. `positions`: (lanes, tokens).
        """
        mask = None if visible is None else attention_mask(visible, self.lm, positions.device, dtype)
        return {"attention_mask": mask, "position_ids": positions}

    def run(self, row: Tensor, cache: Any, positions_to_keep: Tensor, **settings: Any) -> Tensor:
        """Run (tokens, ...) behind the cache: (kept, vocabulary) float32 logits at `positions_to_keep`."""
        logits: Tensor = self._forward(
            row,
            past_key_values=cache,  # per layer (1, heads, prefix + earlier, head_dim)
            use_cache=True,
            logits_to_keep=positions_to_keep,  # (kept,), where the head runs
            **settings,
        ).logits[0]  # (1, kept, vocabulary) -> (kept, vocabulary)
        return logits.float()

    def _columns(self, tokens: Sequence[int], features: Any) -> int:
        """How many columns some tokens take."""
        return len(tokens)

    def _visual(self, features: Any) -> int:
        """How many tokens an image takes beside those in a job's ids."""
        return 0

    @abstractmethod
    def buckets(self, jobs: Sequence[Job]) -> list[list[PromptRow]]:
        """The rows of jobs about the same images, by the prefix that they share: a lane for each."""

    @torch.inference_mode()
    def answer(
        self, features: Any, jobs: Sequence[Job], pack_tokens: int, observe: Observer = no_observer
    ) -> list[Outcome]:
        """Outcomes of jobs about the same images in the jobs' order, with nothing else beside them."""
        group = Group(self, features, jobs, observe)
        for prompts in self.buckets(jobs):
            lane = Lane(group, prompts, Limits(pack_tokens))
            lane.start()
            while lane.live:
                logits = lane.run(*lane.next_inputs())
                lane.take(logits, choose(logits, lane.drafts))
        return group.outcomes()


@dataclass(frozen=True)
class Limits:
    """What a pack of prompts may take at most; a prompt that takes more has a pack of its own."""

    tokens: int = 512
    """Tokens that go through the network at once; an eighth more where that saves a pack."""
    rows: int = 0
    """Rows; 0: any number."""
    columns: int = 0
    """Columns of keys and values, the prefix' included, answers at their longest; 0: any number."""


class Group:
    """Jobs about the same images while they are answered."""

    def __init__(self, engine: PackedEngine, features: Any, jobs: Sequence[Job], observe: Observer) -> None:
        self.engine, self.features, self.jobs, self.observe = engine, features, jobs, observe
        self.drafts: dict[int, Draft] = {}
        self.scored: dict[int, list[Tensor]] = {}
        """For each job with choices, the logits that predict each choice: (scored tokens, vocabulary)."""

    def outcomes(self) -> list[Outcome]:
        """The results in the jobs' order, once all lanes are at their end."""
        visual = self.engine._visual(self.features)
        scored = [(job, self.scored[index]) for index, job in enumerate(self.jobs) if job.choices]
        ranked = iter(rank(scored, visual, self.observe))
        return [
            next(ranked) if job.choices else self.drafts[index].outcome(visual) for index, job in enumerate(self.jobs)
        ]


class Lane:
    """Prompts with a common prefix: it runs once, the rest pack by pack behind it, each answered token by token.

    Memory: the prefix, and one pack with its answers.
    """

    def __init__(self, group: Group, prompts: Sequence[PromptRow], limits: Limits) -> None:
        self.group, self.engine, self.prompts = group, group.engine, prompts
        self._shared = self.engine.prefix_length(prompts)
        self._head = prompts[0].tokens[: self._shared]
        self._rest = self.engine._behind(self._head, group.features)
        prefix = self.engine._columns(self._head, group.features)
        suffixes = [self.engine._columns(prompt.tokens[self._shared :], self._rest) for prompt in prompts]
        taken = [suffix + self._longest(prompt) for suffix, prompt in zip(suffixes, prompts, strict=True)]
        measures = [(suffix, 1, most) for suffix, most in zip(suffixes, taken, strict=True)]
        room = max(limits.columns - prefix, 1) if limits.columns else 0
        self._packs = packing.even_packs(measures, (limits.tokens, limits.rows, room))
        self.rows = max(map(len, self._packs))
        """Answers that go on at the same time."""
        self.columns = prefix + max(sum(taken[index] for index in pack) for pack in self._packs)
        """Columns of keys and values that it takes at most."""
        self._soon = prefix + max(sum(suffixes[index] for index in pack) for pack in self._packs)
        self._joined = bool(
            self.engine.joins_prefix and self._shared and len(self._packs) == 1 and self._soon <= limits.tokens
        )
        self.cache: Any = None
        self._row: PackedRow | None = None

    def _longest(self, prompt: PromptRow) -> int:
        job = self.group.jobs[prompt.job]
        return 0 if job.choices else job.generation.longest

    @property
    def live(self) -> int:
        """Answers that continue."""
        return len(self._row.tokens) if self._row else 0

    @property
    def claim(self) -> int:
        """Answers that continue now, or will."""
        return max(self.live, *map(len, self._packs)) if self._packs else self.live

    @property
    def held_bytes(self) -> int:
        """Bytes of its keys and values, with room for more."""
        return sum(getattr(layer, "nbytes", 0) for layer in self.cache.layers)

    @torch.inference_mode()
    def start(self, cache: Any = None) -> None:
        """Run the prefix and the first pack. `cache`: an empty one with room for `columns`."""
        self.cache = new_cache(self.columns, self._soon) if cache is None else cache
        self._prefix = self._prefilled()
        self._kept = lengths(self.cache)
        self._next_pack()

    def _prefilled(self) -> Prefix:
        """The prefix, in the cache unless it goes through the network with the only pack."""
        if self._joined:
            return Prefix(self.engine._columns(self._head, self.group.features))
        return self.engine._prefill(self._head, self.group.features, self.cache) if self._shared else Prefix(0)

    def next_inputs(self) -> tuple[Tensor, dict[str, Any]]:
        """A token of each live answer, (live, ...), and what the model takes beside them."""
        assert self._row is not None
        return self._row.next_inputs()

    @torch.inference_mode()
    def run(self, row: Tensor, settings: Mapping[str, Any]) -> Tensor:
        """What `next_inputs` gave, run behind the lane's cache: (live, vocabulary) float32 logits."""
        return self.engine.run(row, self.cache, torch.arange(len(row), device=row.device), **settings)

    @property
    def drafts(self) -> list[Draft]:
        """The answers that continue."""
        return self._row.drafts if self._row else []

    @torch.inference_mode()
    def take(self, logits: Tensor, chosen: Sequence[Best]) -> None:
        """Take the next token of each live answer, chosen by (live, vocabulary) logits; a pack that is done is
        replaced.
        """
        assert self._row is not None
        self._row.take(logits, chosen)
        self._next_pack()

    def _next_pack(self) -> None:
        """Run packs until an answer continues, or none is left."""
        while self._packs and not self.live:
            crop(self.cache, self._kept)  # back to (1, heads, prefix, head_dim)
            prompts, jobs = [self.prompts[index] for index in self._packs.pop(0)], self.group.jobs
            suffixes = self.engine._embed_each([prompt.tokens[self._shared :] for prompt in prompts], self._rest)
            head = self.engine._embed(self._head, self.group.features) if self._joined else None
            self._row = PackedRow(self.engine, self.cache, self._prefix, suffixes, head)
            logits = self._row.prefill([prompt.logits for prompt in prompts])  # (kept, vocabulary) per suffix
            self.engine.column_bytes = column_bytes(self.cache)
            answering: dict[int, Draft] = {}
            for place, (prompt, rows) in enumerate(zip(prompts, logits, strict=True)):
                if jobs[prompt.job].choices:
                    self.group.scored.setdefault(prompt.job, []).append(rows)
                else:
                    answering[place] = self.group.drafts[prompt.job] = Draft(jobs[prompt.job], self.engine.decoder)
            if answering:
                self._row.begin(answering, torch.cat([logits[place] for place in answering]), self.group.observe)
        if not self.live:
            self.cache = self._row = None


class SharedPrefix(PackedEngine):
    """Answers all jobs about the same images, over a system."""

    joins_prefix = True

    def __init__(self, system: System) -> None:
        self.system = self.decoder = system
        self.lm: Any = system.network.language_model
        self.column_bytes = self._expected_column_bytes()

    def _expected_column_bytes(self) -> int:
        """By the config; 0 where that does not tell."""
        names = ("num_hidden_layers", "num_attention_heads", "num_key_value_heads", "hidden_size", "head_dim")
        numbers = [getattr(self.lm.config, name, None) or 0 for name in names]
        if not all(isinstance(number, int) for number in numbers):
            return 0
        layers, queries, heads, hidden, width = numbers
        return int(2 * layers * (heads or queries) * (width or hidden // max(queries, 1)) * self.lm.dtype.itemsize)

    def buckets(self, jobs: Sequence[Job]) -> list[list[PromptRow]]:
        """By all that stands before the first image: no prefix ends in between."""
        buckets: dict[tuple[int, ...], list[PromptRow]] = {}
        for index, job in enumerate(jobs):
            for prompt in prompt_rows(index, job):
                buckets.setdefault(image_prefix(prompt.tokens), []).append(prompt)
        return list(buckets.values())

    def _columns(self, tokens: Sequence[int], features: Sequence[Tensor]) -> int:
        """With the next images' features in their places."""
        return len(tokens) + sum(len(image) - 1 for image in features[: tokens.count(IMAGE_TOKEN)])

    def _visual(self, features: Sequence[Tensor]) -> int:
        return visual_tokens(features)

    def _prefill(self, ids: Sequence[int], features: Any, cache: Any) -> Prefix:
        """Nothing reads a prefix but through its keys and values, so the last layer's MLP runs at one place alone."""
        first = torch.zeros(1, dtype=torch.long, device=self.device)
        with skip_unused.last_mlp(self.lm, first, first):
            return super()._prefill(ids, features, cache)

    def run(self, row: Tensor, cache: Any, positions_to_keep: Tensor, **settings: Any) -> Tensor:
        """Nor does anything read more of a row than these logits: its last MLP runs at their places."""
        with skip_unused.last_mlp(self.lm, torch.zeros_like(positions_to_keep), positions_to_keep):
            return super().run(row, cache, positions_to_keep, **settings)

    def _forward(self, row: Tensor, features: Any = None, **settings: Any) -> Any:
        """The features are in the row already."""
        return self.lm(inputs_embeds=row[None], **settings)

    def _behind(self, prefix: Sequence[int], features: Sequence[Tensor]) -> Sequence[Tensor]:
        """Those of the images whose places the prefix does not hold."""
        return features[prefix.count(IMAGE_TOKEN) :]

    def _embed(self, ids: Sequence[int], features: Sequence[Tensor] | None) -> Tensor:
        """Ids to (tokens, width), the next images' features in their places."""
        shown = (features or ())[: ids.count(IMAGE_TOKEN)]
        return self.system.network.embed(torch.tensor(ids, dtype=torch.long), shown)

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.system.module.parameters()).device


def new_cache(most: int = 0, soon: int = 0) -> Any:
    """An empty cache that keeps every position and is written in place (see lanes/cache)."""
    from .lanes import cache  # imports transformers

    return cache.new_cache(most, soon)
