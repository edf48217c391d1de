"""What a recipe would do, without doing it: parameters that learn, tokens, memory, arithmetic, hours on a named GPU.

Counted on torch's meta device, without weights and data. Memory and hours are estimates; their assumptions are below.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from vlmbench.base import registry
from vlmbench.base.errors import TrainingError, UnknownNameError
from vlmbench.base.process import terminal

from .recipe import Pool, Recipe, Stage


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU as the plan sees it."""

    peak: float
    """Dense products in half precision with float32 sums, in 10^12 operations per second, as the maker tells."""
    memory: int
    """GB."""
    used: float
    """The share of the peak that training reaches, assumed."""


GPUS: Mapping[str, Gpu] = {
    "a100": Gpu(312, 80, 0.40),
    "h100": Gpu(989, 80, 0.35),
    "3090": Gpu(71, 24, 0.40),
    "4090": Gpu(165, 24, 0.40),
}
NUMBER = {"float32": 4, "bfloat16": 2, "float16": 2}
"""Bytes of a frozen weight. What learns is float32 with a gradient and Adam's two moments: 16 bytes."""
LEARNING = 16
KEPT = 34
"""Bytes that a layer keeps of each token and channel for the backward pass in half precision, attention apart
(Korthikanti et al., arXiv 2205.05198); with activations computed again 2, and one layer's 34."""
GB = 1e9


class Load(Protocol):
    """What models/zoo/model_stats.py counts of a stage."""

    parts: Mapping[str, int]
    learns: Mapping[str, int]
    tables: int
    visual_tokens: int
    tower_tokens: int
    layers: int
    width: int
    vocabulary: int


@dataclass(frozen=True, slots=True)
class StagePlan:
    """One stage."""

    name: str
    steps: int
    rows: float
    """Of a step."""
    learns: Mapping[str, int]
    """Parameters by part."""
    tokens: float
    """Of the language model, over the stage, visual tokens included."""
    flops: float
    memory: float
    """Bytes on one device."""
    hours: float
    source: str

    @property
    def parameters(self) -> int:
        """All that learn."""
        return sum(self.learns.values())


def config_of(recipe: Recipe) -> Mapping[str, Any]:
    """The config.json that a recipe starts with. Raises TrainingError when only a folder knows it."""
    if recipe.config:
        return recipe.config
    if recipe.start and not recipe.variant and (known := _config_in(Path(recipe.start))):
        return known
    variants = registry.load_object(registry.VARIANTS)
    if recipe.variant not in variants:
        hint = "set variant to a published model's name: see `vlmbench models`"
        raise TrainingError("the plan needs the model's config", where=f"recipe {recipe.name!r}", hint=hint)
    config: Mapping[str, Any] = variants[recipe.variant].config
    return config


