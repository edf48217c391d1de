"""The site as files: what they carry, what they escape, what is refused. tests/browser opens it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.reports import written
from tests.reports.fabricate import HOSTILE, fabricate, training_log
from vlmbench.base.errors import StoreError, TrainingError, UsageError
from vlmbench.cli.main import main

build: Any = import_module("vlmbench.reports.site.build")
page: Any = import_module("vlmbench.reports.site.page")
answer_stats: Any = import_module("vlmbench.reports.site.answer_stats")
sample_index: Any = import_module("vlmbench.reports.site.sample_index")
runs: Any = import_module("vlmbench.reports.runs")
training_curves: Any = import_module("vlmbench.reports.site.training_curves")


def test_a_folder_with_everything(run_folder: Path, tmp_path: Path) -> None:
    """Scores in the page, records and images beside it; nothing is fetched from elsewhere."""
    path = build.write([run_folder], tmp_path / "out")
    html = path.read_text("utf-8")
    assert sorted(p.name for p in path.parent.iterdir()) == ["data", "exports", "files.json", "images", "index.html"]
    (run,) = written.report(path)["runs"]
    assert [task["key"] for task in run["tasks"]] == ["pope", "gqa"]
    pope = run["tasks"][0]
    assert pope["bar"]["name"] == "f1" and pope["embedded"] and pope["data"] == "embedded sample"
    listed = written.data(path, pope["list"])
    assert len(listed["id"]) == pope["count"] == 24 * 9
    assert all(image["kept"] for image in listed["images"])
    chunk = written.data(path, f"{pope['list']}-0")
    assert len(chunk["text"]) == 24 * 9 and chunk["prompt"]["values"]
    details = written.data(path, f"run-{run['id']}")
    assert details["tasks"]["pope"]["metrics"][0]["name"] == "f1"
    pictures = list((path.parent / "images").rglob("*.jpg"))
    assert len(pictures) == 24 and all(
        p.read_bytes()[:2] == b"\xff\xd8" and p.parent.name == p.name[:2] for p in pictures
    )
    assert not re.search(r"<(?:link|iframe|object|embed)\b|<script[^>]+src=", html)
    everything = html + "".join(p.read_text("utf-8") for p in path.parent.rglob("*.js"))
    assert "/somewhere/" not in everything and str(run_folder.parent) not in everything


def test_records_come_in_chunks(tmp_path: Path) -> None:
    """The list holds all, the rest is apart; texts are whole in the chunk and cut in the list."""
    folder = fabricate(tmp_path / "run", images=30, questions=40, tasks=("gqa",))
    path = build.write([folder], tmp_path / "out")
    (name, *parts) = written.names(path, "list-")
    assert len(parts) == 2 and len(written.data(path, name)["id"]) == 1200
    assert [len(written.data(path, part)["text"]) for part in parts] == [1000, 200]


def test_images_are_shared_by_runs(run_folder: Path, tmp_path: Path) -> None:
    """Two runs on the same images: each image is in the folder once."""
    other = fabricate(tmp_path / "other", seed=3, name="other")
    path = build.write([run_folder, other], tmp_path / "out")
    assert len(list((path.parent / "images").rglob("*.jpg"))) == 24
    assert [run["label"] for run in written.report(path)["runs"]] == ["tinyllava", "other"]


def test_written_again_nothing_old_is_left(run_folder: Path, tmp_path: Path) -> None:
    """Another report into the same folder takes away what was the first one's, and touches nothing else."""
    other = fabricate(tmp_path / "other", seed=3, name="other", images=2)
    first = build.write([run_folder, other], tmp_path / "out")
    (tmp_path / "out" / "images" / "mine.txt").write_text("mine")
    (tmp_path / "out" / "data" / "mine.js").write_text("mine")
    names = written.names(first)
    second = build.write([other], tmp_path / "out")
    assert len(written.names(second)) < len(names)
    assert len(list((tmp_path / "out" / "images").rglob("*.jpg"))) == 2
    assert (tmp_path / "out" / "images" / "mine.txt").is_file() and (tmp_path / "out" / "data" / "mine.js").is_file()
    (tmp_path / "out" / "files.json").write_text('["../other/run.json", "/etc/passwd", 7]')
    build.write([run_folder], tmp_path / "out")
    assert (other / "run.json").is_file()


