"""Detection: all the things in an image that a phrase names, each with its box.

A target is {"boxes": [(x, y, width, height), ...], "crowd": [...], "width", "height"}, as COCO writes boxes: `crowd`
are boxes around many things at once, which an answer may find or not.

Boxes are matched as COCO's evaluation does: in the order of the answer, each takes the free right box that it overlaps
most (of equal ones the last). What a text lacks are confidences, so there is one precision and one recall, and no
average over recalls (AP).

Source: cocodataset/cocoapi PythonAPI/pycocotools/cocoeval.py@03ed8bda, evaluateImg.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from vlmbench.base.samples import Response, Sample, Score
from vlmbench.data.rows import Row
from vlmbench.families.base import Benchmark, ProtocolRules, Scored, accuracies
from vlmbench.families.grounding.boxes import Form
from vlmbench.parsing.boxes import Box, from_size, in_hundredths, iou
from vlmbench.stats.metrics import MORE, RATE, Metric, mean, ratio

BoxesReader = Callable[[str, float, float], Sequence[Box]]
"""(Answer, the image's width and height) to all its boxes in pixels."""
_COUNTS = re.compile(r"(\d+) right of (\d+) boxes, (\d+) there")


@dataclass(frozen=True)
class Counts:
    """How the boxes of an answer fit the right ones."""

    right: int
    boxes: int
    """Of the answer, without those that lie on a crowd."""
    there: int

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 for an answer without a box."""
        return 2 * self.right / (self.boxes + self.there) if self.there else 0.0

    @property
    def note(self) -> str:
        """The counts, as a score keeps them."""
        return f"{self.right} right of {self.boxes} boxes, {self.there} there"

    @classmethod
    def from_note(cls, note: str) -> Counts:
        """The counts, back from a score's note."""
        found = _COUNTS.match(note)
        assert found, note
        return cls(*map(int, found.groups()))


@dataclass(frozen=True)
class DetectionRules(ProtocolRules):
    """One protocol. `reader` is a `BoxesReader`."""

    overlap: float = 0.5
    """IoU from which a box is right."""
    headline: str = "f1"


@dataclass(frozen=True, eq=False, kw_only=True)
class Detection(Benchmark[DetectionRules]):
    """A benchmark whose right answers are sets of boxes."""

    form: Form = in_hundredths
    """How a box is written in an example."""

    def parse(self, sample: Sample, response: Response, rules: DetectionRules) -> str:
        """The boxes `[[x1, y1, x2, y2], ...]` in pixels; empty where there is none, or where the target is hidden."""
        found = [] if sample.target is None else self._boxes(sample, response, rules)
        return json.dumps([[round(side, 2) for side in box] for box in found]) if found else ""

    def rate(self, sample: Sample, response: Response, rules: DetectionRules) -> Score:
        """F1 of the question's boxes. The note has the counts."""
        found = counted(self._boxes(sample, response, rules), sample.target, rules.overlap)
        parsed = self.parse(sample, response, rules)
        return Score(found.f1, parsed_answer=parsed, note=found.note, unread="" if parsed else "box")

    def example_answer(self, sample: Sample, protocol: str) -> str:
        """The right boxes with the phrase, as MiniGPT-v2's training writes them."""
        size = sample.target["width"], sample.target["height"]
        texts = [self.form(from_size(box), *size) for box in sample.target["boxes"]]
        return f"<p>{sample.question}</p> {'<delim>'.join(texts)}"

    def figures_of(self, scored: Scored, rules: DetectionRules) -> Sequence[Metric]:
        """The questions' mean F1, by the breakdowns too; precision and recall of all boxes; answers with a box."""
        import numpy as np

        clusters = [sample.cluster for sample, _ in scored]
        found = [Counts.from_note(score.note) for _, score in scored]
        items = np.array([(one.right, one.boxes, one.there) for one in found], dtype=np.float64).reshape(-1, 3)
        whole, *bars = accuracies(scored, self.breakdowns, "f1")
        valid = mean("valid_boxes", [float(bool(score.parsed_answer)) for _, score in scored], clusters)
        shares = [
            Metric(name, items, clusters, ratio(0, at), limits=RATE, better=MORE)
            for name, at in (("precision", 1), ("recall", 2))
        ]
        return [whole, *shares, valid, *bars]

    def extremes(self, sample: Sample, protocol: str, runs: int) -> tuple[Score, Score]:
        """No box, and the very boxes."""
        there = len(sample.target["boxes"])
        corners = [list(from_size(box)) for box in sample.target["boxes"]]
        best = Score(1.0, parsed_answer=json.dumps(corners), note=Counts(there, there, there).note)
        return Score(0.0, note=Counts(0, 0, there).note), best

    def _boxes(self, sample: Sample, response: Response, rules: DetectionRules) -> Sequence[Box]:
        read: BoxesReader = rules.reader
        return [box for box in read(response.text, sample.target["width"], sample.target["height"])]


def counted(found: Sequence[Box], target: Mapping[str, Any], least: float) -> Counts:
    """Match the boxes of an answer with the right ones, in the answer's order; one on a crowd counts neither way."""
    free = [from_size(box) for box in target["boxes"]]
    crowd = [from_size(box) for box in target["crowd"]]
    right = aside = 0
    for box in found:
        overlaps = [iou(box, other) for other in free]
        if overlaps and max(overlaps) >= least:
            free.pop(max(range(len(free)), key=lambda at: (overlaps[at], at)))
            right += 1
        elif any(_inside(box, other) >= least for other in crowd):
            aside += 1
    return Counts(right, len(found) - aside, len(target["boxes"]))


def _inside(box: Box, crowd: Box) -> float:
    """The share of a box that lies in another."""
    across = max(0.0, min(box[2], crowd[2]) - max(box[0], crowd[0]))
    down = max(0.0, min(box[3], crowd[3]) - max(box[1], crowd[1]))
    area = (box[2] - box[0]) * (box[3] - box[1])
    return across * down / area if area > 0 else 0.0


def box_of(row: Row) -> Box:
    """The box of a row: x, y, width, height in pixels. Raises DataError."""
    sides = row.listing("bbox")
    known = len(sides) == 4 and all(isinstance(side, int | float) and isfinite(side) for side in sides)
    if not known or min(sides[2:]) < 0 or max(map(abs, sides)) > 1e6:
        raise row.error("bbox", f"four numbers (x, y, width, height) were expected, not {sides!r:.60}")
    x, y, width, height = map(float, sides)
    return x, y, width, height