def _config_in(folder: Path) -> Mapping[str, Any] | None:
    """A checkpoint folder's config.json, where it has our layout; None otherwise."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(config, dict) and {"model_type", "text_config", "vision_config"} <= config.keys()
    return config if whole else None


def plan(recipe: Recipe, gpu: str = "a100", devices: int = 1) -> list[StagePlan]:
    """Plan all stages. Raises UnknownNameError for a GPU that is not in the table, TrainingError as `config_of`."""
    if gpu not in GPUS:
        raise UnknownNameError("GPU", gpu, GPUS)
    config, plans = config_of(recipe), []
    if recipe.pruning.active:
        config = registry.load_object(registry.SMALLER)(config, recipe.pruning.left)
    settings: dict[str, Any] = {}
    for stage in recipe.stages:
        config = registry.load_object(registry.MERGED)(config, {**settings, **stage.config})
        load: Load = registry.load_object(registry.LOAD)(config, dict(stage.tunes))
        if stage.tunes.get("lora"):
            settings = {"lora": stage.tunes["lora"]}  # the next stage finds the adapters in the network
        plans.append(_stage(recipe, stage, load, GPUS[gpu], devices))
    return plans


def steps_of(stage: Stage, rows: int) -> int:
    """Steps of a stage over so many rows. As HF's Trainer counts: whole steps of each epoch, at least one."""
    if stage.steps:
        return stage.steps
    micro = stage.micro_batches
    return math.ceil(stage.epochs * max(1, math.ceil(rows / stage.per_device) // micro))


def rows_of(stage: Stage) -> float:
    """Mean rows of a micro-batch."""
    if stage.feeds:
        return float(sum(feed.rows for feed in stage.feeds))
    shares = [pool.ratio for pool in stage.pools]

    def own(pool: Pool) -> int:
        return pool.rows or stage.per_device

    return sum(own(pool) * share for pool, share in zip(stage.pools, shares, strict=True)) / sum(shares)


def _stage(recipe: Recipe, stage: Stage, load: Load, gpu: Gpu, devices: int) -> StagePlan:
    steps, micro = steps_of(stage, stage.rows), rows_of(stage)
    per_row = load.visual_tokens + (stage.text_tokens or 64)
    rows = micro * stage.micro_batches
    flops = steps * rows * _flops(stage, load, per_row)
    hours = flops / (gpu.peak * 1e12 * gpu.used * devices) / 3600
    memory = _memory(recipe, stage, load, per_row, micro)
    return StagePlan(stage.name, steps, rows, load.learns, steps * rows * per_row, flops, memory, hours, stage.source)


def _flops(stage: Stage, load: Load, tokens: int) -> float:
    """Of one row: two per weight and token forward, two more where the gradient passes, two more where it is kept."""

    def cost(parts: tuple[str, ...], count: int, passes: bool) -> float:
        held = sum(load.parts.get(part, 0) for part in parts)
        learns = sum(load.learns.get(part, 0) for part in parts)
        again = 2 * held if stage.checkpointing and passes else 0
        return count * (2 * held + again + (2 * held if passes else 0) + 2 * learns)

    tower = cost(("vision tower",), load.tower_tokens, "vision tower" in load.learns)
    bridge = cost(("Q-Former", "connector"), load.visual_tokens, True)
    language = cost(("language model", "adapters"), tokens, True) - 2 * tokens * load.tables
    attention = 4 * load.layers * load.width * tokens**2 * (3 + stage.checkpointing)
    return tower + bridge + language + attention


def _memory(recipe: Recipe, stage: Stage, load: Load, tokens: int, rows: float) -> float:
    """Bytes on one device that shares nothing: weights, gradients, moments, activations, the head's logits."""
    learns = sum(load.learns.values())
    frozen = sum(load.parts.values()) - learns
    number = NUMBER[recipe.precision]
    packed = load.parts["language model"] - load.tables if stage.quantize else 0
    weights = (frozen - packed) * number + packed * 0.52 + learns * LEARNING
    channels = rows * tokens * load.width * (number / 2)
    layers = (2 * load.layers + KEPT) if stage.checkpointing else KEPT * load.layers
    head = rows * max(stage.text_tokens, 64) * load.vocabulary * 8
    return weights + channels * layers + head


def describe(recipe: Recipe, gpu: str = "a100", devices: int = 1) -> Iterator[str]:
    """The plan as lines of text."""
    stages = plan(recipe, gpu, devices)
    spec = GPUS[gpu]
    yield f"{recipe.name}: {recipe.about}"
    yield f"on {devices} x {gpu}: {spec.peak:g} TFLOP/s at {spec.used:.0%} (assumed), {spec.memory} GB"
    head = ("stage", "steps", "rows", "learns", "tokens", "memory", "FLOPs", "hours")
    rows = [head, *(_cells(stage) for stage in stages)]
    for line in terminal.aligned(rows, range(1, len(head)), rule=False):
        yield f"  {line}"
    for stage in stages:
        parts = ", ".join(f"{part} {count:,}" for part, count in stage.learns.items())
        yield f"  {stage.name}: {parts}" + (f" [{stage.source}]" if stage.source else "")
        if stage.memory > spec.memory * GB:
            yield f"  {stage.name}: does not fit one {gpu}: shard by FSDP or DeepSpeed, or train adapters"
    yield "  tokens per row are assumed (text_tokens of each stage); memory is one device's that shares nothing"


def _cells(stage: StagePlan) -> tuple[str, ...]:
    return (
        stage.name,
        f"{stage.steps:,}",
        f"{stage.rows:.4g}",
        f"{stage.parameters:,}",
        f"{stage.tokens:.3g}",
        f"{stage.memory / GB:.1f} GB",
        f"{stage.flops:.2g}",
        f"{stage.hours:.3g}",
    )
