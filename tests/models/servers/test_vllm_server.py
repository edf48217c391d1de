"""`--model vllm:NAME,base_url=...`: the first token, asked for where the template does not write it; the reference."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.toys import png
from vlmbench.base.samples import ImageRef, Request
from vlmbench.models.servers import vllm

ASKED = Request("one", "Is it blue?", (ImageRef("1.png", partial(bytes, png((0, 0, 200)))),))
TOKENS = {"plain": ([5, 6], [1, 5, 6]), "written": ([1, 5, 6], [1, 1, 5, 6]), "none": ([5, 6], [5, 6])}
"""What /tokenize tells without and with special tokens: a template without <s>, one with it, a tokenizer without."""


class Server(ThreadingHTTPServer):
    """As much of `vllm serve` as is asked."""

    def __init__(self, kind: str, root: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.kind, self.root, self.bodies = kind, root, list[Any]()
        self.url = f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self._send({"data": [{"id": "big", "root": self.server.root}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path == "/tokenize":
            known = TOKENS.get(self.server.kind)
            self._send({"tokens": known[body["add_special_tokens"]]} if known else {}, 200 if known else 404)
            return
        self.server.bodies.append(body)
        message = {"role": "assistant", "content": " No "}
        usage = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        self._send(
            {"id": "1", "object": "chat.completion", "created": 1, "model": "big", "choices": [choice], "usage": usage}
        )

    def _send(self, content: Any, status: int = 200) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Silent."""


@pytest.fixture
def server(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path))
    kind, root = request.param
    with Server(kind, str(tmp_path) if root == "folder" else root) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


@pytest.mark.parametrize(
    ("server", "added"),
    [(("plain", "a"), True), (("written", "a"), False), (("none", "a"), False), (("silent", "a"), False)],
    indirect=["server"],
)
def test_the_first_token_is_asked_for_where_the_template_does_not_write_it(
    server: Server, added: bool, caplog: pytest.LogCaptureFixture
) -> None:
    model = vllm.load("big", base_url=server.url)
    with caplog.at_level(logging.WARNING):
        assert model.settings.get("add_special_tokens", False) is added
    [(_, response)] = model.answer([[ASKED]])
    assert response.text == "No" and server.bodies[0].get("add_special_tokens", False) is added
    assert ("does not show how it tokenises" in caplog.text) == (server.kind == "silent")


@pytest.mark.parametrize(
    ("server", "reference"),
    [(("plain", "folder"), "hf:{root}"), (("plain", "org/name"), "hf:org/name"), (("plain", "big"), "")],
    indirect=["server"],
)
def test_the_reference_is_what_the_server_has_loaded(server: Server, reference: str) -> None:
    model = vllm.load("big", base_url=server.url, dtype="bfloat16")
    expected = reference.format(root=server.root)
    assert model.reference == (f"{expected},dtype=bfloat16" if expected else "")
