"""A judge behind an OpenAI-compatible server: paced calls, our own retries, deadlines.

The openai client's retries are off: each attempt is paced, counted and bounded here. An answer is judged by its body,
not by its content type; a body that is no chat completion is a fault like a broken connection and is tried again.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from vlmbench.errors import ModelError, UnknownNameError, UsageError
from vlmbench.judge_cache import Reply
from vlmbench.judge_pace import Pacer, retry_after
from vlmbench.judge_prices import Price, tokens_of
from vlmbench.nouns import JudgeAsk

if TYPE_CHECKING:
    from openai import AsyncOpenAI

OPENAI = "https://api.openai.com/v1"
LONGEST_BACKOFF = 20.0
"""Seconds between two attempts, unless the server asks for more."""
AGAIN = frozenset((408, 409, 425))
"""Statuses below 500 after which trying again makes sense."""


class NoReplyError(Exception):
    """An ask for which no reply could be had; the text says why."""


class JudgeStoppedError(Exception):
    """No ask can be answered any more; holds the error that says the cure."""

    def __init__(self, error: ModelError) -> None:
        self.error = error
        super().__init__(str(error))


@dataclass(frozen=True)
class ApiOptions:
    """What `--judge openai:MODEL,k=v` can say."""

    base_url: str = OPENAI
    """The server: anything that speaks OpenAI's chat completions."""
    key_env: str = ""
    """The environment variable that holds the key. OPENAI_API_KEY for OpenAI; none for other servers unless named."""
    rpm: float = 3000.0
    """Calls a minute, at most."""
    tpm: float = 0.0
    """Tokens a minute, at most; 0: no limit."""
    in_flight: int = 128
    """Calls open at once, at most."""
    timeout: float = 60.0
    """Seconds for one attempt."""
    deadline: float = 600.0
    """Seconds for one ask, from its first attempt."""
    attempts: int = 8
    """Calls for one ask, refusals (HTTP 429) not counted: those are bounded by the deadline."""
    backoff: float = 0.5
    """Seconds before the second attempt; doubled each time."""
    price_in: float = -1.0
    """US dollars for a million prompt tokens; below 0: the list price, where it is known."""
    price_out: float = -1.0
    """US dollars for a million generated tokens."""


def read_options(words: Mapping[str, str]) -> ApiOptions:
    """Options from text. Raises UnknownNameError or UsageError."""
    fields = ApiOptions.__dataclass_fields__
    made: dict[str, Any] = {}
    for name, text in words.items():
        if name not in fields:
            raise UnknownNameError("option of an API judge", name, fields)
        kind: type = type(ApiOptions.__dict__[name])
        try:
            made[name] = kind(text)
        except ValueError:
            raise UsageError(f"{name} takes a number, not {text!r}", cure="see docs/judging.md") from None
    options = ApiOptions(**made)
    _check(options)
    return options


