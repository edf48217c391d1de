"""A chat-completions server on loopback, and a proxy in front of it that makes faults. For tests of judge and adapter.

The server grades: the number N in the last message gets the grade (N % 11) / 10, or whatever `answer` says. It can
limit its rate like real servers do. The proxy passes calls on, or plays one of FAULTS instead.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

Body = tuple[int, Mapping[str, str], bytes]
"""Status, headers, content."""
JSON = {"content-type": "application/json"}


def last_number(prompt: str) -> int:
    """The number that is to be graded."""
    return int(re.findall(r"\d+", prompt)[-1])


def grade(prompt: str) -> str:
    """The right reply."""
    return f"{last_number(prompt) % 11 / 10}"


def words(content: str | list[dict[str, Any]]) -> str:
    """A message's text, a mark in each picture's place."""
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return "".join(part["text"] if part["type"] == "text" else "<picture>" for part in parts)


def completion(text: str | None, model: str = "tiny-judge-1", prompt_tokens: int = 20) -> bytes:
    """A chat completion as servers write it."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": 3, "total_tokens": prompt_tokens + 3}
    body = {"id": "x", "object": "chat.completion", "created": 0, "model": model, "choices": [choice], "usage": usage}
    return json.dumps(body).encode()


def models(size: int) -> dict[str, Any]:
    """The body of GET /models, as llama.cpp's server writes it; `size` is the weights'."""
    row = {"id": "/somewhere/model.gguf", "object": "model", "owned_by": "llamacpp", "meta": {"size": size}}
    return {"object": "list", "data": [row]}


