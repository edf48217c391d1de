"""Replies and fingerprints know which weights a local server holds; where it does not tell, nothing is kept."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.judge_server import JSON, Judging, models
from tests.support.judge_toys import chosen, judge_all
from vlmbench.base.errors import ModelError
from vlmbench.base.samples import Request
from vlmbench.chat import models as chat_models
from vlmbench.models.servers import openai, vllm_server
from vlmbench.runs.verification import answers_anew
from vlmbench.scoring.judge import open_judge

ASKED = [[Request("1", "grade 7"), Request("2", "grade 8")]]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "cache"))


def rows(*listed: Mapping[str, Any]) -> tuple[int, Mapping[str, str], bytes]:
    """GET /models with these rows."""
    return 200, JSON, json.dumps({"object": "list", "data": listed}).encode()


def asked(server: Judging, **options: Any) -> tuple[str, int, int]:
    """Fingerprint, replies and replies from the cache of one run."""
    model = openai.load("m", base_url=server.url, **options)
    assert len(list(model.answer(ASKED))) == 2
    return model.fingerprint, int(model.facts["replies"]), int(model.facts["cached"])


def test_other_weights_under_one_name() -> None:
    """Another fingerprint, so no run is resumed with them, and no reply of the old ones is taken."""
    with Judging() as server:
        first = asked(server)
        assert asked(server) == (first[0], 0, 2)
        server.models = (200, JSON, json.dumps(models(2)).encode())
        second = asked(server)
        assert second[0] != first[0] and second[1:] == (2, 0)
        server.models = (200, JSON, json.dumps(models(1)).encode())
        assert asked(server) == (first[0], 0, 2)


VLLM = {"id": "m", "object": "model", "owned_by": "vllm", "root": "org/model", "parent": None, "max_model_len": 4096}
TELLING = {
    "vllm": (VLLM, {**VLLM, "root": "org/other"}),
    "vllm's adapter": ({**VLLM, "parent": "a"}, {**VLLM, "parent": "b"}),
    "llama.cpp": (models(1)["data"][0], models(2)["data"][0]),
    "llama.cpp's path": (models(1)["data"][0], {**models(1)["data"][0], "id": "/somewhere/else.gguf"}),
}


@pytest.mark.parametrize("kind", TELLING)
def test_what_servers_tell(kind: str) -> None:
    """`created` and permissions change with each question: they are no part of it."""
    one, other = TELLING[kind]
    with Judging() as server:
        server.models = rows({**one, "created": 1, "permission": [{"id": "x"}]}, {"id": "another", "root": "x"})
        if kind.startswith("llama"):
            server.models = rows({**one, "created": 1})
        first = asked(server)
        server.models = rows({**one, "created": 2, "max_model_len": 8192})
        assert asked(server) == (first[0], 0, 2)
        server.models = rows({**other, "created": 1})
        assert asked(server)[0] != first[0]


def test_files_behind_a_path(tmp_path: Path) -> None:
    """A path of this machine stands for its files: a checkpoint that is written over is another."""
    weights = tmp_path / "run" / "model.safetensors"
    weights.parent.mkdir()
    weights.write_bytes(b"one")
    with Judging() as server:
        server.models = rows({**VLLM, "root": str(weights.parent)})
        first = asked(server)
        (weights.parent / "notes.md").write_text("no weights")
        assert asked(server) == (first[0], 0, 2)
        weights.write_bytes(b"other")
        assert asked(server)[0] != first[0]


SILENT = {
    "a bare list": rows({"id": "m", "object": "model"}),
    "another's row": rows({"id": "a", "root": "x"}, {"id": "b", "root": "y"}),
    "no list": (404, JSON, b"{}"),
    "not implemented": (501, {}, b"no GET"),
    "a page": (200, {"content-type": "text/html"}, b"<html>"),
    "odd rows": (200, JSON, b'{"data": [7, null, {"id": 3, "meta": []}]}'),
    "odd": (200, JSON, b'{"data": 7}'),
}


@pytest.mark.parametrize("kind", SILENT)
def test_a_server_that_does_not_tell(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is kept, and that is said; unless the user wishes it."""
    with Judging() as server:
        server.models = SILENT[kind]
        with caplog.at_level(logging.WARNING):
            assert asked(server)[1:] == asked(server)[1:] == (2, 0)
        assert "does not say which weights it holds" in caplog.text
        assert asked(server, cache=True)[1:] == (2, 0) and asked(server, cache=True)[1:] == (0, 2)
        assert asked(server, cache=False)[1:] == (2, 0)


