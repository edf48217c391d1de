"""A pool of real Ray workers: the same records as one process gives, whatever dies on the way."""

from __future__ import annotations

import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support import pool_toys
from tests.support.pool_toys import EACH, PICTURES, PoolToy, processes
from vlmbench.base.errors import DataError, ImageError, ModelError, UnknownNameError, UsageError, VlmbenchError
from vlmbench.base.process.exit_codes import USER_MUST_CHANGE
from vlmbench.base.process.extras import install_command
from vlmbench.base.samples import ImageRef, Request
from vlmbench.cli import main as cli
from vlmbench.runs.execution import runner
from vlmbench.runs.storage.layout import LOG
from vlmbench.runs.storage.reopening import read_answers
from vlmbench.runs.storage.run_files import read_scores
from vlmbench.runs.workers import cluster as rays
from vlmbench.runs.workers.cluster import Share
from vlmbench.runs.workers.images import with_image_bytes
from vlmbench.runs.workers.pool import Pool
from vlmbench.runs.workers.slots import combined

pytest.importorskip("ray", reason=f"Ray is not installed here: {install_command('ray')}")

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[4]
TWO = Share(2, 1, 0)
KILLS = 10


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """One Ray for all tests of this file."""
    rays.start("local", 2)
    yield
    rays.stop()


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run in one process."""
    folder = tmp_path_factory.mktemp("calm")
    pool_toys.run(folder / "run", PoolToy(folder))
    return folder / "run"


def same(folder: Path, calm: Path) -> bool:
    """Whether two runs have equal records, times aside, and equal scores."""
    import pyarrow.parquet as pq

    ours, theirs = (pq.read_table(path / "records.parquet").drop(["seconds"]) for path in (folder, calm))
    return bool(ours.equals(theirs)) and read_scores(folder) == read_scores(calm)


def pooled(folder: Path, toy: PoolToy, **options: Any) -> tuple[runner.Outcome, dict[str, Any]]:
    """A run with two workers, and the pool's facts."""
    with Pool(partial(pool_toys.load, toy), TWO, **options) as pool:
        outcome = pool_toys.run(folder, pool)
        return outcome, dict(pool.facts)


def logged(folder: Path) -> int:
    """Answers in the log."""
    path = folder / LOG
    return path.read_bytes().count(b"\n") if path.is_file() else 0


@pytest.mark.usefixtures("cluster")
def test_ten_kills(tmp_path: Path, calm: Path) -> None:
    rng = random.Random(11)
    moments = sorted(rng.sample(range(10, PICTURES * EACH - 60), KILLS))
    killed: list[int] = []

    def kill() -> None:
        for moment in moments:
            while logged(tmp_path / "run") < moment or not set(processes(tmp_path)) - set(killed):
                time.sleep(0.01)
            victim = rng.choice(sorted(set(processes(tmp_path)) - set(killed)))
            os.kill(victim, signal.SIGKILL)
            killed.append(victim)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    outcome, facts = pooled(tmp_path / "run", PoolToy(tmp_path, 0.02))
    killer.join(timeout=10)
    assert len(killed) == KILLS
    assert facts["workers_replaced"] >= KILLS - 2  # the last ones may die when there is nothing left to do
    assert facts["groups_given_again"] >= KILLS - 2
    assert len(outcome.records) == PICTURES * EACH
    assert same(tmp_path / "run", calm)


@pytest.mark.usefixtures("cluster")
def test_a_pool_serves_several_runs(tmp_path: Path, calm: Path) -> None:
    with Pool(partial(pool_toys.load, PoolToy(tmp_path)), TWO) as pool:
        for number in range(4):
            pool_toys.run(tmp_path / str(number), pool)
            assert same(tmp_path / str(number), calm)


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("stops", [False, True], ids=["sleeping", "stopped"])
def test_a_hung_worker_is_replaced(tmp_path: Path, calm: Path, stops: bool) -> None:
    toy = PoolToy(tmp_path, 0.01, hangs_once=frozenset({"20-3"}), stops=stops)
    _, facts = pooled(tmp_path / "run", toy, timeout=1.0)
    assert (tmp_path / "hung-20-3").exists()
    assert same(tmp_path / "run", calm)
    assert facts["workers_replaced"] >= 1
    assert facts["omp"] == 1, "each worker has its share of threads"


