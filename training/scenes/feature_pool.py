"""Batches of rows that are read from files: which rows a micro-batch holds, and what the vision tower saw of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from vlmbench.base.errors import DataError, TrainingError
from vlmbench.base.samples import Conversation
from vlmbench.base.trainable import Trainable

from .. import sources
from ..recipe.plan import steps_of
from ..recipe.recipe import Feed, Pool, Recipe, Stage
from ..sources import Features, Mixture, Part, Rows, Stream
from .dataset import Scenes

CACHE_LIMIT = 50 * 2**30
"""Bytes that the cache of features may hold."""


def open_pool(pool: Pool, recipe: Recipe, seed: int) -> Rows | Stream:
    """A pool's rows. Raises DataError where it cannot be read, with the setting that names the file."""
    try:
        return _opened(pool, recipe, seed)
    except (TypeError, ValueError) as error:
        message = f"options {dict(pool.options)} do not fit kind {pool.kind!r}: {error}"
        raise TrainingError(message, where=f"pool {pool.name!r}") from None
    except DataError as error:
        hint = f"{error.hint}; --set data=FOLDER, --set stages.STAGE.pools.{pool.name}.path=FILE and ...images=FOLDER"
        raise DataError(error.what, where=error.where, hint=hint) from None


def _opened(pool: Pool, recipe: Recipe, seed: int) -> Rows | Stream:
    if pool.kind == "scenes":
        return Scenes(pool.name, seed, **pool.options)
    root = Path(recipe.data)
    path, images = str(root / pool.path), str(root / pool.images) if pool.images else ""
    return sources.open_rows(pool.kind, path, images, seed=seed, max_bad=recipe.bad_rows, **pool.options)


class PoolObjective:
    """One stage's batches and losses over rows from files."""

    def __init__(self, model: Trainable, stage: Stage, recipe: Recipe, rank: int = 0, processes: int = 1) -> None:
        """Opens the pools. Raises DataError for one that cannot be read."""
        self._model, self._stage, self._rank, self._processes = model, stage, rank, processes
        self.heads = nn.ModuleDict()
        self.rows = {pool.name: open_pool(pool, recipe, sources.mix(recipe.seed, pool.name)) for pool in stage.pools}
        group = "modality" if stage.alike else ""
        parts = [
            # The MiniGPT family leaves an epoch's short batch out, HF's Trainer learns from it.
            Part(
                pool.name,
                self.rows[pool.name],
                pool.rows or stage.per_device,
                pool.ratio,
                group,
                whole=bool(stage.rates),
            )
            for pool in stage.pools
        ]
        self._mixture = Mixture(parts, sources.mix(recipe.seed, stage.name))
        self._feed = Feed("rows", 1, template=stage.template)
        self._features = self._cache(recipe)

    @property
    def steps(self) -> int:
        """Of the stage: as told, or as many as its epochs take."""
        return self._stage.steps or steps_of(self._stage, sum(count(rows) or 0 for rows in self.rows.values()))

    def prepare(self, step: int) -> list[Mapping[str, Any]]:
        """This process's micro-batches of a step."""
        every = range(step * self._stage.micro_batches, (step + 1) * self._stage.micro_batches)
        return [self._batch(moment) for moment in every[self._rank :: self._processes]]

    @property
    def moments(self) -> int:
        """Micro-batches until rows repeat."""
        every = self.steps * self._stage.micro_batches
        return min(every, self._stage.repeat or every)

    def asked(self, moment: int) -> Sequence[Conversation]:
        """The rows of a micro-batch."""
        return self._mixture.rows(self._mixture.draw(moment))

    def _batch(self, moment: int) -> Mapping[str, Any]:
        draw = self._mixture.draw(moment % self._stage.repeat if self._stage.repeat else moment)
        streamed = isinstance(self.rows[draw.name], Stream)
        if self._features is None or streamed:
            return self._model.collate(self._mixture.rows(draw), self._stage.template)
        entries = self._mixture.entries(draw)
        batch = dict(self._model.collate([entry.with_blank_image() for entry in entries], self._stage.template))
        batch.pop("images", None)
        features = self._features.stack(entries)
        return batch if features is None else {**batch, "image_features": features}

    def pairs(self, batches: list[Mapping[str, Any]]) -> list[tuple[Feed, Mapping[str, Any]]]:
        """Each batch with the feed it came from."""
        return [(self._feed, batch) for batch in batches]

    def loss(self, feed: Feed, batch: Mapping[str, Any]) -> Tensor:
        """A micro-batch's share: the step's loss is the mean of their means, as HF's Trainer has it."""
        return self._model.loss(batch) / self._stage.micro_batches

    def facts(self) -> dict[str, Any]:
        """Rows and bad rows of each pool, for the log, and where the first bad rows are."""
        return {
            name: {"rows": count(rows), "bad": dict(rows.bad), **({"first": list(rows.named)} if rows.named else {})}
            for name, rows in self.rows.items()
        }

    def _cache(self, recipe: Recipe) -> Features | None:
        """Features are kept where the recipe names a folder and the tower does not learn."""
        if not recipe.cache or "vision_tower" in self._stage.learns:
            return None
        tower_config = {
            name: value for name, value in self._model.config.items() if name not in ("text_config", "lora")
        }
        tower = self._model.parts()["vision_tower"]
        mark = sources.fingerprint(tower, json.dumps(tower_config, sort_keys=True, default=str))

        def look(image: Any) -> Tensor:
            batch = self._model.collate([Conversation((("", "a"),), image)], self._stage.template)
            return self._model.encode_images(batch["images"])[0]

        return Features(Path(recipe.cache), mark, look, limit=CACHE_LIMIT)


def count(rows: Rows | Stream) -> int | None:
    """Rows; None for a stream, which has no end."""
    return None if isinstance(rows, Stream) else len(rows)
