"""One packed row behind a prefix: the suffixes run once, then the answers are generated token by token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from ..parts import host
from . import packing
from .decoding import Best, Draft, Observer, choose


@dataclass(frozen=True)
class Prefix:
    """The cached tokens that prompts have in common."""

    columns: int
    """Their number."""
    shift: int = 0
    """What to add to a later token's place in its prompt to get its position."""


class RowEngine(Protocol):
    """What runs a row."""

    lm: Any
    """The transformers model whose attention the masks are for."""

    def _embed(self, ids: Sequence[int], features: Any) -> Tensor:
        """Tokens as the model takes them."""

    def _settings(
        self, prefixes: Sequence[Prefix], visible: Tensor | None, places: Tensor, positions: Tensor, dtype: torch.dtype
    ) -> dict[str, Any]:
        """What the model takes beside tokens and cache."""

    def run(self, row: Tensor, cache: Any, positions_to_keep: Tensor, **settings: Any) -> Tensor:
        """Run a row behind the cache: logits at `positions_to_keep`."""


class PackedRow:
    """One packed row behind a prefix: the suffixes run once, then the answers are generated token by token."""

    def __init__(
        self, engine: RowEngine, cache: Any, prefix: Prefix, suffixes: Sequence[Tensor], head: Tensor | None = None
    ) -> None:
        """`head`: the prefix's own tokens, (prefix, ...), where they are not in the cache but run with the suffixes."""
        self.engine, self.cache, self.prefix, self.head = engine, cache, prefix, head
        self.embeds, self.lengths = torch.cat([*suffixes]), [*map(len, suffixes)]  # (total, width), or (total,) ids
        self.owner = packing.owners(self.lengths, prefix.columns)  # (prefix + total,)
        self.tokens: dict[int, int] = {}
        """The last token of each answer that continues, by the suffix' place."""
        self.steps = 0
        """How many tokens each of them has."""
        self.places = torch.arange(prefix.columns if head is None else 0)
        """(columns,) where each column's token stands in its own prompt."""

    def prefill(self, keep: Sequence[int]) -> list[Tensor]:
        """Run all suffixes; for each, the float32 logits at its last `keep` positions: (keep, vocabulary)."""
        last = packing.ends(self.lengths).tolist()
        columns = [at for end, count in zip(last, keep, strict=True) for at in range(end - count + 1, end + 1)]
        before, row = self.prefix.columns, self.embeds
        cached = before if self.head is None else 0
        visible = packing.block_mask(self.lengths, before) if cached or len(self.lengths) > 1 else None
        places = packing.restart(self.lengths, before)
        if self.head is not None:
            row = torch.cat([self.head, row])  # (prefix + total, width)
            visible = None if visible is None else torch.cat([packing.prefix_mask(before, visible.shape[1]), visible])
            places = torch.cat([torch.arange(before), places])
        settings = self._settings(row, visible, places)
        indices = host.send(torch.tensor(columns, dtype=torch.long) + (before - cached), row.device)
        logits = self.engine.run(row, self.cache, indices, **settings)
        return list(torch.split(logits, list(keep)))

    def begin(self, drafts: dict[int, Draft], logits: Tensor, observe: Observer) -> None:
        """Answer the suffixes at these places; (answers, vocabulary) logits predict their first tokens."""
        self._drafts, self._observe = drafts, observe
        self.tokens = dict.fromkeys(drafts, 0)
        self.take(logits, choose(logits, self.drafts))

    @property
    def drafts(self) -> list[Draft]:
        """The answers that continue."""
        return [self._drafts[place] for place in self.tokens]

    def take(self, logits: Tensor, chosen: Sequence[Best]) -> None:
        """Take the next token of each live answer, chosen by (live, vocabulary) logits."""
        live, drafts = list(self.tokens), self.drafts
        self.tokens = {}
        for place, draft, row, best in zip(live, drafts, logits, chosen, strict=True):
            self._observe(draft.job, self.steps, row)
            if draft.push(best):
                self.tokens[place] = best.token
        self.steps += 1

    def next_inputs(self) -> tuple[Tensor, dict[str, Any]]:
        """The tokens chosen last, (live, ...), and what the model takes beside them; they are columns from now on."""
        live = list(self.tokens)
        embeds = self.engine._embed(list(self.tokens.values()), None)  # (live, ...)
        self.owner = torch.cat([self.owner, torch.tensor(live, dtype=torch.long)])  # (columns,) grows by live
        places = packing.step_positions(self.lengths, self.prefix.columns, live, self.steps - 1)
        return embeds, self._settings(embeds, packing.step_mask(self.owner, live), places)

    def _settings(self, embeds: Tensor, visible: Tensor | None, places: Tensor) -> dict[str, Any]:
        """What the model takes beside (tokens, ...). `visible`: (tokens, columns) bool. `places`: (tokens,)."""
        dtype = embeds.dtype if embeds.is_floating_point() else self.engine.lm.dtype
        self.places = torch.cat([self.places, places])
        lanes = None if visible is None else visible[None]  # one lane
        positions = host.send(places + self.prefix.shift, embeds.device)[None]
        return self.engine._settings([self.prefix], lanes, self.places[None], positions, dtype)
