"""Pointing: where in a screenshot is it? A point is right if it lies in the right box.

Readers: vlmbench.parsing.points. Targets are those of the grounding family; boxes given in shares of the image
(x1, y1, x2, y2) stand there too, under "shares". Samples have the tags `platform` and `type`: the figure is the mean
of their cells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vlmbench.base.metric import MORE, RATE
from vlmbench.families.base import Scored, accuracies, macro_of
from vlmbench.families.grounding.boxes import Form, Grounding, GroundingRules
from vlmbench.parsing.boxes import Agreement, Box, from_size, to_shares
from vlmbench.parsing.points import Point
from vlmbench.stats.metrics import Metric, mean

if TYPE_CHECKING:
    from vlmbench.base.metric import Floats

CELLS = ("platform", "type")
Target = Mapping[str, Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class Pointing(Grounding):
    """A benchmark whose right answers are points in boxes. Readers take (answer, target)."""

    def read(self, text: str, target: Target, rules: GroundingRules) -> Agreement:
        """What was read, and whether it lies in the right box."""
        found: Agreement = rules.reader(text, target)
        return found


def in_box(found: Agreement) -> bool:
    """The hit of a point, or of a box's middle."""
    return found.centred


def pointed(point: Point | None, right: Box, target: Target) -> Agreement:
    """A point against a box, both in shares of the image; borders belong to the box."""
    if point is None:
        return Agreement(None)
    x, y = point[0] * target["width"], point[1] * target["height"]
    return Agreement((x, y), 0.0, right[0] <= point[0] <= right[2] and right[1] <= point[1] <= right[3])


def right_shares(target: Target) -> Box:
    """The right box in shares of the image: as given, or from pixels."""
    given: Box | None = target.get("shares")
    return given or to_shares(from_size(target["bbox"]), target["width"], target["height"])


def pixels_divided(point: Point | None, target: Target) -> Point | None:
    """The peers' rule: a point with a number above 1 is in pixels."""
    if point is None or max(point) <= 1:
        return point
    return point[0] / target["width"], point[1] / target["height"]


def middle(text: str) -> Form:
    """A way to write the middle of a box: `text` has {x} and {y}, shares of the image."""

    def form(box: Box, width: float, height: float) -> str:
        return text.format(x=(box[0] + box[2]) / 2 / width, y=(box[1] + box[3]) / 2 / height)

    return form


def point_figures(name: str) -> Callable[[Scored], Sequence[Metric]]:
    """The mean of the cells as `name`; the accuracy, by platform and type; the share of answers with a point."""

    def figures(scored: Scored) -> Sequence[Metric]:
        clusters = [sample.cluster for sample, _ in scored]
        valid = mean("valid_points", [float(bool(score.parsed_answer)) for _, score in scored], clusters)
        return [macro_of(name, scored, CELLS), *accuracies(scored, CELLS), valid]

    return figures


def squared_cells(name: str, scored: Scored) -> Metric:
    """The mean of the cells, each with the square of its size as weight: VLMEvalKit's figure of a part."""
    import numpy as np

    cells = [tuple(sample.tags[tag] for tag in CELLS) for sample, _ in scored]
    known = list(dict.fromkeys(cells))
    items = np.zeros((len(scored), 2, len(known)))
    for row, (cell, (_, score)) in enumerate(zip(cells, scored, strict=True)):
        items[row, :, known.index(cell)] = score.value or 0.0, 1.0

    def combine(sums: Floats) -> Floats:
        right, count = np.moveaxis(sums.reshape(*sums.shape[:-1], 2, len(known)), -2, 0)
        result: Floats = 100 * (right * count).sum(axis=-1) / (count * count).sum(axis=-1)
        return result

    clusters = [sample.cluster for sample, _ in scored]
    return Metric(name, items.reshape(len(scored), -1), clusters, combine, limits=RATE, better=MORE)
