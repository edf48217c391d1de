"""Runs that the peers wrote themselves (../shared/peer_results): each figure in their READMEs comes out of the rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from vlmbench.runs.imports import peers, writer
from vlmbench.runs.imports.writer import Imported

EXACT = 1e-12
"""Relative: sums of the same floats in another order."""
FOLDERS = (
    "lmms-eval/llava_hf-tiny-a", "lmms-eval/llava_hf-tiny-b", "lmms-eval/scripted-a", "lmms-eval/scripted-b",
    "lmms-eval/v0.3.5-scripted-a", "lm-eval/tiny-a", "lm-eval/tiny-b", "lm-eval/v0.4.3-dummy-text",
    "VLMEvalKit/scripted-a-exact_matching", "VLMEvalKit/scripted-a-judge-1",
    "VLMEvalKit/scripted-b-default_judge_unreachable", "inspect/scripted-a", "inspect/scripted-b",
    "inspect/v0.3.100-mockllm-a", "evalscope/scripted-a", "evalscope/scripted-b",
)  # fmt: skip
FAILED = re.compile(r"bleu")
"""Figures that evalscope states and that its reviews say have failed."""


@cache
def imported(folder: Path) -> list[Imported]:
    """The runs of a folder."""
    return [writer.imported(run) for run in peers.find(folder)]


def results(shared: Path, name: str) -> Path:
    """A folder of peers' files; a skip that says that it is absent."""
    folder = shared / "peer_results" / name
    if not folder.is_dir():
        pytest.skip("no ../shared/peer_results: files that other harnesses wrote")
    return folder


