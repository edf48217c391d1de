"""The server of `vlmbench watch`: who may ask, what it answers, and that the pages follow the run."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.core.runs.live.unfinished import unfinish
from vlmbench.base.errors import UsageError
from vlmbench.base.process import exit_codes
from vlmbench.base.registry import load_object
from vlmbench.cli.main import main
from vlmbench.runs.live.snapshot import Live
from vlmbench.runs.storage.layout import LOG

RUN = ["run", "--model", "echo,text=yes", "--tasks", "pope,gqa", "--limit", "120"]
Server: Any = load_object("vlmbench.reports.live.server:Server")
Watched: Any = load_object("vlmbench.reports.live.server:Watched")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    assert main([*RUN, "--output", str(folder)]) == exit_codes.OK
    return folder


@contextmanager
def served(folder: Path) -> Iterator[Any]:
    """A server, after the first look; looks are made by hand."""
    site = folder.parent / "temporary"
    site.mkdir(exist_ok=True)
    with Server(Watched(Live(folder), site)) as server:
        server.watched.look()
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def ask(server: Any, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and content; `path` comes after the token."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    try:
        connection.request(method, f"/{server.token}/{path}", headers=headers)
        reply = connection.getresponse()
        return reply.status, dict(reply.getheaders()), reply.read()
    finally:
        connection.close()


def test_the_page_follows_the_run(folder: Path) -> None:
    rest = unfinish(folder, 60)
    with served(folder) as server:
        status, headers, page = ask(server, "")
        assert (status, headers["Cache-Control"]) == (200, "no-store")
        assert b"connect-src" in page and b"unsafe-" not in page
        told = orjson.loads(ask(server, "state.json")[2])
        assert (told["state"], told["answered"], told["error"]) == ("stopped", 60, "")
        assert str(folder) in told["again"]
        with (folder / LOG).open("ab") as log:
            log.write(b"".join(rest))
        server.watched._looked = (0.0, 0.0)  # as if the last look were long ago
        server.watched.look()
        assert orjson.loads(ask(server, "state.json")[2])["answered"] == told["planned"]
        assert not server.watched.finished
        assert main([*RUN, "--output", str(folder)]) == exit_codes.OK
        server.watched._looked = (0.0, 0.0)
        server.watched.look()
        assert server.watched.finished
        assert orjson.loads(ask(server, "state.json")[2])["state"] == "finished"


def test_the_site_of_what_is_there(folder: Path) -> None:
    unfinish(folder, 60)
    before = sorted(folder.rglob("*"))
    with served(folder) as server:
        status, headers, page = ask(server, "site/index.html")
        assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert b"still running: " in page
        image = server.watched.live.plan.requests[0].image_hashes[0]
        status, headers, picture = ask(server, f"images/{image}.jpg")
        assert (status, headers["Content-Type"], picture[:2]) == (200, "image/jpeg", b"\xff\xd8")
        assert ask(server, "images/0000.jpg")[0] == 404
    assert sorted(folder.rglob("*")) == before, "the run's folder is only read"


@pytest.mark.parametrize(
    "path", ["site/../../run/run.json", "site/%2e%2e/%2e%2e/run/run.json", "site//etc/passwd", "site/", "run.json", "x"]
)
def test_nothing_else_is_served(folder: Path, path: str) -> None:
    with served(folder) as server:
        status, _, content = ask(server, path)
        assert status == (200 if path == "site/" else 404)
        assert b'"data_folder"' not in content and b"root:" not in content


def test_only_who_knows_the_address_may_ask(folder: Path) -> None:
    with served(folder) as server:
        assert server.server_address[0] == "127.0.0.1"
        assert ask(server, "state.json", Host=f"localhost:{server.server_port}")[0] == 200
        assert ask(server, "state.json", Host="evil.example")[0] == 403
        assert ask(server, "state.json", method="POST")[0] == 501
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
        connection.request("GET", "/guess/state.json")
        assert connection.getresponse().status == 404
        connection.close()


def test_a_port_that_is_taken(folder: Path) -> None:
    with served(folder) as server, pytest.raises(UsageError, match="cannot listen on port"):
        Server(server.watched, server.server_port)


def test_what_goes_wrong_is_on_the_page(folder: Path) -> None:
    unfinish(folder, 60)
    with served(folder) as server:
        (folder / "run.json").write_text("{")
        server.watched._looked = (0.0, 0.0)
        server.watched.look()
        told = orjson.loads(ask(server, "state.json")[2])
        assert "run.json" in told["error"]
        assert told["answered"] == 60, "the last look stays"


def test_one_look_in_the_terminal(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unfinish(folder, 60)
    capsys.readouterr()
    assert main(["watch", str(folder), "--once"]) == exit_codes.OK
    out = capsys.readouterr().out
    assert "echo, stopped: 60 of " in out and "no process works on it; " in out
    assert main(["watch", str(folder), "--json"]) == exit_codes.OK
    assert orjson.loads(capsys.readouterr().out)["answered"] == 60
