"""`run --perturb`: pairs are pairs, what a model does not see costs it nothing, and a kill costs one answer."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.support.gate_runs import script
from tests.support.perturbed_models import MODELS, loader
from tests.support.toys import ToyModel
from vlmbench.base import registry
from vlmbench.base.errors import StoreError
from vlmbench.base.process import exit_codes
from vlmbench.cli import main as cli
from vlmbench.runs.storage.store import RunStore

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[3]
EVERY = "blind,shuffle-image,noise:1,blur:1,jpeg:1,crop:1,rotate:1"


@pytest.fixture(autouse=True)
def models(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The models of this file, registered for one test."""
    for name in MODELS:
        monkeypatch.setitem(registry.models._extra, name, loader(name))
    yield


def run(folder: Path, *words: str, model: str = "prompted", tasks: str = "pope", code: int = 0) -> dict[str, Any]:
    """A run under changes; what perturbations.json holds, by change."""
    assert cli.main(["run", "--model", model, "--tasks", tasks, "--output", str(folder), *words]) == code
    content = json.loads((folder / "perturbations.json").read_text())
    return {one["perturbation"]: one for one in content["perturbations"]}


def rows(folder: Path, task: str = "pope") -> dict[str, dict[str, Any]]:
    """The records of a run by sample id."""
    table = pq.read_table(folder / "records.parquet").to_pylist()
    return {row["sample_id"]: row for row in table if row["task"] == task}


def test_a_model_that_ignores_pictures_loses_nothing(tmp_path: Path) -> None:
    for label, found in run(tmp_path / "run", "--limit", "120", "--perturb", EVERY).items():
        pope = found["tasks"]["pope"]
        difference = pope["differences"][0]["paired"]["difference"]
        assert (difference["value"], pope["gained"], pope["lost"], pope["pairs"]) == (0.0, 0, 0, 120), label
        assert pope["same_answers"] == pope["agreement"] == pope["p_holm"] == 1.0


def test_a_model_that_reads_pictures_falls_to_chance(tmp_path: Path) -> None:
    for label, found in run(tmp_path / "run", "--perturb", "blind,shuffle-image", model="seer").items():
        pope = found["tasks"]["pope"]
        accuracy = next(one for one in pope["differences"] if one["name"] == "accuracy")
        assert accuracy["before"] == 100 and accuracy["after"] <= 60, label
        assert pope["lost"] > 300 and pope["gained"] == 0 and pope["p_holm"] < 0.001
        assert pope["shown"] == ("accuracy" if label == "blind" else "mean_f1")  # never a yes: no F1


def test_pairs_are_the_same_questions(tmp_path: Path) -> None:
    run(tmp_path / "run", "--limit", "90", "--perturb", EVERY, model="seer")
    plain = rows(tmp_path / "run")
    folders = sorted((tmp_path / "run" / "perturbations").iterdir())
    assert [one.name for one in folders] == sorted(EVERY.replace(":", "-").split(","))
    for folder in folders:
        other = rows(folder)
        assert list(other) == list(plain)
        for key, row in other.items():
            same = ("question", "target", "prompt", "tags", "cluster")
            assert [row[name] for name in same] == [plain[key][name] for name in same]
            assert row["image_hashes"] != plain[key]["image_hashes"] and row["key"] != plain[key]["key"]
            assert (row["images"] == plain[key]["images"]) == (folder.name != "shuffle-image")
        manifests = [json.loads((one / "run.json").read_text()) for one in (tmp_path / "run", folder)]
        hashes = [one["tasks"]["pope"]["hashes"] for one in manifests]
        assert hashes[0]["samples"] == hashes[1]["samples"] and hashes[0]["images"] != hashes[1]["images"]


def test_json_and_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--limit", "60", "--perturb", "blind,option-order,paraphrase-suffix:2", "--json")
    run(tmp_path / "run", *words, tasks="pope,mmbench@llava", code=exit_codes.OK)
    assert json.loads(capsys.readouterr().out) == json.loads((tmp_path / "run" / "scores.json").read_text())
    told = json.loads((tmp_path / "run" / "perturbations.json").read_text())
    blind, order, wording = told["perturbations"]
    assert list(blind["tasks"]) == ["pope", "mmbench@llava"] and blind["folder"] == "perturbations/blind"
    assert order["left_out"] == {"pope": {"no options to choose from": 60}} and list(order["tasks"]) == [
        "mmbench@llava"
    ]
    assert list(wording["left_out"]) == ["pope"] and wording["tasks"]["mmbench@llava"]["pairs"] == 60
    run(tmp_path / "run", *words[:-1], tasks="pope,mmbench@llava")
    printed = capsys.readouterr().out
    assert "option-order: pope skipped: 60 questions: no options to choose from" in printed
    assert "60 of 60" in printed or "120 of 120 answers were taken from the run so far" in printed
    assert "EMBEDDED SAMPLE" in printed.split("against itself under perturbations")[1]


