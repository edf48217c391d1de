"""The page as text: what it carries, what it escapes, what it refuses. tests/browser opens it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.reports.fabricate import HOSTILE, fabricate, training_log
from vlmbench.cli import main
from vlmbench.errors import StoreError, TrainingError, UsageError

leaderboard: Any = import_module("vlmbench.reports.leaderboard")
page: Any = import_module("vlmbench.reports.page")
payload: Any = import_module("vlmbench.reports.payload")
runs: Any = import_module("vlmbench.reports.runs")
training: Any = import_module("vlmbench.reports.training")

BLOCK = re.compile(r'<script type="application/json" id="([^"]+)">(.*?)</script>', re.S)


def blocks(html: str) -> dict[str, Any]:
    """The JSON blocks of a page."""
    return {name: json.loads(text) for name, text in BLOCK.findall(html)}


def test_one_file_with_everything(run_folder: Path, tmp_path: Path) -> None:
    """Scores, records and every picture once; nothing is fetched from anywhere."""
    path = leaderboard.write([run_folder], tmp_path / "out")
    html = path.read_text("utf-8")
    assert [p.name for p in path.parent.iterdir()] == ["index.html"]
    found = blocks(html)
    report = found["report"]
    assert [task["key"] for task in report["runs"][0]["tasks"]] == ["pope", "gqa"]
    pope = report["runs"][0]["tasks"][0]
    assert pope["metrics"][0]["name"] == "f1" and pope["embedded"] and pope["data"] == "embedded sample"
    assert len(found[pope["records"]]["id"]) == pope["count"] == 24 * 9
    assert len(found["pictures"]) == 24
    assert base64.b64decode(next(iter(found["pictures"].values())))[:2] == b"\xff\xd8"
    assert not re.search(r"<(?:link|iframe|object|embed)\b|<script[^>]+src=", html)
    assert "/somewhere/" not in html and str(run_folder.parent) not in html


def test_pictures_are_shared_by_runs(run_folder: Path, tmp_path: Path) -> None:
    """Two runs on the same pictures: each picture is in the page once."""
    other = fabricate(tmp_path / "other", seed=3, name="other")
    found = blocks(leaderboard.write([run_folder, other], tmp_path / "out").read_text("utf-8"))
    assert len(found["pictures"]) == 24
    assert [run["label"] for run in found["report"]["runs"]] == ["tinyllava", "other"]


def test_policy_names_every_script_and_style(run_folder: Path, tmp_path: Path) -> None:
    """The content security policy holds the hash of each executable script, and nothing looser."""
    html = leaderboard.write([run_folder], tmp_path).read_text("utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', html)
    assert policy is not None
    rules = policy[1].replace("&#39;", "'")
    assert "default-src 'none'" in rules and "img-src data:" in rules and "unsafe" not in rules
    bare = re.findall(r"<script>(.*?)</script>", html, re.S)
    assert len(bare) == len(page.VENDOR) + len(leaderboard.SCRIPTS)
    for text in [*bare, *re.findall(r"<style>(.*?)</style>", html, re.S)]:
        assert base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() in rules


def test_plots_style_is_the_one_the_policy_allows() -> None:
    """Observable Plot puts this style into each chart; a new version with another one must not go unseen."""
    source = (page.SITE / "vendor/plot.umd.min.js").read_text("utf-8")
    template = page.PLOT_STYLE.replace("\n", "\\n").replace("(.plot", "(.${c}")
    assert template in source


def test_hostile_text_cannot_leave_its_block(hostile_folder: Path, tmp_path: Path) -> None:
    """Nothing of the data shows up in the markup; every text comes back whole from the JSON (long ones are cut)."""
    html = leaderboard.write([hostile_folder], tmp_path).read_text("utf-8")
    for _, text in BLOCK.findall(html):
        assert not re.search("[<>&\u2028\u2029]", text)
    outside = BLOCK.sub("", html)
    assert "hacked" not in outside and "&lt;img src=x onerror" in outside
    records = next(block for name, block in blocks(html).items() if name.startswith("records"))
    for text in HOSTILE[:-1]:
        assert any(text in answer for answer in records["text"])
    assert any("[cut: 30,0" in answer for answer in records["text"])


def test_prompts_come_back_whole() -> None:
    """A prompt is kept as a template around its question, and nothing is lost by it."""
    assert payload._template("Q: Is it red? A:", "Is it red?") == "Q: \ufffc A:"
    assert payload._template("red? red?", "red?") == "red? red?"
    assert payload._template("no \ufffc question", "Is it?") == "no \ufffd question"


def test_labels_tell_runs_apart(tmp_path: Path) -> None:
    """By name, then ablation and settings, then folder; links stay unique."""
    folders = [
        fabricate(tmp_path / "a", images=2),
        fabricate(tmp_path / "b", images=2, ablate="blind"),
        fabricate(tmp_path / "c", images=2, seed=5),
        fabricate(tmp_path / "d", images=2),
    ]
    loaded = runs.load(folders)
    assert [run.label for run in loaded] == [
        "tinyllava, seed 0 (a)",
        "tinyllava, blind",
        "tinyllava, seed 5",
        "tinyllava, seed 0 (d)",
    ]
    assert len({run.id for run in loaded}) == 4


def test_what_cannot_be_reported(run_folder: Path, tmp_path: Path) -> None:
    """Each a message with its cure."""
    with pytest.raises(UsageError, match="no run named"):
        leaderboard.write([], tmp_path)
    with pytest.raises(UsageError, match="named twice"):
        leaderboard.write([run_folder, run_folder / "../plain"], tmp_path)
    with pytest.raises(StoreError, match=r"run\.json"):
        leaderboard.write([tmp_path], tmp_path / "out")
    unfinished = fabricate(tmp_path / "unfinished", images=2)
    (unfinished / "scores.json").unlink()
    with pytest.raises(StoreError, match=r"scores\.json"):
        leaderboard.write([unfinished], tmp_path / "out")
    broken = fabricate(tmp_path / "broken", images=2)
    (broken / "records.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(StoreError, match=r"records\.parquet"):
        leaderboard.write([broken], tmp_path / "out")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="--output"):
        leaderboard.write([run_folder], tmp_path / "file")


def test_missing_thumbnails_are_no_error(tmp_path: Path) -> None:
    """A run whose pictures were not kept is shown without them."""
    folder = fabricate(tmp_path / "run", pictures=False, images=3)
    assert blocks(leaderboard.write([folder], tmp_path / "out").read_text("utf-8"))["pictures"] == {}


def test_the_verb(run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`vlmbench report RUN --output DIR` says where the page is; a wrong folder is exit code 2 without a traceback."""
    assert main(["report", str(run_folder), "--output", str(tmp_path / "html")]) == 0
    assert capsys.readouterr().out.strip() == f"report: {tmp_path / 'html' / 'index.html'}"
    assert main(["report", str(tmp_path), "--output", str(tmp_path / "html")]) == 2
    assert "run.json" in capsys.readouterr().err


