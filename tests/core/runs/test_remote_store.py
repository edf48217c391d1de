"""Data and runs on URLs, with fsspec's memory:// in the place of an object store: no append, no rename."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

from tests.support.toys import ToyModel, ToyTask
from vlmbench.base import paths as places
from vlmbench.base import registry, settings
from vlmbench.base.errors import StoreError, UsageError
from vlmbench.base.process import exit_codes
from vlmbench.base.process.extras import install_command
from vlmbench.base.registry import TaskChoice
from vlmbench.base.samples import Request
from vlmbench.cli import main as cli
from vlmbench.data.files import Folder
from vlmbench.plugins import specs as loading
from vlmbench.runs.execution import planning, runner
from vlmbench.runs.storage import manifest, remote_store
from vlmbench.runs.storage.layout import LOG
from vlmbench.runs.storage.run_files import read_manifest, read_scores
from vlmbench.runs.storage.store import RunStore

pytest.importorskip("upath", reason=f"universal_pathlib is not installed here: {install_command('remote')}")
URL = "memory://bucket/runs/one"
ROOT = "/bucket/runs/one"


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty store; copies go into a cache of this test."""
    import fsspec

    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "cache"))
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    fs.pseudo_dirs[:] = [""]
    yield fs
    fs.store.clear()
    fs.pseudo_dirs[:] = [""]


def run(model: ToyModel, folder: Path, task: ToyTask | None = None) -> runner.Outcome:
    choice = TaskChoice(task or ToyTask(), "test", "official")
    plan = planning.plan([choice], {choice.key: Folder(Path(), "toys")}, model, limit=None, seed=0)
    content = manifest.build(request={"model": "toy"}, model=model, tasks=plan.tasks, seed=0)
    with RunStore.open(folder, content) as store:
        return runner.execute(plan, model, store)


def listed(fs: Any) -> set[str]:
    """Names below the run's URL, thumbnails aside."""
    found = {path.removeprefix(f"{ROOT}/") for path in fs.find(ROOT)}
    return {name for name in found if not name.startswith("thumbs/")}


RESULTS = {"run.json", "records.parquet", "scores.json"}


def test_a_run_is_the_same_there_as_here(tmp_path: Path, bucket: Any) -> None:
    there = run(ToyModel(), places.path(URL))
    here = run(ToyModel(), tmp_path / "here")
    assert str(there.folder) == URL
    assert listed(bucket) == RESULTS
    assert len(bucket.ls(f"{ROOT}/thumbs")) == 4
    assert there.scores == here.scores == orjson.loads(bucket.cat(f"{ROOT}/scores.json"))
    assert read_manifest(there.folder)["finished"]
    theirs = pq.read_table(io.BytesIO(bucket.cat(f"{ROOT}/records.parquet")))
    assert theirs.equals(pq.read_table(tmp_path / "here" / "records.parquet"))
    again = ToyModel()
    assert run(again, places.path(URL)).reused == 12
    assert again.asked == []


@pytest.mark.parametrize("same_machine", [True, False])
def test_an_interrupted_run_goes_on_on_this_machine_and_on_another(
    tmp_path: Path, bucket: Any, monkeypatch: pytest.MonkeyPatch, same_machine: bool
) -> None:
    monkeypatch.setattr(remote_store, "EVERY", 0.0)
    for attempt in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            run(ToyModel(stop_after=4), places.path(URL))
        assert {name.partition("/")[0] for name in listed(bucket)} == {"run.json", "log"}
        lines = b"".join(bucket.cat(path) for path in bucket.ls(f"{ROOT}/log", detail=False))
        assert lines.count(b"\n") == 4 * attempt
        if not same_machine:
            shutil.rmtree(tmp_path / "cache")
    rest = ToyModel()
    assert run(rest, places.path(URL)).reused == 8
    assert len(rest.asked) == 4
    assert listed(bucket) == RESULTS