def _check(options: ApiOptions) -> None:
    parts = urlsplit(options.base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError("base_url is no address", cure="write base_url=http://HOST:PORT/v1")
    if parts.username or parts.password or parts.query:
        cure = "put the key into an environment variable and name it: key_env=NAME"
        raise UsageError("base_url must hold no key or password: it is written into the run", cure=cure)
    for name in ("rpm", "in_flight", "timeout", "deadline", "attempts"):
        if not getattr(options, name) > 0:
            raise UsageError(f"{name} must be above 0", cure=f"leave {name} out for its default")


def find_key(options: ApiOptions) -> str:
    """The server's key. Raises UsageError that says what to set."""
    name = options.key_env or ("OPENAI_API_KEY" if options.base_url.rstrip("/") == OPENAI else "")
    if not name:
        return ""
    key = os.environ.get(name, "").strip()
    if not key:
        own = ", or name a server of your own: --judge openai:MODEL,base_url=http://HOST:PORT/v1"
        raise UsageError(
            f"the judge needs a key, and {name} is not set",
            cure=f"set it: export {name}=...{'' if options.key_env else own}",
        )
    return key


class ApiJudge:
    """Asks one model of one server. Open and used in one event loop."""

    overlaps = True
    """Asks while the model under test still answers."""

    def __init__(self, model: str, options: ApiOptions) -> None:
        self.model, self.options = model, options
        self.name = f"openai:{model}"
        self.identity = f"{self.name} at {options.base_url.rstrip('/')}"
        self.price = Price.of(model, options.price_in, options.price_out)
        self.in_flight = options.in_flight
        self.calls = 0
        """Attempts made, failed ones included."""
        self._key = find_key(options)
        self._client: AsyncOpenAI | None = None
        self._pacer: Pacer | None = None

    async def open(self) -> None:
        """Make the client. The library is loaded here, once something is to be asked."""
        from openai import AsyncOpenAI

        options = self.options
        self._pacer = Pacer.per_minute(options.rpm, options.tpm or None, options.deadline)
        self._client = AsyncOpenAI(
            api_key=self._key or "none", base_url=options.base_url, max_retries=0, timeout=options.timeout
        )

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()

    @property
    def refusals(self) -> int:
        """Calls the server refused for coming too fast."""
        return self._pacer.refusals if self._pacer else 0

    async def reply(self, ask: JudgeAsk) -> Reply:
        """One reply, trying again where that helps. Raises NoReplyError; JudgeStoppedError when no ask can succeed."""
        pacer = self._pacer
        assert pacer is not None, "reply before open"
        size = sum(tokens_of(text) for _, text in ask.messages) + ask.max_tokens
        first = last = 0.0
        faults = calls = 0
        while True:
            sent = await pacer.turn(size)
            first = first or sent
            self.calls += 1
            calls += 1
            try:
                found = await self._attempt(ask, calls)
                pacer.served()
                return found
            except _AttemptError as fault:
                if fault.refused:
                    pacer.refused(sent, fault.pause)
                    last = 0.0
                else:
                    faults += 1
                    last = min(self.options.backoff * 2 ** (faults - 1), LONGEST_BACKOFF) * random.uniform(0.75, 1.25)
                    last = max(last, fault.pause or 0.0)
                left = self.options.deadline - (time.monotonic() - first)
                if not fault.again or faults >= self.options.attempts or last >= left or left <= 0:
                    raise NoReplyError(f"{fault} ({calls} {'attempt' if calls == 1 else 'attempts'})") from None
            await asyncio.sleep(last)

    async def _attempt(self, ask: JudgeAsk, calls: int) -> Reply:
        """One call. Raises _AttemptError or JudgeStoppedError."""
        import openai

        assert self._client is not None and self._pacer is not None
        messages: Any = [{"role": role, "content": text} for role, text in ask.messages]
        try:
            async with asyncio.timeout(self.options.timeout):
                raw = await self._client.chat.completions.with_raw_response.create(
                    model=self.model, messages=messages, temperature=ask.temperature, max_tokens=ask.max_tokens
                )
                content = raw.content
        except openai.APIStatusError as error:
            raise self._status(error) from None
        except (TimeoutError, openai.APITimeoutError):
            raise _AttemptError(f"no answer within {self.options.timeout:g} s") from None
        except openai.APIConnectionError as error:
            told = type(error.__cause__).__name__ if error.__cause__ else "broken"
            raise _AttemptError(f"connection: {told}") from None
        except openai.APIError as error:
            raise _AttemptError(self._clean(str(error))) from None
        self._pacer.told(raw.headers)
        return _read(content, ask, calls)

    def _status(self, error: Any) -> Exception:
        """What an HTTP status means for us."""
        status = int(error.status_code)
        body = error.body if isinstance(error.body, dict) else {}
        told = self._clean(f"HTTP {status}: {body.get('message') or error.message}")
        cures = {401: self._key_cure(), 403: self._key_cure(), 404: "check the model's name and base_url"}
        if status == 429 and body.get("code") == "insufficient_quota":
            cures[429] = "the account has no credit left: add some, then run the same command again"
        if status in cures:
            return JudgeStoppedError(ModelError(told, where=self.identity, cure=cures[status]))
        again = status == 429 or status in AGAIN or status >= 500
        return _AttemptError(told, again=again, refused=status == 429, pause=retry_after(error.response.headers))

    def _key_cure(self) -> str:
        name = self.options.key_env or ("OPENAI_API_KEY" if self._key else "")
        return f"is the key in {name} right?" if name else "name the variable that holds the key: key_env=NAME"

    def _clean(self, text: str) -> str:
        """A server's words, short and without the key."""
        shown = text.replace(self._key, "[key]") if self._key else text
        return " ".join(shown.split())[:300]


class _AttemptError(Exception):
    """One attempt went wrong."""

    def __init__(self, what: str, *, again: bool = True, refused: bool = False, pause: float | None = None) -> None:
        self.again, self.refused, self.pause = again, refused, pause
        super().__init__(what)


def _read(content: bytes, ask: JudgeAsk, calls: int) -> Reply:
    """The reply in a body. A missing text (a filter's doing) is an empty reply; anything else broken is a fault."""
    try:
        body = orjson.loads(content)
        text = body["choices"][0]["message"].get("content")
        usage = body.get("usage") or {}
        asked = sum(tokens_of(words) for _, words in ask.messages)
        used = [int(usage.get("prompt_tokens") or asked), int(usage.get("completion_tokens") or tokens_of(text or ""))]
        if text is not None and not isinstance(text, str):
            raise TypeError("content is not text")
        return Reply(text or "", str(body.get("model") or ""), used[0], used[1], calls)
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise _AttemptError(f"the reply is no chat completion ({type(error).__name__})") from None
