"""Runs and baselines of earlier versions are read: statuses, columns and levels under their earlier names."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from pathlib import Path

import orjson
import pyarrow.parquet as pq
import pytest

from vlmbench.base.process import exit_codes
from vlmbench.base.samples import Status
from vlmbench.cli import main as cli
from vlmbench.compare import baseline
from vlmbench.runs.storage import reload
from vlmbench.runs.storage.layout import MANIFEST, RECORDS, SCORES
from vlmbench.runs.storage.run_files import describe_file


def aged(folder: Path) -> None:
    """A run's folder as it was written before `parsed_answer`, `unlabeled` and the level of intervals."""
    table = pq.read_table(folder / RECORDS)
    table = table.rename_columns(["read" if name == "parsed_answer" else name for name in table.column_names])
    place = table.column_names.index("status")
    statuses = [value.replace("unlabeled", "withheld") for value in table["status"].to_pylist()]
    pq.write_table(table.set_column(place, "status", [statuses]), folder / RECORDS)
    scores = json.loads((folder / SCORES).read_text())
    for entry in scores.values():
        del entry["level"]
        entry["statuses"] = {name.replace("unlabeled", "withheld"): n for name, n in entry["statuses"].items()}
    (folder / SCORES).write_text(json.dumps(scores))
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"] = {name: describe_file(folder / name) for name in (RECORDS, SCORES)}
    (folder / MANIFEST).write_text(json.dumps(manifest))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    words = ["run", "--model", "echo,text=yes", "--tasks", "pope,vqav2:test-dev", "--limit", "12"]
    assert cli.main([*words, "--output", str(tmp_path / "run")]) == exit_codes.OK
    return tmp_path / "run"


def test_an_earlier_run(run: Path) -> None:
    before = reload.load(run)
    aged(run)
    after = reload.load(run)
    for key, task in before.tasks.items():
        assert after.tasks[key].items == task.items and after.tasks[key].level == task.level == 0.95
    statuses = {key: task.scores["statuses"] for key, task in after.tasks.items()}
    assert [*statuses.values()] == [{"ok": 12}, {"unlabeled": 12}]
    assert {item.score.status for item in [*after.tasks.values()][1].items} == {Status.UNLABELED}
    assert cli.main(["report", str(run)]) == exit_codes.OK
    assert cli.main(["score", str(run)]) == exit_codes.OK
    assert "parsed_answer" in pq.read_schema(run / RECORDS).names
    assert json.loads((run / SCORES).read_text())["pope"]["level"] == 0.95


def test_an_earlier_baseline(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "b.json"
    assert cli.main(["baseline", str(run), "--tasks", "pope", "--output", str(file)]) == exit_codes.OK
    now, content = baseline.read(file), json.loads(file.read_text())
    task = content["tasks"]["pope"]
    table = orjson.loads(zlib.decompress(base64.b64decode(task["items"])))
    table["read"] = table.pop("parsed_answer")
    packed = orjson.dumps(table)
    task |= {"items": base64.b64encode(zlib.compress(packed)).decode(), "digest": hashlib.sha256(packed).hexdigest()}
    del task["scores"]["level"]
    file.write_text(json.dumps({**content, "format": 1}))
    assert baseline.read(file).tasks["pope"].items == now.tasks["pope"].items


def test_another_level_is_kept_and_compared_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--interval` gives a level; scoring again keeps that of the run, and a comparison has that of the later run."""
    from vlmbench.compare import compare

    run = tmp_path / "run"
    words = ["run", "--model", "echo,text=yes", "--tasks", "pope", "--limit", "180", "--output", str(run)]
    assert cli.main(words) == exit_codes.OK
    wide = json.loads((run / SCORES).read_text())["pope"]["accuracy"]
    assert cli.main(["score", str(run), "--interval", "0.9"]) == exit_codes.OK
    assert "90 % interval" in capsys.readouterr().out
    assert cli.main(["score", str(run)]) == exit_codes.OK
    narrow = json.loads((run / SCORES).read_text())["pope"]
    assert narrow["level"] == 0.9
    assert narrow["accuracy"]["low"] > wide["low"] and narrow["accuracy"]["high"] < wide["high"]
    assert compare.compare(run, run, tasks=["pope"]).tasks[0].level == 0.9


@pytest.mark.parametrize("level", ["0", "1", "95", "-0.5", "nan"])
def test_what_is_no_level_is_refused(level: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "--model", "echo", "--tasks", "pope", "--interval", level]) == exit_codes.USER_MUST_CHANGE
    assert "no confidence level" in capsys.readouterr().err
