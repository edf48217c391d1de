"""Boxes for the report: shares of the image, ordered, clipped to it; anything else is no box."""

from __future__ import annotations

import json

import pytest

from vlmbench.reports.site.box_overlays import box_overlays

TARGET = json.dumps({"bbox": [20.0, 10.0, 100.0, 50.0], "width": 200.0, "height": 100.0})
RIGHT = [0.1, 0.1, 0.5, 0.5]


@pytest.mark.parametrize(
    ("read", "box"),
    [
        ("[20.0, 10.0, 120.0, 60.0]", RIGHT),
        ("[120, 60, 20, 10]", RIGHT),  # corners the other way round
        ("[-50, 50, 400, 1000]", [0.0, 0.5, 1.0, 0.5]),
        ("", None),
        ("yes", None),
        ("[1, 2, 3]", None),
        ("7", None),
        ('["a", 1, 2, 3]', None),
    ],
)
def test_pairs(read: str, box: list[float] | None) -> None:
    assert box_overlays({"target": [TARGET], "parsed_answer": [read]}) == [(RIGHT, box)]


def test_tasks_without_boxes() -> None:
    assert (
        box_overlays(
            {"target": ['"yes"', "3", "null", '{"bbox": [1, 2], "width": 3, "height": 0}'], "parsed_answer": [""] * 4}
        )
        is None
    )
    assert box_overlays({"target": [TARGET, '"yes"'], "parsed_answer": ["", ""]}) == [(RIGHT, None), None]