@pytest.mark.usefixtures("cluster")
def test_the_end_does_not_wait_for_a_straggler(tmp_path: Path, calm: Path) -> None:
    toy = PoolToy(tmp_path, hangs_once=frozenset({f"{PICTURES - 8}-0"}))
    _, facts = pooled(tmp_path / "run", toy)
    assert (tmp_path / f"hung-{PICTURES - 8}-0").exists()
    assert same(tmp_path / "run", calm)
    assert facts["workers_replaced"] == 0, "its groups were taken out of its hands"


@pytest.mark.usefixtures("cluster")
def test_a_group_that_kills_every_worker_fails_and_the_rest_is_answered(tmp_path: Path) -> None:
    outcome, facts = pooled(tmp_path / "run", PoolToy(tmp_path, dies=frozenset({"7-2"})))
    failed = {r.sample.id for r in outcome.records if r.response.finish == "error"}
    assert failed == {f"7-{question}" for question in range(EACH)}
    assert outcome.scores["toy"]["statuses"]["error"] == EACH
    assert all("no worker survived it" in r.response.error for r in outcome.records if r.sample.id in failed)
    assert facts["workers_replaced"] in (3, 4), "a group counts three losses; an idle worker may have had it too"
    assert len(read_answers(tmp_path / "run")) == PICTURES * EACH - EACH, "the failed ones are asked again next time"


@pytest.mark.usefixtures("cluster")
def test_a_model_that_cannot_be_loaded_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ModelError, match="no checkpoint there") as told:
        Pool(pool_toys.refuse, TWO)
    assert (told.value.where, told.value.hint) == ("nowhere", "bring it back")
    with pytest.raises(ModelError, match="cannot be loaded: RuntimeError: planted while loading"):
        Pool(pool_toys.crash, TWO)
    assert not caplog.records


@pytest.mark.usefixtures("cluster")
def test_a_model_that_fails_on_every_group_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ModelError, match="toy fails on every group: RuntimeError: planted"):
        pooled(tmp_path / "run", PoolToy(tmp_path, raises=True))
    assert not caplog.records
    outcome, _ = pooled(tmp_path / "run", PoolToy(tmp_path))
    assert len(outcome.records) == PICTURES * EACH


@pytest.mark.usefixtures("cluster")
def test_more_workers_than_cores_are_refused_and_shares_are_fair() -> None:
    cores = rays.share(1, 0).cores
    assert rays.share(cores, 0).cores == 1
    assert rays.share(0, 0) == Share(1, cores, 0), "one a machine without GPUs"
    with pytest.raises(UsageError, match="do not fit"):
        rays.share(cores + 1, 0)


