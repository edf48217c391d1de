"""GQA's figures as its eval.py (v1.2) computes them, each as sums over items, so that each has its interval.

Source: eval/eval.py of eval.zip at gqadataset.org, v1.2, read in SHI-Labs/VCoder playground/data/eval/gqa/data/eval/
eval.py@4e85acef, which has the changes of LLaVA's gist: missing scene graphs and choices are tolerated. There, what
cannot be computed is printed as 0; here it is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vlmbench.base.samples import Sample
from vlmbench.data.answers.attention_maps import square_maps
from vlmbench.data.files import Row
from vlmbench.families.base import Scored, accuracies, mean_of
from vlmbench.parsing.boxes import Box, grid_coverage
from vlmbench.stats.figures.answer_distribution import chi_square
from vlmbench.stats.metrics import Metric, mean, share

BREAKDOWNS = ("structural", "semantic", "steps", "words")


def metrics(scored: Scored, *, official: bool) -> list[Metric]:
    """All figures of one protocol. The official ones count balanced questions only; peers count what they are given."""
    counted = [(sample, score) for sample, score in scored if sample.extra["balanced"]] if official else list(scored)
    if not counted:
        return [mean("accuracy", [], [])]
    accuracy, *bars = accuracies(counted, BREAKDOWNS)
    made = [accuracy]
    for kind in ("binary", "open"):
        if rows := [row for row in counted if row[0].tags["kind"] == kind]:
            made.append(mean_of(kind, rows))
    if official:
        made += [metric for metric in (consistency(scored), *choices(counted), grounding(counted)) if metric]
        made += distribution(counted)
    return [*made, *sorted(bars, key=_natural)]


def _natural(bar: Metric) -> tuple[int, int, str]:
    """By breakdown, then by label: numbers by their value."""
    number, word = (int(bar.label), "") if bar.label.isdecimal() else (0, bar.label)
    return BREAKDOWNS.index(bar.breakdown), number, word


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
    for name, field in (("validity", "valid"), ("plausibility", "plausible")):
        values = [float(score.parsed_answer in sample.extra["choices"][field]) for sample, score in counted]
        made.append(mean(name, values, clusters))
    return made


def grounding(counted: Scored) -> Metric | None:
    """Attention on the regions that question and answer name, where attentions were given (`with_grounding`)."""
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


# ------------------------------------------------------------------------------------------------------- grounding
# As eval.py does it for spatial attention: the sum over regions and cells of attention times the share of the cell that
# the region covers. Overlapping regions count twice, so it may exceed 100. Its branch for object-based attention reads
# a variable before it is set, so there is nothing to agree with: refused.


def with_grounding(
    samples: Sequence[Sample], path: Path, questions: Mapping[str, Row], scenes: Mapping[str, Row]
) -> list[Sample]:
    """The samples, each balanced one with its grounding score in `extra`. Raises PredictionsError, DataError."""
    asked = [sample.id for sample in samples if sample.extra["balanced"]]
    maps = square_maps(path, "questionId", asked, "balanced question")
    made = []
    for sample in samples:
        if sample.extra["balanced"]:
            boxes = regions(questions[sample.id], scenes)
            attention = maps[sample.id]
            value = float((attention * grid_coverage(boxes, len(attention))).sum())
            sample = replace(sample, extra={**sample.extra, "grounding": value})
        made.append(sample)
    return made


def regions(question: Row, scenes: Mapping[str, Row]) -> list[Box]:
    """The boxes that question and full answer point to, in shares of the image."""
    image = question.key("imageId")
    if image not in scenes:
        raise question.error("imageId", f"no scene graph of image {image}")
    scene = scenes[image]
    objects = scene.inner("objects")
    size = (scene.number("width"), scene.number("height"))
    if not min(size) > 0:
        raise scene.error("width", f"the image's size is {size[0]:g} x {size[1]:g}")
    notes = question.inner("annotations")
    found = [
        _box(objects.inner(str(pointer)), size)
        for field in ("question", "fullAnswer")
        for pointer in notes.inner(field).values.values()
    ]
    steps: list[Any] = question.listing("semantic")
    if any("scene" in step for step in steps):  # the keys of the step, as the official code has it: practically never
        found.append((0.0, 0.0, 1.0, 1.0))
    return found


def _box(thing: Row, size: tuple[float, float]) -> Box:
    x, y, w, h = (thing.number(field) for field in ("x", "y", "w", "h"))
    return x / size[0], y / size[1], (x + w) / size[0], (y + h) / size[1]
