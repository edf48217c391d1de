"""Files and stores: special files, over-long names, impossible numbers, and stores that fail in their own way."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.core.runs.test_remote_store import bucket
from tests.support.toys import png
from vlmbench import TableTask
from vlmbench.base import paths
from vlmbench.base.errors import DataError, ImageError, VlmbenchError
from vlmbench.base.process import exit_codes
from vlmbench.base.registry import choose_task
from vlmbench.cli import main as cli
from vlmbench.data import reading
from vlmbench.data.files import Folder, read_json, read_keyed, read_parquet, read_rows, read_samples, read_table
from vlmbench.data.reading import is_dir, is_file, read_whole
from vlmbench.data.rows import Row
from vlmbench.data.sheets import read_sheet

__all__ = ["bucket"]
READERS: tuple[Callable[[Path], object], ...] = (
    read_rows, read_json, read_table, read_parquet, read_sheet, lambda path: read_keyed(path, "x"),
)  # fmt: skip


@pytest.fixture(params=["zero", "pipe", "socket", "folder"])
def special(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A file that must not be opened: reading it would never end, wait for ever, or fail."""
    path = tmp_path / "special"
    if request.param == "zero":
        path.symlink_to("/dev/zero")
    if request.param == "pipe":
        os.mkfifo(path)
    if request.param == "folder":
        path.mkdir()
    bound = socket.socket(socket.AF_UNIX)
    if request.param == "socket":
        bound.bind(str(path))
    yield path
    bound.close()


def test_special_files_are_refused_by_every_reader(special: Path) -> None:
    for read in READERS:
        with pytest.raises(DataError, match=r"cannot read it: a (device|pipe|socket|folder)"):
            read(special)


def test_special_files_are_refused_by_every_command(special: Path, capsys: pytest.CaptureFixture[str]) -> None:
    begin = time.monotonic()
    for words in (
        ["ask", "--model", "echo", str(special), "What?"],
        ["run", "--model", f"echo:{special}", "--tasks", "pope"],
        ["score", "gqa", "--predictions", str(special)],
        ["score", "pope", "--predictions", str(special)],
    ):
        assert cli.main(words) == exit_codes.USER_MUST_CHANGE
        told = capsys.readouterr().err
        assert "Traceback" not in told and str(special) in told
    assert time.monotonic() - begin < 20


def test_a_special_picture_is_an_error_of_that_sample(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    picture = Folder(tmp_path).image(Row({}, "f", "line 1"), "a.png")
    with pytest.raises(ImageError, match="a pipe, not a file"):
        picture.load()


def test_a_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"x" * 2_000_000)
    with pytest.raises(DataError, match="more than 1 MiB"):
        read_whole(tmp_path / "a", 1 << 20)
    monkeypatch.setattr(reading, "check_ordinary", lambda path, limit: 9)  # it grew after it was looked at
    with pytest.raises(DataError, match="more than 1 MiB"):
        read_whole(tmp_path / "a", 1 << 20)


