"""A local server that holds other weights before a run has ended: the run ends without a score, and says so."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.support.judge_server import JSON, Judging, completion, models, send
from vlmbench.base.errors import ModelError
from vlmbench.base.samples import Request
from vlmbench.chat import client as chat_client
from vlmbench.models.servers import openai

HELD = (200, JSON, json.dumps(models(1)).encode())
OTHERS = (200, JSON, json.dumps(models(2)).encode())
CALLS = 12


class Swapping(Judging):
    """Calls `then` at the fourth question; the fifth call fails where `breaks`."""

    def __init__(self, then: Callable[[Swapping], None], breaks: bool) -> None:
        super().__init__()
        self.models, self.then, self.breaks, self.calls = HELD, then, breaks, 0

    async def serve(self, headers: Mapping[str, str], body: bytes, writer: asyncio.StreamWriter) -> bool:
        self.calls += 1
        if self.calls == 4:
            self.then(self)
        if self.calls == 5 and self.breaks:
            return False
        await send(writer, (200, JSON, completion("yes")))
        return True


def others(server: Swapping) -> None:
    server.models = OTHERS


def silent(server: Swapping) -> None:
    server.models = (500, JSON, b"{}")


def nothing(_: Swapping) -> None:
    """The same weights go on."""


def to_response(server: Swapping, told: list[str], **options: str) -> None:
    model = openai.load("m", base_url=server.url, in_flight=1, backoff=0.001, cache="false", **options)  # type: ignore[arg-type]
    for _, response in model.answer([[Request(str(n), f"question {n}") for n in range(CALLS)]]):
        assert response.text == "yes" and not response.error
        told.append(response.text)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("breaks", "often", "most"), [(True, 1e9, 4), (False, 1e9, CALLS), (False, 0.0, 4)], ids=["fault", "end", "watch"]
)
def test_other_weights_end_the_run(breaks: bool, often: float, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a fault before any reply of theirs is taken; without one soon, and at the end in any case."""
    monkeypatch.setattr(chat_client, "LOOK_AGAIN", often)
    told: list[str] = []
    with Swapping(others, breaks) as server, pytest.raises(ModelError, match="holds other weights") as error:
        to_response(server, told)
    assert len(told) <= most and "--output" in error.value.hint


@pytest.mark.parametrize("then", [nothing, silent])
@pytest.mark.parametrize("breaks", [True, False])
def test_the_same_weights_go_on(
    then: Callable[[Swapping], None], breaks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_client, "LOOK_AGAIN", 0.0)
    told: list[str] = []
    with Swapping(then, breaks) as server:
        to_response(server, told)
    assert len(told) == CALLS


def test_files_that_change_under_a_server_that_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has read them already: only one that may have been started anew is held against them."""
    monkeypatch.setattr(chat_client, "LOOK_AGAIN", 0.0)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"1")
    row = {"id": "m", "owned_by": "vllm", "root": str(tmp_path)}
    listed = (200, JSON, json.dumps({"object": "list", "data": [row]}).encode())

    def touched(_: Swapping) -> None:
        weights.write_bytes(b"22")

    for breaks in (False, True):
        told: list[str] = []
        with Swapping(touched, breaks) as server:
            weights.write_bytes(b"1")
            server.models = listed
            if breaks:
                with pytest.raises(ModelError, match="holds other weights"):
                    to_response(server, told)
            else:
                to_response(server, told)
        assert len(told) == (4 if breaks else CALLS)
