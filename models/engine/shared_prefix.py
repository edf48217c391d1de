"""All questions about the same images at once: the prefix runs once, the questions as one packed row behind it.

Per group of questions: prefill the longest common token prefix of its prompts into a cache; run the rest of all prompts
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

from ..network import skip_unused
from ..parts.protocols import IMAGE_TOKEN, System
from . import packing
from .decoding import (
    AnswerDecoder,
    Draft,
    Job,
    Observer,
    Outcome,
    attention_mask,
    greedy,
    no_observer,
    rank,
    visual_tokens,
    without_ends,
)


@dataclass(frozen=True)
class PromptRow:
    """One row of tokens to run: a prompt to answer, or a prompt with one of its choices to score."""

    job: int
    tokens: tuple[int, ...]
    """The tokens to feed; a choice's last token predicts nothing and is left out."""
    logits: int
    """How many of the last positions' logits are wanted."""


def prompt_rows(index: int, job: Job) -> list[PromptRow]:
    """A job's rows."""
    if not job.choices:
        return [PromptRow(index, job.ids, 1)]
    start = job.answer_start
    return [PromptRow(index, ids[:-1], len(ids) - start) for ids in job.choice_ids]


def image_prefix(ids: Sequence[int]) -> tuple[int, ...]:
    """The prompt through its first image: prompts with equal heads share a prefix that holds at least this image."""
    return tuple(ids[: ids.index(IMAGE_TOKEN) + 1]) if IMAGE_TOKEN in ids else ()


def prefix_length(prompts: Sequence[PromptRow]) -> int:
    """How many tokens to prefill once: all that the prompts share, less what each must feed itself for its own logits.

    Nothing for a single prompt, which goes through in one piece.
    """
    if len(prompts) == 1:
        return 0
    return min(
        packing.common_prefix([prompt.tokens for prompt in prompts]),
        min(len(prompt.tokens) - prompt.logits for prompt in prompts),
    )


@dataclass(frozen=True)
class Prefix:
    """The cached tokens that prompts have in common."""

    columns: int
    """Their number."""
    shift: int = 0
    """What to add to a later token's place in its prompt to get its position."""


class PackedEngine(ABC):
    """Prefills what prompts share and runs the rest in packs behind it; how tokens go through a network is left open.

    Memory: one prefix and at most about `pack_tokens` tokens more.
    """

    decoder: AnswerDecoder
    lm: Any
    """The transformers model whose attention the masks are for."""

    @abstractmethod
    def _embed(self, ids: Sequence[int], features: Any) -> Tensor:
        """Tokens as the model takes them: (tokens, width) embeddings, or (tokens,) ids."""

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

    def _run(self, row: Tensor, cache: Any, positions_to_keep: Tensor, **settings: Any) -> Tensor:
        """Run (tokens, ...) behind the cache; logits (kept, vocabulary) at `positions_to_keep`, where the head runs."""
        logits: Tensor = self._forward(
            row,
            past_key_values=cache,  # per layer (1, heads, prefix + earlier, head_dim)
            use_cache=True,
            logits_to_keep=positions_to_keep,  # (kept,)
            **settings,
        ).logits[0]  # (1, kept, vocabulary) -> (kept, vocabulary)
        return logits

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
        """Prefill what the prompts share, then run them pack by pack behind it."""
        shared = prefix_length(prompts)
        cache = new_cache()
        prefix = self._prefill(prompts[0].tokens[:shared], features, cache) if shared else Prefix(0)
        kept = lengths(cache)
        rest = self._behind(prompts[0].tokens[:shared], features)
        suffixes = [self._embed(prompt.tokens[shared:], rest) for prompt in prompts]  # (suffix, ...) each
        packs = packing.pack([len(suffix) for suffix in suffixes], pack_tokens)
        for pack in packs:
            row = PackedRow(self, cache, prefix, [suffixes[index] for index in pack])
            logits = row.prefill([prompts[index].logits for index in pack])  # (kept, vocabulary) per suffix
            answering: dict[int, Draft] = {}
            for place, (index, rows) in enumerate(zip(pack, logits, strict=True)):
                prompt = prompts[index]
                if jobs[prompt.job].choices:
                    scored.setdefault(prompt.job, []).append(rows)
                else:
                    answering[place] = drafts[prompt.job] = Draft(jobs[prompt.job], self.decoder)
            row.generate(answering, {place: logits[place] for place in answering}, observe)
            if pack is not packs[-1]:
                crop(cache, kept)  # back to (1, heads, prefix, head_dim) for the next pack


