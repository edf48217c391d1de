"""A run that is still going, read from beside it: progress and scores so far, whatever the log looks like."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest

from tests.core.runs.live.unfinished import unfinish
from vlmbench.base.errors import DataError, StoreError, UsageError
from vlmbench.base.process import exit_codes
from vlmbench.base.samples import Response
from vlmbench.cli.main import main
from vlmbench.runs.live.snapshot import FINISHED, RUNNING, STOPPED, Live
from vlmbench.runs.storage import answer_log
from vlmbench.runs.storage.layout import LOCK, LOG, MANIFEST
from vlmbench.runs.storage.run_files import read_scores


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return asked(tmp_path, "--tasks", "pope,gqa", "--limit", "120")


def asked(tmp_path: Path, *words: str) -> Path:
    folder = tmp_path / "run"
    assert main(["run", "--model", "echo,text=yes", *words, "--output", str(folder)]) == exit_codes.OK
    return folder


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """The folder as a process has it that runs into it."""
    lock = os.open(folder / LOCK, os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def append(folder: Path, content: bytes) -> None:
    with (folder / LOG).open("ab") as log:
        log.write(content)


def test_scores_grow_with_the_log_to_those_of_the_run(folder: Path) -> None:
    whole = read_scores(folder)
    rest = unfinish(folder, 60)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with held(folder):
        live = Live(folder)
        assert live.read()
        live.score()
        assert (live.state, live.progress()["answered"]) == (RUNNING, 60)
        assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before, "it was touched"
        bar, entry = live.scores["gqa"]["accuracy"], live.scores["gqa"]
        counts = entry["statuses"]
        assert 0 < counts["ok"] < 120
        assert counts["ok"] + counts["not_asked"] == 120
        assert any(note.startswith(f"still running: {counts['ok']} of 120") for note in entry["notes"])
        assert bar["low"] < bar["value"] < bar["high"]
        assert not live.read()
        append(folder, b"".join(rest[:-1]) + rest[-1][:10])
        assert live.read()
        assert not live.read(), "half a line is read when its end is there"
        append(folder, rest[-1][10:])
        assert live.read()
        live.score()
    done = live.scores["gqa"]["accuracy"]
    assert done["high"] - done["low"] < bar["high"] - bar["low"]
    assert {key: entry["statuses"] for key, entry in live.scores.items()} == {
        key: entry["statuses"] for key, entry in whole.items()
    }
    for key, name in (("gqa", "accuracy"), ("pope", "mean_f1")):
        assert live.scores[key][name]["value"] == whole[key][name]["value"]


def test_failures_are_seen_and_asked_again(folder: Path) -> None:
    rest = unfinish(folder, 60)
    key = orjson.loads(rest[0])["key"]
    append(folder, answer_log.line(key, Response(finish="error", error="out of memory")))
    live = Live(folder)
    live.read()
    live.score()
    assert live.state == STOPPED
    assert (live.progress()["answered"], live.progress()["failed"]) == (61, 1)
    assert sum(entry["statuses"].get("error", 0) for entry in live.scores.values()) >= 1
    assert (
        main(["run", "--model", "echo,text=yes", "--tasks", "pope,gqa", "--limit", "120", "--output", str(folder)]) == 0
    )
    assert live.read()
    live.score()
    assert (live.state, live.progress()["failed"]) == (FINISHED, 0)
    assert live.scores == read_scores(folder)


def test_a_log_that_was_mended_is_read_anew(folder: Path) -> None:
    rest = unfinish(folder, 60)
    append(folder, rest[0].replace(b'"text":"y', b'"text":"n'))
    live = Live(folder)
    live.read()
    assert (live.tail.damaged, live.progress()["answered"]) == (1, 60)
    content = (folder / LOG).read_bytes().splitlines(keepends=True)[:60]
    (folder / "log.tmp").write_bytes(b"".join([*content, *rest[:5]]))
    (folder / "log.tmp").replace(folder / LOG)
    assert live.read()
    assert live.progress()["answered"] == 65


@pytest.mark.parametrize(
    "words", [("--perturb", "blind"), ("--samples", "2", "--temperature", "0.5"), ("--shots", "2")]
)
def test_runs_of_every_kind_are_planned_again(tmp_path: Path, words: tuple[str, ...]) -> None:
    folder = asked(tmp_path, "--tasks", "gqa", "--limit", "40", *words)
    for path in (folder, *(folder / "perturbations").glob("*")):
        unfinish(path, 30)
        live = Live(path)
        live.read()
        assert live.progress()["answered"] == 30, path


def test_the_questions_of_an_ids_file(tmp_path: Path, folder: Path) -> None:
    listed, other = tmp_path / "ids", tmp_path / "others"
    live = Live(folder)
    names = [item.sample.id for item in live.plan.requests if item.task == "gqa"]
    listed.write_text("\n".join(names[:20]))
    other.write_text("\n".join(names[:19]))
    run = asked(tmp_path / "listed", "--tasks", "gqa", "--ids", str(listed))
    with pytest.raises(UsageError, match="--ids FILE"):
        Live(run)
    with pytest.raises(UsageError, match="other questions"):
        Live(run, ids=other)
    assert Live(run, ids=listed).progress()["planned"] == 20


def test_other_data_and_no_run(tmp_path: Path, folder: Path) -> None:
    content = orjson.loads((folder / MANIFEST).read_bytes())
    content["tasks"]["gqa"]["hashes"]["samples"] = "0" * 16
    (folder / MANIFEST).write_bytes(orjson.dumps(content))
    with pytest.raises(DataError, match="the samples are not those"):
        Live(folder)
    with pytest.raises(StoreError, match=r"no run\.json"):
        Live(tmp_path)
