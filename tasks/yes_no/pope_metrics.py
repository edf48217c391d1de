"""POPE's figures: counts per split and what each protocol makes of them. `yes` is the positive answer.

Sources: POPE evaluate.py@3df3ba1b (LLaVA's copy@c121f043 computes the same), TinyLLaVA_Factory
tinyllava/eval/eval_pope.py@53f12c78, lmms-eval lmms_eval/tasks/pope/utils.py@75571cfe, VLMEvalKit
vlmeval/dataset/utils/yorn.py@e8e78f05.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vlmbench.stats.metrics import MORE, NEITHER, RATE, TARGET, Metric

if TYPE_CHECKING:
    from vlmbench.stats.metrics import Floats

TP, FP, FN, SAID_NO, RIGHT, SAID_YES, TARGET_YES, ALL = range(8)
"""Columns: true and false positives; targets `yes` not answered yes (FN), of these answered no (SAID_NO); ..."""


@dataclass(frozen=True)
class Rules:
    """How a protocol counts."""

    empty: float = float("nan")
    """What a ratio is whose denominator is 0. The official script raises ZeroDivisionError there: undefined."""
    epsilon: float = 0.0
    """Added to denominators: TinyLLaVA, 1e-6."""
    misses: int = FN
    """What recall counts as missed: lmms-eval leaves out answers that are neither yes nor no."""

    def over(self, top: Floats, bottom: Floats) -> Floats:
        """A ratio under these rules."""
        import numpy as np

        bottom = bottom + self.epsilon
        quotient: Floats = np.divide(top, bottom, out=np.full(np.shape(bottom), self.empty), where=bottom != 0)
        return quotient


RULES: Mapping[str, Rules] = {
    "official": Rules(),
    "llava": Rules(),
    "tinyllava": Rules(epsilon=1e-6),
    "lmms_eval": Rules(empty=0.0, misses=SAID_NO),
    "vlmevalkit": Rules(empty=0.0),
}


def columns(answers: Sequence[str], targets: Sequence[str], right: Sequence[float]) -> Floats:
    """(items, 8): what each answer (`yes`, `no` or another word) adds to the counts."""
    import numpy as np

    said_yes = np.array([answer == "yes" for answer in answers], dtype=bool)
    said_no = np.array([answer == "no" for answer in answers], dtype=bool)
    yes = np.array([target == "yes" for target in targets], dtype=bool)
    made = [yes & said_yes, ~yes & said_yes, yes & ~said_yes, yes & said_no]
    made += [np.array(right, dtype=bool), said_yes, yes, np.ones_like(yes)]
    return np.stack(made, axis=1).astype(np.float64)


def precision(sums: Floats, rules: Rules) -> Floats:
    """TP / (TP + FP)."""
    return rules.over(sums[..., TP], sums[..., TP] + sums[..., FP])


def recall(sums: Floats, rules: Rules) -> Floats:
    """TP / (TP + missed)."""
    return rules.over(sums[..., TP], sums[..., TP] + sums[..., rules.misses])


def f1(sums: Floats, rules: Rules) -> Floats:
    """2 p r / (p + r), as all the scripts write it: undefined when nothing is right."""
    p, r = precision(sums, rules), recall(sums, rules)
    return rules.over(2 * p * r, p + r)


def accuracy(sums: Floats, rules: Rules) -> Floats:
    """Right answers of all."""
    return Rules().over(sums[..., RIGHT], sums[..., ALL])


def yes_ratio(sums: Floats, rules: Rules) -> Floats:
    """Answers `yes` of all."""
    return Rules().over(sums[..., SAID_YES], sums[..., ALL])


def yes_ratio_of_targets(sums: Floats, rules: Rules) -> Floats:
    """Targets `yes` of all: what lmms-eval prints as its yes ratio."""
    return Rules().over(sums[..., TARGET_YES], sums[..., ALL])


FIGURES: Mapping[str, Callable[[Floats, Rules], Floats]] = {
    "accuracy": accuracy,
    "precision": precision,
    "recall": recall,
    "f1": f1,
    "yes_ratio": yes_ratio,
}
SHARES = ("accuracy", "yes_ratio")
"""Plain shares of all items."""
BETTER: Mapping[str, str] = {"yes_ratio": TARGET, "yes_ratio_of_targets": NEITHER}
"""What is not better when it is more: answers `yes` should be as many as targets `yes`."""
UNDEFINED = "a denominator is 0: the official script stops with ZeroDivisionError"


def metrics(
    splits: Sequence[str], items: Floats, clusters: Sequence[str], protocol: str, known: Sequence[str]
) -> list[Metric]:
    """Pooled figures, means over the splits, and figures by split. `splits` names each item's split."""
    import numpy as np

    rules = RULES[protocol]
    present = [name for name in known if name in set(splits)]
    place = {name: index for index, name in enumerate(present)}
    at = np.array([place[name] for name in splits])
    made = [_metric(name, items, clusters, rules) for name in FIGURES]
    if protocol == "lmms_eval":
        made.append(_metric("yes_ratio_of_targets", items, clusters, rules))
    blocks = np.zeros((len(items), len(present), items.shape[1]))
    blocks[np.arange(len(items)), at] = items
    flat = blocks.reshape(len(items), -1)
    parts = [part for index in range(len(present)) if (part := _opposite(blocks[:, index])) is not None]
    opposite = np.concatenate(parts) if len(parts) == len(present) else None
    note = "" if len(present) == len(known) else f"mean over {', '.join(present)} only"
    for name in ("f1", "accuracy"):
        combine = _mean(name, len(present), rules)
        mean = Metric(f"mean_{name}", flat, clusters, combine, proportion=name in SHARES, opposite=opposite)
        made.append(replace(mean, note=note, limits=RATE, better=MORE))
    for split in present:
        rows = np.flatnonzero(at == place[split]).tolist()
        inside = [clusters[row] for row in rows]
        for name in FIGURES:
            made.append(_metric(name, items[rows], inside, rules, split))
    return [_explained(metric) for metric in made]


