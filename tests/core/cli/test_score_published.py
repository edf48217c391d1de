"""`vlmbench score` gives the published figures from the models' own published answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vlmbench.cli.main import main

pytestmark = pytest.mark.slow

LAVIN = {
    "existence": 185.00, "count": 88.33, "position": 63.33, "color": 75.00, "posters": 79.59, "celebrity": 47.35,
    "scene": 136.75, "landmark": 93.50, "artwork": 87.25, "OCR": 107.50, "commonsense_reasoning": 87.14,
    "numerical_calculation": 65.00, "text_translation": 47.50, "code_reasoning": 50.00,
}  # fmt: skip
"""LaVIN-13B's subtasks as the README of MME's branch Evaluation prints them."""


def scores(capsys: pytest.CaptureFixture[str], spec: str, predictions: Path, data: Path) -> dict[str, float]:
    """Metric values that the command prints."""
    assert main(["score", spec, "--predictions", str(predictions), "--data", str(data), "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out).values()
    assert entry["coverage"] == 1
    return {name: found["value"] for name, found in entry.items() if isinstance(found, dict) and "value" in found}


def test_mme_lavin(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = shared / "real" / "predictions" / "lavin_mme"
    values = scores(capsys, "mme", root / "eval_tool" / "LaVIN", root)
    assert round(values["perception"], 2) == 963.61 and round(values["cognition"], 2) == 249.64
    assert {name: round(values[name], 2) for name in LAVIN} == LAVIN


@pytest.mark.parametrize("file", ["llava-v1.5-13b_result.json", "llava-v1.5-13b_output.jsonl"])
def test_scienceqa_llava(shared: Path, capsys: pytest.CaptureFixture[str], file: str) -> None:
    root = shared / "real" / "predictions" / "llava-v1.5-13b_scienceqa"
    pictured = scores(capsys, "scienceqa@llava", root / "answers" / file, root)
    assert round(pictured["accuracy"], 2) == 71.64
    every = scores(capsys, "scienceqa:test@llava", root / "answers" / file, root)
    assert round(every["accuracy"], 2) == 74.39 and round(every["image_accuracy"], 2) == 71.64


def test_scienceqa_gpt3(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The paper's columns TXT, IMG and NO come out too."""
    root = shared / "real" / "predictions"
    answers = root / "scienceqa_gpt3_cot" / "final_test_QCM-ALE_2_seed_3.json"
    values = scores(capsys, "scienceqa:test", answers, root / "llava-v1.5-13b_scienceqa")
    assert round(values["accuracy"], 2) == 75.17
    contexts = [values[f"context_{name}"] for name in ("has_text", "has_image", "no_context")]
    assert [round(value, 2) for value in contexts] == [74.68, 67.43, 79.93]


def test_iconqa_patch_trm(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the problems that are at hand: 44, 41 and 43 of 50."""
    root = shared / "real"
    values = scores(capsys, "iconqa", root / "predictions" / "iconqa_patch_trm", root / "iconqa")
    assert {name: values[name] for name in ("choose_img", "choose_txt", "fill_in_blank")} == {
        "choose_img": 88, "choose_txt": 82, "fill_in_blank": 86,
    }  # fmt: skip
    only = scores(capsys, "iconqa:choose_img_test", root / "predictions" / "iconqa_patch_trm", root / "iconqa")
    assert only["accuracy"] == 88


@pytest.mark.parametrize(
    ("spec", "folder", "count"),
    [
        ("vsr", "vsr", 4),
        ("vsr:random", "vsr", 4),
        ("vsr@minigpt_v2", "vsr", 4),
        ("iconqa", "iconqa", 150),
        ("iconqa:choose_txt_test@tinygpt_v", "iconqa", 50),
        ("scienceqa", "scienceqa", 48),
        ("scienceqa:test@llava", "scienceqa", 72),
    ],
)
def test_real_folders_run(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], spec: str, folder: str, count: int
) -> None:
    """Every question of the real folders is asked and scored, every picture read."""
    words = ["run", "--model", "echo,text=yes", "--tasks", spec, "--data", str(shared / "real" / folder)]
    assert main([*words, "--output", str(tmp_path / "run"), "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out).values()
    assert entry["coverage"] == 1 and entry["statuses"] == {"ok": count}
