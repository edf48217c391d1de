"""Judges from the command line: `run --judge`, `score RUN --judge`, verdicts in files, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.support.judge_server import Judging
from tests.support.judge_toys import FAST
from vlmbench.cli.main import main


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own."""
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    return tmp_path / "cache"


def scores(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "scores.json").read_text())
    return found


def test_a_run_with_a_judge(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", "--model", "echo,text=red", "--tasks", "mmvet,llava_bench", "--output", str(tmp_path / "run")]
    assert main([*words, "--judge", "echo,text=8 6", "--judge-runs", "3"]) == 0
    printed = capsys.readouterr()
    assert "relative_score" in printed.out and "3 judge runs: 75.0, 75.0, 75.0; std 0.0" in printed.out
    assert "231 gradings" in printed.err and "judge echo,text=8 6:" in printed.err
    found = scores(tmp_path / "run")
    assert (
        found["llava_bench"]["relative_score"]["value"] == pytest.approx(75) and found["mmvet"]["total"]["value"] == 0
    )
    judge = json.loads((tmp_path / "run/run.json").read_text())["tasks"]["mmvet"]["judge"]
    assert judge["name"] == "echo,text=8 6" and judge["runs"] == 3 and judge["papers_used"] == "gpt-4-0613"
    rows = pq.read_table(tmp_path / "run/judgements.parquet").to_pylist()
    assert len(rows) == 231 and {len(row["replies"]) for row in rows} == {1, 6}


def test_answered_now_and_judged_later(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a judge the answers are kept; score grades them, and another judge's verdicts are put aside."""
    folder = tmp_path / "run"
    words = ["run", "--model", "echo,text=red", "--tasks", "mmvet", "--limit", "9", "--output", str(folder)]
    assert main(words) == 1
    assert "`vlmbench score" in capsys.readouterr().err and scores(folder)["mmvet"]["statuses"] == {"judge_failed": 9}
    assert main(["score", str(folder), "--judge", "echo,text=0.5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == scores(folder)
    assert scores(folder)["mmvet"]["total"]["value"] == 50 and scores(folder)["mmvet"]["coverage"] == 1
    assert main(["score", str(folder), "--judge", "echo,text=1"]) == 0
    assert scores(folder)["mmvet"]["total"]["value"] == 100
    aside = sorted(path.parent for path in (folder / "superseded").rglob("scores.json"))
    assert len(aside) == 2 and scores(aside[-1])["mmvet"]["total"]["value"] == 50
    assert main([*words, "--judge", "echo,text=1"]) == 0  # the same verdicts by the main job: no answer is asked again
    assert "9 of 9 answers were taken" in capsys.readouterr().out


def test_answers_of_a_file_are_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    assert main(["run", "--model", "echo,text=red", "--tasks", "llava_bench", "--output", str(folder)]) == 1
    answers = tmp_path / "answers.jsonl"
    assert main(["export", str(folder), "--output", str(answers)]) == 0
    with Judging(answer=lambda prompt: "8 4\nbecause") as server:
        judge = f"openai:gpt-4-0613,base_url={server.url},{FAST}"
        words = ["score", "llava_bench", "--predictions", str(answers), "--output", str(tmp_path / "scored")]
        capsys.readouterr()
        assert main([*words, "--judge", judge, "--json"]) == 0
        told = capsys.readouterr()
        assert json.loads(told.out)["llava_bench"]["relative_score"]["value"] == pytest.approx(50)
        assert "about" in told.err and "USD" in told.err and sum(server.graded.values()) == 48
        assert "[Assistant 2]\nred\n" in server.bodies[0]["messages"][1]["content"]
    rows = pq.read_table(tmp_path / "scored/judgements.parquet").to_pylist()
    assert {row["judge_model"] for row in rows} == {"tiny-judge-1"}
    reviews = tmp_path / "reviews.jsonl"
    lines = [{"question_id": int(row["sample_id"]), "content": row["replies"][0]} for row in rows]
    reviews.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert main(["score", "llava_bench@official", "--predictions", str(reviews)]) == 0
    assert "50.0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["score", "mmvet", "--predictions", "RESULTS"], "mmvet is graded by a judge"),
        (["score", "mmvet"], "name them: --predictions PATH"),
        (["score", "mmvet", "--predictions", "GRADES", "--judge", "echo"], "holds a judge's verdicts"),
        (["score", "mmvet", "--predictions", "RESULTS", "--judge", "openai:gpt-4"], "OPENAI_API_KEY is not set"),
        (["run", "--model", "echo", "--tasks", "pope", "--judge", "echo"], "--judge has nothing to grade: pope"),
        (["run", "--model", "echo", "--tasks", "mmvet", "--judge-runs", "2"], "--judge-runs needs a judge"),
        (["run", "--model", "echo", "--tasks", "mmvet", "--judge", "openai:gpt-4"], "export OPENAI_API_KEY="),
        (["score", "RUN", "--predictions", "RESULTS"], "leave --predictions"),
    ],
)
def test_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str) -> None:
    ids = list(json.loads((Path(__file__).parents[3] / "tasks/samples/mmvet/mm-vet.json").read_text()))
    (tmp_path / "results.json").write_text(json.dumps(dict.fromkeys(ids, "red")))
    grades = {key: {"model": ["m"], "content": ["0.5"], "score": [0.5]} for key in ids}
    (tmp_path / "grades.json").write_text(json.dumps(grades))
    (tmp_path / "run").mkdir()
    (tmp_path / "run/run.json").write_text("{}")
    places = {"RESULTS": "results.json", "GRADES": "grades.json", "RUN": "run"}
    assert main([str(tmp_path / places[word]) if word in places else word for word in words]) == 2
    assert told in capsys.readouterr().err


def test_verdicts_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ids = list(json.loads((Path(__file__).parents[3] / "tasks/samples/mmvet/mm-vet.json").read_text()))
    grades = {key: {"model": ["m"] * 2, "content": ["x"] * 2, "score": [0.5, 1.0]} for key in ids}
    (tmp_path / "grades.json").write_text(json.dumps(grades))
    assert main(["score", "mmvet", "--predictions", str(tmp_path / "grades.json")]) == 0
    assert "2 judge runs: 50.0, 100.0; std 25.0" in capsys.readouterr().out


def test_a_finished_run_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Scored again into another folder, the run's own stays as it is; other data are refused."""
    folder, data = tmp_path / "run", Path(__file__).parents[3] / "tasks/samples/llava_bench"
    main(["run", "--model", "echo", "--tasks", "llava_bench", "--limit", "3", "--output", str(folder)])
    words = ["score", str(folder), "--judge", "echo,text=5 5", "--output", str(tmp_path / "new"), "--data"]
    assert main([*words, str(data)]) == 0
    assert scores(folder)["llava_bench"]["coverage"] == 0 and scores(tmp_path / "new")["llava_bench"]["coverage"] == 1
    for file in ("context", "answers_gpt4", "questions"):
        (tmp_path / f"{file}.jsonl").write_text((data / f"{file}.jsonl").read_text().replace("drawing", "picture"))
    capsys.readouterr()
    assert main([*words, str(tmp_path)]) == 2
    assert "name the data the run was made with" in capsys.readouterr().err
