"""Samples whose places in the image cannot be moved with it: a box in the question, a set of boxes as right answer."""

from __future__ import annotations

from collections.abc import Mapping

from vlmbench.base.samples import Sample

PLACES: Mapping[str, str] = {
    "region": "the question names a box, and its thing would no longer be there",
    "boxes": "the right answer is a set of boxes, of which such an image may have lost some",
}
"""By what a sample holds: why its image cannot be cropped or turned."""


def fixed_places(sample: Sample) -> str:
    """Why the image cannot be cropped or turned; empty where it can."""
    held = {*sample.extra, *(sample.target if isinstance(sample.target, Mapping) else ())}
    return next((why for name, why in PLACES.items() if name in held), "")
