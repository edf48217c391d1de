"""Any model behind an OpenAI-compatible chat server: `--model openai:NAME,base_url=http://HOST:PORT/v1`.

Calls are those of the judge (vlmbench.chat.client): paced, tried again, bounded. The key is read from the environment
and nowhere else. Every reply is kept in the cache folder as it comes, so that nothing is paid for twice.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cached_property
from queue import SimpleQueue
from typing import Any

from vlmbench.base import settings
from vlmbench.base.errors import ImageError, ModelError, UsageError, VlmbenchError
from vlmbench.base.samples import Request, Response
from vlmbench.chat.adapting import LENGTH, STOP
from vlmbench.chat.cache import Reply
from vlmbench.chat.client import KEPT, ChatClient
from vlmbench.chat.faults import NoReplyError, ServerStoppedError
from vlmbench.chat.models import Served, served
from vlmbench.chat.options import LENGTHS, LIST_PRICE, OPENAI, ApiOptions, check_budget
from vlmbench.chat.pricing import Price
from vlmbench.chat.reply import ending

from .async_calls import Ask, Line
from .first_token import rank
from .messages import Limits, data_url, messages

GIVE_UP_AFTER = 25
"""Asks that may get no answer in a row before the server counts as broken."""
DETAILS = ("", "low", "high", "auto")
CACHE = ("auto", "true", "false")
LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Form:
    """How requests are written down: part of every answer's key."""

    detail: str = ""
    limits: Limits = field(default_factory=Limits)
    top_logprobs: int = 20
    length: str = "max_tokens"
    temperature: bool = True
    stop: bool = True
    """Whether stop texts are sent. They are cut off here in any case."""

    def body(self, request: Request, urls: Sequence[str]) -> dict[str, Any]:
        """The body of a chat completion, without the model. Raises ModelError for what no such server can do."""
        asked = request.generation
        if asked.num_beams > 1:
            hint = "take a protocol that is greedy"
            raise ModelError(f"chat servers do not search with {asked.num_beams} beams", hint=hint)
        detail = {"detail": self.detail} if self.detail else {}
        parts = [{"type": "image_url", "image_url": {"url": url, **detail}} for url in urls]
        made: dict[str, Any] = {"messages": messages(request, parts)}
        if request.choices:
            made |= {self.length: 1, "logprobs": True, "top_logprobs": self.top_logprobs}
        else:
            stop = list(asked.stop) if self.stop else []
            made |= {self.length: asked.max_new_tokens, **({"stop": stop} if stop else {})}
        if self.temperature:
            sampling = {"top_p": asked.top_p} if asked.temperature > 0 else {}
            made |= {"temperature": asked.temperature, **sampling}
        return made


