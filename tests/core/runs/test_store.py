"""The run's folder: nothing that was written is lost, nothing old stands in for something new."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from vlmbench.base.errors import StoreError
from vlmbench.base.samples import ChoiceScore, Generation, Record, Request, Response, Sample, Score
from vlmbench.runs.execution.record_columns import writer
from vlmbench.runs.storage import arrow_columns
from vlmbench.runs.storage.layout import LOG
from vlmbench.runs.storage.reopening import read_answers
from vlmbench.runs.storage.store import RunStore, answer_key


def manifest(identity: str = "i", **asked: Any) -> dict[str, Any]:
    return {"asked": {"model": "toy", **asked}, "identity": identity, "finished": None, "model": {}}


ANSWER = Response(text="ja – è\n", choices=(ChoiceScore("a", -1.5, 2),), margin=0.25, seconds=0.1, new_tokens=3)


def test_answers_come_back_as_they_were(tmp_path: Path) -> None:
    with RunStore.open(tmp_path / "run", manifest()) as store:
        store.append("k1", ANSWER)
        store.append("k2", replace(ANSWER, text=""))
    with RunStore.open(tmp_path / "run", manifest()) as store:
        assert store.answers == {"k1": ANSWER, "k2": replace(ANSWER, text="")}


@pytest.mark.parametrize("cut", [1, 7, 40])
def test_a_line_cut_by_a_kill_is_dropped_and_the_next_one_is_whole(tmp_path: Path, cut: int) -> None:
    with RunStore.open(tmp_path / "run", manifest()) as store:
        store.append("k1", ANSWER)
        store.append("k2", ANSWER)
    log = tmp_path / "run" / LOG
    log.write_bytes(log.read_bytes()[:-cut])
    with RunStore.open(tmp_path / "run", manifest()) as store:
        assert set(store.answers) == {"k1"}
        store.append("k3", ANSWER)
    assert set(read_answers(tmp_path / "run")) == {"k1", "k3"}


def test_a_damaged_line_is_named_and_the_rest_is_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with RunStore.open(tmp_path / "run", manifest()) as store:
        store.append("k1", ANSWER)
    log = tmp_path / "run" / LOG
    log.write_bytes(b"rubbish\n" + log.read_bytes())
    damaged = log.read_bytes()
    with RunStore.open(tmp_path / "run", manifest()) as store:
        assert set(store.answers) == {"k1"}, "the other lines are kept"
    assert "log.jsonl, line 1: damaged" in caplog.text
    assert (tmp_path / "run" / f"{LOG}.damaged").read_bytes() == damaged


def test_two_processes_cannot_share_a_folder(tmp_path: Path) -> None:
    with RunStore.open(tmp_path / "run", manifest()), pytest.raises(StoreError, match="another process"):
        RunStore.open(tmp_path / "run", manifest())


def test_a_folder_of_another_run_is_refused_and_left_alone(tmp_path: Path) -> None:
    with RunStore.open(tmp_path / "run", manifest()) as store:
        store.append("k1", ANSWER)
    with pytest.raises(StoreError, match="model was 'toy', is 'other'"):
        RunStore.open(tmp_path / "run", {**manifest(), "asked": {"model": "other"}})
    assert set(read_answers(tmp_path / "run")) == {"k1"}


def test_a_folder_with_something_else_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(StoreError, match="not empty"):
        RunStore.open(tmp_path, manifest())


def test_finished_results_with_another_identity_are_moved_aside_not_lost(tmp_path: Path) -> None:
    record = Record("toy", Sample("s1", "?", (), "a"), Request("s1", "?"), "k1", (), ANSWER, Score(1.0))
    with RunStore.open(tmp_path / "run", manifest()) as store:
        store.append("k1", ANSWER)
        store.finish(writer([record]), {"toy": {}})
    with RunStore.open(tmp_path / "run", manifest(identity="other")) as store:
        assert set(store.answers) == {"k1"}  # its key decides whether it may be used
    aside = list((tmp_path / "run" / "superseded").iterdir())
    assert sorted(path.name for path in aside[0].iterdir()) == ["records.parquet", "run.json", "scores.json"]


def test_a_full_disk_says_so_and_keeps_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with RunStore.open(tmp_path / "run", manifest()) as store:
        store.append("k1", ANSWER)

        def full(*args: object) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patched:
            patched.setattr(os, "write", full)
            with pytest.raises(StoreError, match="free some space"):
                store.append("k2", ANSWER)
    assert set(read_answers(tmp_path / "run")) == {"k1"}


def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        RunStore.open(tmp_path / "file" / "run", manifest())


def test_every_part_of_a_key_matters() -> None:
    request = Request("s1", "Is it?", generation=Generation(max_new_tokens=8))
    base: dict[str, Any] = {"model": "w", "settings": {"engine": "shared"}, "task": "t", "version": 1}
    base |= {"request": request, "images": ("i",)}
    changes: list[dict[str, Any]] = [
        {"model": "w2"},
        {"settings": {"engine": "simple"}},
        {"task": "t2"},
        {"version": 2},
        {"images": ("j",)},
        {"request": replace(request, prompt="Is it ?")},
        {"request": replace(request, choices=("a",))},
        {"request": replace(request, generation=Generation(max_new_tokens=9))},
    ]
    keys = [answer_key(**base), *(answer_key(**{**base, **change}) for change in changes)]
    assert len(set(keys)) == len(keys)
    assert answer_key(**base) == answer_key(**{**base, "request": replace(request, sample_id="s2")})


SINGLE = Request("a", "Is it?", (), ("yes", "no"))
SAMPLED = Request("a", "Is it?", generation=Generation(temperature=0.5))


def key(request: Request, settings: dict[str, str], images: tuple[str, ...] = ()) -> str:
    return answer_key(model="m", settings=settings, task="toy", version=1, request=request, images=images)


def test_keys_of_single_questions_are_those_of_earlier_releases() -> None:
    """Written down before requests had a history: runs begun then go on."""
    assert key(SINGLE, {"dtype": "float32"}, ("h",)) == "53854078bfba127a22fb0647b70d1956"
    assert key(SAMPLED, {}) == "8edc5c1feec4e054c925a7da071d8af4"


def test_a_dialogue_has_a_key_of_its_own() -> None:
    said = [(), (("What?", "a cat"),), (("What?", "a dog"),), (("What?", "a cat"), ("Is it?", "yes"))]
    assert len({key(replace(SINGLE, history=turns), {}) for turns in said}) == len(said)


def test_a_process_killed_before_its_first_manifest_leaves_a_folder_that_can_be_used(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    for name in (".lock", "log.jsonl", "run.json.tmp"):
        (folder / name).touch()
    with RunStore.open(folder, {"asked": {}, "identity": "1"}) as store:
        assert not store.answers
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "log.jsonl").write_bytes(b"another program's\n")
    with pytest.raises(StoreError, match="not empty and holds no run"):
        RunStore.open(tmp_path / "other", {"asked": {}, "identity": "1"})


COLUMNS: tuple[tuple[pa.DataType, list[Any]], ...] = (
    (pa.string(), ["a", "", None, "ja – è", "𝛼\0"]),
    (pa.string(), ["plain", "text"]),
    (pa.float64(), [0.1, None, float("inf"), -0.0, 3]),
    (pa.int64(), [0, -1, 2**63 - 1, None]),
    (pa.bool_(), [True, False, None] * 7),
    (pa.list_(pa.string()), [["a", "é"], [], [""], ("b", None)]),
    (pa.list_(pa.int64()), [[1, 2], [], [3]]),
)


@pytest.mark.parametrize(("kind", "values"), COLUMNS, ids=lambda given: str(given)[:20])
@pytest.mark.parametrize("most", [0, 1, 100])
def test_columns_from_buffers_are_pyarrows_own(kind: pa.DataType, values: list[Any], most: int) -> None:
    found = arrow_columns.array(values[:most], kind, len(values))
    found.validate(full=True)
    assert found.equals(pa.array(values[:most], kind))


@pytest.mark.parametrize(
    ("kind", "value"),
    [(pa.string(), 1), (pa.string(), "\ud800"), (pa.int64(), 1.5), (pa.int64(), 2**63), (pa.float64(), "1")],
)
def test_values_of_another_kind_are_refused(kind: pa.DataType, value: Any) -> None:
    with pytest.raises((TypeError, ValueError, OverflowError)):
        arrow_columns.array([value], kind, 1)
