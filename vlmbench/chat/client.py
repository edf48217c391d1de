"""Calls to an OpenAI-compatible chat server, for judges and for models under test: paced, with our own retries.

The openai client's retries are off: each attempt is paced, counted and bounded here. An answer is judged by its body,
not by its content type; a body that is no chat completion is a fault like a broken connection and is tried again.

    options.py   what a user may set        faults.py      what statuses and messages of servers mean
    reply.py     bodies to replies          body.py        bounded bodies
    adapting.py  fields a server refuses    rate_limit.py  when the next call may be sent
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from vlmbench.base.errors import ModelError
from vlmbench.chat.adapting import Adapted
from vlmbench.chat.faults import (
    ErrorBodyError,
    MalformedReplyError,
    NoReplyError,
    ServerStoppedError,
    meaning,
    words_of,
)
from vlmbench.chat.models import Served, refuse_others
from vlmbench.chat.options import ApiOptions, check_options, find_key
from vlmbench.chat.rate_limit import PausedError, RateLimiter, retry_after

if TYPE_CHECKING:
    from openai import AsyncOpenAI

T = TypeVar("T")
LOGGER = logging.getLogger(__name__)

LONGEST_BACKOFF = 20.0
"""Seconds between two attempts, unless the server asks for more."""
NEVER_THERE = 5.0
"""Seconds without a connection after which a server that never answered counts as not there..."""
GONE = 20.0
"""... and one that has answered before as gone."""
FORBIDDEN_AT_FIRST = 3
"""Calls in a row that may be forbidden (HTTP 403) without a reason before one was answered..."""
FORBIDDEN = 25
"""... and after one was: then it may be the questions."""
TOLD = 5
"""Different faults that are logged while they happen; all of them are in the errors of the questions."""
SAME_BODY = 4
"""How often in a row one request may get the same body that is no completion: each may have been paid for."""
LOOK_AGAIN = 15.0
"""Seconds after which a local server is asked again which weights it holds."""
CONNECT_WITHIN = 20.0
"""Seconds in which a connection must be made."""
KEPT = "the answers so far are kept; {}, and run the same command"


class ChatClient:
    """Sends requests to one model of one server. Open, use and close it in one event loop."""

    def __init__(self, model: str, options: ApiOptions, *, adapts: Collection[str] = ()) -> None:
        """`adapts`: what may be changed when the server refuses it (adapting.py). Raises UsageError, for a key that
        is missing too."""
        check_options(options)
        self.model, self.options = model, options
        self.where = f"openai:{model} at {options.base_url.rstrip('/')}"
        self.calls = 0
        """Attempts made, failed ones included."""
        self.refusals = 0
        """Calls the server refused for coming too fast."""
        self.adapted = Adapted(adapts)
        self.key = find_key(options)
        self._client: AsyncOpenAI | None = None
        self._limiter: RateLimiter | None = None
        self._answered = False
        """Whether any request has had a reply."""
        self._forbidden = 0
        """Calls that were forbidden since then."""
        self._gone_since: float | None = None
        """When the first of an unbroken series of calls without a connection failed."""
        self._refused = ""
        """The latest refusal for coming too fast, in words."""
        self._reported: set[str] = set()
        self.held: Served | None = None
        """The weights that the server named before the first request: it has to keep them."""
        self._suspect = False
        """Whether calls failed as they do when a server is restarted."""
        self._seen = time.monotonic()
        self._looking = asyncio.Lock()

    async def open(self) -> None:
        """Make the connections' pool. The library is loaded here, once something is to be asked."""
        from vlmbench.chat.body import client

        options = self.options
        self._limiter = RateLimiter.per_minute(options.rpm, options.tpm or None)
        self._client = client(self.key, options.base_url, options.timeout, min(options.timeout, CONNECT_WITHIN))

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def send(self, request: Mapping[str, Any], size: int, read: Callable[[bytes, int], T]) -> T:
        """One reply, trying again where that helps.

        `request` is the body of a chat completion without the model; `size` is about how many tokens it takes, with
        the reply. `read` turns (body, calls made) into the result and raises MalformedReplyError for a broken body.
        Raises NoReplyError; ServerStoppedError when no request can succeed.
        """
        limiter = self._limiter
        assert limiter is not None, "send before open"
        spent = _Spent(self.options, limiter)
        while True:
            try:
                sent = await limiter.acquire(size, spent.left)
            except PausedError as paused:
                raise NoReplyError(f"{spent.last or self._refused}; {paused}") from None
            spent.first = sent if spent.first is None else spent.first
            self.calls += 1
            spent.calls += 1
            body = self.adapted.body(request)
            try:
                result = read(await self._attempt(body), spent.calls)
            except ErrorBodyError as error:
                fault = self._meaning(error.status, error.body, "HTTP 200 with an error: ", {})
            except MalformedReplyError as malformed:
                fault = malformed
            else:
                limiter.served()
                self._answered, self._forbidden, self._gone_since = True, 0, None
                await self._look_again()
                return result
            if self._adapts(request, body, fault):
                continue
            await asyncio.sleep(self._pause(fault, spent, sent))

    async def _look_again(self) -> None:
        """Before a reply is passed on: after faults, and now and then, whether the weights are still the same.

        Raises ServerStoppedError.
        """
        if self.held is None:
            return
        async with self._looking:
            if self._suspect or time.monotonic() - self._seen > LOOK_AGAIN:
                suspect, self._suspect = self._suspect, False
                try:
                    await asyncio.to_thread(self.refuse_others, suspect)
                except ModelError as error:
                    self._suspect = True  # other waiting requests hold a reply of the same server
                    raise ServerStoppedError(error) from None
                self._seen = time.monotonic()

    def refuse_others(self, restarted: bool = False) -> None:
        """Raise ModelError when the server holds other weights than when the asking began."""
        if self.held is not None:
            refuse_others(self.held, self.options.base_url, self.model, self.key, restarted=restarted)

    def _pause(self, fault: MalformedReplyError, spent: _Spent, sent: float) -> float:
        """Seconds before the next attempt. Raises NoReplyError when there is none, ServerStoppedError."""
        assert self._limiter is not None
        spent.same = spent.same + 1 if fault.kind == "body" and spent.last == str(fault) else 1
        spent.last = str(fault)
        self._note_absence(fault, spent)
        self._note_forbidden(fault)
        pause = 0.0
        if fault.slow_down:
            self.refusals += 1
            self._refused = str(fault)
            self._limiter.on_429(sent, fault.pause)
        else:
            self._limiter.stalled_since = None
            self._suspect = self._suspect or fault.again
            spent.faults += 1
            pause = min(self.options.backoff * 2 ** (spent.faults - 1), LONGEST_BACKOFF) * random.uniform(0.75, 1.25)
            pause = max(pause, fault.pause or 0.0)
        seconds_left = spent.left()
        over = spent.faults >= self.options.attempts or seconds_left <= 0 or spent.same >= SAME_BODY
        if not fault.again or over or pause >= seconds_left:
            reason = f"{fault} ({spent.calls} {'attempt' if spent.calls == 1 else 'attempts'})"
            if fault.again and not over:
                reason += f"; the server asks to wait {pause:,.0f} s, which is beyond the deadline"
            raise NoReplyError(reason, refused=not fault.again)
        self._tell(f"{fault}; {'waiting' if fault.slow_down else 'trying again'}")
        return pause

    def _note_absence(self, fault: MalformedReplyError, spent: _Spent) -> None:
        """Raises ServerStoppedError when there has been no connection for too long."""
        if fault.kind != "gone":
            self._gone_since = None
            return
        now = time.monotonic()
        if self._gone_since is None:
            self._gone_since = now
        spent.gone_since = spent.gone_since or now
        patience = GONE if self._answered else NEVER_THERE
        tried_all = spent.faults + 1 >= self.options.attempts and self._gone_since <= spent.gone_since
        if now - self._gone_since >= patience or tried_all:
            hint = KEPT.format("see whether the server runs and base_url names it")
            raise ServerStoppedError(ModelError(f"no server: {fault}", where=self.where, hint=hint))

    def _note_forbidden(self, fault: MalformedReplyError) -> None:
        """Raises ServerStoppedError when it is the key that is forbidden everything, rather than some questions."""
        if fault.kind != "forbidden":
            return
        self._forbidden += 1
        if self._forbidden >= (FORBIDDEN if self._answered else FORBIDDEN_AT_FIRST):
            reason = f"{fault} ({self._forbidden} calls in a row)"
            raise ServerStoppedError(ModelError(reason, where=self.where, hint=self._key_cure()))

    def _adapts(self, request: Mapping[str, Any], sent: Mapping[str, Any], fault: MalformedReplyError) -> bool:
        """Whether the request can be sent again in another form, since the server does not know this one."""
        if fault.kind != "status" or fault.again:
            return False
        if change := self.adapted.learn(sent, str(fault), fault.parameter):
            self._tell(f"{change} from now on, since the server refuses it: {fault}")
        return self.adapted.body(request) != sent

    def _tell(self, message: str) -> None:
        """Say on stderr what goes wrong, once, while it happens."""
        if message not in self._reported and len(self._reported) < TOLD:
            self._reported.add(message)
            LOGGER.warning("%s: %s", self.where, message)

    async def _attempt(self, request: Mapping[str, Any]) -> bytes:
        """One call: the body of the answer. Raises MalformedReplyError or ServerStoppedError."""
        import openai

        from vlmbench.chat.body import BodyError

        assert self._client is not None and self._limiter is not None
        create: Any = self._client.chat.completions.with_raw_response.create
        try:
            async with asyncio.timeout(self.options.timeout):
                raw = await create(model=self.model, **request)
                content: bytes = raw.content
        except openai.APIStatusError as error:
            body = error.body if error.body is not None else _json(error.response)
            raise self._meaning(error.status_code, body, "", error.response.headers) from None
        except (TimeoutError, openai.APITimeoutError) as error:
            kind = "gone" if _is(error.__cause__, "ConnectTimeout") else ""
            raise MalformedReplyError(f"no answer within {self.options.timeout:g} s", kind=kind) from None
        except BodyError as error:
            raise MalformedReplyError(str(error), again=False) from None
        except openai.APIConnectionError as error:
            raise self._broken(error.__cause__ or error) from None
        except openai.APIError as error:
            raise MalformedReplyError(self._clean(str(error))) from None
        self._limiter.update_from_headers(raw.headers)
        return content

    def _broken(self, cause: BaseException) -> MalformedReplyError:
        """What a connection's failure means."""
        if _is(cause, "BodyError"):
            return MalformedReplyError(str(cause), again=False)
        message = self._clean(f"connection: {type(cause).__name__}{f': {cause}' if str(cause) else ''}")
        return MalformedReplyError(message, kind="gone" if _is(cause, "ConnectError") else "")

    def _meaning(self, status: int, body: object, about: str, headers: Mapping[str, str]) -> MalformedReplyError:
        """What an HTTP status means for us. Raises ServerStoppedError where no request can succeed."""
        message = self._clean(f"{about or f'HTTP {status}: '}{words_of(body) or _plain(body) or 'no reason given'}")
        fault = meaning(status, body, message, retry_after(headers))
        if isinstance(fault, MalformedReplyError):
            return fault
        raise ServerStoppedError(
            ModelError(message, where=self.where, hint=self._key_cure() if fault == "key" else fault)
        )

    def _key_cure(self) -> str:
        name = self.options.key_env or ("OPENAI_API_KEY" if self.key else "")
        return f"is the key in {name} right?" if name else "name the variable that holds the key: key_env=NAME"

    def _clean(self, text: str) -> str:
        """A server's words, short and without the key."""
        shown = (text.replace(self.key, "[key]") if self.key else text)[:2000]
        return " ".join("".join(letter if letter.isprintable() else " " for letter in shown).split())[:300]


class _Spent:
    """What one request has taken so far."""

    def __init__(self, options: ApiOptions, limiter: RateLimiter) -> None:
        self._options, self._limiter = options, limiter
        self.first: float | None = None
        """When its first attempt went out."""
        self.calls = self.faults = self.same = 0
        self.gone_since: float | None = None
        self.last = ""
        """What went wrong the last time."""

    def left(self) -> float:
        """Seconds until its deadline, from its first attempt, or from when the server began to refuse every call.

        Waiting for its turn does not count as long as calls are served: the rate is the user's own wish.
        """
        now = self._limiter.clock()
        began = [start for start in (self.first, self._limiter.stalled_since) if start is not None]
        return self._options.deadline - (now - min(began, default=now))


def _is(error: BaseException | None, name: str) -> bool:
    """Whether an error is of a class (or a subclass) with this name: of libraries that are not imported here."""
    return error is not None and any(kind.__name__ == name for kind in type(error).__mro__)


def _json(response: Any) -> object:
    try:
        return response.json()
    except ValueError:
        return response.text


def _plain(body: object) -> str:
    return body if isinstance(body, str) else ""