def test_answers_that_were_never_sent_are_sent_by_the_next_run(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between two parts, on a machine that lives on."""
    with monkeypatch.context() as killed:
        killed.setattr(remote_store.RemoteRun, "appended", lambda self, now=False: None)
        with pytest.raises(KeyboardInterrupt):
            run(ToyModel(stop_after=5), places.path(URL))
    assert listed(bucket) == {"run.json"}
    with pytest.raises(KeyboardInterrupt):
        run(ToyModel(stop_after=2), places.path(URL))
    lines = b"".join(bucket.cat(path) for path in bucket.ls(f"{ROOT}/log", detail=False))
    assert lines.count(b"\n") == 7


class Cut(BaseException):
    """kill -9, as far as the store sees: nothing is written after it."""


@pytest.mark.slow
def test_killed_at_any_write_another_machine_goes_on(
    tmp_path: Path, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_store, "EVERY", 0.0)
    put, remove = type(bucket).pipe_file, type(bucket).rm_file
    expected = run(ToyModel(), places.path(URL)).scores
    for cut in range(100):
        bucket.rm(ROOT, recursive=True)
        writes: list[Any] = []

        def dying(self: Any, *given: Any, cut: int = cut, writes: list[Any] = writes, **more: Any) -> None:
            writes.append(given)
            if len(writes) > cut:
                raise Cut
            (put if len(given) > 1 else remove)(self, *given, **more)

        with monkeypatch.context() as killed:
            killed.setattr(type(bucket), "pipe_file", dying)
            killed.setattr(type(bucket), "rm_file", dying)
            shutil.rmtree(tmp_path / "cache")
            try:
                run(ToyModel(), places.path(URL))
            except Cut:
                survived = False
            else:
                survived = True
        shutil.rmtree(tmp_path / "cache")
        parts = [
            line for given in writes[:cut] if "/log/" in given[0] and len(given) > 1 for line in given[1].splitlines()
        ]
        again = run(ToyModel(), places.path(URL))
        assert again.scores == expected
        assert again.reused == len(parts)
        assert listed(bucket) == RESULTS
        if survived:
            break
    assert 12 < cut < 40


def test_two_machines_at_once_spoil_nothing(tmp_path: Path, bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody locks an object store: both ask everything, and what is there is a whole run."""
    monkeypatch.setattr(remote_store, "EVERY", 0.0)

    def other(request: Request) -> str:
        if request.sample_id == "2-0":
            monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "elsewhere"))
            run(ToyModel(), places.path(URL))
        return "yes"

    assert run(ToyModel(other), places.path(URL)).scores == orjson.loads(bucket.cat(f"{ROOT}/scores.json"))
    assert listed(bucket) - {n for n in listed(bucket) if n.startswith("log/")} == RESULTS
    assert run(ToyModel(), places.path(URL)).reused == 12


