"""Captioned pictures in shards: the same rows for a position, whatever was read before; bad ones counted."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import random
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from vlmbench.base.errors import DataError
from vlmbench.training.sources import Stream, open_rows
from vlmbench.training.sources.files import tarcount
from vlmbench.training.sources.shards import Shards

pytest.importorskip("webdataset")


def shard(path: Path, captions: dict[str, object], *, without: str = "") -> None:
    """A tar as img2dataset writes it: N.jpg, N.txt, N.json."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for key, caption in captions.items():
            picture = io.BytesIO()
            Image.new("RGB", (8, 8)).save(picture, "JPEG")
            files = {"jpg": picture.getvalue(), "json": json.dumps({"caption": caption, "key": key}).encode()}
            if without:
                files[without] = b"broken"
            for kind, content in files.items():
                member = tarfile.TarInfo(f"{key}.{kind}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, rows in enumerate((7, 4, 5)):
        shard(tmp_path / f"{number:05d}.tar", {f"{number:05d}{at:04d}": f"Row {number}-{at}." for at in range(rows)})
    return tmp_path


def stream(folder: Path, **options: object) -> Shards:
    found = open_rows("webdataset", f"{folder}/{{00000..00009}}.tar", **{"buffer": 3, **options})  # type: ignore[arg-type]
    assert isinstance(found, Stream)
    assert isinstance(found, Shards)
    return found


def texts(rows: Shards, start: int, count: int) -> list[str]:
    return [row.turns[0][1] for row in rows.rows(start, count)]


def test_rows_follow_from_the_position(folder: Path) -> None:
    through = texts(stream(folder), 0, 60)
    assert through[0].startswith("row ")  # lower case, no full stop
    assert "." not in "".join(through)
    assert set(through) == {f"row {n}-{at}" for n, rows in enumerate((7, 4, 5)) for at in range(rows)}
    for start in (59, 1, 30, 13):
        assert texts(stream(folder), start, 60 - start) == through[start:]
    jumping = stream(folder)
    assert [texts(jumping, at, 2) for at in (40, 0, 42)] == [through[40:42], through[:2], through[42:44]]
    assert texts(stream(folder, seed=1), 0, 60) != through


def test_a_shard_is_gone_through_once_in_buffers(folder: Path) -> None:
    rows = stream(folder)
    first = rows._ends
    found = texts(rows, 0, 16)
    size = first[0]
    assert len({text for text in found[:size]}) == size
    assert len({text.split("-")[0] for text in found[:size]}) == 1
    places = [int(text.split("-")[1]) for text in found[:size]]
    assert [sorted(places[at : at + 3]) for at in range(0, size, 3)] == [
        list(range(at, min(at + 3, size))) for at in range(0, size, 3)
    ]


def test_captions_as_they_stand_and_other_processes(folder: Path) -> None:
    rows = stream(folder, clean=False)
    before = texts(rows, 0, 4)
    assert before[0].startswith("Row ")
    assert before[0].endswith(".")
    assert texts(pickle.loads(pickle.dumps(rows)), 0, 4) == before


@pytest.mark.parametrize(
    ("without", "reason"), [("jpg", "damaged image"), ("json", "broken JSON")], ids=["picture", "caption"]
)
def test_bad_rows_are_stood_in_for_and_counted(folder: Path, without: str, reason: str) -> None:
    shard(folder / "00003.tar", {"bad": "x"}, without=without)
    rows = stream(folder, max_bad=0.5)
    found = texts(rows, 0, 60)
    assert len(found) == 60
    assert all(text.startswith("row ") for text in found)
    assert set(rows.bad) == {reason}
    assert "00003.tar" in rows.named[0]
    with pytest.raises(DataError, match=f"{reason}"):
        texts(stream(folder, max_bad=0.0), 0, 300)


def test_captions_that_are_none(folder: Path) -> None:
    shard(folder / "00003.tar", {"a": None, "b": "!", "c": ["x"]})
    rows = stream(folder, max_bad=0.9)
    texts(rows, 0, 60)
    assert set(rows.bad) == {"empty turn"}


def test_a_cut_shard_ends_early(folder: Path) -> None:
    content = (folder / "00000.tar").read_bytes()
    (folder / "00000.tar").write_bytes(content[: 5 * 1536 + 700])
    rows = stream(folder, max_bad=0.9)
    assert all(text.startswith("row ") for text in texts(rows, 0, 60))


def test_there_must_be_shards(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such shard"):
        open_rows("webdataset", f"{tmp_path}/{{0..3}}.tar")
    shard(tmp_path / "0.tar", {})
    with pytest.raises(DataError, match="hold no row"):
        stream_of = open_rows("webdataset", f"{tmp_path}/*.tar")
        assert isinstance(stream_of, Stream)
        stream_of.rows(0, 1)


def damaged(content: bytes, kind: str) -> bytes:
    """A shard of 20 rows, broken in one way."""
    half = len(content) // 2
    header = half - half % 1536  # each row is a picture and a caption: three blocks of 512 bytes or more
    noise = random.Random(1).randbytes(1024)
    ways = {
        "cut inside a header": content[: header + 300],
        "cut inside a picture": content[: header + 700],
        "no end mark": content.rstrip(b"\0") + b"\0" * (-len(content.rstrip(b"\0")) % 512),
        "noise": content[:header] + noise + content[header + 1024 :],
        "zeros": content[:header] + bytes(1024) + content[header + 1024 :],
        "empty": b"",
        "all noise": noise * 10,
    }
    return ways[kind]


DAMAGES = ("cut inside a header", "cut inside a picture", "no end mark", "noise", "zeros", "empty", "all noise")


@pytest.mark.parametrize("index", ["", "00003_stats.json", "index.json"])
@pytest.mark.parametrize("kind", DAMAGES)
def test_rows_of_a_damaged_shard_are_counted(folder: Path, kind: str, index: str) -> None:
    shard(folder / "00003.tar", {f"{at:03d}": f"Last {at}." for at in range(20)})
    (folder / "00003.tar").write_bytes(damaged((folder / "00003.tar").read_bytes(), kind))
    told = {"00003_stats.json": {"successes": 20}, "index.json": {"shardlist": [{"url": "00003.tar", "nsamples": 20}]}}
    if index:
        (folder / index).write_text(json.dumps(told[index]), encoding="utf-8")
    rows = stream(folder, max_bad=0.9)
    found = texts(rows, 0, 300)
    read = {text for text in found if text.startswith("last")}
    lost = rows.bad["row of a damaged shard"]
    assert any("00003.tar" in line for line in rows.named)
    if kind == "no end mark":
        assert (len(read), lost) == (20, 1)
    elif index:  # a row that is cut in two has a reason of its own
        assert len(read) + lost + (len(rows.bad) > 1) == 20
    else:
        assert len(read) < 20
        assert lost >= 1
        if kind in ("cut inside a header", "noise", "zeros"):
            assert len(read) + lost == pytest.approx(20, abs=11 if kind.startswith("cut") else 1)
    with pytest.raises(DataError, match="row of a damaged shard") as caught:
        texts(stream(folder, max_bad=0.01), 0, 300)
    assert "--set bad_rows=" in str(caught.value)


@pytest.mark.parametrize("ending", ["tar", "tar.gz"])
def test_a_whole_shard_is_not_damaged(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"0.{ending}"
    shard(path, {str(at): f"Row {at}." for at in range(5)})
    if ending == "tar.gz":
        path.write_bytes(gzip.compress(path.read_bytes()))
    assert tarcount.count(str(path), lambda name: name.partition(".")[0]) == tarcount.Counted(5)
    content = path.read_bytes()
    for size in range(0, len(content) - 1, 97) if ending == "tar.gz" else ():
        path.write_bytes(content[:size])
        assert tarcount.count(str(path), lambda name: name.partition(".")[0]).lost >= 1


def test_an_index_that_counts_more_rows_is_believed(tmp_path: Path) -> None:
    shard(tmp_path / "00000.tar", {str(at): f"Row {at}." for at in range(5)})
    (tmp_path / "00000_stats.json").write_text(json.dumps({"count": 10, "successes": 8}), encoding="utf-8")
    found = tarcount.count(str(tmp_path / "00000.tar"), lambda name: name.partition(".")[0])
    assert found == tarcount.Counted(5, "rows are missing", 3, 8)