class OpenAIChat:
    """Answers by one model of one server, many requests at once."""

    supports_multi_turn = True
    ranks_first_token = True
    """A choice counts by its first token, and by a bound where that is not among those told."""

    def __init__(self, name: str, line: Line, form: Form, *, in_flight: int, cache: str = "auto") -> None:
        """`cache`: `true`, `false`, or `auto`: unless the server does not say which weights it holds."""
        self.name, self.line, self.form, self.in_flight, self.cache = name, line, form, in_flight, cache
        self.reference = ""
        """The model to check its answers against: vlmbench.runs.verification."""
        self._in_a_row = 0

    @property
    def from_cache(self) -> bool:
        """Whether replies that are known already are taken. Those that come are kept in any case."""
        return self.line.from_cache

    @from_cache.setter
    def from_cache(self, wanted: bool) -> None:
        self.line.from_cache = wanted

    @cached_property
    def served(self) -> Served:
        """What the server tells of its weights. Raises ModelError for one of our own that does not answer."""
        line = self.line
        found = served(line.client.options.base_url, line.client.model, line.client.key)
        line.weights = found.mark
        line.client.held = found
        if not found.known and self.cache == "auto":
            line.folder = None
            LOGGER.warning(
                "%s does not say which weights it holds: its replies are not kept for other runs (cache=true keeps "
                "them), and a run that is resumed cannot notice that they changed",
                line.client.where,
            )
        return found

    @property
    def fingerprint(self) -> str:
        """Of the name, the address, and the weights as far as the server tells of them."""
        mark = self.served.mark
        return hashlib.sha256(f"{self.line.client.where}{mark and ' '}{mark}".encode()).hexdigest()[:16]

    @property
    def supports_logprobs(self) -> bool:
        """Whether the server is said to tell log-probabilities."""
        return self.form.top_logprobs > 0

    @property
    def settings(self) -> Mapping[str, str | int | float | bool]:
        """What else decides the answers. The weights behind a name are the server's business and can change."""
        form = self.form
        return {
            "server": self.line.client.options.base_url.rstrip("/"),
            "detail": form.detail,
            "max_side": form.limits.max_side,
            "max_bytes": form.limits.max_bytes,
            "top_logprobs": form.top_logprobs,
            "temperature_sent": form.temperature,
        }

    @property
    def facts(self) -> Mapping[str, str | int | float]:
        """What asking took in this sitting."""
        line = self.line
        known = {"usd": round(line.spent, 6)} if line.price.cost(1, 1) is not None else {}
        names = ("replies", "cached", "failed", "prompt_tokens", "completion_tokens")
        return {
            "served_model": line.served,
            **({"adapted": told} if (told := line.client.adapted.summary()) else {}),
            **{name: line.counts[name] for name in names},
            "calls": line.client.calls,
            "refusals": line.client.refusals,
            **known,
        }

    def answer(self, groups: Iterable[Sequence[Request]]) -> Iterator[tuple[Request, Response]]:
        """Answers as they come in. Requests go out in the order given: all about one picture in a row.

        Raises ModelError when the server refuses everything or is gone.
        """
        done: SimpleQueue[tuple[Request, Future[Reply]]] = SimpleQueue()
        _ = self.served  # decides what is kept, and under which key
        with self.line.opened() as begin:
            out = 0
            for request, ask in self._asks(groups):
                if isinstance(ask, Response):
                    yield request, self._counted(ask)
                    continue
                begin(ask).add_done_callback(_told(done, request))
                out += 1
                if out >= self.in_flight:
                    yield self._next(done)
                    out -= 1
            for _ in range(out):
                yield self._next(done)
        self.line.client.refuse_others()

    def _asks(self, groups: Iterable[Sequence[Request]]) -> Iterator[tuple[Request, Ask | Response]]:
        """Each request with what to ask, or with the reason why it cannot be asked."""
        for group in groups:
            urls: dict[str, str | ImageError] = {}
            for request in group:
                try:
                    yield request, self._ask(request, urls)
                except VlmbenchError as error:
                    yield request, Response(finish="error", error=str(error))

    def _ask(self, request: Request, urls: dict[str, str | ImageError]) -> Ask:
        """`urls` by picture name: each is encoded once a group."""
        found = []
        for picture in request.images:
            if picture.name not in urls:
                try:
                    urls[picture.name] = data_url(picture.load(), picture.name, self.form.limits)
                except ImageError as error:
                    urls[picture.name] = error
            url = urls[picture.name]
            if isinstance(url, ImageError):
                raise url
            found.append(url)
        texts = [request.prompt, *(text for turn in request.history for text in turn)]
        salt = request.sample_id if request.generation.temperature > 0 else ""
        return Ask(self.form.body(request, found), texts, len(found), salt, bool(request.choices))

    def _next(self, done: SimpleQueue[tuple[Request, Future[Reply]]]) -> tuple[Request, Response]:
        request, future = done.get()
        try:
            reply = future.result()
            return request, self._counted(respond(request, reply))
        except NoReplyError as error:
            gone = "" if error.refused else str(error)
            return request, self._counted(Response(finish="error", error=str(error)), gone)
        except ServerStoppedError as stopped:
            raise stopped.error from None
        except ModelError as error:  # a reply that ranks nothing
            return request, self._counted(Response(finish="error", error=str(error)))

    def _counted(self, response: Response, gone: str = "") -> Response:
        """Raises ModelError after a row of asks without an answer: from a server that is gone, or that gave none yet.

        Refused asks alone end nothing once there was an answer: they may lie side by side in the data.
        """
        if response.finish != "error":
            self._in_a_row = 0
            return response
        self.line.counts["failed"] += 1
        self._in_a_row += 1
        nothing_yet = not (self.line.counts["replies"] or self.line.counts["cached"])
        if self._in_a_row >= GIVE_UP_AFTER and (gone or nothing_yet):
            raise ModelError(
                f"{GIVE_UP_AFTER} questions in a row without an answer; the last: {response.error}",
                where=self.line.client.where,
                hint=KEPT.format("mend it"),
            )
        return response