def test_a_place_out_of_reach_for_a_while(
    bucket: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(remote_store, "EVERY", 0.0)
    put = type(bucket).pipe_file
    failures: list[str] = []

    def shaky(self: Any, path: str, value: bytes, **more: Any) -> None:
        if "/log/" in path and len(failures) < 2:
            failures.append(path)
            raise ConnectionError("no route")
        put(self, path, value, **more)

    monkeypatch.setattr(type(bucket), "pipe_file", shaky)
    run(ToyModel(), places.path(URL))
    assert len(caplog.records) == 2
    assert "ConnectionError: no route; the answers are kept in" in caplog.text
    assert listed(bucket) == RESULTS

    def closed(self: Any, path: str, value: bytes, **more: Any) -> None:
        raise PermissionError("denied")

    monkeypatch.setattr(type(bucket), "pipe_file", closed)
    with pytest.raises(StoreError, match="cannot write: PermissionError: denied") as told:
        run(ToyModel(), places.path("memory://bucket/runs/two"))
    assert "is kept" in told.value.hint


def test_a_throttled_store_is_tried_again_and_a_full_one_told_of(
    bucket: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put = type(bucket).pipe_file
    pauses: list[float] = []
    refused = {"records.parquet": 2, "run.json": 1}
    monkeypatch.setattr(time, "sleep", pauses.append)

    def throttled(self: Any, path: str, value: bytes, **more: Any) -> None:
        name = path.rpartition("/")[2]
        if refused.get(name):
            refused[name] -= 1
            raise OSError("SlowDown: reduce your request rate")
        put(self, path, value, **more)

    monkeypatch.setattr(type(bucket), "pipe_file", throttled)
    run(ToyModel(), places.path(URL))
    assert [pause for pause in pauses if pause in remote_store.RETRIES] == [1.0, 1.0, 4.0]
    assert caplog.text.count("SlowDown: reduce your request rate; tried again in") == 3
    assert listed(bucket) == RESULTS

    def full(self: Any, path: str, value: bytes, **more: Any) -> None:
        if path.endswith("records.parquet"):
            raise OSError("QuotaExceeded")
        put(self, path, value, **more)

    monkeypatch.setattr(type(bucket), "pipe_file", full)
    with pytest.raises(StoreError, match="cannot write: OSError: QuotaExceeded") as told:
        run(ToyModel(), places.path("memory://bucket/runs/two"))
    assert "is kept: fix the access, then run the same command again" in told.value.hint
    monkeypatch.setattr(type(bucket), "pipe_file", put)
    again = ToyModel()
    assert run(again, places.path("memory://bucket/runs/two")).reused == 12
    assert again.asked == []


def test_parts_are_tried_again_later_and_later(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log is read from where it was sent to, a piece at a time, and half a line waits for its end."""
    remote = remote_store.RemoteRun(places.path(URL))
    remote.local.mkdir(parents=True)
    log, sent, tries = remote.local / LOG, list[bytes](), list[str]()

    def closed(self: Any, path: str, value: bytes, **more: Any) -> None:
        tries.append(path)
        raise OSError("unreachable")

    def taken(self: Any, path: str, value: bytes, **more: Any) -> None:
        sent.append(value)

    clock = [time.monotonic()]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(type(bucket), "pipe_file", closed)
    monkeypatch.setattr(remote_store, "PIECE", 8)
    log.write_bytes(b"first\nsecond\nthird is long\nhal")
    for _ in range(100):
        clock[0] += 5.0
        remote.appended()
    assert 5 <= len(tries) <= 8, "10, 20, 40, ... seconds"
    monkeypatch.setattr(type(bucket), "pipe_file", taken)
    remote.appended(now=True)
    assert sent == [b"first\n", b"second\n", b"third is long\n"]
    log.write_bytes(b"-" * len(b"".join(sent)) + b"half\n")  # what was sent is not looked at again
    remote.appended(now=True)
    assert sent[3:] == [b"half\n"]


def test_what_is_there_and_no_run_is_left_alone(bucket: Any) -> None:
    bucket.pipe(f"{ROOT}/thesis.tex", b"years of work")
    with pytest.raises(StoreError, match="not empty and holds no run"):
        run(ToyModel(), places.path(URL))
    assert listed(bucket) == {"thesis.tex"}


def test_a_run_removed_there_is_asked_anew(bucket: Any) -> None:
    run(ToyModel(), places.path(URL))
    bucket.rm(ROOT, recursive=True)
    assert run(ToyModel(), places.path(URL)).reused == 0


def test_another_version_is_put_aside_there_too(bucket: Any) -> None:
    run(ToyModel(), places.path(URL))
    run(ToyModel(fingerprint="f2"), places.path(URL))
    aside = [path for path in bucket.find(f"{ROOT}/superseded")]
    assert {path.rpartition("/")[2] for path in aside} == RESULTS
    assert orjson.loads(bucket.cat(f"{ROOT}/run.json"))["model"]["fingerprint"] == "f2"


@pytest.mark.parametrize("name", registry.tasks.names())
def test_every_task_reads_its_files_from_a_url(bucket: Any, name: str) -> None:
    choice = registry.choose_task(name)
    sample = Folder.sample(name)
    for path in sample.root.rglob("*"):
        if path.is_file():
            bucket.pipe(f"/bucket/data/{name}/{path.relative_to(sample.root).as_posix()}", path.read_bytes())
    there = loading.open_data(choice, settings.Settings("memory://bucket/data"))
    assert isinstance(there, Folder)
    ours = choice.task.samples(there.within(name), choice.split)
    assert list(ours) == list(choice.task.samples(sample, choice.split))
    for one, other in list(zip(ours, choice.task.samples(sample, choice.split), strict=True))[:5]:
        assert [p.load() for p in one.images] == [p.load() for p in other.images]


def test_the_commands(tmp_path: Path, bucket: Any, capsys: pytest.CaptureFixture[str]) -> None:
    sample = Folder.sample("pope").root
    for path in sample.rglob("*"):
        if path.is_file():
            bucket.pipe(f"/bucket/pope/{path.relative_to(sample).as_posix()}", path.read_bytes())
    words = ["run", "--model", "echo,text=yes", "--tasks", "pope", "--limit", "20"]
    assert cli.main([*words, "--data", "memory://bucket/pope", "--output", URL]) == 0
    assert cli.main([*words, "--data", "sample", "--output", str(tmp_path / "here")]) == 0
    assert f"run: {URL}" in capsys.readouterr().out
    there, here = (read_scores(folder)["pope"] for folder in (remote_store.fetch_run(URL), tmp_path / "here"))
    assert "1,080 questions, and the official coco has 9,000" in there["notes"][0]  # a copy is no embedded sample
    assert {**there, "notes": []} == {**here, "notes": []}
    assert cli.main(["compare", URL, str(tmp_path / "here")]) == 0
    assert cli.main(["report", URL, "--output", str(tmp_path / "site")]) == 0
    assert (tmp_path / "site" / "index.html").is_file()


def test_pictures_kept_here_by_fsspec(bucket: Any) -> None:
    bucket.pipe("/bucket/data/a.png", b"bytes")
    assert (places.path("simplecache::memory://bucket/data") / "a.png").read_bytes() == b"bytes"


def test_paths(tmp_path: Path) -> None:
    assert places.path(f"file://{tmp_path}") == tmp_path
    assert isinstance(places.path("~/x"), Path)
    with pytest.raises(UsageError, match="password"):
        places.path("ftp://me:secret@host/x")
    with pytest.raises(UsageError, match="nowhere"):
        places.path("nowhere://bucket/x")


def test_a_path_without_url_loads_no_file_system() -> None:
    code = (
        "import sys; from vlmbench.base import paths as places; places.path('runs'); sys.exit('fsspec' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_baseline_on_a_url(tmp_path: Path, bucket: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """`check --baseline`: a run's folder, a baseline file, and one that is not there."""
    words = ["run", "--model", "echo,text=yes", "--tasks", "pope", "--limit", "40", "--output"]
    assert cli.main([*words, URL]) == cli.main([*words, str(tmp_path / "run")]) == exit_codes.OK
    assert cli.main(["baseline", str(tmp_path / "run"), "--output", str(tmp_path / "base.json")]) == exit_codes.OK
    bucket.pipe("/bucket/base.json", (tmp_path / "base.json").read_bytes())
    for place in (URL, "memory://bucket/base.json"):
        capsys.readouterr()
        told = ["--max-drop", "50", "--min-coverage", "0"]
        assert cli.main(["check", str(tmp_path / "run"), "--baseline", place, *told]) in (
            exit_codes.OK,
            exit_codes.INCONCLUSIVE,
        )
        assert "pope" in capsys.readouterr().out
    for place in ("memory://bucket/none.json", "memory://bucket/none"):
        assert cli.main(["check", str(tmp_path / "run"), "--baseline", place]) == exit_codes.USER_MUST_CHANGE
        assert place.removeprefix("memory:/") in capsys.readouterr().err
