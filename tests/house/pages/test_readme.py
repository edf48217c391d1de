"""The figures of README and of the included models' page are what the models get."""

from __future__ import annotations

import contextlib
import io
import json
import re
import runpy
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vlmbench.data.files import Folder, read_table

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text("utf-8")
INCLUDED = (ROOT / "docs" / "models" / "included.md").read_text("utf-8")


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What examples/shipped_scores.py prints, and its folder of runs."""
    folder = tmp_path_factory.mktemp("shipped")
    out = io.StringIO()
    with contextlib.redirect_stdout(out), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["shipped_scores.py", str(folder)])
        assert runpy.run_path(str(ROOT / "examples" / "shipped_scores.py"))["main"]() == 0
    return out.getvalue(), folder


def scores(folder: Path) -> dict[str, Any]:
    """A run's scores.json."""
    found: dict[str, Any] = json.loads((folder / "scores.json").read_text("utf-8"))
    return found


def test_table_of_shipped_models(shipped: tuple[str, Path]) -> None:
    assert shipped[0].strip() in INCLUDED


def test_first_table_and_blind_figures(shipped: tuple[str, Path]) -> None:
    """The demo's rows, and what the same model gets with grey images."""
    plain, blind = scores(shipped[1] / "tinyllava"), scores(shipped[1] / "tinyllava" / "perturbations" / "blind")
    for task, metric in (("pope", "mean_f1"), ("gqa", "accuracy")):
        found = plain[task][metric]
        interval = f"[{found['low']:.1f}, {found['high']:.1f}]"
        row = next(line for line in README.splitlines() if line.startswith(f"{task}  ") and interval in line)
        assert row.split()[:4] == [task, "official", metric, f"{found['value']:.1f}"]
        assert f" {found['n']:,} " in row
    figures = re.search(r"gets ([\d.]+) accuracy on POPE and ([\d.]+) on GQA", " ".join(README.split()))
    assert figures is not None
    assert [f"{blind['pope']['accuracy']['value']:.1f}", f"{blind['gqa']['accuracy']['value']:.1f}"] == [
        *figures.groups()
    ]


@pytest.fixture(scope="module")
def most_frequent() -> Callable[[str], str]:
    """Its function for the last column."""
    found: Callable[[str], str] = runpy.run_path(str(ROOT / "examples" / "shipped_scores.py"))["most_frequent"]
    return found


def test_one_answer_to_every_question(most_frequent: Callable[[str], str]) -> None:
    """Counted by hand in the samples' files: a letter, a word, the better of two equally frequent words."""
    rows = json.loads((Folder.sample("gqa").root / "testdev_balanced_questions.json").read_text("utf-8")).values()
    word, count = Counter(row["answer"] for row in rows).most_common(1)[0]
    assert most_frequent("gqa") == f"{100 * count / len(rows):.1f} (`{word}`)"
    rows = read_table(Folder.sample("realworldqa").root / "RealWorldQA.tsv")
    letter, count = Counter(row.text("answer") for row in rows).most_common(1)[0]
    assert most_frequent("realworldqa") == f"{100 * count / len(rows):.1f} (`{letter}`)"
    assert most_frequent("pope") == "66.7 (`yes`)", "of always no there is no F1"
    assert most_frequent("amber_d") == "66.7 (`No`)", "its F1 is that of no"


@pytest.mark.parametrize(("task", "why"), [("refcoco", "that of one image"), ("seedbench", "own options")])
def test_why_there_is_no_most_frequent_answer(most_frequent: Callable[[str], str], task: str, why: str) -> None:
    assert why in most_frequent(task)
