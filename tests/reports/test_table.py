"""The terminal and markdown tables."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

from vlmbench.runs.storage.run_files import read_manifest, read_scores

table: Any = import_module("vlmbench.reports.text.table")

MANIFEST: dict[str, Any] = {
    "vlmbench": "1.2.3",
    "seed": 0,
    "finished": "2026-01-01T00:00:00Z",
    "model": {"name": "m", "fingerprint": "abcdef0123456789"},
    "asked": {"perturb": ""},
    "tasks": {"pope": {"title": "Objects", "protocol": "official", "split": "std", "data": "sample", "headline": "f1"}},
}
SCORES: dict[str, Any] = {
    "pope": {
        "accuracy": {"value": 99.96, "low": None, "high": None, "n": 9},
        "f1": {"value": 81.25, "low": 70.0, "high": 90.04, "n": 1234},
        "f1_random": {"value": None, "low": None, "high": None, "n": 0, "breakdown": "split", "label": "random"},
        "coverage": 0.9999,
        "statuses": {"error": 1, "ok": 1233},
        "headline": "f1",
        "protocol": "official",
        "split": "std",
        "version": 1,
    }
}


def test_text() -> None:
    """Aligned, headline first, numbers with their intervals, a lacking answer never rounded away."""
    lines = table.text(MANIFEST, SCORES).splitlines()
    assert lines[0] == "m · weights abcdef012345 · vlmbench 1.2.3 · seed 0 · 2026-01-01T00:00:00Z"
    assert lines[1] == "EMBEDDED SAMPLE: SHOWS THAT EVERYTHING WORKS, NOT COMPARABLE WITH PAPERS"
    head = ["task", "protocol", "metric", "value", "95 % interval", "n", "coverage", "statuses", "data"]
    assert re.split("  +", lines[3]) == head
    assert " ".join(lines[5].split()) == (
        "pope official f1 81.2 [70.0, 90.0] 1,234 99.9 % ok 1,233, error 1 embedded sample (std)"
    )
    assert lines[3].index("95 %") == lines[5].index("[70.0")
    assert "  accuracy  100.0  -              9" in lines
    assert "  random        -  -              0" in lines


def test_how_the_answers_came_out_stands_below_the_score() -> None:
    counts = {"total": 1080, "unread": 3, "cut": 2, "empty": 1, "distinct": 7, "most_common": "no\x1b[2J",
              "most_common_share": 0.9999}  # fmt: skip
    lines = table.text(MANIFEST, {"pope": SCORES["pope"] | {"answers": counts}}).splitlines()
    told = "answers 1,080: unread 3, cut 2, empty 1, 7 different, most often 'no [2J' (99.9 %)"
    assert f"  {told}" in lines


def test_notes_stand_below_the_headlines_and_cannot_break_out() -> None:
    """In the terminal without escapes, in markdown without markup."""
    noted = {"pope": SCORES["pope"] | {"notes": ["36 of 36 were cut", "<b>x\x1b[2J|"]}}
    assert "note: pope: 36 of 36 were cut\nnote: pope: <b>x [2J|\n" in table.text(MANIFEST, noted)
    words = table.markdown(MANIFEST, noted)
    assert "- pope: 36 of 36 were cut\n" in words and "<b>" not in words


def test_breakdowns_of_several_metrics_stand_side_by_side() -> None:
    """POPE's splits: one row a split, one column a metric."""
    bar = {"value": 50.0, "low": 1.0, "high": 2.0, "n": 7, "label": "random"}
    both = {"x": bar | {"breakdown": "split (f1)"}, "y": bar | {"breakdown": "split (recall)", "value": 60.0}}
    kept = {name: value for name, value in SCORES["pope"].items() if name != "f1_random"}
    lines = table.text(MANIFEST, {"pope": kept | both}).splitlines()
    shown = ["  by split    f1  recall  n", "  --------  ----  ------  -", "  random    50.0    60.0  7"]
    assert lines[-4:] == [*shown, "  intervals: in scores.json and the report"]


def test_real_data_are_named_not_shouted_at() -> None:
    """A folder of official files is no embedded sample, even one called `sample`."""
    entry = MANIFEST["tasks"]["pope"] | {"data": "./sample"}
    text = table.text(MANIFEST | {"tasks": {"pope": entry}}, SCORES)
    assert "embedded" not in text.lower() and "./sample (std)" in text


def test_no_interval_and_no_value() -> None:
    """A dash, never None or nan."""
    empty = SCORES["pope"] | {"f1": {"value": None, "low": None, "high": None, "n": 0}, "coverage": 0.0}
    text = table.text(MANIFEST, {"pope": empty}) + table.markdown(MANIFEST, {"pope": empty})
    assert "None" not in text and "nan" not in text and "0.0 %" in text


def test_markdown() -> None:
    """A table that markdown renders, with the warning above it."""
    lines = table.markdown(MANIFEST, SCORES).splitlines()
    assert lines[2].startswith("> **Embedded sample")
    assert lines[5] == "| :--- | :--- | :--- | ---: | :--- | ---: | ---: | :--- | :--- |"
    assert lines[6].startswith("| pope | official | f1 | 81.2 | [70.0, 90.0] | 1,234 | 99.9 % |")


def test_hostile_names_stay_in_their_cells(hostile_folder: Path) -> None:
    """No control or direction characters on a terminal; no tags, links or extra cells in markdown."""
    manifest, scores = read_manifest(hostile_folder), read_scores(hostile_folder)
    text, markdown = table.text(manifest, scores), table.markdown(manifest, scores)
    assert not any(ord(c) < 32 or 0x202A <= ord(c) <= 0x202E or c in "\u2028\u2029" for c in text.replace("\n", ""))
    assert "<" not in markdown
    evil = {"tasks": {"a|b": {"protocol": "[x](javascript:1)", "headline": "f1"}}, "model": {"name": "**m**`"}}
    rows = [line for line in table.markdown(evil, {"a|b": SCORES["pope"]}).splitlines() if line.startswith("| a")]
    assert rows[0].replace("\\|", "").count("|") == 10
