"""my_model answers every question, and its option reaches it."""

from __future__ import annotations

from pathlib import Path

import vlmbench

PLUGIN = Path(__file__).with_name("my_model.py")


def test_it_answers_every_question() -> None:
    result = vlmbench.evaluate("my_model", "pope", plugins=PLUGIN, limit=18)
    assert result.coverage == 1.0
    assert set(result.records["text"]) == {"yes"}


def test_its_option() -> None:
    result = vlmbench.evaluate("my_model,word=no", "pope", plugins=PLUGIN, limit=18)
    assert set(result.records["text"]) == {"no"}