def test_policy_names_every_script_and_style(run_folder: Path, tmp_path: Path) -> None:
    """The content security policy holds the hash of each executable script, and nothing looser."""
    html = build.write([run_folder], tmp_path).read_text("utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', html)
    assert policy is not None
    rules = policy[1].replace("&#39;", "'")
    assert "default-src 'none'" in rules and "img-src 'self' file:" in rules and "unsafe" not in rules
    scripts = rules.partition("script-src ")[2].partition(";")[0].split()
    assert scripts[-2:] == ["'self'", "file:"] and all(word.startswith("'sha256-") for word in scripts[:-2])
    bare = re.findall(r"<script>(.*?)</script>", html, re.S)
    assert len(bare) == len(page.VENDOR) + 1
    for text in [*bare, *re.findall(r"<style>(.*?)</style>", html, re.S)]:
        assert base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() in rules


def test_plots_style_is_the_one_the_policy_allows() -> None:
    """Observable Plot puts this style into each chart; a new version with another one must not go unseen."""
    source = (page.ASSETS / "vendor/plot.umd.min.js").read_text("utf-8")
    template = page.PLOT_STYLE.replace("\n", "\\n").replace("(.plot", "(.${c}")
    assert template in source


def test_hostile_text_cannot_leave_its_place(hostile_folder: Path, tmp_path: Path) -> None:
    """Nothing of the data shows up in markup or code; every text comes back whole from the JSON (long ones are cut)."""
    path = build.write([hostile_folder], tmp_path)
    html = path.read_text("utf-8")
    outside = written.BLOCK.sub("", html)
    assert "hacked" not in outside and "&lt;img src=x onerror" in outside
    texts: list[str] = []
    for name in written.names(path):
        assert not re.search("[<>&\u2028\u2029]", written.text(path, name))  # which matches one call and nothing else
        if re.fullmatch(r"list-\w+-\d+-\d+", name):
            texts += written.data(path, name)["text"]
    for text in HOSTILE[:-1]:
        assert any(text in answer for answer in texts)
    assert any("[cut: 30,0" in answer for answer in texts)


def test_prompts_come_back_whole() -> None:
    """A prompt is kept as a template around its question, and nothing is lost by it."""
    assert sample_index._template("Q: Is it red? A:", "Is it red?") == "Q: \ufffc1 A:"
    assert sample_index._template("red? red?", "red?") == "red? red?"
    assert sample_index._template("no \ufffc question", "Is it?") == "no \ufffc0 question"


def test_labels_tell_runs_apart(tmp_path: Path) -> None:
    """By name, then perturbation and settings, then folder; links stay unique."""
    folders = [
        fabricate(tmp_path / "a", images=2),
        fabricate(tmp_path / "b", images=2, perturb="blind"),
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
    """Each a message with its hint."""
    with pytest.raises(UsageError, match="no run named"):
        build.write([], tmp_path)
    with pytest.raises(UsageError, match="named twice"):
        build.write([run_folder, run_folder / "../plain"], tmp_path)
    with pytest.raises(StoreError, match=r"run\.json"):
        build.write([tmp_path], tmp_path / "out")
    unfinished = fabricate(tmp_path / "unfinished", images=2)
    (unfinished / "scores.json").unlink()
    with pytest.raises(StoreError, match=r"scores\.json"):
        build.write([unfinished], tmp_path / "out")
    broken = fabricate(tmp_path / "broken", images=2)
    (broken / "records.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(StoreError, match=r"records\.parquet"):
        build.write([broken], tmp_path / "out")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="--output"):
        build.write([run_folder], tmp_path / "file")


def test_a_hostile_manifest_names_no_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Files are named after a run's identity; a gate's report of another form is left out, with a warning."""
    folder = fabricate(tmp_path / "run", images=2)
    manifest = json.loads((folder / "run.json").read_text("utf-8"))
    (folder / "run.json").write_text(json.dumps(manifest | {"identity": "../../../../x</script>"}))
    (folder / "check.json").write_text(
        '{"outcome": "fail", "reason": ["<b>"], "tasks": [7, {"key": 1, "outcome": "x"}]}'
    )
    path = build.write([folder], tmp_path / "out")
    (run,) = written.report(path)["runs"]
    assert run["id"] == "xscript" and written.names(path, "run-") == ["run-xscript"]
    assert run["gate"] is None and "check.json: it cannot be used: field 'tasks[0]'" in caplog.text
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "run"]
    for content in ("[1]", '{"outcome": {}}', "{"):
        (folder / "check.json").write_text(content)
        assert written.report(build.write([folder], tmp_path / "out"))["runs"][0]["gate"] is None


def test_missing_thumbnails_are_no_error(tmp_path: Path) -> None:
    """A run whose images were not kept is shown without them."""
    folder = fabricate(tmp_path / "run", pictures=False, images=3)
    path = build.write([folder], tmp_path / "out")
    assert not (path.parent / "images").exists()
    assert not any(image["kept"] for image in written.data(path, written.names(path, "list-")[0])["images"])


def test_the_verb(run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`vlmbench report RUN --output DIR` says where the page is; a wrong folder is exit code 2 without a traceback."""
    assert main(["report", str(run_folder), "--output", str(tmp_path / "html")]) == 0
    assert capsys.readouterr().out.strip() == f"report: {tmp_path / 'html' / 'index.html'}"
    assert main(["report", str(tmp_path), "--output", str(tmp_path / "html")]) == 2
    assert "run.json" in capsys.readouterr().err


def test_answer_stats_of_yes_no_answers(run_folder: Path) -> None:
    """The yes-ratio is of the answers; the four cells add up to the clear ones."""
    columns = dict(runs.load([run_folder])[0].records())
    table = answer_stats.answer_stats(columns["pope"])["yes_no"]
    cells = sum(table[name] for name in ("yes_yes", "yes_no", "no_yes", "no_no"))
    assert cells + table["unclear"] == 24 * 9
    assert table["answered_yes"] == pytest.approx((table["yes_yes"] + table["no_yes"]) / cells)
    assert answer_stats.answer_stats(columns["gqa"])["yes_no"] is None


@pytest.mark.slow
def test_a_large_run_gives_a_small_page(tmp_path: Path) -> None:
    """20,000 records."""
    folder = fabricate(tmp_path / "run", images=500, questions=40, tasks=("gqa",))
    path = build.write([folder], tmp_path / "out")
    assert path.stat().st_size < 1e6


def test_training_page(tmp_path: Path) -> None:
    """A curve a stage; other lines and a cut last one are ignored; a resumed step counts once."""
    log = tmp_path / "log.jsonl"
    log.write_bytes(training_log() + b'\n{"stage": "connector", "step": 0, "loss": 9.0}\n')
    html = training_curves.write_plot(log, tmp_path / "out" / "loss.html", title="A <b>run</b>").read_text("utf-8")
    stages = written.blocks(html)["training"]
    assert [stage["name"] for stage in stages] == ["connector", "conversations"]
    assert stages[0]["loss"][0] == 9.0 and len(stages[1]["step"]) <= training_curves.MOST_POINTS
    assert "A &lt;b&gt;run" in html
    with pytest.raises(TrainingError, match="cannot read the log"):
        training_curves.write_plot(tmp_path / "none.jsonl", tmp_path / "x.html")


def test_vendored_files_are_what_they_say() -> None:
    """Unmodified files of the named npm packages, each with its licence."""
    folder = page.ASSETS / "vendor"
    entries = json.loads((folder / "versions.json").read_text("utf-8"))
    assert sorted(entry["file"] for entry in entries) == sorted(path.name for path in folder.glob("*.js"))
    for entry in entries:
        content = (folder / entry["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"]
        assert f"v{entry['version']} Copyright" in content[:200].decode()
        assert "Permission to use, copy, modify" in (folder / entry["licence_file"]).read_text("utf-8")


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ('"yes"', "yes"),
        ('["a", "b", "a"]', "a (2), b (1)"),
        ('["red"]', "red"),
        ('{"bbox": [1.5, 2.0, 3.0, 4.0], "width": 9}', "[1.5, 2, 4.5, 6]"),
        ('{"bbox": [1, 2, 3, "<b>"]}', '{"bbox": [1, 2, 3, "<b>"]}'),
        ('{"bbox": "</script>"}', '{"bbox": "</script>"}'),
        ("[1, 2]", "[1, 2]"),
        ("null", "null"),
    ],
)
def test_targets_as_people_read_them(stored: str, shown: str) -> None:
    assert sample_index.target_text(stored) == shown