def figures(runs: list[Imported]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(model, benchmark, figure) of all tasks."""
    for run in runs:
        for entry in run.manifest["tasks"].values():
            for figure in entry["peer"]["figures"]:
                yield run.run.model, entry["peer"]["dataset"], figure


def table(folder: Path) -> list[list[str]]:
    """The rows of the table in a README."""
    lines = (folder / "README.md").read_text("utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return cells[2:]


def expected(folder: Path) -> Iterator[tuple[str, str, float, float]]:
    """(benchmark, figure, value, how far the recomputed one may be) of a README's table."""
    peer = folder.parent.name
    for cells in table(folder):
        if peer in ("lmms-eval", "lm-eval"):
            at = 1 if folder.name.startswith("tiny") else 0
            if folder.name.startswith("v0.4.3"):
                yield "drawn_sqa_text", cells[0], float(cells[1]), EXACT
                continue
            task, name, value, stderr = cells[at : at + 4]
            if value not in ("null", "[]"):
                yield task, name, float(value), EXACT
            if stderr not in ("N/A", "[]"):
                metric, _, filtered = name.partition(",")
                ending = "_stderr" if peer == "lm-eval" or "v0.3.5" in folder.name else "_stderr_clt"
                yield task, f"{metric}{ending},{filtered}", float(stderr), EXACT
        elif peer == "VLMEvalKit":
            file, row, column, value = cells
            _, _, rest = file.removesuffix(".csv").partition("_")
            dataset, _, kind = re.sub(r"_((?:judge-1_)?(?:acc|score|score_fine))$", r"|\1", rest).partition("|")
            yield dataset, f"{kind}: {row} {column}".replace(":  ", ": "), float(value), EXACT
        elif peer == "inspect":
            file, _, scorer, metric, value = cells[:5]
            yield re.split("_", file)[1].replace("-", "_"), f"{scorer}: {metric}", float(value), EXACT
        else:
            file, metric, _, subset, value = cells[:5]
            name = metric if subset == "(all)" else f"{metric}: {subset}"
            yield file.removesuffix(".json"), name, float(value), 0.5001e-4


@pytest.mark.parametrize("name", FOLDERS)
def test_every_figure_of_the_readme_is_recomputed(name: str, shared: Path) -> None:
    folder = results(shared, name)
    found = {(dataset, one["name"]): one for _, dataset, one in figures(imported(folder))}
    count = 0
    for dataset, figure, value, allowed in expected(folder):
        one = found[dataset, figure]
        assert one["stated"] == value
        if FAILED.match(figure):
            assert one["recomputed"] is None
            assert "failed" in one["note"]
        else:
            assert one["recomputed"] == pytest.approx(value, rel=allowed if allowed == EXACT else 0, abs=allowed)
            assert one["agrees"] is True
        count += 1
    assert count >= 4


@pytest.mark.parametrize("model", ["llava-v1.5-7b-a", "llava-v1.5-7b-b"])
def test_what_llavas_scorers_printed(model: str, shared: Path) -> None:
    folder = results(shared, "llava-folder")
    text = (folder / "README.md").read_text("utf-8").partition(f"## {model}\n")[2].partition("\n## ")[0]
    scores = next(one.scores for one in imported(folder) if one.run.model == model)

    def printed(pattern: str) -> float:
        match = re.search(pattern, text)
        assert match, pattern
        return float(match[1])

    names = {"Accuracy": "accuracy", "Precision": "precision", "Recall": "recall", "F1 score": "f1"}
    names["Yes ratio"] = "yes_ratio"
    for kind in ("adversarial", "random", "popular"):
        for line, metric in names.items():
            value = printed(rf"Category: {kind}[^=]*?{line}: ([\d.]+)")
            assert scores["pope@llava"][f"{kind}_{metric}"]["value"] / 100 == pytest.approx(value, rel=EXACT)
    perception, cognition = re.findall(r"total score: ([\d.]+)", text)
    assert scores["mme@llava"]["perception"]["value"] == float(perception)
    assert scores["mme@llava"]["cognition"]["value"] == float(cognition)
    for subtask, value in re.findall(r"^\s+(\w+)  score: ([\d.]+)", text, re.MULTILINE):
        assert scores["mme@llava"][subtask]["value"] == pytest.approx(float(value), rel=EXACT)
    half = 0.005 + 1e-9  # printed with two decimals
    gqa = scores["gqa@llava"]
    assert gqa["binary"]["value"] == pytest.approx(printed(r"Binary: ([\d.]+)%"), abs=half)
    assert gqa["open"]["value"] == pytest.approx(printed(r"Open: ([\d.]+)%"), abs=half)
    assert gqa["accuracy"]["value"] == pytest.approx(printed(r"Open: [\d.]+%\nAccuracy: ([\d.]+)%"), abs=half)
    assert scores["textvqa@llava"]["accuracy"]["value"] == pytest.approx(
        printed(r"Samples: 50\nAccuracy: ([\d.]+)%"), abs=half
    )
    science = scores["scienceqa:test@llava"]
    assert science["accuracy"]["value"] == pytest.approx(printed(r"Correct: \d+, Accuracy: ([\d.]+)%"), abs=half)
    assert science["image_accuracy"]["value"] == pytest.approx(printed(r"IMG-Accuracy: ([\d.]+)%"), abs=half)
    assert sum(scores["gqa@llava"]["statuses"].values()) == 180, "chunks and their merged file are read once"


def test_a_failed_log_has_errors_and_no_score(shared: Path) -> None:
    (run,) = imported(results(shared, "inspect/v0.3.100-status-error"))
    assert not run.has_scores
    assert "status error" in run.run.failed
    for entry in run.scores.values():
        assert entry["statuses"] == {"error": 3}
        assert entry[entry["headline"]]["value"] is None


def test_samples_with_errors_are_no_zeros(shared: Path) -> None:
    (run,) = imported(results(shared, "inspect/scripted-a"))
    entry = run.scores["inspect.drawn_pope_errors@includes.accuracy"]
    assert entry["statuses"] == {"ok": 18, "error": 2}
    assert entry["includes.accuracy"]["value"] == pytest.approx(100 * 14 / 18)


def test_failed_requests_of_vlmevalkit_are_errors_and_its_figures_count_them(shared: Path) -> None:
    (run,) = imported(results(shared, "VLMEvalKit/scripted-a-exact_matching"))
    assert run.scores["vlmevalkit.MME@perception"]["statuses"] == {"ok": 55, "error": 1}
    assert run.scores["mme@vlmevalkit"]["statuses"] == {"ok": 55, "error": 1}
    assert {record.response.text for record in run.records if record.score.status == "error"} == {""}


def test_a_judge_that_never_ran_is_named(shared: Path) -> None:
    (run,) = imported(results(shared, "VLMEvalKit/scripted-b-default_judge_unreachable"))
    peer = run.manifest["tasks"]["vlmevalkit.ScienceQA_TEST@hit"]["peer"]
    assert peer["judge"] == "none (gpt-4o-mini was named and did not run)"
    (judged,) = imported(results(shared, "VLMEvalKit/scripted-a-judge-1"))
    assert judged.manifest["tasks"]["vlmevalkit.MMVet"]["peer"]["judge"] == "judge-1"


def test_right_answers_that_are_not_in_the_file_are_not_made_up(shared: Path) -> None:
    (run,) = imported(results(shared, "lmms-eval/scripted-a"))
    assert "vqav2@lmms_eval" not in run.scores
    notes = run.scores["lmms-eval.vqav2_val@exact_match"]["notes"]
    assert any("right answers" in note for note in notes)
    targets = {r.sample.target for r in run.records if r.task == "lmms-eval.vqav2_val@exact_match"}
    assert targets == {None}


def test_versions_that_score_otherwise_are_told_apart(shared: Path) -> None:
    (old,), (new,) = (imported(results(shared, f"lmms-eval/{name}")) for name in ("v0.3.5-scripted-a", "scripted-a"))
    key = "lmms-eval.vqav2_val@exact_match"
    assert (old.scores[key]["exact_match"]["value"], new.scores[key]["exact_match"]["value"]) == (65.625, 69.53125)
    assert old.scores["vqav2@lmms_eval"]["accuracy"]["value"] == 69.53125
    assert any("5 of 128 answers differently" in note for note in old.scores[key]["notes"])
    assert old.run.version != new.run.version


def test_all_folders_at_once_give_the_same_runs(shared: Path) -> None:
    whole = peers.find(results(shared, "."))
    assert len(whole) == 21
    assert sorted(run.peer for run in whole) == sorted(
        ["lmms-eval"] * 5 + ["lm-eval"] * 5 + ["vlmevalkit"] * 3 + ["inspect"] * 4 + ["evalscope"] * 2 + ["llava"] * 2
    )