class SharedPrefix(PackedEngine):
    """Answers all jobs about the same images, over a system."""

    def __init__(self, system: System) -> None:
        self.system = self.decoder = system
        self.lm: Any = system.network.language_model

    @torch.inference_mode()
    def answer(
        self, features: Sequence[Tensor], jobs: Sequence[Job], pack_tokens: int, observe: Observer = no_observer
    ) -> list[Outcome]:
        """Outcomes in the jobs' order. `features`: (visual tokens, width) of each image, in the order of the places."""
        buckets: dict[tuple[int, ...], list[PromptRow]] = {}
        for index, job in enumerate(jobs):
            for prompt in prompt_rows(index, job):
                buckets.setdefault(image_prefix(prompt.tokens), []).append(prompt)
        scored: dict[int, list[Tensor]] = {}
        drafts: dict[int, Draft] = {}
        for prompts in buckets.values():
            self._answer_group(prompts, jobs, features, pack_tokens, observe, drafts, scored)
        visual = visual_tokens(features)
        return [
            rank(job, scored[index], visual, observe) if job.choices else drafts[index].outcome(visual)
            for index, job in enumerate(jobs)
        ]

    def _prefill(self, ids: Sequence[int], features: Any, cache: Any) -> Prefix:
        """Nothing reads a prefix but through its keys and values, so the last layer's MLP runs at one place alone."""
        first = torch.zeros(1, dtype=torch.long, device=self.device)
        with skip_unused.last_mlp(self.lm, first, first):
            return super()._prefill(ids, features, cache)

    def _forward(self, row: Tensor, features: Any = None, **settings: Any) -> Any:
        """The features are in the row already."""
        return self.lm(inputs_embeds=row[None], **settings)

    def _behind(self, prefix: Sequence[int], features: Sequence[Tensor]) -> Sequence[Tensor]:
        """Those of the images whose places the prefix does not hold."""
        return features[prefix.count(IMAGE_TOKEN) :]

    def _embed(self, ids: Sequence[int], features: Sequence[Tensor] | None) -> Tensor:
        """Ids to (tokens, width), the next images' features in their places."""
        row = torch.tensor(ids, dtype=torch.long, device=self.device)
        return self.system.network.embed(row, (features or ())[: ids.count(IMAGE_TOKEN)])

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.system.module.parameters()).device


class PackedRow:
    """One packed row behind a cached prefix: the suffixes run once, then the answers are generated token by token."""

    def __init__(self, engine: PackedEngine, cache: Any, prefix: Prefix, suffixes: Sequence[Tensor]) -> None:
        self.engine, self.cache, self.prefix = engine, cache, prefix
        self.embeds = torch.cat(list(suffixes))  # (total, width), or (total,) ids
        self.lengths = [len(suffix) for suffix in suffixes]
        self.owner = packing.owners(self.lengths, prefix.columns)  # (prefix + total,)
        self.places = torch.arange(prefix.columns)
        """(columns,) where each column's token stands in its own prompt."""

    def prefill(self, keep: Sequence[int]) -> list[Tensor]:
        """Run all suffixes; for each, the float32 logits at its last `keep` positions: (keep, vocabulary)."""
        last = packing.ends(self.lengths).tolist()
        columns = [at for end, count in zip(last, keep, strict=True) for at in range(end - count + 1, end + 1)]
        before = self.prefix.columns
        alone = before == 0 and len(self.lengths) == 1
        visible = None if alone else packing.block_mask(self.lengths, before)  # (total, prefix + total)
        logits = self._forward(self.embeds, visible, packing.restart(self.lengths, before), columns)
        return list(torch.split(logits, list(keep)))

    def generate(self, drafts: dict[int, Draft], logits: dict[int, Tensor], observe: Observer) -> None:
        """Greedy answers of the suffixes at these places, until all are finished."""
        step = 0
        rows = torch.cat([logits[place] for place in drafts]) if drafts else None  # (live, vocabulary)
        live = list(drafts)
        while rows is not None:
            tokens: dict[int, int] = {}
            allowed = without_ends(rows, [drafts[place] for place in live])
            for place, row, best in zip(live, rows, greedy(allowed), strict=True):
                observe(drafts[place].job, step, row)
                if drafts[place].push(best):
                    tokens[place] = best.token
            live = list(tokens)
            rows = self._step(tokens, step) if live else None
            step += 1

    def _step(self, tokens: dict[int, int], step: int) -> Tensor:
        """Append one token for each live suffix: (live, vocabulary) logits of what comes next."""
        live = list(tokens)
        embeds = self.engine._embed(list(tokens.values()), None)  # (live, ...)
        self.owner = torch.cat([self.owner, torch.tensor(live, dtype=torch.long)])  # (columns,) grows by live
        positions = packing.step_positions(self.lengths, self.prefix.columns, live, step)
        return self._forward(embeds, packing.step_mask(self.owner, live), positions, list(range(len(live))))

    def _forward(self, embeds: Tensor, visible: Tensor | None, places: Tensor, columns: Sequence[int]) -> Tensor:
        """Run (tokens, ...) behind the cache: float32 logits (kept, vocabulary) at the columns to keep.

        `visible`: (tokens, columns) bool. `places`: (tokens,) in their own prompts.
        """
        device = embeds.device
        dtype = embeds.dtype if embeds.is_floating_point() else self.engine.lm.dtype
        self.places = torch.cat([self.places, places])
        lanes = None if visible is None else visible[None]  # one lane
        positions = (places + self.prefix.shift).to(device)[None]
        settings = self.engine._settings([self.prefix], lanes, self.places[None], positions, dtype)
        indices = torch.tensor(columns, dtype=torch.long, device=device)
        logits = self.engine._run(embeds, self.cache, indices, **settings)
        return logits.float()


def new_cache() -> Any:
    """An empty cache that keeps every position and is written in place."""
    from .lanes import cache  # imports transformers

    return cache.new_cache()


def lengths(cache: Any) -> list[int]:
    """How many columns each layer holds: an image's, in layers of cross-attention."""
    return [layer.get_seq_length() for layer in cache.layers]


def crop(cache: Any, kept: Sequence[int]) -> None:
    """Take all columns behind the first `kept` of each layer away; layers that came later keep none."""
    for index, layer in enumerate(cache.layers):
        layer.crop((kept[index] if index < len(kept) else 0) - layer.get_seq_length())
