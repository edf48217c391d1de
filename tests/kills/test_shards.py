"""Workers that write parts: a node is lost, or sees neither the data nor the run's folder, or has another version."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from tests.kills.odd_workers import Drifting, Elsewhere, Scribbler
from tests.kills.shards import Trial, evaluate, left_behind, load, with_a_killed_node
from vlmbench.base.errors import ModelError
from vlmbench.base.process.extras import install_command
from vlmbench.data.images import decoding as images
from vlmbench.runs.storage import parts
from vlmbench.runs.storage.layout import PARTS
from vlmbench.runs.workers import cluster, slots
from vlmbench.runs.workers.cluster import Share
from vlmbench.runs.workers.pool import Pool

pytest.importorskip("ray", reason=f"Ray is not installed here: {install_command('ray')}")

pytestmark = pytest.mark.slow
PICTURES = 60


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """The data and a run of one process."""
    made = Trial(tmp_path_factory.mktemp("shards"), PICTURES, 0.2)
    made.task.write()
    made.result(made.start("calm", 0))
    return made


def test_half_of_the_workers_are_lost_with_their_node(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in trial.environment.items():
        monkeypatch.setenv(name, value)
    told = with_a_killed_node(trial, 4)
    assert trial.same("node", "calm")
    assert told["workers_replaced"] >= 2
    assert told["torch"] == "False", "a worker without a network imports none"
    assert not (trial.folder / "node" / PARTS).exists()
    assert not left_behind(trial)


@pytest.fixture(scope="module")
def ray_here() -> Iterator[None]:
    """One Ray for the tests below."""
    cluster.start("local", 2)
    yield
    cluster.stop()


def pooled(trial: Trial, run: str, **options: Any) -> dict[str, Any]:
    with Pool(partial(load, 0.0), Share(2, 1, 0), **options) as pool:
        evaluate(trial.folder / run, trial.task, pool)
        return dict(pool.facts)


@pytest.mark.usefixtures("ray_here")
def test_answers_travel_in_no_message(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor do images, where the data can be read: what is sent is small, whatever the answers are."""

    def refuse(*_: object) -> None:
        raise AssertionError("bytes were read here, or answers came in a message")

    monkeypatch.setattr("vlmbench.runs.workers.pool.with_image_bytes", refuse)
    monkeypatch.setattr(parts.PartReader, "take", refuse)
    pooled(trial, "parts")
    assert trial.same("parts", "calm")


@pytest.mark.usefixtures("ray_here")
@pytest.mark.parametrize(("data", "folder"), [(True, False), (False, True), (True, True)])
def test_machines_that_see_less(trial: Trial, caplog: pytest.LogCaptureFixture, data: bool, folder: bool) -> None:
    with Pool(Elsewhere(data, folder), Share(2, 1, 0)) as pool:
        run = f"elsewhere-{data}-{folder}"
        evaluate(trial.folder / run, trial.task, pool)
        assert pool.facts["workers_replaced"] == 0
    assert trial.same(run, "calm")
    told = [record.getMessage() for record in caplog.records]
    assert sum("cannot read the data (" in line for line in told) == data
    assert sum("answers come from there by message" in line for line in told) == folder


@pytest.mark.usefixtures("ray_here")
def test_workers_read_all_images_of_a_plan(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    from vlmbench.runs.execution import image_hashes

    read = []

    def fingerprint(content: bytes) -> str:
        read.append(content)
        return images.fingerprint(content)

    monkeypatch.setattr(image_hashes, "images", SimpleNamespace(fingerprint=fingerprint))
    pooled(trial, "hashed")
    assert trial.same("hashed", "calm")
    assert not read


@pytest.mark.usefixtures("ray_here")
def test_another_version_is_refused(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "__version__", "0.0.1")
    with pytest.raises(ModelError, match=r"has vlmbench .*, this process 0\.0\.1") as told:
        pooled(trial, "versions")
    assert told.value.hint == "install the same version on all machines"


@pytest.mark.usefixtures("ray_here")
def test_other_weights_are_refused(trial: Trial) -> None:
    with (
        Pool(Drifting(), Share(2, 1, 0)) as pool,
        pytest.raises(ModelError, match="has another model") as told,
    ):
        evaluate(trial.folder / "weights", trial.task, pool)
    assert told.value.hint == "bring the same weights to all machines"


@pytest.mark.usefixtures("ray_here")
def test_a_part_is_damaged_while_it_is_written(trial: Trial, caplog: pytest.LogCaptureFixture) -> None:
    """The group is asked again, the rest counts, and the part is kept."""
    with Pool(Scribbler(trial.folder / "scribbled"), Share(2, 1, 0)) as pool:
        evaluate(trial.folder / "damaged", trial.task, pool)
    assert trial.same("damaged", "calm")
    assert "is damaged: what it does not answer is asked again" in caplog.text
    assert len(list((trial.folder / "damaged").glob("part-*.jsonl.damaged"))) == 1


def test_a_run_of_workers_goes_on_with_none_and_with_more(trial: Trial) -> None:
    """Parts that were left behind, by how many workers ever, are the run's answers."""
    run = trial.folder / "resumed"
    process = trial.start("resumed", 2)
    trial.wait_for("resumed", 100, process)
    process.kill()
    process.communicate()
    had = trial.logged("resumed")
    assert list((run / PARTS).glob("part-*.jsonl"))
    told = trial.result(trial.start("resumed", 0))
    assert had <= told["reused"] < trial.questions
    assert trial.same("resumed", "calm")
    assert json.loads((run / "run.json").read_bytes())["finished"]
