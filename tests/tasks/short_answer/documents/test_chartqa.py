"""ChartQA's layouts in small made-up copies, and what is wrong with some."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.tasks.layouts import hub_samples
from vlmbench.base.errors import DataError, ImageError
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Response, Sample, Status
from vlmbench.data.files import Folder

CELL = "A" * 100
"""Stands for an image in a table."""


def write(root: Path, source: str, *rows: dict[str, Any], folder: str = "ChartQA Dataset/") -> None:
    """One of the two official files."""
    path = root / f"{folder}test/test_{source}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows), "utf-8")


def row(number: int, **changes: Any) -> dict[str, Any]:
    """An official row."""
    return {"imgname": f"{number}.png", "query": "How many?", "label": "12", **changes}


def read(root: Path, split: str = "test") -> list[Sample]:
    """The samples of a folder."""
    return list(choose_task("chartqa").task.samples(Folder(root), split))


@pytest.mark.parametrize("folder", ["ChartQA Dataset/", ""])
def test_official_files(tmp_path: Path, folder: str) -> None:
    write(tmp_path, "human", row(1), row(2, label="[1, 2]"), folder=folder)
    write(tmp_path, "augmented", row(1, label="50%"), folder=folder)
    (tmp_path / f"{folder}test/png").mkdir()
    (tmp_path / f"{folder}test/png/1.png").write_bytes(b"a chart")
    one, two, three = read(tmp_path)
    assert [sample.id for sample in (one, two, three)] == ["1", "2", "3"]
    assert [sample.tags["source"] for sample in (one, two, three)] == ["human", "human", "augmented"]
    assert (two.target, three.target, three.cluster) == ("[1, 2]", "50%", one.cluster)
    assert three.images[0].load() == b"a chart"
    with pytest.raises(ImageError, match=r"no image 2\.png"):
        two.images[0].load()


def test_figures_by_source(tmp_path: Path) -> None:
    write(tmp_path, "human", row(1), row(2))
    write(tmp_path, "augmented", row(1))
    task = choose_task("chartqa").task
    scored = [
        (sample, task.score(sample, Response("12" if sample.id != "1" else "no"), "vlmevalkit"))
        for sample in read(tmp_path)
    ]
    values = {metric.name: metric.value() for metric in task.summarise(scored, "vlmevalkit")}
    assert values == pytest.approx({"relaxed_accuracy": 200 / 3, "source_augmented": 100, "source_human": 50})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"label": None}, ""),
        ({"query": None}, "the field is null"),
        ({"imgname": "../a.png"}, "not the name of an image inside"),
        ({"label": {"a": 1}}, "a text or a number was expected"),
    ],
)
def test_bad_rows(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    write(tmp_path, "human", row(1, **changes))
    write(tmp_path, "augmented", row(1))
    if words:
        with pytest.raises(DataError, match=re.escape(words)):
            read(tmp_path)
        return
    score = choose_task("chartqa").task.score(read(tmp_path)[0], Response("12"), "lmms_eval")
    assert (score.status, score.value) == (Status.UNLABELED, None)


def test_missing_and_cut_files(tmp_path: Path) -> None:
    write(tmp_path, "human", row(1))
    with pytest.raises(DataError, match="augmented questions is not there"):
        read(tmp_path)
    write(tmp_path, "augmented", row(1))
    path = tmp_path / "ChartQA Dataset/test/test_augmented.json"
    path.write_text(path.read_text("utf-8")[:-9], "utf-8")
    with pytest.raises(DataError, match="broken JSON"):
        read(tmp_path)
    path.write_text("[]", "utf-8")
    with pytest.raises(DataError, match="empty"):
        read(tmp_path)


def test_vlmevalkits_table(tmp_path: Path) -> None:
    lines = ["index\timage\tquestion\tanswer\tsplit", f"0\t{CELL}\tHow many?\t12\ttest_human"]
    lines.append("1\t0\tWhich?\t['a', 'b']\ttest_augmented")
    (tmp_path / "ChartQA_TEST.tsv").write_text("\n".join(lines) + "\n", "utf-8")
    one, two = read(tmp_path)
    assert [(s.id, s.tags["source"], s.target) for s in (one, two)] == [
        ("0", "human", "12"),
        ("1", "augmented", "['a', 'b']"),
    ]
    assert choose_task("chartqa").task.score(two, Response("b"), "vlmevalkit").value == 1.0
    with pytest.raises(DataError, match=r"no ChartQA Dataset/val/val_human\.json"):
        read(tmp_path, "val")


def test_hub_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"type": "human_test", "question": "How many?", "answer": "12"}]
    rows.append({"type": "augmented_test", "question": "Which?", "answer": "A"})
    found = hub_samples(tmp_path, "chartqa", "lmms-lab/ChartQA/data/test", rows, monkeypatch)
    assert [(s.id, s.tags["source"]) for s in found] == [("1", "human"), ("2", "augmented")]
    labelled: list[dict[str, Any]] = [{"query": "How many?", "label": ["12"], "human_or_machine": n} for n in (0, 1)]
    found = hub_samples(tmp_path, "chartqa:val", "HuggingFaceM4/ChartQA/data/val", labelled, monkeypatch)
    assert [(s.target, s.tags["source"]) for s in found] == [("12", "human"), ("12", "augmented")]
