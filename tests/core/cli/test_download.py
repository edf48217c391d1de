"""Downloads from a server that lies, breaks off or changes its file; archives that are damaged or hostile."""

from __future__ import annotations

import hashlib
import io
import random
import re
import shutil
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from vlmbench.base import registry
from vlmbench.base.errors import DataError
from vlmbench.data import archives
from vlmbench.data.archives import extract
from vlmbench.data.download import download
from vlmbench.data.tables.checksums import CHECKSUMS

OLD, NEW = bytes(range(250)) * 40, bytes(reversed(range(250))) * 40
Reply = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers by a list of replies, one for each request; the last one stays."""

    replies: ClassVar[list[Reply]] = []
    asked: ClassVar[list[tuple[str | None, str | None]]] = []

    def do_GET(self) -> None:
        self.asked.append((self.headers.get("Range"), self.headers.get("If-Range")))
        (self.replies.pop(0) if len(self.replies) > 1 else self.replies[0])(self)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


def reply(status: int, body: bytes, **headers: str) -> Reply:
    """A fixed answer; `length` is the Content-Length told, `tag` the ETag, `span` the Content-Range."""
    names = {"length": "Content-Length", "tag": "ETag", "span": "Content-Range", "modified": "Last-Modified"}

    def answer(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in ({"length": str(len(body))} | headers).items():
            handler.send_header(names.get(name, name.replace("_", "-")), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def cut(tag: str = '"old"', **headers: str) -> Reply:
    """The first 3,000 bytes of the old file."""
    return reply(200, OLD[:3000], length=str(len(OLD)), **({"tag": tag} if tag else {}), **headers)


@pytest.fixture
def server() -> Iterator[str]:
    Handler.replies, Handler.asked = [], []
    serving = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{serving.server_port}/a.bin"
    serving.shutdown()
    serving.server_close()
    thread.join()


def interrupted(server: str, path: Path, first: Reply) -> None:
    """A part of the old file is there."""
    Handler.replies[:] = [first]
    with pytest.raises(DataError, match="ended after 3,000 of 10,000 bytes"):
        download(server, path, progress=False)
    Handler.asked.clear()


REST = OLD[3000:]
WHOLE = {"span": "bytes 3000-9999/10000", "tag": '"old"'}
AFTER: dict[str, tuple[list[Reply], bytes]] = {
    "the rest": ([reply(206, REST, **WHOLE)], OLD),
    "the file has changed": ([reply(200, NEW, tag='"new"')], NEW),
    "another range": ([reply(206, OLD[2500:], span="bytes 2500-9999/10000", tag='"old"'), reply(200, OLD)], OLD),
    "no range told": ([reply(206, REST, tag='"old"'), reply(200, OLD)], OLD),
    "another length": ([reply(206, REST + b"x", span="bytes 3000-10000/10001"), reply(200, NEW)], NEW),
    "a shorter range": ([reply(206, REST[:10], span="bytes 3000-3009/10000"), reply(200, OLD)], OLD),
    "another tag": ([reply(206, NEW[3000:], span="bytes 3000-9999/10000", tag='"new"'), reply(200, NEW)], NEW),
    "no such range": ([reply(416, b"", span="bytes */10000"), reply(200, OLD)], OLD),
    "more than told": ([reply(206, REST, **(WHOLE | {"length": "7000"}))], OLD),
}


@pytest.mark.parametrize("case", AFTER)
def test_a_part_is_continued_only_by_its_own_rest(server: str, tmp_path: Path, case: str) -> None:
    interrupted(server, tmp_path / "a.bin", cut())
    replies, content = AFTER[case]
    Handler.replies[:] = replies
    download(server, tmp_path / "a.bin", progress=False)
    assert (tmp_path / "a.bin").read_bytes() == content
    assert Handler.asked[0] == ("bytes=3000-", '"old"')
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_the_date_serves_where_there_is_no_strong_tag(server: str, tmp_path: Path) -> None:
    date = "Mon, 02 Mar 2026 10:00:00 GMT"
    interrupted(server, tmp_path / "a.bin", cut(tag='W/"weak"', modified=date))
    Handler.replies[:] = [reply(206, REST, span="bytes 3000-9999/10000", modified=date)]
    download(server, tmp_path / "a.bin", progress=False)
    assert Handler.asked == [("bytes=3000-", date)] and (tmp_path / "a.bin").read_bytes() == OLD


def test_without_either_it_is_begun_again(server: str, tmp_path: Path) -> None:
    interrupted(server, tmp_path / "a.bin", cut(tag=""))
    Handler.replies[:] = [reply(200, NEW)]
    download(server, tmp_path / "a.bin", progress=False)
    assert Handler.asked == [(None, None)] and (tmp_path / "a.bin").read_bytes() == NEW


@pytest.mark.parametrize("beside", [None, "", "[]", "{}", '{"url": 1}', '{"url": "http://other/", "etag": "\\"a\\""}'])
def test_a_part_nobody_knows_is_begun_again(server: str, tmp_path: Path, beside: str | None) -> None:
    (tmp_path / "a.bin.part").write_bytes(b"x" * 20)
    if beside is not None:
        (tmp_path / "a.bin.part.json").write_text(beside)
    Handler.replies[:] = [reply(200, OLD)]
    download(server, tmp_path / "a.bin", progress=False)
    assert Handler.asked == [(None, None)] and (tmp_path / "a.bin").read_bytes() == OLD


PAGE = b"\xef\xbb\xbf\n<!-- x -->\n<!DOCTYPE html><html><body>Please log in</body></html>"


@pytest.mark.parametrize(
    ("answer", "name", "told"),
    [
        (reply(200, PAGE), "a.json", "the server sends a web page"),
        (reply(200, b"<HTML>x"), "a.tsv", "the server sends a web page"),
        (reply(200, b"{}"), "a.zip", "no zip file"),
        (reply(200, OLD, length="x1"), "a", "bad Content-Length"),
        (reply(200, OLD, length="-5"), "a", "bad Content-Length"),
        (reply(200, OLD, length="9" * 40), "a", "bad Content-Length"),
        (reply(200, OLD, Content_Encoding="gzip"), "a", "compressed"),
        (reply(302, b"", Location="http://[::1"), "a", "cannot fetch it"),
        (reply(302, b"", Location="http://127.0.0.1:99999/"), "a", "cannot fetch it"),
        (reply(302, b"", Location="file:///etc/passwd"), "a", "unsupported protocol 'file://'"),
        (reply(302, b"", Location="ftp://127.0.0.1/x"), "a", "unsupported protocol 'ftp://'"),
        (reply(200, OLD[:10], length="10000"), "a", "ended after 10 of 10,000 bytes"),
        (reply(206, OLD, span="bytes 0-9999/10000"), "a", "the server answers 206"),
        (reply(503, b""), "a", "the server says 503"),
    ],
)
def test_what_a_server_sends_is_not_kept_unseen(
    server: str, tmp_path: Path, answer: Reply, name: str, told: str
) -> None:
    Handler.replies[:] = [answer]
    with pytest.raises(DataError) as error:
        download(server, tmp_path / name, progress=False)
    assert told in str(error.value) and "http://127.0.0.1" in str(error.value)
    assert not (tmp_path / name).exists()


def in_pieces(body: bytes) -> Reply:
    """The first byte in a packet of its own."""

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[:1])
        handler.wfile.flush()
        time.sleep(0.05)
        handler.wfile.write(body[1:])

    return answer


def test_a_file_is_known_by_its_start_however_it_arrives(server: str, tmp_path: Path) -> None:
    Handler.replies[:] = [in_pieces(b"PK" + OLD)]
    download(server, tmp_path / "a.zip", progress=False)
    assert (tmp_path / "a.zip").read_bytes() == b"PK" + OLD
    Handler.replies[:] = [in_pieces(b"<html>Please log in")]
    with pytest.raises(DataError, match="the server sends a web page"):
        download(server, tmp_path / "b.json", progress=False)


def test_checksums(server: str, tmp_path: Path) -> None:
    Handler.replies[:] = [reply(200, OLD)]
    blob = hashlib.sha1(b"blob 10000\0" + OLD).hexdigest()
    for checksum in (f"sha256:{hashlib.sha256(OLD).hexdigest()}", f"md5:{hashlib.md5(OLD).hexdigest()}", f"git:{blob}"):
        download(server, tmp_path / checksum[:3], progress=False, checksum=checksum)
        with pytest.raises(DataError, match=r"its (sha256|md5|git) is .*, and that of the published file"):
            download(server, tmp_path / "b", progress=False, checksum=checksum[:-1] + "x")
    assert not list(tmp_path.glob("b*"))


def test_proxies_of_the_environment(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are used, NO_PROXY is heeded, and one that cannot be used is an error in words."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    Handler.replies[:] = [reply(200, OLD)]
    monkeypatch.setenv("http_proxy", server.removesuffix("/a.bin"))
    download("http://nowhere.invalid/a.bin", tmp_path / "a.bin", progress=False)
    assert (tmp_path / "a.bin").read_bytes() == OLD
    monkeypatch.setenv("no_proxy", "nowhere.invalid")
    with pytest.raises(DataError, match=r"nowhere\.invalid/b: cannot fetch it"):
        download("http://nowhere.invalid/b", tmp_path / "b", progress=False)
    monkeypatch.setenv("no_proxy", "")
    for proxy in ("socks5://127.0.0.1:9", "nonsense://x"):
        monkeypatch.setenv("http_proxy", proxy)
        with pytest.raises(DataError, match="cannot fetch it"):
            download("http://nowhere.invalid/c", tmp_path / "c", progress=False)


# --------------------------------------------------------------------------------------------------------- archives


def archive(path: Path, members: list[tuple[str, bytes]]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members:
            made.writestr(name, content)
    return path


def written(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def test_two_members_for_one_place(tmp_path: Path) -> None:
    """Equal ones are one; of different ones the one with the whole path; else none is taken by chance."""
    for members, found in (
        ([("a/v.json", b"1"), ("b/v.json", b"1")], b"1"),
        ([("a/v.json", b"1"), ("x/Annotations/v.json", b"2")], b"2"),
        ([("__MACOSX/a/._v.json", b"0"), ("__MACOSX/v.json", b"0"), ("a/v.json", b"1")], b"1"),
    ):
        root = tmp_path / "data"
        extract(archive(tmp_path / "a.zip", members), ["Annotations/v.json"], root, progress=False)
        assert (root / "Annotations/v.json").read_bytes() == found and len(written(root)) == 1
        shutil.rmtree(root)
    for members, wanted in (
        ([("a/v.json", b"1"), ("b/v.json", b"2")], ["Annotations/v.json"]),
        ([("a/images/1.jpg", b"1"), ("b/images/1.jpg", b"2")], ["images"]),
    ):
        with pytest.raises(DataError, match=r"several files for (Annotations/v\.json|images/1\.jpg): 'a/.*' and 'b/"):
            extract(archive(tmp_path / "a.zip", members), wanted, tmp_path / "data", progress=False)
        assert not (tmp_path / "data").exists()


def test_bombs_and_full_disks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "SMALL", 1 << 20)
    bomb = archive(tmp_path / "a.zip", [("images/1.jpg", bytes(3 << 20))])
    with pytest.raises(DataError, match=r"'images/1\.jpg' unpacks from [\d,]+ to 3,145,728 bytes"):
        extract(bomb, ["images"], tmp_path / "data", progress=False)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=100))
    plain = archive(tmp_path / "b.zip", [("images/1.jpg", bytes(2000)), ("other", bytes(10))])
    with pytest.raises(DataError, match="it needs 2,000 bytes, and 100 are free"):
        extract(plain, ["images"], tmp_path / "data", progress=False)
    assert extract(plain, ["other"], tmp_path / "data", progress=False) == []


def test_an_encrypted_member(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", [("images/1.jpg", b"x")])
    content = bytearray(path.read_bytes())
    content[content.find(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"'images/1\.jpg' is encrypted"):
        extract(path, ["images"], tmp_path / "data", progress=False)


@pytest.mark.parametrize("name", [".", "./", "a/.", "images/" + "n" * 300, "images/\x01", "images/\udcff"])
def test_odd_names(tmp_path: Path, name: str) -> None:
    """Nothing outside, and no error but a DataError."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as opened:
        opened.writestr("images/a.jpg", b"1")
        info = zipfile.ZipInfo("placeholder")
        info.filename = name.encode("utf-8", "replace").decode()
        opened.writestr(info, b"2")
    (tmp_path / "a.zip").write_bytes(made.getvalue())
    try:
        assert extract(tmp_path / "a.zip", ["images"], tmp_path / "data", progress=False) == []
    except DataError as error:
        assert "File name too long" in str(error)
    assert {path.parts[0] for path in (file.relative_to(tmp_path) for file in tmp_path.rglob("*"))} <= {"a.zip", "data"}


