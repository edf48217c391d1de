"""`vlmbench data`: what is missing is listed exactly; downloads are whole or not there, resumed, and stay inside."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.tasks.layouts import gqa_question, pope_rows, write_gqa, write_pope
from vlmbench.base import registry
from vlmbench.base.errors import DataError
from vlmbench.base.samples import Sample
from vlmbench.base.task import DataFile
from vlmbench.cli.main import main
from vlmbench.data.download import download, extract
from vlmbench.data.files import Folder, Hub
from vlmbench.tasks.yes_no.pope import POPE

# ---------------------------------------------------------------------------------------------------------- status


def status(words: Sequence[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, Any]]]:
    code = main(["data", "status", *words, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_complete(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pope(tmp_path)
    code, (found,) = status(["pope", "--data", str(tmp_path)], capsys)
    assert code == 0 and found["complete"] and found["questions"] == 36 and found["images"] == 2
    assert main(["data", "status", "pope", "--data", str(tmp_path)]) == 0
    assert "36 questions; 2 of 2 images are there" in capsys.readouterr().out


def test_missing_pictures_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pope(tmp_path)
    (tmp_path / "coco/val2014/COCO_val2014_000000000001.jpg").unlink()
    code, (found,) = status(["pope:coco", "--data", str(tmp_path)], capsys)
    assert code == 2 and found["images_missing"] == ["COCO_val2014_000000000001.jpg"]
    assert main(["data", "status", "pope", "--data", str(tmp_path)]) == 2
    printed = capsys.readouterr().out
    assert "1 of 2 images are there" in printed and "COCO_val2014_000000000001.jpg" in printed
    assert f"vlmbench data fetch pope:coco --data {tmp_path}" in printed


def test_missing_files_are_named_with_their_address(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pope(tmp_path)
    (tmp_path / "coco/coco_pope_popular.json").unlink()
    assert main(["data", "status", "pope", "--data", str(tmp_path)]) == 2
    printed = capsys.readouterr().out
    assert "missing  coco/coco_pope_popular.json  (popular questions)" in printed
    assert "output/coco/coco_pope_popular.json" in printed and "there    coco/coco_pope_random.json" in printed


def test_broken_files_and_other_splits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pope(tmp_path / "pope", "aokvqa", "aokvqa")
    write_gqa(tmp_path / "gqa", {"1": gqa_question()}, "val_all_questions.json")
    (tmp_path / "gqa/val_all_questions.json").write_text('{"1": ')
    code, found = status(["--data", str(tmp_path)], capsys)
    assert code == 2
    seen = {(entry["task"], entry["split"]): entry for entry in found}
    assert seen["pope", "aokvqa"]["complete"] and not seen["pope", "coco"]["complete"]
    assert "broken JSON" in seen["gqa", "val"]["problem"] and ("gqa", "val_balanced") not in seen
    assert main(["data", "status", "gqa:val", "--data", str(tmp_path)]) == 2
    assert "broken JSON" in capsys.readouterr().out


# ----------------------------------------------------------------------------------------------------------- fetch


class Handler(BaseHTTPRequestHandler):
    """Serves bytes, with ranges; can cut connections and knows what was asked."""

    content: ClassVar[dict[str, bytes]] = {}
    asked: ClassVar[list[tuple[str, str | None]]] = []
    cut_after: ClassVar[int | None] = None

    def do_GET(self) -> None:
        span = self.headers.get("Range")
        self.asked.append((self.path, span))
        if self.path not in self.content:
            self.send_error(404)
            return
        body = self.content[self.path]
        start = int(span.removeprefix("bytes=").removesuffix("-")) if span else 0
        if start >= len(body) and span:
            self.send_error(416)
            return
        tag = f'"{hashlib.sha256(body).hexdigest()[:8]}"'
        if span and self.headers.get("If-Range") != tag:
            span, start = None, 0
        self.send_response(206 if span else 200)
        self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(body) - start))
        if span:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.end_headers()
        self.wfile.write(body[start : self.cut_after])

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[str]:
    Handler.content, Handler.asked, Handler.cut_after = {}, [], None
    serving = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=serving.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{serving.server_port}"
    serving.shutdown()
    serving.server_close()
    thread.join()


def zipped(members: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return made.getvalue()


def test_download_is_resumed(server: str, tmp_path: Path) -> None:
    Handler.content["/a.json"] = body = bytes(range(256)) * 50
    Handler.cut_after = 5000
    path = tmp_path / "below" / "a.json"
    with pytest.raises(DataError, match=r"the connection ended after|cannot fetch it"):
        download(f"{server}/a.json", path, progress=False)
    assert not path.exists() and path.with_name("a.json.part").stat().st_size == 5000
    Handler.cut_after = None
    download(f"{server}/a.json", path, progress=False)
    assert path.read_bytes() == body and not path.with_name("a.json.part").exists()
    assert Handler.asked[-1] == ("/a.json", "bytes=5000-")


def test_a_part_that_is_too_long_is_begun_again(server: str, tmp_path: Path) -> None:
    Handler.content["/a"] = b"abc"
    (tmp_path / "a.part").write_bytes(b"abcdefgh")
    download(f"{server}/a", tmp_path / "a", progress=False)
    assert (tmp_path / "a").read_bytes() == b"abc"


def test_addresses_that_fail(server: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"/gone: the server says 404(.|\n)*by hand"):
        download(f"{server}/gone", tmp_path / "a", progress=False)
    with pytest.raises(DataError, match="cannot fetch it"):
        download("http://127.0.0.1:9/a", tmp_path / "a", progress=False)
    with pytest.raises(DataError, match="only http and https"):
        download("file:///etc/passwd", tmp_path / "a", progress=False)
    Handler.content["/a"] = b"abc"
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match="cannot write"):
        download(f"{server}/a", tmp_path / "file" / "a", progress=False)


@pytest.mark.parametrize("name", ["../evil.jpg", "/abs.jpg", "val2014/../../evil.jpg", "..\\evil.jpg", "C:\\evil.jpg"])
def test_archives_that_lead_out_are_refused_whole(tmp_path: Path, name: str) -> None:
    archive = tmp_path / "a.zip"
    archive.write_bytes(zipped({"val2014/a.jpg": b"fine", name: b"evil"}))
    with pytest.raises(DataError, match="outside the data folder"):
        extract(archive, ["val2014"], tmp_path / "data", progress=False)
    assert [path.name for path in tmp_path.rglob("*")] == ["a.zip"]


def test_links_in_archives_are_refused(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as made:
        info = zipfile.ZipInfo("val2014/link")
        info.external_attr = 0o120777 << 16
        made.writestr(info, "/etc")
    with pytest.raises(DataError, match="outside the data folder"):
        extract(archive, ["val2014"], tmp_path / "data", progress=False)


def test_extracting_takes_only_what_is_wanted(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    archive.write_bytes(zipped({"eval/val_choices.json": b"1", "eval/eval.py": b"2", "x/images/a/b.jpg": b"3"}))
    absent = extract(archive, ["val_choices.json", "images", "other.json"], tmp_path / "data", progress=False)
    files = sorted(path.relative_to(tmp_path / "data").as_posix() for path in (tmp_path / "data").rglob("*.*"))
    assert files == ["images/a/b.jpg", "val_choices.json"] and absent == ["other.json"]
    archive.write_bytes(b"PK not a zip")
    with pytest.raises(DataError, match="not a readable zip file"):
        extract(archive, ["x"], tmp_path, progress=False)


@dataclass(frozen=True)
class Served:
    """POPE's files on a server of ours."""

    server: str

    def required_files(self, split: str) -> Sequence[DataFile]:
        files = POPE.required_files(split)[:3]
        moved = [DataFile(w.path, w.what, f"{self.server}/{Path(w.path).name}", licence="MIT") for w in files]
        return [*moved, DataFile("val2014", "pictures", f"{self.server}/val2014.zip", licence="free")]

    def samples(self, data: Folder | Hub, split: str, task: str) -> Sequence[Sample]:
        return POPE.files.samples(data, split, task)


