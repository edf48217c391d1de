"""A chat server on loopback with the manners of real ones, good and bad. For tests of models and of judges.

The model's name says how it behaves: each of BEHAVIOURS gets the right text and makes a response of it, and says what
must become of it. LogitRecorder at OpenAI, OpenRouter, Mistral, Gemini, vLLM, llama.cpp, SGLang, LiteLLM and proxies.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.judge_server import JSON, Body, Served, send

SSE = {"content-type": "text/event-stream"}
Make = Callable[[str, int, Mapping[str, Any]], Body]
"""A response from the right text, the number of the call, and what was asked."""


def said(message: Mapping[str, Any], finish: Any = "stop", **more: Any) -> Body:
    """A chat completion with this message."""
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    usage = {"prompt_tokens": 10, "completion_tokens": 3}
    body = {"id": "x", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage, **more}
    return 200, JSON, json.dumps(body).encode()


def failed(status: int, message: str, headers: Mapping[str, str] = {}, **more: Any) -> Body:
    """An error as OpenAI writes it."""
    return status, {**JSON, **headers}, json.dumps({"error": {"message": message, **more}}).encode()


def events(*deltas: Mapping[str, Any], done: bool = True, finish: str | None = None) -> Body:
    """A stream of events."""
    rows: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas
    ]
    rows += [{"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}] if finish else []
    lines = [f"data: {json.dumps(row)}\n\n" for row in rows] + (["data: [DONE]\n\n"] if done else [])
    return 200, SSE, "".join(lines).encode()


@dataclass(frozen=True)
class Behaviour:
    """What a server does, and what must become of it."""

    make: Make
    ends: str
    """`right`: the right text is the answer; `none`: a status; `stop`: the command ends with a hint."""
    told: str = ""
    """Words that the error, the verdict's note or the message must hold."""
    most: int = 1
    """Calls of one question, at most."""
    of_model: str = ""
    """What becomes of a model's answer, where a judge's fares otherwise."""


def after(first: Body, times: int = 1) -> Make:
    """A response `times` times, then the right text."""
    return lambda text, call, asked: first if call <= times else said({"content": text})


def always(answer: Body) -> Make:
    """The same, whatever was asked."""
    return lambda text, call, asked: answer


def text_in(wrap: Callable[[str], Any], finish: Any = "stop", **more: Any) -> Make:
    """The right text in another form of content."""
    return lambda text, call, asked: said({"content": wrap(text)}, finish, **more)


def unless(fits: Callable[[Mapping[str, Any]], bool], status: int, message: str, **more: Any) -> Make:
    """The right text to a request that fits, a refusal to others."""
    return lambda text, call, asked: said({"content": text}) if fits(asked) else failed(status, message, **more)


def zipped(content: bytes, kind: str = "gzip") -> Body:
    """A packed body."""
    return 200, {**JSON, "content-encoding": kind}, content


RIGHT, NONE, STOP = "right", "none", "stop"
THOUGHT = "There is a 7, and 9 of 10; yes, no, A"
BOMB = gzip.compress(b"[" + b" " * (64 << 20) + b"]")
ODD_USAGE: Mapping[str, Any] = {
    "floats": {"prompt_tokens": 10.0, "completion_tokens": 3.5},
    "nulls": {"prompt_tokens": None, "completion_tokens": None},
    "negative": {"prompt_tokens": -5, "completion_tokens": -1},
    "text": {"prompt_tokens": "ten", "completion_tokens": {}},
    "huge": {"prompt_tokens": 10**30, "completion_tokens": 1e300},
    "list": [1, 2],
    "none": None,
}
FINISHES = ("STOP", "eos", "end_turn", "stop_sequence", "EOS", "FinishReason_STOP".upper(), "completed", None, "")