def test_glance_of_yes_no_answers(run_folder: Path) -> None:
    """The yes-ratio is of the answers; the four cells add up to the clear ones."""
    summary, _ = payload.run_payload(runs.load([run_folder])[0])
    table = summary["tasks"][0]["glance"]["yes_no"]
    cells = sum(table[name] for name in ("yes_yes", "yes_no", "no_yes", "no_no"))
    assert cells + table["unclear"] == 24 * 9
    assert table["answered_yes"] == pytest.approx((table["yes_yes"] + table["no_yes"]) / cells)
    assert summary["tasks"][1]["glance"]["yes_no"] is None


def test_a_large_run_is_built_quickly(tmp_path: Path) -> None:
    """20,000 records: some seconds of one core at most."""
    folder = fabricate(tmp_path / "run", images=500, questions=40, tasks=("gqa",))
    before = time.process_time()
    path = leaderboard.write([folder], tmp_path / "out")
    assert time.process_time() - before < 10
    assert path.stat().st_size < 30e6


def test_training_page(tmp_path: Path) -> None:
    """A curve a stage; other lines and a cut last one are ignored; a resumed step counts once."""
    log = tmp_path / "log.jsonl"
    log.write_bytes(training_log() + b'\n{"stage": "connector", "step": 0, "loss": 9.0}\n')
    html = training.write_plot(log, tmp_path / "out" / "loss.html", title="A <b>run</b>").read_text("utf-8")
    stages = blocks(html)["training"]
    assert [stage["name"] for stage in stages] == ["connector", "conversations"]
    assert stages[0]["loss"][0] == 9.0 and len(stages[1]["step"]) <= training.POINTS
    assert "A &lt;b&gt;run" in html
    with pytest.raises(TrainingError, match="cannot read the log"):
        training.write_plot(tmp_path / "none.jsonl", tmp_path / "x.html")


def test_vendored_files_are_what_they_say() -> None:
    """Unmodified files of the named npm packages, each with its licence."""
    folder = page.SITE / "vendor"
    entries = json.loads((folder / "versions.json").read_text("utf-8"))
    assert sorted(entry["file"] for entry in entries) == sorted(path.name for path in folder.glob("*.js"))
    for entry in entries:
        content = (folder / entry["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"]
        assert f"v{entry['version']} Copyright" in content[:200].decode()
        assert "Permission to use, copy, modify" in (folder / entry["licence_file"]).read_text("utf-8")
