"""GQA's figures as its eval.py (v1.2) computes them, each as sums over items, so that each has its interval.

Source: eval/eval.py of eval.zip at gqadataset.org, v1.2, read in SHI-Labs/VCoder playground/data/eval/gqa/data/eval/
eval.py@4e85acef, which has the changes of LLaVA's gist: missing scene graphs and choices are tolerated. There, what
cannot be computed is printed as 0; here it is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vlmbench.base.samples import Sample, Score
from vlmbench.stats.metrics import LESS, Metric, by_tag, mean, share

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vlmbench.stats.metrics import Floats

Scored = Sequence[tuple[Sample, Score]]

BREAKDOWNS = ("structural", "semantic", "steps", "words")
CELLS = 1 << 23
"""Most cells of the distribution's table (64 MiB); above, pictures are grouped, and groups resampled."""


def metrics(scored: Scored, *, official: bool) -> list[Metric]:
    """All figures of one protocol. The official ones count balanced questions only; peers count what they are given."""
    counted = [(sample, score) for sample, score in scored if sample.extra["balanced"]] if official else list(scored)
    if not counted:
        return [mean("accuracy", [], [])]
    clusters = [sample.cluster for sample, _ in counted]
    values = [score.value or 0.0 for _, score in counted]
    made = [mean("accuracy", values, clusters)]
    kinds = [sample.tags["kind"] for sample, _ in counted]
    for kind in ("binary", "open"):
        at = [index for index, name in enumerate(kinds) if name == kind]
        if at:
            made.append(mean(kind, [values[i] for i in at], [clusters[i] for i in at]))
    if official:
        made += [metric for metric in (consistency(scored), *choices(counted), grounding(counted)) if metric]
        made += distribution(counted)
    for name in BREAKDOWNS:
        labels = [sample.tags[name] for sample, _ in counted]
        made += sorted(by_tag(name, values, labels, clusters), key=_natural)
    return made


def _natural(metric: Metric) -> tuple[int, str]:
    return (int(metric.label), "") if metric.label.isdecimal() else (0, metric.label)


def consistency(scored: Scored) -> Metric | None:
    """Of each right balanced question that entails others: how many of those are right. None where nothing is entailed.

    `entailed` is empty unless the question file holds all the entailed questions (balanced files do not).
    """
    if not any(sample.extra["entailed"] for sample, _ in scored):
        return None
    right = {sample.id: score.value or 0.0 for sample, score in scored}
    shares: list[float] = []
    clusters: list[str] = []
    for sample, score in scored:
        known = [right[key] for key in sample.extra["entailed"] if key in right]
        if sample.extra["balanced"] and score.value and known:
            shares.append(sum(known) / len(known))
            clusters.append(sample.cluster)
    return share("consistency", shares, [1.0] * len(shares), clusters)


def choices(counted: Scored) -> list[Metric]:
    """Validity and plausibility: is the answer one that the question, or the world, allows?

    A question whose detailed type holds "Common" asks which of colour, material and shape is shared.
    """
    if any(sample.extra["choices"] is None for sample, _ in counted):
        return []
    clusters = [sample.cluster for sample, _ in counted]
    made = []
    for name in ("validity", "plausibility"):
        field = {"validity": "valid", "plausibility": "plausible"}[name]
        values = [float(score.parsed_answer in sample.extra["choices"][field]) for sample, score in counted]
        made.append(mean(name, values, clusters))
    return made


def grounding(counted: Scored) -> Metric | None:
    """Attention on the regions that question and answer name, where attentions were given (gqa_grounding)."""
    if not any("grounding" in sample.extra for sample, _ in counted):
        return None
    rows = [sample for sample, _ in counted if "grounding" in sample.extra]
    return mean("grounding", [float(row.extra["grounding"]) for row in rows], [row.cluster for row in rows])


GROWS = "lower is better; grows with the number of questions: compare runs on the same ones alone"
"""The official chi-square is not divided by how many questions there are."""


def distribution(counted: Scored) -> list[Metric]:
    """Chi-square between given and true answers within each question group, weighted by group size, / 100; low is good.

    Sums: for each (group, true answer), how often it is true and how often it is given. They are summed by picture
    here, since a table of items by answers would be too large.
    """
    import numpy as np

    asked = [(s, score) for s, score in counted if s.extra["group"] is not None]
    if not asked:
        return []
    pairs = sorted({(str(sample.extra["group"]), str(sample.target)) for sample, _ in asked})
    place = {pair: index for index, pair in enumerate(pairs)}
    names, group_of = _groups([sample.cluster for sample, _ in asked], len(pairs))
    sums = np.zeros((len(names), 2 * len(pairs)))
    true = np.array([place[sample.extra["group"], sample.target] for sample, _ in asked])
    np.add.at(sums, (group_of, true), 1)
    given = np.array([place.get((sample.extra["group"], score.parsed_answer), -1) for sample, score in asked])
    known = given >= 0
    np.add.at(sums, (group_of[known], len(pairs) + given[known]), 1)
    starts = np.array([i for i, pair in enumerate(pairs) if i == 0 or pair[0] != pairs[i - 1][0]])

    def combine(drawn: Floats) -> Floats:
        gold, answers = drawn[..., : len(pairs)], drawn[..., len(pairs) :]
        terms = np.divide((answers - gold) ** 2, gold, out=np.zeros_like(gold), where=gold != 0)
        sizes = np.add.reduceat(gold, starts, axis=-1)
        scores = np.add.reduceat(terms, starts, axis=-1)
        total = sizes.sum(axis=-1)
        weighted = (scores * sizes).sum(axis=-1)
        value: Floats = np.divide(weighted, 100 * total, out=np.full(np.shape(total), np.nan), where=total != 0)
        return value

    return [Metric("distribution", sums, names, combine, n=len(asked), note=GROWS, better=LESS)]


def _groups(clusters: Sequence[str], pairs: int) -> tuple[list[str], NDArray[np.intp]]:
    """Names of what is resampled as one, and each item's place among them: pictures, or groups of them if too many."""
    import numpy as np

    names = sorted(set(clusters))
    most = max(50, CELLS // (2 * pairs))
    place = {name: index % most for index, name in enumerate(names)}
    kept = names if len(names) <= most else [f"group {index}" for index in range(most)]
    return kept, np.array([place[name] for name in clusters], dtype=np.intp)