def _told(done: SimpleQueue[tuple[Request, Future[Reply]]], request: Request) -> Callable[[Future[Reply]], None]:
    return lambda future: done.put((request, future))


def cut(text: str, stops: Sequence[str]) -> tuple[str, bool]:
    """The text before the earliest stop text, trimmed, and whether there was one: servers may ignore `stop`."""
    found = [at for stop in stops if stop and (at := text.find(stop)) >= 0]
    return text[: min(found, default=len(text))].strip(), bool(found)


def respond(request: Request, reply: Reply) -> Response:
    """A server's reply as the answer to a request: trimmed and cut at stop texts, as everywhere.

    Raises ModelError when choices cannot be ranked by it.
    """
    choices = rank(request.choices, reply.first) if request.choices else ()
    text, stopped = cut(reply.text, request.generation.stop)
    return Response(
        text="" if choices else text,
        choices=choices,
        finish="stop" if choices or stopped else ending(reply.finish),
        prompt_tokens=reply.prompt_tokens,
        new_tokens=reply.completion_tokens,
        seconds=reply.seconds,
    )


def load(
    checkpoint: str | None,
    *,
    base_url: str = OPENAI,
    key_env: str = "",
    rpm: float = 0.0,
    tpm: float = 0.0,
    in_flight: int = 32,
    timeout: float = 120.0,
    deadline: float = 600.0,
    attempts: int = 8,
    backoff: float = 0.5,
    price_in: float = LIST_PRICE,
    price_out: float = LIST_PRICE,
    budget: float = 0.0,
    detail: str = "",
    max_side: int = 0,
    max_bytes: int = 20_000_000,
    top_logprobs: int = 20,
    length_field: str = "max_tokens",
    send_temperature: bool = True,
    send_stop: bool = True,
    cache: str | bool = "auto",
) -> OpenAIChat:
    """`checkpoint` is the model's name on the server; the options are those of docs/models/adapters.md.

    Nothing is asked yet. Raises UsageError, for a missing key among others.
    """
    if not checkpoint:
        raise UsageError("which model of the server?", hint="write --model openai:NAME, e.g. openai:gpt-4o-mini")
    cache = str(cache).lower()
    words = (("detail", detail, DETAILS), ("length_field", length_field, LENGTHS), ("cache", cache, CACHE))
    for name, value, known in words:
        if value not in known:
            raise UsageError(f"no {name} {value!r}", hint=f"there are: {', '.join(filter(None, known))}")
    if max_bytes < 1 or max_side < 0 or not 0 <= top_logprobs <= 20:
        raise UsageError("max_bytes, max_side or top_logprobs out of range", hint="see docs/models/adapters.md")
    check_budget(budget, "budget")
    options = ApiOptions(
        base_url=base_url,
        key_env=key_env,
        rpm=rpm or (ApiOptions.rpm if base_url.rstrip("/") == OPENAI else 600_000.0),
        tpm=tpm,
        in_flight=in_flight,
        timeout=timeout,
        deadline=deadline,
        attempts=attempts,
        backoff=backoff,
        price_in=price_in,
        price_out=price_out,
    )
    client = ChatClient(checkpoint, options, adapts=(LENGTH, STOP))
    folder = settings.load().cache_folder / "answers" if cache != "false" else None
    price = Price.of(checkpoint, price_in, price_out)
    line = Line(client, price, budget=budget or None, folder=folder)
    form = Form(detail, Limits(max_side, max_bytes), top_logprobs, length_field, send_temperature, send_stop)
    return OpenAIChat(f"openai:{checkpoint}", line, form, in_flight=in_flight, cache=cache)