@pytest.fixture
def served(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    task = replace(POPE, name="served_pope", files=Served(server))
    monkeypatch.setitem(registry.tasks._extra, "served_pope", task)
    for kind in ("random", "popular", "adversarial"):
        rows = "".join(json.dumps(row) + "\n" for row in pope_rows(kind))
        Handler.content[f"/coco_pope_{kind}.json"] = rows.encode()
    pictures = {f"val2014/{row['image']}": b"a picture" for row in pope_rows("random")}
    Handler.content["/val2014.zip"] = zipped(pictures)
    return "served_pope"


def test_fetch(served: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = str(tmp_path / "data")
    assert main(["data", "fetch", served, "--data", data]) == 2
    printed = capsys.readouterr().err
    assert "questions: MIT" in printed and "pictures: free" in printed and "--accept-licence" in printed
    assert not Handler.asked
    assert main(["data", "fetch", served, "--data", data, "--accept-licence"]) == 0
    assert "36 questions; 2 of 2 images are there" in capsys.readouterr().out
    assert not list((tmp_path / "data").rglob("*.zip")) and not list((tmp_path / "data").rglob("*.part"))
    Handler.asked.clear()
    assert main(["data", "fetch", served, "--data", data]) == 0  # nothing is missing: nothing is asked for
    assert not Handler.asked


def test_fetch_that_fails_can_be_repeated(served: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = str(tmp_path / "data")
    pictures = Handler.content.pop("/val2014.zip")
    assert main(["data", "fetch", served, "--data", data, "--accept-licence"]) == 2
    assert "val2014.zip: the server says 404" in capsys.readouterr().err
    Handler.content["/val2014.zip"] = pictures
    Handler.asked.clear()
    assert main(["data", "fetch", served, "--data", data, "--accept-licence"]) == 0
    assert [path for path, _ in Handler.asked] == ["/val2014.zip"]


def test_fetch_needs_a_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "fetch"]) == 2
    assert "nothing named to fetch" in capsys.readouterr().err


@pytest.mark.slow
def test_the_folders_of_llavas_docs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--data EVAL_DIR, laid out as docs/Evaluation.md of LLaVA says: MME/, llava-bench-in-the-wild/, gqa/data/."""
    for task, folder in (("mme", "MME"), ("llava_bench", "llava-bench-in-the-wild"), ("gqa", "gqa/data")):
        shutil.copytree(Folder.sample(task).root, tmp_path / folder)
    code, found = status(["mme", "llava_bench", "gqa", "--data", str(tmp_path)], capsys)
    assert code == 0 and {entry["task"] for entry in found} == {"mme", "llava_bench", "gqa"}
    for entry in found:
        assert entry["complete"] and not entry["images_missing"]