def test_a_server_that_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not taken for one that tells nothing: its fingerprint would be another tomorrow."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with Judging() as server:
        server.models = (503, JSON, b'{"error": {"message": "Loading model"}}')
        with pytest.raises(ModelError, match="HTTP 503"):
            asked(server)


def test_judges_know_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Judging() as server:
        for size, replies in ((1, 3), (1, 0), (2, 3)):
            server.models = (200, JSON, json.dumps(models(size)).encode())
            with open_judge(f"openai:m,base_url={server.url}", tmp_path) as judge:
                judge_all(judge, chosen(3))
                assert judge.facts()["replies"] == replies
        server.models = SILENT["a bare list"]
        for more, replies in (("", 3), ("", 3), (",cache=true", 3), (",cache=true", 0)):
            with open_judge(f"openai:m,base_url={server.url}{more}", tmp_path) as judge:
                judge_all(judge, chosen(3))
                assert judge.facts()["replies"] == replies, more
        assert caplog.text.count("does not say which weights it holds") == 2


def test_a_verification_asks_anew() -> None:
    """Replies of the verification are kept for the run that follows; none of an earlier run verifies anything."""
    from types import SimpleNamespace

    with Judging() as server:
        asked(server)
        model = openai.load("m", base_url=server.url)
        items: Any = [
            SimpleNamespace(request=request, key=request.sample_id, image_hashes=("a",)) for request in ASKED[0]
        ]
        assert len(answers_anew(model, items)) == 2 and model.facts["cached"] == 0 and model.facts["replies"] == 2
        assert model.from_cache and len(list(model.answer(ASKED))) == 2 and model.facts["cached"] == 2


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:8000/v1", True),
        ("http://localhost:8000/v1", True),
        ("http://[::1]:8000/v1", True),
        ("http://10.1.2.3/v1", True),
        ("http://192.168.0.7:80/v1", True),
        ("https://8.8.8.8/v1", False),
    ],
)
def test_whose_servers_are_asked(url: str, local: bool) -> None:
    """Those of this machine and of private networks."""
    assert chat_models.is_local(url) == local


class Dripping(Judging):
    """GET /models sends a byte at a time, and never the last one; or what is no HTTP."""

    def __init__(self, first: bytes) -> None:
        super().__init__()
        self.first = first

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(self.first)
            while self.first.startswith(b"HTTP"):
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.05)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


DRIPS = {
    "a body": b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n",
    "headers": b"HTTP/1.1 200 OK\r\nx-long: ",
    "chunks": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n100000\r\n",
    "no HTTP": b"SSH-2.0-OpenSSH_9\r\n\r\n",
}


@pytest.mark.parametrize("drip", DRIPS)
def test_a_server_that_never_ends_its_list_is_left(drip: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_models, "WITHIN", 0.3)
    monkeypatch.setattr(chat_models, "TRIES", 1)
    monkeypatch.setattr(vllm_server, "WITHIN", 0.3)
    with Dripping(DRIPS[drip]) as server:
        began = time.monotonic()
        with pytest.raises(ModelError, match="no server: GET /models: "):
            chat_models.served(server.url, "m", "")
        asking = vllm_server.VllmServer.__new__(vllm_server.VllmServer)
        asking.queue = SimpleNamespace(  # type: ignore[assignment]
            client=SimpleNamespace(model="m", key="", options=SimpleNamespace(base_url=server.url))
        )
        assert asking._root == "" and time.monotonic() - began < 3