def test_a_change_that_fits_nothing_is_said_and_makes_no_run(tmp_path: Path) -> None:
    found = run(tmp_path / "run", "--limit", "30", "--perturb", "option-order,blind")
    assert found["option-order"]["folder"] is None and not found["option-order"]["tasks"]
    assert [one.name for one in (tmp_path / "run" / "perturbations").iterdir()] == ["blind"]


def test_the_plain_run_is_the_one_of_the_plain_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answers are used; without --output too, where folders are named after the command."""
    monkeypatch.chdir(tmp_path)
    words = ["run", "--model", "prompted", "--tasks", "pope", "--limit", "30"]
    assert cli.main(words) == exit_codes.OK
    assert cli.main([*words, "--perturb", "blind"]) == exit_codes.OK
    assert "30 of 30 answers were taken from the run so far" in capsys.readouterr().out
    (folder,) = (tmp_path / "runs").iterdir()
    assert (folder / "perturbations" / "blind" / "scores.json").is_file()


def test_a_run_of_an_earlier_version_is_resumed_where_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Earlier versions called the option `ablate`, in run.json, in hashes and in the names of files and folders."""
    monkeypatch.chdir(tmp_path)
    words = ["run", "--model", "echo,text=yes", "--tasks", "pope", "--limit", "6"]
    assert cli.main([*words, "--perturb", "blind"]) == exit_codes.OK
    run = tmp_path / "runs" / "echo-pope-04cbc51d"  # as commit b86c433 names it
    before = [json.loads((folder / "run.json").read_text()) for folder in (run, run / "perturbations" / "blind")]
    (run / "perturbations").rename(run / "ablations")
    (run / "perturbations.json").rename(run / "ablations.json")
    for folder, content in zip((run, run / "ablations" / "blind"), before, strict=True):
        content["asked"]["ablate"] = content["asked"].pop("perturb")
        (folder / "run.json").write_text(json.dumps(content))

    capsys.readouterr()
    assert cli.main([*words, "--perturb", "blind"]) == exit_codes.OK
    assert "6 of 6 answers were taken from the run so far" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [run.name]
    assert not (run / "perturbations").exists() and not (run / "ablations.json").exists()
    after = [json.loads((folder / "run.json").read_text()) for folder in (run, run / "ablations" / "blind")]
    assert [content["identity"] for content in after] == [content["identity"] for content in before]
    assert not list(run.rglob("superseded"))
    (blind,) = json.loads((run / "perturbations.json").read_text())["perturbations"]
    assert blind["folder"] == "ablations/blind"
    with pytest.raises(StoreError, match="perturb was 'blind', is 'noise:1'"):
        RunStore.open(run / "ablations" / "blind", {**after[1], "asked": {**after[1]["asked"], "perturb": "noise:1"}})


def test_seed_and_severity_are_runs_of_their_own(tmp_path: Path) -> None:
    run(tmp_path / "a", "--limit", "30", "--perturb", "noise:1,noise:2")
    assert {one.name for one in (tmp_path / "a" / "perturbations").iterdir()} == {"noise-1", "noise-2"}
    hashes = [
        {tuple(row["image_hashes"]) for row in rows(tmp_path / "a" / "perturbations" / name).values()}
        for name in ("noise-1", "noise-2")
    ]
    assert not hashes[0] & hashes[1]
    command = ["run", "--model", "prompted", "--tasks", "pope", "--limit", "30", "--output", str(tmp_path / "a")]
    assert cli.main([*command, "--seed", "1", "--perturb", "noise:1"]) == exit_codes.USER_MUST_CHANGE


# -------------------------------------------------------------------------------------------- what is built upon runs


def test_score_compare_check_report_and_export_know_what_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = tmp_path / "answers.json"
    answers.write_text(json.dumps(script("mmbench", 0.3) | script("pope", 0.1)))
    folder = tmp_path / "run"
    run(folder, "--perturb", "option-order,blind", model=f"echo:{answers}", tasks="pope,mmbench@exact")
    order, blind = (folder / "perturbations" / name for name in ("option-order", "blind"))

    before = (order / "scores.json").read_bytes(), rows(order, "mmbench@exact")
    assert cli.main(["score", str(order)]) == exit_codes.OK  # read again: the right answers stay where the options are
    assert ((order / "scores.json").read_bytes(), rows(order, "mmbench@exact")) == before

    capsys.readouterr()
    assert cli.main(["compare", str(folder), str(order), "--tasks", "mmbench"]) == exit_codes.OK
    assert "differs in mmbench@exact: perturbation: none before, option-order after" in capsys.readouterr().out

    baseline = tmp_path / "baseline.json"
    assert cli.main(["baseline", str(folder), "--output", str(baseline)]) == exit_codes.OK
    for against in (folder, baseline):
        assert cli.main(["check", str(blind), "--baseline", str(against)]) == exit_codes.USER_MUST_CHANGE
        assert "perturbation none before, blind after" in capsys.readouterr().err
    # A scripted model is none whose equal answers prove that nothing changed: 27 questions exclude a drop of 20.
    assert cli.main(["check", str(folder), "--baseline", str(baseline), "--max-drop", "10"]) == exit_codes.OK
    assert cli.main(["check", str(blind), "--baseline", str(blind), "--max-drop", "10"]) == exit_codes.OK
    assert cli.main(["check", str(blind), "--baseline", str(folder), "--force"]) == exit_codes.BAD_RESULT

    assert cli.main(["export", str(blind), "--task", "pope"]) == exit_codes.USER_MUST_CHANGE
    assert "under a perturbation (blind)" in capsys.readouterr().err

    site = tmp_path / "site"
    assert cli.main(["report", str(folder), str(blind), "--output", str(site)]) == exit_codes.OK
    board = json.loads((site / "exports" / "leaderboard.json").read_text())["rows"]
    assert {(row["run"], row["first rank"], row["last rank"]) for row in board} == {("echo", 1, 1)}
    told = {row["after"] for row in json.loads((site / "exports" / "differences.json").read_text())["rows"]}
    assert told == {"echo, blind", "echo, option-order"}