BEHAVIOURS: dict[str, Behaviour] = {
    "plain": Behaviour(text_in(str), RIGHT),
    # ---- the right text, in other forms
    **{f"finish {name}": Behaviour(text_in(str, name), RIGHT) for name in FINISHES},
    **{f"usage {name}": Behaviour(text_in(str, usage=usage), RIGHT) for name, usage in ODD_USAGE.items()},
    "length with text": Behaviour(text_in(str, "MAX_TOKENS"), RIGHT),
    "blanks around": Behaviour(text_in(lambda text: f" \n{text} \n"), RIGHT, of_model=RIGHT),
    "parts": Behaviour(text_in(lambda text: [{"type": "text", "text": text}]), RIGHT),
    "parts after thoughts": Behaviour(
        text_in(lambda text: [{"type": "thinking", "thinking": THOUGHT}, {"type": "text", "text": text}]), RIGHT
    ),
    "parts of output_text": Behaviour(text_in(lambda text: [{"type": "output_text", "text": text}]), RIGHT),
    "reasoning beside": Behaviour(
        lambda text, call, asked: said({"content": text, "reasoning_content": THOUGHT}), RIGHT
    ),
    "null refusal beside": Behaviour(lambda text, call, asked: said({"content": text, "refusal": None}), RIGHT),
    "bare choice": Behaviour(
        lambda text, call, asked: (200, JSON, json.dumps({"choices": [{"message": {"content": text}}]}).encode()), RIGHT
    ),
    "events": Behaviour(lambda text, call, asked: events({"role": "assistant"}, {"content": text}), RIGHT),
    "events with finish": Behaviour(
        lambda text, call, asked: events({"content": text}, done=False, finish="stop"), RIGHT
    ),
    "gzip unasked": Behaviour(lambda text, call, asked: zipped(gzip.compress(said({"content": text})[2])), RIGHT),
    "wrong content type": Behaviour(
        lambda text, call, asked: (200, {"content-type": "text/html"}, said({"content": text})[2]), RIGHT
    ),
    "byte order mark": Behaviour(
        lambda text, call, asked: (200, JSON, b"\xef\xbb\xbf" + said({"content": text})[2]), RIGHT
    ),
    "NaN in the body": Behaviour(text_in(str, timings={"per_second": float("nan")}), RIGHT),
    "error null beside": Behaviour(text_in(str, error=None), RIGHT),
    "surrogate in the model's name": Behaviour(text_in(str, model="\ud800m"), RIGHT),
    **{
        f"unasked log-probabilities {name}": Behaviour(
            lambda text, call, asked, value=value: (  # type: ignore[misc]
                200,
                JSON,
                json.dumps(
                    {"choices": [{"message": {"content": text}, "finish_reason": "stop", "logprobs": value}]}
                ).encode(),
            ),
            RIGHT,
        )
        for name, value in {
            "without top": {"content": [{"token": "x", "logprob": -0.1}]},
            "null top": {"content": [{"token": "x", "logprob": -0.1, "top_logprobs": None}]},
            "list": [-0.1],
            "null content": {"content": None},
        }.items()
    },
    # ---- the right text, at the second try
    "500 once": Behaviour(after(failed(500, "sorry")), RIGHT, most=2),
    "503 loading": Behaviour(after(failed(503, "Loading model"), 2), RIGHT, most=3),
    "408 once": Behaviour(after(failed(408, "timeout")), RIGHT, most=2),
    "429 once": Behaviour(after(failed(429, "slow down", {"retry-after-ms": "1"})), RIGHT, most=2),
    "429 with a past date": Behaviour(
        after(failed(429, "slow down", {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"})), RIGHT, most=2
    ),
    "200 with an error once": Behaviour(
        after((200, JSON, b'{"error": {"message": "overloaded", "code": 502}}')), RIGHT, most=2
    ),
    "broken JSON once": Behaviour(after((200, JSON, b'{"choices": [{"mess')), RIGHT, most=2),
    "max_tokens refused": Behaviour(
        unless(
            lambda asked: "max_tokens" not in asked,
            400,
            "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead.",
            param="max_tokens",
            code="unsupported_parameter",
        ),
        RIGHT,
        most=2,
    ),
    "max_completion_tokens unknown": Behaviour(
        lambda text, call, asked: (
            said({"content": text})
            if "max_tokens" in asked or "max_completion_tokens" in asked
            else failed(400, "no limit")
        ),
        RIGHT,
    ),
    "temperature refused": Behaviour(
        unless(
            lambda asked: asked.get("temperature", 1) == 1,
            400,
            "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) is supported.",
        ),
        RIGHT,
        "temperature",
        most=2,
        of_model=NONE,
    ),
    # ---- no answer
    "null cut": Behaviour(text_in(lambda text: None, "length"), NONE),
    "empty cut": Behaviour(text_in(lambda text: "", "length"), NONE),
    "empty MAX_TOKENS": Behaviour(text_in(lambda text: "", "MAX_TOKENS"), NONE),
    "blanks cut": Behaviour(text_in(lambda text: " \n ", "length"), NONE),
    "null": Behaviour(text_in(lambda text: None), NONE, "no content"),
    "no content key": Behaviour(always(said({})), NONE, "no content"),
    "reasoning only": Behaviour(
        always(said({"content": "", "reasoning": THOUGHT})), NONE, "thoughts without an answer"
    ),
    "reasoning_content only": Behaviour(
        always(said({"content": None, "reasoning_content": THOUGHT})), NONE, "thoughts without an answer"
    ),
    "thinking parts only": Behaviour(
        text_in(lambda text: [{"type": "thinking", "thinking": THOUGHT}]), NONE, "thoughts without an answer"
    ),
    "empty list of parts": Behaviour(text_in(lambda text: []), NONE, "no content"),
    "empty after many tokens": Behaviour(
        text_in(lambda text: "", usage={"prompt_tokens": 9, "completion_tokens": 512}), NONE, "no text in 512 tokens"
    ),
    "thought cut": Behaviour(text_in(lambda text: f"<think>{THOUGHT}", "length"), NONE, "inside"),
    "thought never closed": Behaviour(text_in(lambda text: f"\n<thinking>{THOUGHT}"), NONE, "inside"),
    "◁think▷ cut": Behaviour(text_in(lambda text: f"◁think▷{THOUGHT}", "length"), NONE, "inside"),
    "filtered empty": Behaviour(text_in(lambda text: "", "content_filter"), NONE, "content_filter"),
    "filtered with text": Behaviour(text_in(str, "content_filter"), NONE, "content_filter"),
    "SAFETY": Behaviour(text_in(lambda text: None, "SAFETY"), NONE, "SAFETY"),
    "finish error": Behaviour(text_in(lambda text: "", "error"), NONE, "error"),
    "refusal": Behaviour(always(said({"content": None, "refusal": "I can't help with that."})), NONE, "I can't help"),
    "refusal empty content": Behaviour(
        always(said({"content": "", "refusal": "I can't help with that."})), NONE, "I can't help"
    ),
    "refusal part": Behaviour(
        text_in(lambda text: [{"type": "refusal", "refusal": "I can't help with that."}]), NONE, "I can't help"
    ),
    "tool calls": Behaviour(
        always(said({"content": None, "tool_calls": [{"id": "1", "type": "function"}]}, "tool_calls")), NONE, "tool"
    ),
    "tool calls stop": Behaviour(
        always(said({"content": "", "tool_calls": [{"id": "1", "type": "function"}]})), NONE, "tool call"
    ),
    "error in the choice": Behaviour(
        lambda text, call, asked: (
            200,
            JSON,
            json.dumps(
                {"choices": [{"message": {"content": ""}, "error": {"code": 400, "message": "provider is out"}}]}
            ).encode(),
        ),
        NONE,
        "provider is out",
    ),
    # ---- no completion
    "200 with an error": Behaviour(
        always((200, JSON, b'{"error": {"message": "images are not supported", "code": 400}}')),
        NONE,
        "images are not supported",
    ),
    "200 with an error no code": Behaviour(
        always((200, JSON, b'{"error": {"message": "upstream is tired"}}')), NONE, "upstream is tired", most=3
    ),
    "200 with detail": Behaviour(always((200, JSON, b'{"detail": "not today"}')), NONE, "not today", most=3),
    "200 with an error object": Behaviour(
        always((200, JSON, b'{"object": "error", "message": "no such image", "code": 400}')), NONE, "no such image"
    ),
    "no choices": Behaviour(always((200, JSON, b'{"choices": []}')), NONE, "no choices", most=3),
    "null choices": Behaviour(always((200, JSON, b'{"choices": null, "id": "x"}')), NONE, "no choices", most=3),
    "a list": Behaviour(always((200, JSON, b"[]")), NONE, "list instead of an object", most=3),
    "empty body": Behaviour(always((200, JSON, b"")), NONE, "it is empty", most=3),
    "a page": Behaviour(always((200, {"content-type": "text/html"}, b"<html>log in")), NONE, "<html>log in", most=3),
    "events cut": Behaviour(lambda text, call, asked: events({"content": text}, done=False), NONE, "was cut", most=3),
    "events with an error": Behaviour(
        always((200, SSE, b'data: {"error": {"message": "out of memory", "code": 500}}\n\n')), NONE, "memory", most=3
    ),
    "deep": Behaviour(always((200, JSON, b"[" * 100_000)), NONE, "no chat completion", most=3),
    "long digits": Behaviour(always((200, JSON, b'{"a": ' + b"9" * 5000 + b"}")), NONE, "no chat completion", most=3),
    "content of a number": Behaviour(text_in(lambda text: 5), NONE, "content holds int", most=3),
    "gzip bomb": Behaviour(always(zipped(BOMB)), NONE, "larger than 8 MB"),
    "huge": Behaviour(always((200, JSON, b" " * (9 << 20))), NONE, "larger than 8 MB"),
    "huge error": Behaviour(always((500, JSON, b" " * (9 << 20))), NONE, "larger than 8 MB"),
    "broken gzip": Behaviour(always(zipped(b"no gzip")), NONE, "cannot be unpacked"),
    "brotli unasked": Behaviour(always(zipped(b"x", "br")), NONE, "packed as 'br'"),
    # ---- HTTP statuses
    "400": Behaviour(always(failed(400, "too long: 9000 tokens")), NONE, "too long: 9000 tokens"),
    "413": Behaviour(always(failed(413, "Payload too large")), NONE, "Payload too large"),
    "422 detail": Behaviour(always((422, JSON, b'{"detail": [{"msg": "field required"}]}')), NONE, "field required"),
    "403 flagged": Behaviour(always(failed(403, "Your input was flagged by moderation", code=403)), NONE, "flagged"),
    "500": Behaviour(always(failed(500, "CUDA out of memory")), NONE, "CUDA out of memory", most=3),
    "501": Behaviour(always(failed(501, "not implemented")), NONE, "not implemented"),
    "500 page": Behaviour(always((500, {"content-type": "text/html"}, b"<h1>oops</h1>")), NONE, "oops", most=3),
    "503 for hours": Behaviour(
        always(failed(503, "maintenance", {"retry-after": "43200"})), NONE, "asks to wait 43,200 s"
    ),
    "429 inf": Behaviour(always(failed(429, "daily limit", {"retry-after": "inf"})), NONE, "daily limit"),
    "429 for hours": Behaviour(always(failed(429, "daily limit", {"retry-after": "43200"})), NONE, "asks to wait"),
    "402": Behaviour(always(failed(402, "Insufficient credits. Add more")), STOP, "no credit left"),
    "429 without credit": Behaviour(
        always(failed(429, "You exceeded your current quota", code="insufficient_quota")), STOP, "no credit left"
    ),
    "200 with 402": Behaviour(
        always((200, JSON, b'{"error": {"message": "Insufficient credits", "code": 402}}')), STOP, "no credit left"
    ),
    "401": Behaviour(always(failed(401, "Incorrect API key provided")), STOP, "key_env=NAME"),
    "400 bad key": Behaviour(always(failed(400, "API key not valid. Please pass a valid API key.")), STOP, "key_env"),
    "404": Behaviour(always(failed(404, "no such model")), STOP, "check the model's name"),
    "403 always": Behaviour(always(failed(403, "Forbidden")), STOP, "Forbidden"),
}
"""By name, which is the model's name too."""


@dataclass
class Behaving(Served):
    """The server. `right` gives the right text for a prompt."""

    right: Callable[[str], str] = lambda prompt: "yes"
    calls: Counter[str] = field(default_factory=Counter)
    """By model and prompt."""
    latest: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The latest request to each model."""

    def __post_init__(self) -> None:
        super().__init__()

    async def serve(self, headers: Mapping[str, str], body: bytes, writer: asyncio.StreamWriter) -> bool:
        asked = json.loads(body)
        content = asked["messages"][-1]["content"]
        prompt = content if isinstance(content, str) else content[-1]["text"]
        name, key = asked["model"], f"{asked['model']}\n{prompt}"
        self.calls[key] += 1
        self.latest[name] = asked
        await send(writer, BEHAVIOURS[name].make(self.right(prompt), self.calls[key], asked))
        return True

    def asked(self, name: str) -> int:
        """The most calls that one question to a model took."""
        return max((count for key, count in self.calls.items() if key.startswith(f"{name}\n")), default=0)
