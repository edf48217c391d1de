"""Forward passes, and bytes that they move, per question: figures of the engines that no machine changes.

    python -m tests.performance.engines.forward_counts

Four benchmarks' shapes, each grouped by image (`--engine shared`), in plain batches of 16 and one by one, over a
transformers model. The counts follow from a few sums (`expected`); tests/models/lanes/test_forward_counts.py runs the
engines and counts. Bytes are those of TinyLLaVA-3.1B in bfloat16: weights that each forward reads, keys and values that
attention reads and that new tokens write; activations are left out. Prints a markdown table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from tests.performance.engines.gpu_speed import SHAPES, built
from vlmbench.models.engine.together import PIXELS, ROWS_GPU

WAYS = ("grouped", "batched", "one by one")
BATCH = 16
PACK = 512
"""Tokens of a pack; an eighth more where that saves one."""
HALF = 2
"""Bytes of a bfloat16."""


@dataclass(frozen=True)
class Workload:
    """A benchmark's shape. All answers are equally long, and all questions."""

    name: str
    images: int
    questions: Sequence[int]
    """How many an image has, by turns."""
    answer: int
    """Tokens, the end token included."""
    before: int = 765
    """Tokens through the image."""
    behind: int = 32
    """Tokens of a question and what follows it."""
    side: int = 384

    def groups(self) -> list[int]:
        """Questions about each image."""
        return [self.questions[number % len(self.questions)] for number in range(self.images)]

    @property
    def asked(self) -> int:
        """All questions."""
        return sum(self.groups())


WORKLOADS = (
    Workload("POPE", 500, (18,), 2),
    Workload("MME", 1187, (2,), 2),
    Workload("VizWiz", 4319, (1,), 4),
    Workload("LLaVA-Bench", 24, (2, 3), 128),
)


@dataclass
class Counts:
    """What passes through a model."""

    tower: int = 0
    """Forwards of the vision tower."""
    forwards: int = 0
    """Forwards of the language model."""
    tokens: int = 0
    """Tokens that go through it: each writes its keys and values."""
    columns: int = 0
    """Columns of keys and values that attention reads, over all forwards."""

    def add(self, tokens: int, columns: int, times: int = 1) -> None:
        """So many equal forwards of the language model."""
        self.forwards += times
        self.tokens += times * tokens
        self.columns += times * columns


@dataclass(frozen=True)
class Sizes:
    """Bytes of a model."""

    tower: int
    """Weights that a forward of the tower and the connector reads."""
    weights: int
    """Weights that a forward of the language model reads: all but the table of embeddings."""
    column: int
    """Keys and values of a token in all layers."""

    def moved(self, counts: Counts) -> int:
        """Bytes that these passes move."""
        states = (counts.columns + counts.tokens) * self.column
        return counts.tower * self.tower + counts.forwards * self.weights + states


def sizes(shapes: str = "3.1b") -> Sizes:
    """By the config, in bfloat16; nothing is allocated. LLaVA's form leaves out the tower's last layer."""
    with torch.device("meta"):
        model, _ = built(shapes)
    count = {name: parameter.numel() for name, parameter in model.named_parameters()}
    last = f"layers.{SHAPES[shapes][0]['num_hidden_layers'] - 1}."
    text = {name: size for name, size in count.items() if "language_model" in name or "lm_head" in name}
    weights = sum(size for name, size in text.items() if "embed_tokens" not in name)
    tower = sum(size for name, size in count.items() if name not in text and last not in name)
    config = model.config.text_config
    return Sizes(HALF * tower, HALF * weights, HALF * 2 * config.num_hidden_layers * config.hidden_size)


def expected(work: Workload, way: str, *, tried: bool = False) -> Counts:
    """The counts by arithmetic. `tried`: with the step that settles whether images' answers go together."""
    if way == "grouped":
        return _grouped(work, tried)
    counts, whole, most = Counts(), work.before + work.behind, BATCH if way == "batched" else 1
    for first in range(0, work.asked, most):
        rows = min(most, work.asked - first)
        counts.tower += 1
        counts.add(rows * whole, rows * whole)
        for step in range(1, work.answer):
            counts.add(rows, rows * (whole + step))
    return counts


def _grouped(work: Workload, tried: bool) -> Counts:
    counts, steps = Counts(), range(1, work.answer)
    for at, wave in enumerate(waves(work)):
        lanes = [_shared(work, number) for number in wave]
        for number, (shared, suffix) in zip(wave, lanes, strict=True):
            assert number * suffix <= PACK + PACK // 8, "several packs are answered one after the other: not counted"
            counts.tower += 1
            counts.add(shared, shared)
            counts.add(number * suffix, shared + number * suffix)
        held = sum(shared + number * suffix for number, (shared, suffix) in zip(wave, lanes, strict=True))
        for step in steps:
            counts.add(sum(wave), held + sum(wave) * step)
        if tried and at == 0 and steps and len(wave) > 1:  # the first step once more, image by image
            for number, (shared, suffix) in zip(wave, lanes, strict=True):
                counts.add(number, shared + number * (suffix + 1))
    return counts


def _shared(work: Workload, number: int) -> tuple[int, int]:
    """Tokens of the prefix and of each question behind it: a single one shares all but the token that is answered."""
    return (work.before, work.behind) if number > 1 else (work.before + work.behind - 1, 1)


def waves(work: Workload) -> Iterator[list[int]]:
    """Questions about the images that are answered together: they begin and end together, all answers being equal."""
    wave: list[int] = []
    for number in work.groups():
        if wave and (sum(wave) + number > ROWS_GPU or (len(wave) + 1) * work.side**2 > PIXELS):
            yield wave
            wave = []
        wave.append(number)
    yield wave


def row(work: Workload, way: str, size: Sizes) -> str:
    """A row of the table."""
    counts = expected(work, way)
    numbers = [counts.tower, counts.forwards, counts.tokens, counts.columns]
    each = [f"{number / work.asked:,.4g}" for number in numbers]
    return f"| {work.name} | {way} | {' | '.join(each)} | {size.moved(counts) / work.asked / 1e9:.2f} |"


def table() -> str:
    """Markdown."""
    size = sizes()
    head = "| shape | way | tower | forwards | tokens | columns read | GB moved |\n|---|---|---|---|---|---|---|"
    return "\n".join([head, *(row(work, way, size) for work in WORKLOADS for way in WAYS)])


@contextmanager
def counted(model: Any, counts: Counts) -> Iterator[None]:
    """Count what passes through a LLaVA-type model while it lasts."""

    def see(_module: Any, _args: Any, given: dict[str, Any], output: Any) -> None:
        cache = output.past_key_values
        lanes = getattr(cache.layers[0], "joint", None)
        caches = [cache] if lanes is None else [lane.cache for lane in lanes.lanes]
        inputs = given["inputs_embeds"] if given.get("inputs_embeds") is not None else given["input_ids"]
        keys = [cache.layers[0].keys for cache in caches]
        counts.add(inputs.shape[:2].numel(), sum(key.shape[0] * key.shape[2] for key in keys))

    def seen(*_: Any) -> None:
        counts.tower += 1

    tower = model.model.vision_tower.register_forward_hook(seen)
    hooks = tower, model.get_decoder().register_forward_hook(see, with_kwargs=True)
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


if __name__ == "__main__":
    print(table())