def _opposite(items: Floats) -> Floats | None:
    """(8,) the sums had every answer been the other word, where all answers are right."""
    import numpy as np

    sums = items.sum(axis=0)
    if sums[RIGHT] != sums[ALL]:
        return None
    no, yes = sums[ALL] - sums[TARGET_YES], sums[TARGET_YES]
    return np.array([0.0, no, yes, yes, 0.0, no, yes, sums[ALL]])


def _metric(name: str, items: Floats, clusters: Sequence[str], rules: Rules, split: str = "") -> Metric:
    figure = FIGURES.get(name, yes_ratio_of_targets)

    def combine(sums: Floats) -> Floats:
        return 100 * figure(sums, rules)

    sums = items.sum(axis=0)
    better = BETTER.get(name, MORE)
    return Metric(
        f"{split}_{name}" if split else name,
        items,
        clusters,
        combine,
        breakdown=f"split ({name})" if split else "",
        label=split,
        proportion=name in SHARES,
        opposite=_opposite(items),
        limits=RATE,
        better=better,
        target=100 * float(sums[TARGET_YES] / sums[ALL]) if better == TARGET and sums[ALL] else None,
    )


def _mean(name: str, splits: int, rules: Rules) -> Callable[[Floats], Floats]:
    def combine(sums: Floats) -> Floats:
        import numpy as np

        blocks = sums.reshape(*sums.shape[:-1], splits, -1)
        mean: Floats = np.asarray(100 * FIGURES[name](blocks, rules).mean(axis=-1))
        return mean

    return combine


def _explained(metric: Metric) -> Metric:
    """The metric, with a note where it is undefined."""
    return metric if metric.value() == metric.value() else replace(metric, note=UNDEFINED)
