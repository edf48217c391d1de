"""Parts of a run's log: read as they grow, damaged ones told of, left ones merged when the run is opened again."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.core.runs.test_runner import run
from tests.support.toys import ToyModel
from vlmbench.base.errors import StoreError
from vlmbench.base.samples import Response
from vlmbench.runs.storage import answer_log, parts
from vlmbench.runs.storage.layout import LOG, PARTS
from vlmbench.runs.storage.parts import PartFolder, PartReader, PartWriter
from vlmbench.runs.storage.reopening import read_answers
from vlmbench.runs.workers.merging import DAMAGED, Merge
from vlmbench.runs.workers.scheduler import TRIES, WorkQueue
from vlmbench.runs.workers.worker import Finished, Progress


def line(key: str, text: str = "yes") -> bytes:
    return answer_log.line(key, Response(text))


def flipped(one: bytes) -> bytes:
    return one.replace(b"yes", b"no!")


# ------------------------------------------------------------------------------------------------- read as they grow


def test_a_part_is_read_up_to_what_was_announced(tmp_path: Path) -> None:
    folder = PartFolder(tmp_path, 0.5)
    part = folder.new(3)
    writer, why = parts.writer(part)
    assert why == ""
    writer.write([line("a"), line("b")])
    size, sent = writer.flush()
    writer.write([line("c")])
    assert (size, sent) == (len(line("a")) * 2, b"")
    reader = folder.reader(part.name)
    reader.read(size)
    assert list(reader.answers) == ["a", "b"]
    assert reader.pop(["a", "b"]) == [(line("a"), Response("yes")), (line("b"), Response("yes"))]
    assert reader.pop(["b", "c"]) == []
    reader.read()
    assert list(reader.answers) == ["c"]


def test_half_a_line_is_left_for_later(tmp_path: Path) -> None:
    path = tmp_path / "part-0000-x.jsonl"
    path.write_bytes(line("a") + line("b")[:20])
    reader = PartReader(path)
    reader.read()
    assert (list(reader.answers), reader.damaged) == (["a"], 0)
    with path.open("ab") as file:
        file.write(line("b")[20:])
    reader.read()
    assert list(reader.answers) == ["a", "b"]


def test_a_long_part_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "CHUNK", 150)
    path = tmp_path / "part-0000-x.jsonl"
    path.write_bytes(b"".join(line(f"{i}") for i in range(50)))
    reader = PartReader(path)
    reader.read()
    assert len(reader.answers) == 50


def test_bytes_that_were_announced_and_do_not_come_are_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PATIENCE", 0.1)
    for reader in (PartReader(tmp_path / "gone"), PartReader(tmp_path / "short")):
        (tmp_path / "short").write_bytes(line("a"))
        reader.read(10_000)
        assert reader.damaged == 1


def test_a_part_has_one_writer(tmp_path: Path) -> None:
    part = PartFolder(tmp_path, 0.5).new(0)
    PartWriter(tmp_path / PARTS, part)
    with pytest.raises(FileExistsError):
        PartWriter(tmp_path / PARTS, part)


# ----------------------------------------------------------------------------------------- merged as workers tell


def merging(run: Path, groups: int) -> Merge:
    """Groups of two questions, given to worker 0."""
    queue = WorkQueue(groups, 1)
    while queue.acquire(0):
        pass
    return Merge(queue, PartFolder(run, 0.5), lambda number: (f"{number}a", f"{number}b"))


def write(merge: Merge, *lines: bytes) -> Progress:
    part = merge.part(0)
    assert part.folder is not None
    with (part.folder / part.name).open("ab") as file:
        file.write(b"".join(lines))
        return Progress((), part.name, file.tell())


def told(progress: Progress, *numbers: int) -> Progress:
    return Progress(tuple(Finished(number, True) for number in numbers), progress.part, progress.size)


def test_groups_count_once_whoever_answers_them(tmp_path: Path) -> None:
    merge = merging(tmp_path, 1)
    assert merge.queue.acquire(1) == [0], "an idle worker has it too"
    progress = told(write(merge, line("0a"), line("0b")), 0)
    (found,) = merge.take(0, progress)
    assert (found.number, list(found.lines)) == (0, [line("0a"), line("0b")])
    other = merge.part(1)
    assert other.folder is not None
    (other.folder / other.name).write_bytes(line("0a", "no") + line("0b", "no"))
    assert merge.take(1, Progress((Finished(0, True),), other.name, len(line("0a", "no")) * 2)) == []
    assert merge.parts.reader(other.name).answers == {}


def test_a_damaged_line_costs_its_group_another_attempt_and_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    merge = merging(tmp_path, 2)
    progress = told(write(merge, line("0a"), flipped(line("0b")), line("1a"), line("1b")), 0, 1)
    assert [found.number for found in merge.take(0, progress)] == [1]
    assert "is damaged: what it does not answer is asked again" in caplog.text
    for _ in range(TRIES - 2):
        merge.queue.finish_portion(0)
        assert merge.queue.acquire(0) == [0]
        assert merge.take(0, told(write(merge, line("0a"), flipped(line("0b"))), 0)) == []
    merge.queue.finish_portion(0)
    assert merge.queue.acquire(0) == [0]
    (failed,) = merge.take(0, told(write(merge, flipped(line("0a")), line("0b")), 0))
    assert [one.error for one in failed.responses] == [DAMAGED] * 2
    assert merge.queue.done
    merge.parts.remove()
    assert [path.name.endswith(".damaged") for path in tmp_path.iterdir()] == [True]


def test_of_a_lost_worker_whole_groups_count(tmp_path: Path) -> None:
    merge = merging(tmp_path, 3)
    write(merge, line("0a"), line("0b"), line("1a"), line("1b")[:30])
    first = merge.part(0)
    assert [found.number for found in merge.salvage(0)] == [0]
    assert merge.queue.requeue(0) == []
    assert not merge.queue.is_open(0)
    assert merge.part(0).name != first.name, "the next worker has a part of its own"
    assert merge.salvage(7) == []


# -------------------------------------------------------------------------------------------- what a lost run left


def interrupted(folder: Path) -> list[bytes]:
    """A run that was killed when half of its answers were in the log; returns the lines of the others."""
    with pytest.raises(KeyboardInterrupt):
        run(folder, ToyModel(stop_after=9))
    lines = (folder / LOG).read_bytes().splitlines(keepends=True)
    (folder / LOG).write_bytes(b"".join(lines[:6]))
    return lines[6:]


def left(folder: Path, name: str, lines: list[bytes]) -> Path:
    (folder / PARTS).mkdir(exist_ok=True)
    path = folder / PARTS / f"part-{name}.jsonl"
    path.write_bytes(b"".join(lines))
    return path


def test_parts_that_were_left_are_merged(tmp_path: Path) -> None:
    rest = interrupted(tmp_path / "run")
    left(tmp_path / "run", "0000-a", [*rest[:2], rest[2][:40]])
    left(tmp_path / "run", "0001-b", rest[1:2])  # a question that two workers answered
    left(tmp_path / "run", "0002-c", [])
    assert len(read_answers(tmp_path / "run")) == 8
    assert (tmp_path / "run" / PARTS).is_dir(), "reading changes nothing"
    model = ToyModel()
    outcome = run(tmp_path / "run", model)
    assert (outcome.reused, len(model.asked), len(outcome.records)) == (8, 4, 12)
    assert not (tmp_path / "run" / PARTS).exists()
    assert not list((tmp_path / "run").glob("*.damaged"))


def test_a_damaged_part_is_told_of_kept_and_its_good_answers_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rest = interrupted(tmp_path / "run")
    left(tmp_path / "run", "0000-a", [rest[0], rest[1].replace(b"yes", b"no "), b"\0\xff\n", rest[2]])
    with caplog.at_level(logging.WARNING):
        outcome = run(tmp_path / "run", ToyModel())
    assert outcome.reused == 8
    assert "part-0000-a.jsonl: 2 damaged lines: what they answered is asked again" in caplog.text
    assert (tmp_path / "run" / "part-0000-a.jsonl.damaged").is_file()
    assert run(tmp_path / "run", ToyModel()).reused == 12


def test_a_kill_while_parts_are_merged_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    """Everything is in the log already, and the parts are still there."""
    rest = interrupted(tmp_path / "run")
    left(tmp_path / "run", "0000-a", rest)
    with (tmp_path / "run" / LOG).open("ab") as log:
        log.write(b"".join(rest))
    assert run(tmp_path / "run", ToyModel()).reused == 9
    assert len(read_answers(tmp_path / "run")) == 12


def test_a_failure_in_a_part_is_no_answer(tmp_path: Path) -> None:
    rest = interrupted(tmp_path / "run")
    key = answer_log.parse(rest[0][:-1])[0]
    left(tmp_path / "run", "0000-a", [answer_log.line(key, Response(finish="error", error="planted"))])
    left(tmp_path / "run", "0001-b", rest[:1])
    assert read_answers(tmp_path / "run")[key].finish != "error"
    assert run(tmp_path / "run", ToyModel()).reused == 7


def test_a_folder_of_parts_that_cannot_be_read_is_an_error_of_ours(tmp_path: Path) -> None:
    interrupted(tmp_path / "run")
    (tmp_path / "run" / PARTS / "part-0000-a.jsonl").mkdir(parents=True)
    with pytest.raises(StoreError):
        run(tmp_path / "run", ToyModel())
