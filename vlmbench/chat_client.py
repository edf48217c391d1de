"""Calls to an OpenAI-compatible chat server, for judges and for models under test: paced, with our own retries.

The openai client's retries are off: each attempt is paced, counted and bounded here. An answer is judged by its body,
not by its content type; a body that is no chat completion is a fault like a broken connection and is tried again.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import orjson

from vlmbench.chat_cache import Reply
from vlmbench.chat_pace import Pacer, retry_after
from vlmbench.chat_prices import tokens_of
from vlmbench.errors import ModelError, UsageError

if TYPE_CHECKING:
    from openai import AsyncOpenAI

T = TypeVar("T")

OPENAI = "https://api.openai.com/v1"
LONGEST_BACKOFF = 20.0
"""Seconds between two attempts, unless the server asks for more."""
AGAIN = frozenset((408, 409, 425))
"""Statuses below 500 after which trying again makes sense."""


class NoReplyError(Exception):
    """An ask for which no reply could be had; the text says why."""

    def __init__(self, what: str, *, refused: bool = False) -> None:
        self.refused = refused
        """The server refused this very ask: it is there, and trying again is of no use."""
        super().__init__(what)


class ServerStoppedError(Exception):
    """No ask can be answered any more; holds the error that says the cure."""

    def __init__(self, error: ModelError) -> None:
        self.error = error
        super().__init__(str(error))


@dataclass(frozen=True)
class ApiOptions:
    """What stands after `openai:MODEL` as `,k=v`, and concerns the calls."""

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


def check_options(options: ApiOptions) -> None:
    """Raises UsageError for options that no call can be made with."""
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
        own = ", or name a server of your own: openai:MODEL,base_url=http://HOST:PORT/v1"
        raise UsageError(
            f"{options.base_url} needs a key, and {name} is not set",
            cure=f"set it: export {name}=...{'' if options.key_env else own}",
        )
    return key


class ChatClient:
    """Sends asks to one model of one server. Open, use and close it in one event loop."""

    def __init__(self, model: str, options: ApiOptions) -> None:
        """Raises UsageError, for a key that is missing too."""
        check_options(options)
        self.model, self.options = model, options
        self.where = f"openai:{model} at {options.base_url.rstrip('/')}"
        self.calls = 0
        """Attempts made, failed ones included."""
        self.refusals = 0
        """Calls the server refused for coming too fast."""
        self._key = find_key(options)
        self._client: AsyncOpenAI | None = None
        self._pacer: Pacer | None = None

    async def open(self) -> None:
        """Make the connections' pool. The library is loaded here, once something is to be asked."""
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
            self._client = None

    async def send(self, ask: Mapping[str, Any], size: int, read: Callable[[bytes, int], T]) -> T:
        """One reply, trying again where that helps.

        `ask` is the body of a chat completion without the model; `size` is about how many tokens it takes, the reply's
        included. `read` makes something of (body, calls made) and raises SpoiltError for one that is broken. Raises
        NoReplyError; ServerStoppedError when no ask can succeed.
        """
        pacer = self._pacer
        assert pacer is not None, "send before open"
        first = last = 0.0
        faults = calls = 0
        while True:
            sent = await pacer.turn(size)
            first = first or sent
            self.calls += 1
            calls += 1
            try:
                found = read(await self._attempt(ask), calls)
                pacer.served()
                return found
            except SpoiltError as fault:
                if fault.slow_down:
                    self.refusals += 1
                    pacer.refused(sent, fault.pause)
                    last = 0.0
                else:
                    faults += 1
                    last = min(self.options.backoff * 2 ** (faults - 1), LONGEST_BACKOFF) * random.uniform(0.75, 1.25)
                    last = max(last, fault.pause or 0.0)
                left = self.options.deadline - (time.monotonic() - first)
                if not fault.again or faults >= self.options.attempts or last >= left or left <= 0:
                    told = f"{fault} ({calls} {'attempt' if calls == 1 else 'attempts'})"
                    raise NoReplyError(told, refused=not fault.again) from None
            await asyncio.sleep(last)

    async def _attempt(self, ask: Mapping[str, Any]) -> bytes:
        """One call: the body of the answer. Raises SpoiltError or ServerStoppedError."""
        import openai

        assert self._client is not None and self._pacer is not None
        create: Any = self._client.chat.completions.with_raw_response.create
        try:
            async with asyncio.timeout(self.options.timeout):
                raw = await create(model=self.model, **ask)
                content: bytes = raw.content
        except openai.APIStatusError as error:
            raise self._status(error) from None
        except (TimeoutError, openai.APITimeoutError):
            raise SpoiltError(f"no answer within {self.options.timeout:g} s") from None
        except openai.APIConnectionError as error:
            told = type(error.__cause__).__name__ if error.__cause__ else "broken"
            raise SpoiltError(f"connection: {told}") from None
        except openai.APIError as error:
            raise SpoiltError(self._clean(str(error))) from None
        self._pacer.told(raw.headers)
        return content

    def _status(self, error: Any) -> Exception:
        """What an HTTP status means for us."""
        status = int(error.status_code)
        body = error.body if isinstance(error.body, dict) else {}
        told = self._clean(f"HTTP {status}: {body.get('message') or error.message}")
        cures = {401: self._key_cure(), 403: self._key_cure(), 404: "check the model's name and base_url"}
        if status == 429 and body.get("code") == "insufficient_quota":
            cures[429] = "the account has no credit left: add some, then run the same command again"
        if status in cures:
            return ServerStoppedError(ModelError(told, where=self.where, cure=cures[status]))
        again = status == 429 or status in AGAIN or status >= 500
        return SpoiltError(told, again=again, slow_down=status == 429, pause=retry_after(error.response.headers))

    def _key_cure(self) -> str:
        name = self.options.key_env or ("OPENAI_API_KEY" if self._key else "")
        return f"is the key in {name} right?" if name else "name the variable that holds the key: key_env=NAME"

    def _clean(self, text: str) -> str:
        """A server's words, short and without the key."""
        shown = text.replace(self._key, "[key]") if self._key else text
        return " ".join(shown.split())[:300]


