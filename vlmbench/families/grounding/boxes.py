"""Grounding: where in an image is it? Boxes by their overlap with the right one, points by whether they lie in it.

Readers: vlmbench.parsing.boxes and points.

A target is {"bbox": (x, y, width, height), "width", "height"}: the box as COCO writes boxes, and the image's size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vlmbench.base.samples import Response, Sample, Score
from vlmbench.data.rows import Row
from vlmbench.families.base import Benchmark, ProtocolRules, Scored, accuracies
from vlmbench.parsing.boxes import Agreement, Box, from_size, in_hundredths, in_shares
from vlmbench.stats.metrics import Metric, mean, share

Form = Callable[[Box, float, float], str]
"""(Box in pixels, width and height of the image) to an answer that says it."""


def at_least_half(found: Agreement) -> bool:
    """The usual hit: IoU of 0.5 and more."""
    return found.iou >= 0.5


def above_half(found: Agreement) -> bool:
    """IoU above 0.5."""
    return found.iou > 0.5


@dataclass(frozen=True)
class GroundingRules(ProtocolRules):
    """One protocol. `reader` is a vlmbench.parsing.boxes.BoxReader."""

    hit: Callable[[Agreement], bool] = at_least_half
    """Which answers are right."""
    beside: Callable[[Scored], Sequence[Metric]] | None = None
    """Metrics beside the accuracy, the share of answers with a box and the mean IoU."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Grounding(Benchmark[GroundingRules]):
    """A benchmark whose right answers are boxes."""

    forms: tuple[Form, ...] = (in_shares, in_hundredths)
    """How answers are usually written."""

    def parse(self, sample: Sample, response: Response, rules: GroundingRules) -> str:
        """The box in pixels; empty where the answer has none, or where the target is hidden and no size is known."""
        return "" if sample.target is None else self._agreement(sample, response, rules).parsed

    def rate(self, sample: Sample, response: Response, rules: GroundingRules) -> Score:
        """1 for a hit; an answer without a box is a miss. The note tells the IoU."""
        found = self._agreement(sample, response, rules)
        unread = "" if found.parsed else "box"
        return Score(float(rules.hit(found)), parsed_answer=found.parsed, note=found.note, unread=unread)

    def example_answer(self, sample: Sample, protocol: str) -> str:
        """The right box in the first of the usual forms in which the protocol finds it; empty where it finds none."""
        target, rules = sample.target, self.rules[protocol]
        box, size = from_size(target["bbox"]), (target["width"], target["height"])
        texts = [form(box, *size) for form in self.forms]
        return next((text for text in texts if rules.hit(self.read(text, target, rules))), "")

    def figures_of(self, scored: Scored, rules: GroundingRules) -> Sequence[Metric]:
        """Accuracy, the share of answers with a box, and the mean IoU."""
        clusters = [sample.cluster for sample, _ in scored]
        boxes = mean("valid_boxes", [float(bool(score.parsed_answer)) for _, score in scored], clusters)
        return [*accuracies(scored), boxes, *overlaps(scored), *(rules.beside(scored) if rules.beside else ())]

    def extremes(self, sample: Sample, protocol: str, runs: int) -> tuple[Score, Score]:
        """A miss, and the very box."""
        miss, hit = Agreement(None), Agreement(from_size(sample.target["bbox"]), 1.0, True)
        return Score(0.0, note=miss.note), Score(1.0, parsed_answer=hit.parsed, note=hit.note)

    def read(self, text: str, target: Mapping[str, Any], rules: GroundingRules) -> Agreement:
        """How well an answer agrees with a target."""
        found: Agreement = rules.reader(text, from_size(target["bbox"]), target["width"], target["height"])
        return found

    def _agreement(self, sample: Sample, response: Response, rules: GroundingRules) -> Agreement:
        return self.read(response.text, sample.target, rules)


def agreements(scored: Scored) -> list[Agreement]:
    """How well each answer agreed with the right box."""
    return [Agreement.from_note(score.note) for _, score in scored]


def overlaps(scored: Scored, thresholds: Sequence[float] = ()) -> list[Metric]:
    """The mean IoU, and the shares of answers whose IoU reaches each threshold."""
    clusters, found = [sample.cluster for sample, _ in scored], [one.iou for one in agreements(scored)]
    whole = share("mean_iou", found, [1.0] * len(found), clusters)
    return [
        whole,
        *(mean(f"accuracy_at_{least}", [float(one >= least) for one in found], clusters) for least in thresholds),
    ]


def centres(scored: Scored) -> Metric:
    """The share of answers whose middle lies in the right box."""
    hits = [float(found.centred) for found in agreements(scored)]
    return mean("centre_accuracy", hits, [sample.cluster for sample, _ in scored])


def box_target(row: Row) -> dict[str, Any]:
    """The target of a row with `bbox`, `width` and `height`. Raises DataError for an empty box or image."""
    sides = row.listing("bbox")
    width, height = row.number("width"), row.number("height")
    if len(sides) != 4 or not all(isinstance(side, int | float) and abs(side) < 1e6 for side in sides):
        raise row.error("bbox", f"four numbers (x, y, width, height) were expected, not {sides!r:.60}")
    if not (0 < width < 1e6 and 0 < height < 1e6):
        raise row.error("width", f"the image's size is {width:g} x {height:g}")
    if not (sides[2] > 0 and sides[3] > 0):
        raise row.error("bbox", f"the box is empty: {sides!r:.60}")
    return {"bbox": sides, "width": width, "height": height}
