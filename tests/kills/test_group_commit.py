"""The log's fsync by time: all that was asked for is synced, by few calls, and a failure is told."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from tests.core.runs.test_store import ANSWER, manifest
from vlmbench.base.errors import StoreError
from vlmbench.runs.storage import group_commit
from vlmbench.runs.storage.layout import LOG
from vlmbench.runs.storage.reopening import read_answers
from vlmbench.runs.storage.store import RunStore


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes of the log at each fsync of it."""
    sizes: list[int] = []
    fsync = os.fsync

    def watched(handle: int) -> None:
        if os.readlink(f"/proc/self/fd/{handle}").endswith(LOG):  # noqa: PTH115
            sizes.append(os.fstat(handle).st_size)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", watched)
    return sizes


def test_many_groups_share_an_fsync_and_the_last_one_is_in_it(tmp_path: Path, synced: list[int]) -> None:
    with RunStore.open(tmp_path / "run", manifest()) as store:
        for number in range(500):
            store.append(f"k{number}", ANSWER)
            store.sync()
        written = (tmp_path / "run" / LOG).stat().st_size
    assert synced[-1] == written and len(synced) < 100


def test_a_quiet_model_is_not_waited_for(tmp_path: Path, synced: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """What was asked for between two fsyncs is synced though nobody asks again."""
    monkeypatch.setattr(group_commit, "EVERY", 0.01)
    with RunStore.open(tmp_path / "run", manifest()) as store:
        for number in range(3):
            store.append(f"k{number}", ANSWER)
            store.sync()
        written, pause = (tmp_path / "run" / LOG).stat().st_size, threading.Event()
        for _ in range(3000):
            if synced and synced[-1] == written:
                break
            pause.wait(0.01)
        assert synced[-1] == written
        before = len(synced)
        pause.wait(0.1)
        assert len(synced) <= before + 1, "nothing new, no fsync"


def test_a_disk_that_fails_is_told_at_the_next_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failed = threading.Event()

    def full(handle: int) -> None:
        failed.set()
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    store = RunStore.open(tmp_path / "run", manifest())
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        store.append("k1", ANSWER)
        store.sync()
        assert failed.wait(30)
        with pytest.raises(StoreError, match="cannot write: Input/output error"):
            for _ in range(1000):
                store.sync()
                threading.Event().wait(0.01)
        store.append("k2", ANSWER)
        store.sync()
        store.close()
    assert "a power cut may still take the last answers" in caplog.text
    assert set(read_answers(tmp_path / "run")) == {"k1", "k2"}