class SpoiltError(Exception):
    """One attempt went wrong."""

    def __init__(self, what: str, *, again: bool = True, slow_down: bool = False, pause: float | None = None) -> None:
        self.again, self.slow_down, self.pause = again, slow_down, pause
        super().__init__(what)


def read_reply(content: bytes, calls: int, texts: Sequence[str]) -> Reply:
    """The reply in a chat completion's body; a missing text is an empty one that says so. `texts` are what was asked.

    Raises SpoiltError for anything else that is broken.
    """
    try:
        body = orjson.loads(content)
        choice = body["choices"][0]
        text = choice["message"].get("content")
        usage = body.get("usage") or {}
        asked = sum(map(tokens_of, texts))
        used = [int(usage.get("prompt_tokens") or asked), int(usage.get("completion_tokens") or tokens_of(text or ""))]
        if text is not None and not isinstance(text, str):
            raise TypeError("content is not text")
        finish = str(choice.get("finish_reason") or "stop")
        finish = "no content" if text is None and finish == "stop" else finish
        return Reply(text or "", str(body.get("model") or ""), used[0], used[1], calls, finish, _first_tokens(choice))
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise SpoiltError(f"the reply is no chat completion ({type(error).__name__})") from None


def _first_tokens(choice: Mapping[str, Any]) -> tuple[tuple[str, float], ...]:
    """The likeliest first tokens with their log-probabilities; nothing where the server told none."""
    steps = (choice.get("logprobs") or {}).get("content") or []
    return tuple((str(row["token"]), float(row["logprob"])) for row in steps[0]["top_logprobs"]) if steps else ()
