"""`vlmbench score` from the command line: what it prints, what it writes, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.tasks.layouts import KINDS, gqa_question, pope_rows, write_gqa, write_lines, write_pope
from vlmbench.cli.main import main


@pytest.fixture
def pope(tmp_path: Path) -> tuple[str, str]:
    """A data folder and a folder of official answers, all right but one."""
    write_pope(tmp_path / "data", pictures=None)  # answers are scored without their pictures
    for kind in KINDS:
        rows = [{"question": row["text"], "answer": row["label"]} for row in pope_rows(kind)]
        write_lines(tmp_path / f"answers/{kind}.json", rows)
    return str(tmp_path / "data"), str(tmp_path / "answers")


def test_table_and_json(pope: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    data, answers = pope
    assert main(["score", "pope", "--predictions", answers, "--data", data]) == 0
    printed = capsys.readouterr()
    assert "mean_f1" in printed.out and "100.0" in printed.out
    assert printed.err.startswith("vlmbench: pope: 36 questions, and the official coco has 9,000")
    assert len(printed.err.splitlines()) == 1
    assert main(["score", "pope@llava", "--predictions", answers, "--data", data, "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert list(scores) == ["pope@llava"] and scores["pope@llava"]["mean_f1"]["value"] == 100
    assert scores["pope@llava"]["headline"] == "mean_f1" and scores["pope@llava"]["coverage"] == 1.0


def test_a_run_folder(pope: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import pyarrow.parquet as pq

    data, answers = pope
    folder = tmp_path / "run"
    words = ["score", "pope", "--predictions", answers, "--data", data, "--output", str(folder), "--json"]
    assert main(words) == 0
    printed = json.loads(capsys.readouterr().out)
    assert json.loads((folder / "scores.json").read_text()) == printed
    rows = pq.read_table(folder / "records.parquet").to_pylist()
    assert len(rows) == 36 and {row["text"] for row in rows} == {"yes", "no"} and rows[0]["sample_id"] == "random/1"
    assert json.loads((folder / "run.json").read_text())["model"]["name"] == "answers answers"
    assert main(words) == 0  # the same again into the same folder


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["pope:moon"], "no split of pope named 'moon'"),
        (["pope@llawa"], "did you mean llava"),
        (["poppe"], "did you mean pope?"),
        (["pope", "--attentions", "x"], "pope has no score for attentions"),
        (["pope", "--data", "nowhere"], "no folder nowhere"),
        (["pope", "--predictions", "nowhere"], "no such file or folder"),
    ],
)
def test_wrong_words(pope: tuple[str, str], words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    data, answers = pope
    assert main(["score", words[0], "--predictions", answers, "--data", data, *words[1:]]) == 2
    printed = capsys.readouterr()
    assert told in printed.err and not printed.out and "Traceback" not in printed.err


def test_answers_that_do_not_fit(pope: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    data, answers = pope
    path = Path(answers) / "popular.json"
    path.write_text("\n".join(path.read_text().splitlines()[1:]))
    assert main(["score", "pope", "--predictions", answers, "--data", data, "--json"]) == 2
    printed = capsys.readouterr()
    assert "line 1: the row asks" in printed.err and not printed.out


def test_gqa_with_attentions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_gqa(tmp_path, {"1": gqa_question(), "2": gqa_question(answer="blue")})
    scene = {"width": 10, "height": 10, "objects": {"1": {"x": 0, "y": 0, "w": 5, "h": 10}}}
    (root / "testdev_sceneGraphs.json").write_text(json.dumps({"n1": scene}))
    answers = write_lines(root / "p.json", [{"questionId": key, "prediction": "red"} for key in "12"], array=True)
    maps = [{"questionId": key, "attention": [[0.25, 0.25], [0, 0.5]]} for key in "12"]
    attention = write_lines(root / "a.json", maps, array=True)
    words = [
        "score",
        "gqa",
        "--predictions",
        str(answers),
        "--data",
        str(root),
        "--attentions",
        str(attention),
        "--json",
    ]
    assert main(words) == 0
    scores = json.loads(capsys.readouterr().out)["gqa"]
    assert scores["accuracy"]["value"] == 50 and scores["grounding"]["value"] == pytest.approx(100)
    assert main(words[:-1]) == 0
    assert "note: distribution: lower is better" in capsys.readouterr().out


def test_real_files(shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Official question files and answers made from their labels, in both versions."""
    root = shared / "real" / "pope"
    for spec, folder, stem in (("pope", "coco", "coco_pope_"), ("pope:aokvqa", "aokvqa", "aokvqa_pope_seem_")):
        from vlmbench.data.files import read_rows

        for kind in KINDS:
            rows = [row.values for row in read_rows(root / folder / f"{stem}{kind}.json")]
            given = [{"question": row["text"], "answer": f"{row['label'].title()}, it is."} for row in rows]
            write_lines(tmp_path / folder / f"{kind}.jsonl", given)
        assert main(["score", spec, "--predictions", str(tmp_path / folder), "--data", str(root), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)[spec]["mean_f1"]["value"] == 100
