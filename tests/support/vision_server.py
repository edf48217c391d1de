"""An OpenAI-compatible server with eyes, on loopback: the shipped model behind chat completions. For tests of adapters.

It reads messages as servers do (parts, data URLs, earlier turns), tells token counts, and the likeliest first tokens
where they are asked for. `python -m tests.support.vision_server` serves until it is ended and prints its base_url.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import torch

from tests.support.judge_server import JSON, Body, Served, send
from vlmbench.base.samples import Generation, ImageRef, Request, Response
from vlmbench.models.engine.adapter import LocalModel
from vlmbench.models.engine.engine import Engine
from vlmbench.models.systems import tinyllava
from vlmbench.models.systems.tinyllava import TinyLLaVA


def number_of(asked: Mapping[str, Any]) -> int:
    """A number for what is asked: equal bodies, equal numbers."""
    return int(hashlib.sha256(json.dumps(asked["messages"]).encode()).hexdigest()[:12], 16)


def request_of(asked: Mapping[str, Any]) -> Request:
    """The request in a chat completion's body."""
    texts: list[str] = []
    pictures: list[ImageRef] = []
    for message in asked["messages"]:
        parts = message["content"]
        if isinstance(parts, str):
            parts = [{"type": "text", "text": parts}]
        for part in parts:
            if part["type"] == "image_url":
                head, _, coded = part["image_url"]["url"].partition(",")
                assert head.startswith("data:image/") and head.endswith(";base64")
                data = base64.b64decode(coded, validate=True)
                pictures.append(ImageRef(hashlib.sha256(data).hexdigest(), partial(bytes, data)))
        texts.append("".join(part["text"] for part in parts if part["type"] == "text"))
    history = tuple(zip(texts[:-1:2], texts[1::2], strict=True))
    generation = Generation(asked["max_tokens"], tuple(asked.get("stop", ())))
    return Request("served", texts[-1], tuple(pictures), generation=generation, history=history)


@dataclass
class Seeing(Served):
    """The server. `asked` counts what was answered, which is what is paid for."""

    model: LocalModel = field(default_factory=lambda: tinyllava.load(None, threads=1))
    key: str = ""
    """What callers must send; empty: anything."""
    offers_logprobs: bool = True
    latency: float = 0.0
    asked: Counter[int] = field(default_factory=Counter)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    open: int = 0
    most_open: int = 0

    def __post_init__(self) -> None:
        super().__init__()

    async def serve(self, headers: Mapping[str, str], body: bytes, writer: asyncio.StreamWriter) -> bool:
        asked = json.loads(body)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            await asyncio.sleep(self.latency)
            await send(writer, self._answer(headers, asked))
        finally:
            self.open -= 1
        return True

    def _answer(self, headers: Mapping[str, str], asked: dict[str, Any]) -> Body:
        if self.key and headers.get("authorization") != f"Bearer {self.key}":
            told = f"Incorrect API key provided: {headers.get('authorization')}"
            return 401, JSON, json.dumps({"error": {"message": told}}).encode()
        self.bodies.append(asked)
        self.asked[number_of(asked)] += 1
        request = request_of(asked)
        first: list[torch.Tensor] = []
        cast(Engine, self.model.engine).observer = lambda _, step, logits: first.append(logits) if step == 0 else None
        [(_, response)] = self.model.answer([[request]])
        choice: dict[str, Any] = {"index": 0, "finish_reason": response.finish, "message": _message(response.text)}
        if asked.get("logprobs") and self.offers_logprobs:
            choice["logprobs"] = {"content": [self._likeliest(first[0], asked["top_logprobs"])]}
        return 200, JSON, json.dumps(_completion(choice, asked["model"], response)).encode()

    def _likeliest(self, logits: torch.Tensor, count: int) -> dict[str, Any]:
        values, ids = logits.log_softmax(-1).topk(count)
        tokenizer = cast(TinyLLaVA, self.model.system).tokenizer
        texts = [tokenizer.decode([token]) for token in ids.tolist()]
        rows = [{"token": text, "logprob": value} for text, value in zip(texts, values.tolist(), strict=True)]
        return {**rows[0], "top_logprobs": rows}


def _message(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def _completion(choice: dict[str, Any], model: str, response: Response) -> dict[str, Any]:
    used = {"prompt_tokens": response.prompt_tokens, "completion_tokens": response.new_tokens}
    used["total_tokens"] = sum(used.values())
    return {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": f"{model}-1",
        "choices": [choice],
        "usage": used,
    }


def main() -> None:
    """Serve until ended."""
    with Seeing() as server:
        print(server.url, flush=True)
        while True:
            time.sleep(1)


if __name__ == "__main__":
    main()
