"""What a stage minimises: rows to batches (in the worker that works ahead) and batches to a loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vlmbench.base.samples import Conversation
from vlmbench.base.trainable import Trainable

from ..recipe import teacher
from ..recipe.recipe import Feed, Stage
from ..scenes.batches import BatchShare, RowSource
from . import patches

IGNORE = -100
"""The label of a token that is not learned (Trainable.collate)."""
NOISE = 0.1
"""Noise on scenes in words, as a share of their size."""


class SceneObjective:
    """One stage's batches and losses over one model, from drawn scenes or a file's rows."""

    def __init__(
        self,
        model: Trainable,
        stage: Stage,
        source: RowSource,
        patch: int,
        vocabulary: Path | None,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        """`patch` is the vision tower's patch side; `vocabulary` the vocab.json that words are looked up in."""
        self._micro = range(rank, stage.accumulate, processes)
        self._model, self._stage, self._source, self._patch = model, stage, source, patch
        self._plain: Trainable = getattr(model, "student", model)
        """For rows that no teacher was asked about."""
        self._vocabulary = _vocabulary(vocabulary) if vocabulary is not None else {}
        self.heads = _heads(model, stage)

    def prepare(self, step: int) -> list[Mapping[str, Any]]:
        """The step's batches: one for each feed, as often as the stage accumulates."""
        return [
            self._batch(feed, step * self._stage.accumulate + part)
            for part in self._micro
            for feed in self._stage.feeds
        ]

    @property
    def moments(self) -> int:
        """Batches of a feed until its rows repeat."""
        every = self._stage.steps * self._stage.accumulate
        return min(every, self._stage.repeat or every)

    def asked(self, moment: int) -> list[Conversation]:
        """The rows of a moment that are questions about pictures."""
        return [row for feed in self._stage.feeds if teacher.asks(feed) for row in self._share(feed, moment).rows]

    def _share(self, feed: Feed, moment: int) -> BatchShare:
        """A feed's rows of a moment; where rows repeat, over the whole stage's numbers of things."""
        if repeat := self._stage.repeat:
            moment %= repeat
            return self._source.batch_share(feed, moment, moment * self._stage.steps // repeat)
        return self._source.batch_share(feed, moment, moment // self._stage.accumulate)

    def _batch(self, feed: Feed, moment: int) -> Mapping[str, Any]:
        portion = self._share(feed, moment)
        model = self._model if teacher.asks(feed) else self._plain
        batch = dict(model.collate(portion.rows, feed.template))
        if feed.kind == "patches":
            return {"images": batch["images"], "targets": patches.targets(portion.photos, self._patch)}
        if feed.kind == "match":
            words = patches.words(portion.photos, self._patch, self._vocabulary, things=False)
            return {"images": batch["images"], "words": words}
        if portion.known:
            batch["labels"] = _only(batch["labels"], portion.known)
        if feed.see != "pictures":
            things = feed.see == "things"
            del batch["images"]
            batch["words"] = patches.words(portion.photos, self._patch, self._vocabulary, things=things)
        return batch

    def pairs(self, batches: Sequence[Mapping[str, Any]]) -> list[tuple[Feed, Mapping[str, Any]]]:
        """Each batch with the feed it came from."""
        return list(zip(self._stage.feeds * len(self._micro), batches, strict=True))

    def loss(self, feed: Feed, batch: Mapping[str, Any]) -> Tensor:
        """A batch's share of what the step minimises: the sum over the step's batches is their weighted mean."""
        share = feed.weight / (self._stage.accumulate * sum(feed.weight for feed in self._stage.feeds))
        return self._loss(feed, batch) * share

    def _loss(self, feed: Feed, batch: Mapping[str, Any]) -> Tensor:
        if feed.kind == "patches":
            parts = self._model.parts()
            device = next(self.heads.parameters()).device
            features = parts["vision_tower"](batch["images"].to(device))
            if "connector" in self._stage.learns:
                features = parts["connector"].read(features)  # type: ignore[operator]
            # A class token stands in front of the patches.
            targets = batch["targets"].to(device)
            loss: Tensor = self.heads["patches"](features[:, -targets.shape[-1] :], targets)
            return loss
        if feed.kind == "match":
            return self._unlike(batch)
        if "words" in batch:
            table = self._model.parts()["language_model"].get_input_embeddings().weight  # type: ignore[operator]
            rest = {name: value for name, value in batch.items() if name != "words"}
            summed = patches.summed(table, batch["words"].to(table.device), NOISE)
            return self._model.loss({**rest, "prefix_embeds": summed})
        return self._model.loss(batch)

    def _unlike(self, batch: Mapping[str, Any]) -> Tensor:
        """How far what the connector makes of images is from the words in their places: 1 where it knows nothing."""
        parts = self._model.parts()
        table = parts["language_model"].get_input_embeddings().weight.detach()  # type: ignore[operator]
        targets = patches.summed(table, batch["words"].to(table.device), 0.0)
        embeddings = parts["connector"](parts["vision_tower"](batch["images"].to(table.device))).float()
        spread = (targets - targets.mean(dim=(0, 1))).square().mean()
        loss: Tensor = (embeddings - targets).square().mean() / spread
        return loss


def _only(labels: Tensor, known: Sequence[Sequence[bool]]) -> Tensor:
    """Labels of lists with the words hidden that nobody can know. A list is one token per word behind the image's."""
    hidden = torch.full_like(labels, IGNORE)
    for row, words in enumerate(known):
        keep = torch.tensor([False, *words])
        hidden[row, : len(keep)][keep] = labels[row, : len(keep)][keep]
    return hidden


def _vocabulary(path: Path) -> Mapping[str, int]:
    import json

    words: dict[str, int] = json.loads(path.read_text(encoding="utf-8"))
    return words


def _heads(model: Trainable, stage: Stage) -> nn.ModuleDict:
    """What learns beside the model's parts and is discarded with the stage."""
    if not any(feed.kind == "patches" for feed in stage.feeds):
        return nn.ModuleDict()
    part = model.parts()["connector" if "connector" in stage.learns else "vision_tower"]
    width = next(p.shape[0] for name, p in part.named_parameters() if "norm" in name)
    return nn.ModuleDict({"patches": patches.PatchHeads(width)})