class Served:
    """An HTTP server in a thread of its own, on 127.0.0.1 and a free port. Use as a context manager."""

    def __init__(self) -> None:
        self.port = 0
        self.models: Body = (200, JSON, json.dumps(models(1)).encode())
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)

    @property
    def listed(self) -> Body:
        """What GET /models gives: one model, told as llama.cpp tells of it."""
        return self.models

    @property
    def url(self) -> str:
        """The base_url for clients."""
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Any:
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._open: set[asyncio.Task[Any]] = set()
        server = await asyncio.start_server(self._client, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            while request := await read_request(reader):
                if request[0][":path"].endswith("/models"):
                    await send(writer, self.listed)
                elif not await self.serve(*request, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            self._open.discard(task)

    async def serve(self, headers: Mapping[str, str], body: bytes, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False to close the connection."""
        raise NotImplementedError


async def read_request(reader: asyncio.StreamReader, first: bool = True) -> tuple[dict[str, str], bytes] | None:
    """Headers and body of the next request; None at the end. `first`: its first line is still to come."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    pairs = (line.partition(":") for line in head.split("\r\n")[int(first) :] if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    headers[":path"] = head.split(" ", 2)[1] if first else ""
    return headers, await reader.readexactly(int(headers.get("content-length", 0)))


async def send(writer: asyncio.StreamWriter, answer: Body, *, claim: int | None = None) -> None:
    """Write a response; `claim` is a content-length that is not true."""
    status, headers, content = answer
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers.items())]
    lines.append(f"content-length: {len(content) if claim is None else claim}")
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
    await writer.drain()


@dataclass
class Judging(Served):
    """The server that grades."""

    answer: Callable[[str], str | None] = grade
    status: Callable[[str], Body | None] = lambda prompt: None
    """Another response than a completion."""
    latency: float = 0.0
    per_second: float | None = None
    """Calls allowed; a bucket of a tenth of a second's worth."""
    graded: Counter[str] = field(default_factory=Counter)
    """Prompts by how often they were graded, which is what is paid for."""
    times: list[float] = field(default_factory=list)
    refused: int = 0
    keys: set[str] = field(default_factory=set)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    _tokens: float = 1.0
    _filled: float = 0.0

    def __post_init__(self) -> None:
        super().__init__()

    async def serve(self, headers: Mapping[str, str], body: bytes, writer: asyncio.StreamWriter) -> bool:
        asked = json.loads(body)
        prompt = words(asked["messages"][-1]["content"])
        self.keys.add(headers.get("authorization", ""))
        self.bodies.append(asked)
        if not self._admitted():
            self.refused += 1
            told = json.dumps({"error": {"message": "slow down", "code": "rate_limit_exceeded"}}).encode()
            await send(writer, (429, {**JSON, "retry-after-ms": "200"}, told))
            return True
        if (other := self.status(prompt)) is not None:
            await send(writer, other)
            return True
        await asyncio.sleep(self.latency)
        self.times.append(time.monotonic())
        self.graded[prompt] += 1
        await send(writer, (200, JSON, completion(self.answer(prompt))))
        return True

    def _admitted(self) -> bool:
        if self.per_second is None:
            return True
        now, size = time.monotonic(), self.per_second / 10
        self._tokens = min(size, self._tokens + (now - self._filled) * self.per_second)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


FAULTS = ("429", "429 with a date", "500", "503", "hang", "cut", "broken json", "html", "no choices", "a list", "empty")


@dataclass
class FaultProxy(Served):
    """Stands before a server and spoils a share of its calls, and all calls about some numbers."""

    upstream: Served
    share: float = 0.3
    lost: Callable[[int], bool] = lambda number: False
    """Numbers that never get through."""
    hang: float = 0.3
    played: Counter[str] = field(default_factory=Counter)
    delivered: Counter[int] = field(default_factory=Counter)
    """Numbers by how often a good reply was sent back."""
    seed: int = 11
    about: Callable[[Mapping[str, Any]], int] = lambda asked: last_number(asked["messages"][-1]["content"])
    """A number for what is asked."""
    faults: Sequence[str] = FAULTS

    def __post_init__(self) -> None:
        super().__init__()
        self._rng = random.Random(self.seed)

    async def serve(self, headers: Mapping[str, str], body: bytes, writer: asyncio.StreamWriter) -> bool:
        number = self.about(json.loads(body))
        if self.lost(number) or self._rng.random() < self.share:
            fault = self._rng.choice(self.faults)
            if self.lost(number) and fault.startswith("429"):
                fault = "500"
            self.played[fault] += 1
            return await self._play(fault, writer)
        reader, up = await asyncio.open_connection("127.0.0.1", self.upstream.port)
        lines = ["POST /v1/chat/completions HTTP/1.1", "host: 127.0.0.1", "content-type: application/json"]
        lines += [f"authorization: {headers['authorization']}"] if "authorization" in headers else []
        up.write("\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode() + body)
        status = int((await reader.readline()).split()[1])
        head, content = await read_request(reader, first=False) or ({}, b"")
        up.close()
        await send(writer, (status, {"content-type": head["content-type"]}, content))
        self.delivered[number] += status == 200
        return True

    async def _play(self, fault: str, writer: asyncio.StreamWriter) -> bool:
        whole = completion("0.5")  # a wrong grade, for all numbers but a few: it must not be believed
        past = {**JSON, "retry-after": "Fri, 01 Jan 2021 00:00:00 GMT"}
        answers: dict[str, Body] = {
            "429": (429, {**JSON, "retry-after-ms": "20"}, b'{"error": {"message": "slow down"}}'),
            "429 with a date": (429, past, b"slow down"),
            "500": (500, JSON, b'{"error": {"message": "sorry"}}'),
            "503": (503, {"content-type": "text/html"}, b"<h1>busy</h1>"),
            "broken json": (200, JSON, whole[: len(whole) // 2]),
            "html": (200, {"content-type": "text/html"}, b"<html>log in first</html>"),
            "no choices": (200, JSON, b'{"id": "x", "choices": []}'),
            "a list": (200, {"content-type": "text/plain"}, b"[]"),
            "empty": (200, JSON, b""),
            "null": (200, JSON, completion(None)),
        }
        if fault == "hang":
            await asyncio.sleep(self.hang)
            return False
        if fault == "cut":
            await send(writer, (200, JSON, whole[: len(whole) // 2]), claim=len(whole))
            return False
        await send(writer, answers[fault])
        return True
