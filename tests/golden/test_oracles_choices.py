"""What official scripts returned for adversarial answers of benchmarks with few possible answers, against ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.golden.test_oracles import scored_by
from vlmbench import answers
from vlmbench.errors import PredictionsError
from vlmbench.registry import choose_task
from vlmbench.sources import Folder

Oracle = Callable[[str], tuple[Path, Any, Any]]
Counted = Callable[[Path, int], None]

# ------------------------------------------------------------------------------------------------------------- MME


def write_mme(cases: Sequence[Mapping[str, Any]], root: Path) -> tuple[Folder, Path]:
    """The cases as question folders and as official result files."""
    for case in cases:
        line = f"{case['question']}\t{case['gt']}"
        rows = {
            f"data/{case['subtask']}/{Path(case['image']).stem}.txt": f"{line}\n",
            f"results/{case['subtask']}.txt": f"{case['image']}\t{line}\t{case['prediction']}\n",
        }
        for name, text in rows.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            with (root / name).open("a", encoding="utf-8", newline="") as file:
                file.write(text)
    return Folder(root / "data"), root / "results"


def mme_totals(protocol: str, expected: Mapping[str, Any]) -> dict[str, float]:
    """The oracle's totals under our names."""
    names = {"Perception": "perception", "Cognition": "cognition", "reasoning": "cognition"}
    names |= {"mme_perception_score": "perception", "mme_cognition_score": "cognition"}
    totals = expected["totals"][protocol]
    found = totals if protocol == "vlmevalkit" else {**totals["totals"], **totals["per_subtask"]}
    made = {names.get(name, name): value for name, value in found.items()}
    for name, row in totals.get("metrics", {}).items():
        made |= {f"{name}_acc": 100 * row["acc"], f"{name}_acc_plus": 100 * row["acc_plus"]}
    return made


@pytest.mark.parametrize("protocol", ["official", "lmms_eval", "vlmevalkit"])
def test_mme(oracle: Oracle, counted: Counted, tmp_path: Path, protocol: str) -> None:
    folder, cases, expected = oracle("mme")
    data, results = write_mme(cases["cases"], tmp_path)
    task = choose_task("mme").task
    samples = task.samples(data, "test")
    scored, values = scored_by(f"mme@{protocol}", samples, task.read_predictions(results, samples))
    by_question = {(s.tags["subtask"], s.question, s.images[0].name): score for s, score in scored}
    for case, row in zip(cases["cases"], expected["per_case"], strict=True):
        said = by_question[case["subtask"], case["question"], f"{case['subtask']}/{case['image']}"]
        right = {"unknown": "other"}.get(row[protocol].lower(), row[protocol].lower())
        assert {"unknown": "other"}.get(said.read, said.read) == right, case
        assert said.value == float(right == case["gt"].lower()), case
    totals = mme_totals(protocol, expected)
    assert {name: values[name] for name in totals} == pytest.approx(totals, abs=1e-9)
    if protocol == "official":
        counted(folder, len(cases["cases"]))


def test_mme_degenerate(oracle: Oracle, counted: Counted, tmp_path: Path) -> None:
    """A tab or a line end in a response breaks the official reader; here it is an error that says where."""
    folder, cases, expected = oracle("mme")
    texts = {"tab_in_prediction": "yes\tno", "newline_in_prediction": "yes\nno", "cr_in_prediction": "yes\rno"}
    texts |= {"u2028_in_prediction": "yes\u2028no", "empty_prediction": ""}
    for name, right in expected["degenerate"].items():
        rows = [dict(case) for case in cases["cases"]]
        rows[0]["prediction"] = texts[name]
        data, results = write_mme(rows, tmp_path / name)
        task = choose_task("mme").task
        samples = task.samples(data, "test")
        if "raises" in right:
            with pytest.raises(PredictionsError, match="line 1: 5 cells|line 2: 1 cells"):
                task.read_predictions(results, samples)
        else:
            read = task.read_predictions(results, samples)[samples[0].id]
            assert answers.opening_yes_no(read) == right["first_label"]
    counted(folder, len(expected["degenerate"]))


def dumped(path: Path, content: object) -> Path:
    """A JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), "utf-8")
    return path
