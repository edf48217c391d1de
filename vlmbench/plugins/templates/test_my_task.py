"""my_task can be run, and its score distinguishes right from wrong."""

from __future__ import annotations

from pathlib import Path

from PIL.Image import Image

import vlmbench

PLUGIN = Path(__file__).with_name("my_task.py")


def strongest_colour(images: list[Image], question: str) -> str:
    """A model that looks: the colour in the middle of the image."""
    levels = images[0].resize((1, 1)).tobytes()
    return ("red", "green", "blue")[levels.index(max(levels))]


def test_a_model_that_looks_is_right() -> None:
    result = vlmbench.evaluate(strongest_colour, "my_task", plugins=PLUGIN)
    assert result.summary["my_task"]["accuracy"]["value"] == 100.0
    assert result.coverage == 1.0


def test_a_model_that_does_not_look_is_wrong_somewhere() -> None:
    result = vlmbench.evaluate("echo,text=Red.", "my_task", plugins=PLUGIN)
    assert 0.0 < result.summary["my_task"]["accuracy"]["value"] < 100.0


def test_no_answer_is_not_a_wrong_answer() -> None:
    result = vlmbench.evaluate("echo,text=", "my_task", plugins=PLUGIN)
    assert result.coverage == 0.0
