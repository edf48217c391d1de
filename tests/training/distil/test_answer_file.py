"""The file of a teacher's answers: whole after a kill at any byte, refused when damaged or another teacher's."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np
import pytest

from vlmbench.base.errors import StoreError
from vlmbench.training.distil.answer_file import FAILED, FRAME, MAGIC, AnswerFile, Said

MARK = {"teacher.fingerprint": "abc", "kind": "both", "top_k": 3}
KEYS = [bytes([at]) * 16 for at in range(6)]


def said(at: int) -> Said:
    """Something of `at` tokens, with a text that fills no whole words."""
    ids = np.arange(at * 3, dtype=np.int32).reshape(at, 3)
    return Said(0, "ä" * at, np.arange(at, dtype=np.int32), ids, -ids.astype(np.float32), np.full(at, -1.5, np.float32))


def written(path: Path, records: int = 3) -> bytes:
    """A file with two entries in each record."""
    file = AnswerFile(path, MARK, write=True)
    for at in range(records):
        file.add([(KEYS[2 * at], said(2 * at)), (KEYS[2 * at + 1], said(2 * at + 1))])
    file.close()
    return path.read_bytes()


def same(one: Said | None, other: Said) -> bool:
    """Whether what was read is what was written."""
    assert one is not None
    if other.tokens is None or not len(other.tokens):
        return (one.status, one.text, one.tokens) == (other.status, other.text, None)
    pairs = [(getattr(one, name), getattr(other, name)) for name in ("tokens", "ids", "logprobs", "rest")]
    return (one.status, one.text) == (other.status, other.text) and all(np.array_equal(a, b) for a, b in pairs)


def test_everything_comes_back(tmp_path: Path) -> None:
    written(tmp_path / "deep" / "answers")
    file = AnswerFile(tmp_path / "deep" / "answers", MARK, write=True)
    file.add([(b"x" * 16, Said(FAILED, "no network"))])
    assert all(same(file.get(key), said(at)) for at, key in enumerate(KEYS))
    assert same(file.get(b"x" * 16), Said(FAILED, "no network"))
    assert file.get(b"y" * 16) is None and KEYS[0] in file and len(file) == 7
    file.close()
    assert len(AnswerFile(tmp_path / "deep" / "answers", MARK, write=False)) == 7


def test_cut_at_any_byte_whole_records_stay(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "answers"
    sizes = [len(written(tmp_path / str(records), records)) for records in range(4)]
    whole = (tmp_path / "3").read_bytes()
    assert len(whole) == sizes[3]
    for length in sorted({*range(sizes[0], sizes[3], 11), *sizes[:-1], *(size - 1 for size in sizes[1:])}):
        path.write_bytes(whole[:length])
        kept = sum(size <= length for size in sizes) - 1
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            file = AnswerFile(path, MARK, write=True)
        assert len(file) == 2 * kept
        assert bool(caplog.records) == (length not in sizes)
        for record in range(kept, 3):
            file.add([(KEYS[at], said(at)) for at in (2 * record, 2 * record + 1)])
        file.close()
        assert path.read_bytes() == whole


def test_damage_is_named_and_never_read(tmp_path: Path) -> None:
    path = tmp_path / "answers"
    whole = written(path)
    first = len(MAGIC) + FRAME.size + FRAME.unpack_from(whole, len(MAGIC))[0]
    last = len(written(tmp_path / "two", 2))
    for at in range(0, last, 7):
        broken = bytearray(whole)
        broken[at] ^= 0x10
        path.write_bytes(bytes(broken))
        if at < len(MAGIC):
            expected = "not a file of a teacher's answers"
        elif at < first:
            expected = "damaged: its header"
        else:
            expected = "damaged: the record at byte"
        try:
            file = AnswerFile(path, MARK, write=False)
        except StoreError as error:
            assert (expected in str(error) and "delete the file" in str(error)) or at < len(MAGIC)
        else:  # a length that points behind the end looks like a record that was cut short: what follows is not read
            assert len(file) < 6
    path.write_bytes(b"")
    with pytest.raises(StoreError, match="not a file of a teacher's answers"):
        AnswerFile(path, MARK, write=False)


def test_another_teachers_is_refused_by_name(tmp_path: Path) -> None:
    written(tmp_path / "answers")
    other = {**MARK, "teacher.fingerprint": "def", "beams": 4}
    expected = 'holds the answers of another teacher: beams was null, is 4; teacher.fingerprint was "abc", is "def"'
    with pytest.raises(StoreError, match=expected):
        AnswerFile(tmp_path / "answers", other, write=True)


def test_one_process_writes_and_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = AnswerFile(tmp_path / "answers", MARK, write=True)
    with pytest.raises(StoreError, match="another process asks this teacher"):
        AnswerFile(tmp_path / "answers", MARK, write=True)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        with pytest.raises(StoreError, match="cannot keep the teacher's answers: No space left on device"):
            file.add([(KEYS[1], said(1))])
    assert KEYS[1] not in file
    file.add([(KEYS[1], said(1))])
    assert same(file.get(KEYS[1]), said(1))
    file.close()
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError, match="Is a directory"):
        AnswerFile(tmp_path / "folder", MARK, write=True)
