"""How often the difference that `vlmbench power` announces at 80 % is found, in each metric's own unit.

    OMP_NUM_THREADS=1 python -m tests.performance.statistics.designs.announced_power [COMPARISONS]

Two models answer the same questions and share half of each image's difficulty. A pilot comparison (two equally good
models on as many images) gives the standard error, as two finished runs do; the announced difference is then planted
into new comparisons. The pilot's own error is part of what is simulated: a new pilot for each block of comparisons.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm

from vlmbench.stats import power
from vlmbench.stats.metrics import RATE, Metric, mean, ratio
from vlmbench.stats.paired import paired

if TYPE_CHECKING:
    from vlmbench.stats.metrics import Floats

SUBTASKS = 10
LEVEL, ALIKE = 0.7, 0.2


@dataclass(frozen=True)
class Setting:
    """A benchmark of one metric."""

    name: str
    images: int
    each: int

    def metric(self, right: Floats, yes: Floats) -> Metric:
        """The metric of one model's (questions,) outcomes."""
        names = [str(at // self.each) for at in range(len(right))]
        return MAKERS[self.name](right, yes, names)

    def effect(self, change: float) -> float:
        """How much higher the metric is if the share of right answers is `change` above LEVEL, as a mean of both."""
        low, high = LEVEL - change / 2, LEVEL + change / 2
        return EXPECTED[self.name](high) - EXPECTED[self.name](low)

    def change(self, effect: float) -> float:
        """The change of the share of right answers that an effect takes."""
        low, high = 0.0, 0.55
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (middle, high) if self.effect(middle) < effect else (low, middle)
        return (low + high) / 2


def accuracy(right: Floats, yes: Floats, names: list[str]) -> Metric:
    """Share of right answers."""
    return mean("accuracy", right.tolist(), names)


def f1(right: Floats, yes: Floats, names: list[str]) -> Metric:
    """Of yes, half of the targets."""
    top = yes * right
    return Metric("f1", np.stack([top, top + (1 - right) / 2], axis=1), names, ratio(), limits=RATE)


def mme(right: Floats, yes: Floats, names: list[str]) -> Metric:
    """The sum over SUBTASKS of accuracy and of pairs that are both right, as MME's perception: 0 to 2,000."""
    pairs = right.reshape(-1, 2)
    kind = np.arange(len(pairs)) % SUBTASKS
    items = np.zeros((len(pairs), 3 * SUBTASKS))
    for column, values in enumerate((pairs.mean(axis=1), pairs.all(axis=1), np.ones(len(pairs)))):
        items[np.arange(len(pairs)), 3 * kind + column] = values

    def combine(sums: Floats) -> Floats:
        parts = [ratio(3 * at, 3 * at + 2)(sums) + ratio(3 * at + 1, 3 * at + 2)(sums) for at in range(SUBTASKS)]
        return np.asarray(np.sum(parts, axis=0))

    return Metric("perception", items, names[::2], combine, limits=(0.0, 200.0 * SUBTASKS))


def both(level: float) -> float:
    """Chance of two right answers about one image, with normal difficulty of correlation ALIKE."""
    from scipy.stats import multivariate_normal

    return float(multivariate_normal([0, 0], [[1, ALIKE], [ALIKE, 1]]).cdf([norm.ppf(level)] * 2))


Maker = Callable[["Floats", "Floats", list[str]], Metric]
MAKERS: dict[str, Maker] = {"accuracy": accuracy, "f1": f1, "mme": mme}
EXPECTED: dict[str, Callable[[float], float]] = {
    "accuracy": lambda level: 100 * level,
    "f1": lambda level: 100 * level,
    "mme": lambda level: 100 * SUBTASKS * (level + both(level)),
}
SETTINGS = (
    Setting("accuracy", 400, 1),
    Setting("accuracy", 60, 18),
    Setting("f1", 400, 1),
    Setting("f1", 60, 18),
    Setting("mme", 400, 2),
    Setting("mme", 1000, 2),
)


def models(setting: Setting, change: float, rng: np.random.Generator) -> tuple[Metric, Metric]:
    """Two models on the same questions; half of an image's difficulty is common to both."""
    common, *own = rng.normal(size=(3, setting.images)) * math.sqrt(ALIKE / 2)
    yes = np.tile([0.0, 1.0], setting.images * setting.each // 2 + 1)[: setting.images * setting.each]
    made = []
    for model, level in enumerate((LEVEL - change / 2, LEVEL + change / 2)):
        ease = (common + own[model]).repeat(setting.each)
        noise = rng.normal(size=len(ease)) * math.sqrt(1 - ALIKE)
        made.append(setting.metric((ease + noise < norm.ppf(level)).astype(np.float64), yes))
    return made[0], made[1]


def found(setting: Setting, blocks: int, comparisons: int) -> tuple[float, float]:
    """(mean announced difference, share of comparisons that find it)."""
    rng = np.random.default_rng([setting.images, setting.each, len(setting.name)])
    announced, hits = [], 0
    for _ in range(blocks):
        design = power.between(*models(setting, 0.0, rng))
        assert design is not None
        least = power.detectable(design)
        assert least is not None
        announced.append(least)
        change = setting.change(least)
        ps = [paired(*models(setting, change, rng), resamples=300).p for _ in range(comparisons)]
        hits += sum(p is not None and p <= 0.05 for p in ps)
    return float(np.mean(announced)), hits / blocks / comparisons


def main(comparisons: int = 2000) -> None:
    """The table of docs/evaluate/statistics.md."""
    print("| metric | images | questions per image | announced at 80 % | found |")
    print("|---|---|---|---|---|")
    for setting in SETTINGS:
        least, share = found(setting, comparisons // 10, 10)
        print(f"| {setting.name} | {setting.images:,} | {setting.each} | {least:.2f} | {share:.3f} |", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
