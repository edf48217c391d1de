"""GQA's figures as its eval.py (v1.2) computes them, each as sums over items, so that each has its interval.

Source: eval/eval.py of eval.zip at gqadataset.org, v1.2, read in SHI-Labs/VCoder playground/data/eval/gqa/data/eval/
eval.py@4e85acef, which has the changes of LLaVA's gist: missing scene graphs and choices are tolerated. There, what
cannot be computed is printed as 0; here it is left out.
"""

from __future__ import annotations

from collections.abc import Sequence

from vlmbench.base.samples import Sample, Score
from vlmbench.stats.answer_distribution import chi_square
from vlmbench.stats.metrics import Metric, by_tag, mean, share

Scored = Sequence[tuple[Sample, Score]]

BREAKDOWNS = ("structural", "semantic", "steps", "words")


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


def distribution(counted: Scored) -> list[Metric]:
    """Chi-square between given and true answers within each question group; low is good."""
    grouped = [(sample, score) for sample, score in counted if sample.extra["group"] is not None]
    if not grouped:
        return []
    groups, right = [str(s.extra["group"]) for s, _ in grouped], [str(s.target) for s, _ in grouped]
    given, clusters = [score.parsed_answer for _, score in grouped], [s.cluster for s, _ in grouped]
    return [chi_square("distribution", groups, right, given, clusters)]
