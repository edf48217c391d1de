"""The examples of docs/models/plugins.md run, and are as short as promised."""

from __future__ import annotations

import contextlib
import io
import re
import runpy
from pathlib import Path

import orjson
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.support.toys import write_stars
from vlmbench.base.process import exit_codes
from vlmbench.cli import main as cli
from vlmbench.runs.storage.run_files import read_scores

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "models" / "plugins.md").read_text("utf-8")
FILES = dict(re.findall(r'^```(?:csv|python) title="(\S+)"\n(.*?)^```', PAGE, re.MULTILINE | re.DOTALL))
COMMANDS = re.findall(r"^\$ vlmbench (.*)$", PAGE, re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forgotten: None) -> Path:
    """The page's files in a folder of their own, which is the working directory; pictures of one colour."""
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "images").mkdir()
    for name in re.findall(r"^images/(\w+\.png)", FILES["signs.csv"], re.MULTILINE):
        Image.new("RGB", (32, 32), (200, 20, 20)).save(tmp_path / "images" / name)
    write_stars(tmp_path / "stars.tsv")
    return tmp_path


def test_a_task_takes_20_lines_and_a_model_10() -> None:
    assert len(FILES["signs.py"].splitlines()) <= 20
    assert len(FILES["loud.py"].splitlines()) <= 10


def test_a_multiple_choice_benchmark_with_three_protocols_takes_40_lines() -> None:
    assert len(FILES["stars.py"].splitlines()) <= 40


def test_images_inside_the_text(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = {"question": "Is <image> the same as <image>?", "image": ["images/stop.png", "images/arabic.png"]}
    (folder / "pairs.jsonl").write_bytes(orjson.dumps({**row, "answer": "yes"}))
    words = ["run", "--plugins", "pairs.py", "--model", "echo,text=yes", "--tasks", "pairs,pairs@before", "--output"]
    assert cli.main([*words, "runs/pairs"]) == exit_codes.OK
    for again in (False, True):
        if again:
            assert cli.main(["score", "runs/pairs", "--plugins", "pairs.py"]) == exit_codes.OK
        rows = pq.read_table(folder / "runs" / "pairs" / "records.parquet").to_pylist()
        told = {row["task"]: (row["prompt"], row["image_places"], len(row["images"])) for row in rows}
        assert told == {"pairs": ("Is  the same as ?", [3, 16], 2), "pairs@before": (row["question"], [], 2)}


def test_the_commands(folder: Path) -> None:
    assert len(COMMANDS) == 6
    for words in COMMANDS:
        assert cli.main(words.split()) == exit_codes.OK, words
    loud = read_scores(folder / "runs" / "loud")["signs"]
    assert loud["accuracy"]["value"] == pytest.approx(100 / 3) and loud["coverage"] == 1.0
    assert read_scores(folder / "runs" / "go")["signs"]["accuracy"]["value"] == 0.0
    rows = [orjson.loads(line) for line in (folder / "answers.jsonl").read_bytes().splitlines()]
    assert rows[1] == {"id": "2", "question": "ماذا تقول اللافتة؟", "text": "STOP"}
    assert (folder / "site" / "index.html").is_file()
    stars = read_scores(folder / "runs" / "stars")
    assert {key: entry["accuracy"]["value"] for key, entry in stars.items()} == {
        "stars": 0.0,  # "A." is not the letter alone
        "stars@lmms_eval": 50.0,
        "stars@vlmevalkit": 50.0,
    }
    assert stars["stars@vlmevalkit"]["axis_shape"]["value"] == 100.0


def test_the_python_example(folder: Path) -> None:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        runpy.run_path("notebook.py")
    assert "mean_f1" in printed.getvalue() and printed.getvalue().endswith("1.0\n")