def test_a_file_of_the_same_size_is_not_taken_for_the_member(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images/1.jpg").write_bytes(b"old")
    extract(archive(tmp_path / "a.zip", [("images/1.jpg", b"new")]), ["images"], tmp_path, progress=False)
    assert (tmp_path / "images/1.jpg").read_bytes() == b"new"


def test_any_damage_is_an_error_or_the_same_bytes(tmp_path: Path) -> None:
    """What is written has the archive's checksum; nothing else is left behind, no half file either."""
    members = [(f"images/{n}.jpg", random.Random(n).randbytes(60) * 5) for n in range(4)]
    whole, rng = archive(tmp_path / "a.zip", members).read_bytes(), random.Random(1)
    sizes = {name: len(content) for name, content in members}
    refused = 0
    for _ in range(250):
        content = bytearray(whole)
        for _ in range(rng.randint(1, 6)):
            content[rng.randrange(len(content))] = rng.randrange(256)
        (tmp_path / "b.zip").write_bytes(content[: rng.randrange(len(content))] if rng.random() < 0.1 else content)
        try:
            extract(tmp_path / "b.zip", ["images"], tmp_path / "data", progress=False)
        except DataError as error:
            refused += 1
            assert str(tmp_path) in str(error)
        for name in written(tmp_path / "data"):
            assert not name.endswith(".part") and (tmp_path / "data" / name).stat().st_size in {0, *sizes.values()}
        shutil.rmtree(tmp_path / "data", ignore_errors=True)
    assert refused > 100


def test_the_checksums_are_of_files_that_tasks_fetch() -> None:
    """Each is of one address."""
    urls = {
        wanted.url: wanted.checksum
        for name in registry.tasks.builtin
        for task in (registry.choose_task(name).task,)
        for split in task.splits
        for wanted in task.required_files(split)
    }
    assert sorted(filter(None, urls.values())) == sorted(CHECKSUMS.values())
    assert all(re.fullmatch("git:[0-9a-f]{40}|md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", one) for one in CHECKSUMS.values())
