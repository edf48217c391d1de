"""`run --gate` on MME, a sum over subtasks: an image of each in turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.core.compare.many_images import mme_files
from tests.core.compare.running.worlds import content
from tests.support.gate_runs import ran
from vlmbench.base.process import exit_codes

pytestmark = pytest.mark.slow

IMAGES, SUBTASKS = 60, 14
"""Of each subtask; 1,680 questions."""


@pytest.fixture(scope="module")
def mme(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mapping[str, str]]:
    """A folder with the data and a run that is right, and its answers."""
    folder = tmp_path_factory.mktemp("mme")
    truth = dict(mme_files(folder / "data" / "mme", IMAGES))
    ran(folder / "before", truth, "--data", str(folder / "data"), tasks="mme")
    return folder, truth


def gated(folder: Path, name: str, answers: Mapping[str, str], *words: str, code: int) -> Counter[str]:
    """A gated run; how many images of each subtask were asked about."""
    words = ("--data", str(folder / "data"), "--gate", str(folder / "before"), *words)
    run = ran(folder / name, answers, *words, tasks="mme", code=code)
    rows = pq.read_table(run / "records.parquet", columns=["cluster", "status"]).to_pylist()
    return Counter(name.partition("/")[0] for name in {row["cluster"] for row in rows if row["status"] != "not_asked"})


def test_a_broken_model_fails_after_ten_images_of_each_subtask(mme: tuple[Path, Mapping[str, str]]) -> None:
    folder, truth = mme
    found = gated(folder, "yes", dict.fromkeys(truth, "yes"), code=exit_codes.BAD_RESULT)
    assert len(found) == SUBTASKS and min(found.values()) >= 10
    assert max(found.values()) <= min(found.values()) + 1 <= 15
    (told,) = content(folder / "yes", "check.json")["tasks"]
    assert told["metric"] == "perception" and told["outcome"] == "fail" and "decided early" in told["rule"]


def test_an_equal_model_passes_after_a_part(mme: tuple[Path, Mapping[str, str]]) -> None:
    folder, truth = mme
    found = gated(folder, "same", truth, "--max-drop", "3%", code=exit_codes.OK)
    assert sum(found.values()) < 0.8 * IMAGES * SUBTASKS
    scores = content(folder / "same", "scores.json")["mme"]
    assert scores["perception"]["value"] == 2000