@pytest.mark.parametrize("name", ["n" * 300, "d" * 300 + "/a.png", "é" * 200 + ".png"])
def test_an_over_long_name_is_an_error_of_that_sample(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.csv").write_text(f"image,question,answer\n{name},?,a\n", encoding="utf-8")
    (sample,) = TableTask("mine", tmp_path / "a.csv").samples(Folder(tmp_path), "all")
    with pytest.raises(ImageError, match="File name too long"):
        sample.images[0].load()


@pytest.mark.parametrize("name", ["a\x00.png", "\ud800.png", "/a.png", "../a.png"])
def test_an_impossible_name_is_refused(tmp_path: Path, name: str) -> None:
    rows = [{"image": name, "question": "?", "answer": "a"}]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    with pytest.raises(DataError, match=r"a\.json, item 1, field 'image'"):
        TableTask("mine", tmp_path / "a.json").samples(Folder(tmp_path), "all")


@pytest.mark.parametrize("text", ["--5", "-", "5-", "٣" * 5000, "9" * 5000, "1e5", "+5", "5.0", ""])
def test_what_is_no_whole_number(text: str) -> None:
    with pytest.raises(DataError, match="line 3, field 'n': a whole number was expected"):
        Row({"n": text}, "f", "line 3").integer("n")
    assert Row({"n": " -12 "}, "f", "line 3").integer("n") == -12


@pytest.mark.parametrize("content", ['[{"a": %s}]', '{"a": %s}', '{"a": 1}\n{"a": %s}', '{"x": {"a": %s}}'])
def test_numbers_of_thousands_of_digits(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(content % ("7" * 5000))
    for read in (read_rows, lambda path: read_keyed(path, "a"), read_json):
        try:
            read(path)
        except VlmbenchError as error:
            assert str(path) in str(error)
    path.write_text('{"a": 1%s, "b": NaN}' % ("0" * 400))  # the standard parser reads this one, as it has a NaN
    with pytest.raises(DataError, match="a whole number of 401 digits"):
        read_rows(path)[0].number("a")


class StoreError(Exception):
    """What an object store's library raises: no OSError."""


FAILURES = [
    StoreError("Response payload is not completed"),
    PermissionError("Forbidden"),
    OSError(16, "SlowDown: Please reduce your request rate."),
    TimeoutError("timed out"),
]


def tabled(bucket: Any) -> tuple[TableTask, Folder]:
    """A task whose data lie in a store."""
    bucket.pipe("/data/mine/a.csv", b"image,question,answer\na.png,?,a\nb.png,?,b\n")
    bucket.pipe("/data/mine/a.png", png((1, 2, 3)))
    return TableTask("mine", Path("a.csv")), Folder(paths.path("memory://data"))


def test_a_store_says_what_is_there(bucket: Any) -> None:
    task, data = tabled(bucket)
    samples = task.samples(data, "all")
    assert samples[0].images[0].load() == png((1, 2, 3))
    with pytest.raises(ImageError, match=r"no image b\.png"):
        samples[1].images[0].load()
    assert is_dir(paths.path("memory://data/mine")) and not is_file(paths.path("memory://data/none"))


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
@pytest.mark.parametrize("call", ["info", "_open"])
def test_a_failing_store_is_told_as_such(
    bucket: Any, monkeypatch: pytest.MonkeyPatch, failure: Exception, call: str
) -> None:
    """A picture that cannot be fetched is not one that is absent; a table is a DataError, never a traceback."""
    task, data = tabled(bucket)
    samples = task.samples(data, "all")
    own = getattr(type(bucket), call)

    def fails(self: Any, path: str, *words: Any, **more: Any) -> Any:
        if path.endswith((".png", ".csv")):
            raise failure
        return own(self, path, *words, **more)

    monkeypatch.setattr(type(bucket), call, fails)
    for picture in (samples[0].images[0], samples[1].images[0]) if call == "info" else (samples[0].images[0],):
        with pytest.raises(ImageError, match="cannot read it: ") as told:
            picture.load()
        assert "no image" not in str(told.value) and str(failure.args[-1])[:20] in str(told.value)
    with pytest.raises(DataError, match="cannot read it: "):
        read_samples(task, data, "all")


def test_missing_credentials_are_told_for_every_task(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a loader calls first, a store that refuses everything is a DataError."""

    def refuses(self: Any, *words: Any, **more: Any) -> Any:
        raise StoreError("Unable to locate credentials")

    for call in ("info", "ls", "_open", "find", "exists", "isfile", "isdir", "cat_file", "glob"):
        monkeypatch.setattr(type(bucket), call, refuses)
    from vlmbench.base import registry

    for name in registry.tasks.names():
        choice = choose_task(name)
        for split in choice.task.splits:
            with pytest.raises(DataError, match="Unable to locate credentials"):
                read_samples(choice.task, Folder(paths.path("memory://data")), split)