def test_verdicts_of_one_run_are_not_another_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One judge grades all runs of a command; equal sample ids have verdicts of their own."""
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "cache"))
    grey = bytes([128]) * 30
    for name, text in (
        ("looker", lambda request: "dark" if request.images[0].load().endswith(grey) else "bright"),
        ("grader", lambda request: "0.2" if "dark" in request.prompt else "0.9"),
    ):
        monkeypatch.setitem(registry.models._extra, name, lambda checkpoint, text=text: ToyModel(text))
    words = ("--limit", "9", "--perturb", "blind", "--judge", "grader", "--judge-runs", "2")
    found = run(tmp_path / "run", *words, tasks="mmvet", model="looker")
    assert found["blind"]["tasks"]["mmvet"]["pairs"] == found["blind"]["tasks"]["mmvet"]["lost"] == 9
    for folder, value in ((tmp_path / "run", 0.9), (tmp_path / "run" / "perturbations" / "blind", 0.2)):
        table = pq.read_table(folder / "judgements.parquet").to_pylist()
        assert len(table) == 18 and {row["value"] for row in table} == {value}


# --------------------------------------------------------------------------------------------------- kill and resume


def test_an_interrupted_series_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--limit", "60", "--perturb", "noise:2,blind"]
    calm = run(tmp_path / "calm", *words)
    model = loader("prompted")(None)
    model.stop_after = len({row["key"] for row in rows(tmp_path / "calm").values()}) + 5
    registry.models._extra["stopping"] = lambda checkpoint: model
    command = ["run", "--model", "stopping", "--tasks", "pope", "--output", str(tmp_path / "run"), *words]
    try:
        assert cli.main(command) == exit_codes.INTERRUPTED
        assert str(tmp_path / "run" / "perturbations" / "noise-2") in capsys.readouterr().err
        model.stop_after = None
        assert cli.main(command) == exit_codes.OK
    finally:
        registry.models._extra.pop("stopping")
    keys = [
        row["key"]
        for one in ("", "perturbations/blind", "perturbations/noise-2")
        for row in rows(tmp_path / "run" / one).values()
    ]
    assert len(model.asked) == len(set(keys))  # nothing twice
    ours = json.loads((tmp_path / "run" / "perturbations.json").read_text())["perturbations"]
    assert {one["perturbation"]: one for one in ours} == calm


def logged(folder: Path) -> int:
    """Whole lines in all logs, and rows of all closed runs."""
    lines = sum(path.read_bytes().count(b"\n") for path in folder.rglob("log.jsonl"))
    return lines + sum(int(pq.read_metadata(path).num_rows) for path in folder.rglob("records.parquet"))


def test_kills(tmp_path: Path) -> None:
    """kill -9 at random moments of all the runs; then records and differences are those of a calm series."""
    words = ["run", "--model", "slow", "--tasks", "pope", "--limit", "60", "--perturb", "blind,shuffle-image,noise:2"]

    def start(folder: Path) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.support.perturbed_models", *words, "--output", str(folder)]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)

    assert start(tmp_path / "calm").wait() == exit_codes.OK
    rng, folder, kills = random.Random(3), tmp_path / "killed", 0
    for _ in range(6):
        before, process = logged(folder) if folder.is_dir() else 0, start(folder)
        while process.poll() is None and (not folder.is_dir() or logged(folder) <= before):
            time.sleep(0.01)
        time.sleep(rng.random() * 0.15)
        process.send_signal(signal.SIGKILL)
        kills += process.wait() != 0
    assert kills >= 4 and start(folder).wait() == exit_codes.OK
    for name in ("", "perturbations/blind", "perturbations/shuffle-image", "perturbations/noise-2"):
        ours, calm = (
            pq.read_table(one / name / "records.parquet").drop(["seconds"]) for one in (folder, tmp_path / "calm")
        )
        assert ours.equals(calm)
        assert (folder / name / "scores.json").read_bytes() == (tmp_path / "calm" / name / "scores.json").read_bytes()
    ours, calm = (json.loads((one / "perturbations.json").read_text()) for one in (folder, tmp_path / "calm"))
    assert ours["perturbations"] == calm["perturbations"]