@pytest.mark.parametrize(
    ("nodes", "asked", "expected"),
    [
        ([(0, 0), (16, 4), (16, 4)], (0, 0), Share(8, 4, 1)),  # a head that gives no cores; a worker a GPU
        ([(0, 0), (16, 0), (8, 0)], (0, 0), Share(2, 8, 0)),  # no GPU: a worker a machine
        ([(32, 2)], (4, 0), Share(4, 8, 0.5)),
        ([(32, 2)], (5, 0), Share(5, 6, 1 / 3)),
        ([(16, 1), (16, 1)], (2, 4), Share(2, 4, 1)),
    ],
)
def test_shares_of_a_cluster(
    nodes: list[tuple[int, int]], asked: tuple[int, int], expected: Share, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Cluster:
        @staticmethod
        def nodes() -> list[dict[str, Any]]:
            return [{"Alive": True, "Resources": {"CPU": float(cpu), "GPU": float(gpu)}} for cpu, gpu in nodes]

    monkeypatch.setattr(rays, "ray", Cluster)
    assert rays.share(*asked) == expected


def test_the_recipes_are_well_formed(tmp_path: Path) -> None:
    import yaml

    text = (ROOT / "docs" / "scale.md").read_text("utf-8")
    job = yaml.safe_load(text.partition("```yaml\n")[2].partition("```")[0])
    assert (job["kind"], job["apiVersion"]) == ("RayJob", "ray.io/v1")
    assert job["spec"]["entrypoint"].startswith("vlmbench run ")
    script = tmp_path / "job.sh"
    script.write_text(text.partition("```bash\n")[2].partition("```")[0], "utf-8")
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0


def test_a_ray_that_does_not_start_at_once_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow:
        tries, fails = 0, 2

        @classmethod
        def init(cls, *_: object, **__: object) -> None:
            cls.tries += 1
            if cls.tries <= cls.fails:
                raise Exception("timed out during startup")

        @staticmethod
        def shutdown() -> None:
            pass

    monkeypatch.setattr(rays, "ray", lambda: Slow)
    rays.start("local", 2)
    assert Slow.tries == 3
    Slow.tries, Slow.fails = 0, 99
    with pytest.raises(UsageError, match="does not start on this machine: timed out"):
        rays.start("local", 2)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A real model: one process and two workers give the same records, margins and all."""
    words = ["run", "--model", "tinyllava", "--tasks", "pope", "--limit", "60", "--threads", "1", "--output"]
    assert cli.main([*words, str(tmp_path / "one")]) == 0
    capsys.readouterr()
    more = [str(tmp_path / "two"), "--workers", "2"]
    base = [sys.executable, "-m", "vlmbench.cli.main"]
    done = subprocess.run([*base, *words, *more], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert same(tmp_path / "two", tmp_path / "one")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--workers", "0"], "numbers above 0"),
        (["--worker-timeout", "5"], "is for workers"),
        (["--ray", "ray://head:10001"], "takes auto or HOST:PORT"),
    ],
)
def test_words_that_mean_nothing(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "--model", "echo", "--tasks", "pope", *words]) == USER_MUST_CHANGE
    assert told in capsys.readouterr().err


# --------------------------------------------------------------------------------------------------- without Ray


def test_pictures_travel_as_bytes_and_are_read_once() -> None:
    read = []

    def reader() -> bytes:
        read.append(1)
        return b"pixels"

    def bad() -> bytes:
        raise ImageError("gone", where="x.png", hint="bring it back")

    requests = [Request(str(i), "?", (ImageRef("a", reader), ImageRef("b", bad))) for i in range(3)]
    carried = pickle.loads(pickle.dumps(with_image_bytes(requests)))
    assert len(read) == 1
    assert [r.images[0].load() for r in carried] == [b"pixels"] * 3
    with pytest.raises(ImageError, match="gone") as told:
        carried[2].images[1].load()
    assert told.value.hint == "bring it back"


@pytest.mark.parametrize(
    "error", [UsageError("a", where="b", hint="c"), UnknownNameError("x", "y", ["z"]), DataError("d")]
)
def test_errors_travel(error: VlmbenchError) -> None:
    there = pickle.loads(pickle.dumps(error))
    assert (type(there), str(there), there.hint) == (type(error), str(error), error.hint)


def test_facts_of_several_workers() -> None:
    first = {"parameters": 7, "asked": 0, "peak_memory_bytes": 10, "device": "cpu"}
    later = [{**first, "asked": 3, "peak_memory_bytes": 30, "seconds": 1.0}, {**first, "asked": 4, "seconds": 2.0}]
    expected = {**first, "asked": 7, "peak_memory_bytes": 30, "seconds": 1.5}
    assert combined(first, later) == expected
    assert combined(first, []) == first
