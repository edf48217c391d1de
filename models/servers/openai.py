"""Any model behind an OpenAI-compatible chat server: `--model openai:NAME,base_url=http://HOST:PORT/v1`.

Calls are those of the judge (vlmbench.chat.client): paced, tried again, bounded. The key is read from the environment
and nowhere else. Every reply is kept in the cache folder as it comes, so that nothing is paid for twice.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cached_property
from queue import SimpleQueue
from typing import Any

from vlmbench.base import settings
from vlmbench.base.errors import ImageError, ModelError, UsageError, VlmbenchError
from vlmbench.base.samples import Generation, Request, Response
from vlmbench.chat.adapting import LENGTH, SEED, STOP
from vlmbench.chat.cache import Reply
from vlmbench.chat.client import KEPT, ChatClient
from vlmbench.chat.faults import NoReplyError, ServerStoppedError
from vlmbench.chat.messages import image_part, messages
from vlmbench.chat.models import Served, served
from vlmbench.chat.options import DETAILS, LENGTHS, LIST_PRICE, OPENAI, ApiOptions, check_budget
from vlmbench.chat.pricing import Price
from vlmbench.chat.reply import ending
from vlmbench.chat.turns import shown_images, turns
from vlmbench.data.images import decoding as images
from vlmbench.data.images.data_urls import Limits, data_url
from vlmbench.parsing.thinking import Tag, apart, cut_at, pair

from ..huggingface.thinking import AUTO, OFF, ON
from .async_calls import CallQueue, ChatCall
from .top_logprobs import rank

GIVE_UP_AFTER = 25
"""Asks that may get no answer in a row before the server counts as broken."""

HELD = 64 * 2**20
"""Characters of images in requests that are open at once; a request is copied while it is sent."""
CACHE = ("auto", "true", "false")
LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class RequestFormat:
    """How requests are written down: part of every answer's key."""

    detail: str = ""
    limits: Limits = field(default_factory=Limits)
    top_logprobs: int = 20
    length: str = "max_tokens"
    temperature: bool = True
    stop: bool = True
    """Whether stop texts are sent. They are cut off here in any case."""
    thinking: str = AUTO
    """`on` and `off`: what the server's chat template is told; a tag: around the model's thoughts."""
    min_tokens_field: str = ""
    """What the server calls the least tokens of an answer; empty: it knows no such limit."""

    def body(self, request: Request, urls: Sequence[str]) -> dict[str, Any]:
        """The body of a chat completion, without the model. `urls`: of the shown images, in order.

        Raises ModelError for what no such server can do.
        """
        generation = request.generation
        if generation.num_beams > 1:
            hint = "take a protocol that is greedy"
            raise ModelError(f"chat servers do not search with {generation.num_beams} beams", hint=hint)
        parts = iter([image_part(url, self.detail) for url in urls])
        body: dict[str, Any] = {"messages": messages(turns(request), lambda _: next(parts))}
        if request.choices:
            body |= {self.length: 1, "logprobs": True, "top_logprobs": self.top_logprobs}
        else:
            sent = self.stop and not generation.max_reasoning_tokens  # they would end a thought, too
            stop = list(generation.stop) if sent else []
            body |= {self.length: generation.longest, **({"stop": stop} if stop else {})}
            if extra := self._extra(generation):
                body["extra_body"] = extra
        if self.temperature:
            sampling = {"top_p": generation.top_p, "seed": _seed(request)} if generation.temperature > 0 else {}
            body |= {"temperature": generation.temperature, **sampling}
        return body

    def __post_init__(self) -> None:
        """Raise UsageError for a word that is no tag."""
        _ = self.tags

    @property
    def tags(self) -> tuple[Tag, ...]:
        """The pair of tags around the model's thoughts that the user names."""
        return () if self.thinking in (AUTO, ON, OFF) else (pair(self.thinking),)

    def _extra(self, generation: Generation) -> dict[str, Any]:
        """Fields that only some servers know."""
        extra = self._at_least(generation.min_new_tokens) if generation.min_new_tokens else {}
        if self.thinking in (ON, OFF):
            extra["chat_template_kwargs"] = {"enable_thinking": self.thinking == ON}
        return extra

    def _at_least(self, tokens: int) -> dict[str, Any]:
        if not self.min_tokens_field:
            message = f"chat servers know no least length of an answer (min_new_tokens={tokens})"
            raise ModelError(message, hint="name the server's field for it, e.g. min_tokens_field=min_tokens for vLLM")
        return {self.min_tokens_field: tokens}


def _seed(request: Request) -> int:
    """Of a sampled answer: 31 bits, which every server takes. Few of them promise the same answer to the same seed."""
    return int.from_bytes(hashlib.sha256(request.seed.encode()).digest()[:4], "big") >> 1


class OpenAIChat:
    """Answers by one model of one server, many requests at once."""

    supports_multi_turn = supports_system_prompt = True
    max_images = None
    """As many as the server takes, which it does not tell."""
    ranks_first_token = True
    """A choice counts by its first token, and by a bound where that is not among those told."""

    def __init__(
        self, name: str, queue: CallQueue, format: RequestFormat, *, in_flight: int, cache: str = "auto"
    ) -> None:
        """`cache`: `true`, `false`, or `auto`: unless the server does not say which weights it holds."""
        self.name, self.queue, self.format, self.in_flight, self.cache = name, queue, format, in_flight, cache
        self.reference = ""
        """The model to check its answers against: vlmbench.runs.verification."""
        self._in_a_row = 0

    @property
    def ignored_generation(self) -> tuple[str, ...]:
        """With `send_temperature=false` the server alone decides how to sample."""
        return () if self.format.temperature else ("temperature", "top_p")

    @property
    def from_cache(self) -> bool:
        """Whether replies that are known already are taken. Those that come are kept in any case."""
        return self.queue.from_cache

    @from_cache.setter
    def from_cache(self, value: bool) -> None:
        self.queue.from_cache = value

    @cached_property
    def served(self) -> Served:
        """What the server tells of its weights. Raises ModelError for one of our own that does not answer."""
        queue = self.queue
        state = served(queue.client.options.base_url, queue.client.model, queue.client.key)
        queue.weights = state.mark
        queue.client.held = state
        if not state.known and self.cache == "auto":
            queue.folder = None
            LOGGER.warning(
                "%s does not say which weights it holds: its replies are not kept for other runs (cache=true keeps "
                "them), and a run that is resumed cannot notice that they changed",
                queue.client.where,
            )
        return state

    @property
    def fingerprint(self) -> str:
        """Of the name, the address, and the weights as far as the server tells of them."""
        mark = self.served.mark
        return hashlib.sha256(f"{self.queue.client.where}{mark and ' '}{mark}".encode()).hexdigest()[:16]

    @property
    def supports_logprobs(self) -> bool:
        """Whether the server is said to tell log-probabilities."""
        return self.format.top_logprobs > 0

    @property
    def settings(self) -> Mapping[str, str | int | float | bool]:
        """What else decides the answers. The weights behind a name are the server's business and can change."""
        format = self.format
        return {
            "server": self.queue.client.options.base_url.rstrip("/"),
            "detail": format.detail,
            "max_side": format.limits.max_side,
            "max_bytes": format.limits.max_bytes,
            "top_logprobs": format.top_logprobs,
            "temperature_sent": format.temperature,
            **({"thinking": format.thinking} if format.thinking != AUTO else {}),
        }

    @property
    def facts(self) -> Mapping[str, str | int | float]:
        """What asking took in this run."""
        queue = self.queue
        known = {"usd": round(queue.spent, 6)} if queue.price.cost(1, 1) is not None else {}
        names = ("replies", "cached", "failed", "prompt_tokens", "completion_tokens")
        return {
            "served_model": queue.served,
            **({"adapted": adapted} if (adapted := queue.client.adapted.summary()) else {}),
            **{name: queue.counts[name] for name in names},
            "calls": queue.client.calls,
            "refusals": queue.client.refusals,
            **known,
        }

    def answer(self, groups: Iterable[Sequence[Request]]) -> Iterator[tuple[Request, Response]]:
        """Answers as they come in. Requests go out in the order given: all about one image in a row.

        Raises ModelError when the server refuses everything or is gone.
        """
        done: SimpleQueue[tuple[Request, Future[Reply], int]] = SimpleQueue()
        _ = self.served  # decides what is kept, and under which key
        with self.queue.opened() as begin:
            out = held = 0
            for request, call in self._calls(groups):
                if isinstance(call, Response):
                    yield request, self._counted(call)
                    continue
                begin(call).add_done_callback(_told(done, request, call.size))
                out, held = out + 1, held + call.size
                while out >= self.in_flight or (out and held >= HELD):
                    request, future, size = done.get()
                    yield request, self._result(request, future)
                    out, held = out - 1, held - size
            for _ in range(out):
                request, future, _ = done.get()
                yield request, self._result(request, future)
        self.queue.client.refuse_others()

    def _calls(self, groups: Iterable[Sequence[Request]]) -> Iterator[tuple[Request, ChatCall | Response]]:
        """Each request with what to call, or with the reason why it cannot be asked."""
        for group in groups:
            urls: dict[Hashable, str | ImageError] = {}
            for request in group:
                try:
                    yield request, self._call(request, urls)
                except VlmbenchError as error:
                    yield request, Response(finish="error", error=str(error))

    def _call(self, request: Request, urls: dict[Hashable, str | ImageError]) -> ChatCall:
        """`urls` by where an image comes from: each is encoded once per group."""
        sent = []
        for image in shown_images(request):
            source = images.source_of(image)
            if source not in urls:
                try:
                    urls[source] = data_url(image.load(), image.name, self.format.limits)
                except ImageError as error:
                    urls[source] = error
            url = urls[source]
            if isinstance(url, ImageError):
                raise url
            sent.append(url)
        texts = [part for turn in turns(request) for part in turn.parts if isinstance(part, str)]
        salt = request.seed
        return ChatCall(
            self.format.body(request, sent), texts, len(sent), salt, bool(request.choices), sum(map(len, sent))
        )

    def _result(self, request: Request, future: Future[Reply]) -> Response:
        try:
            reply = future.result()
            return self._counted(respond(request, reply, self.format.tags))
        except NoReplyError as error:
            gone = "" if error.refused else str(error)
            return self._counted(Response(finish="error", error=str(error)), gone)
        except ServerStoppedError as stopped:
            raise stopped.error from None
        except ModelError as error:  # a reply that ranks nothing
            return self._counted(Response(finish="error", error=str(error)))

    def _counted(self, response: Response, gone: str = "") -> Response:
        """Raises ModelError after a row of asks without an answer: from a server that is gone, or that gave none yet.

        Refused asks alone end nothing once there was an answer: they may lie side by side in the data.
        """
        if response.finish != "error":
            self._in_a_row = 0
            return response
        self.queue.counts["failed"] += 1
        self._in_a_row += 1
        nothing_yet = not (self.queue.counts["replies"] or self.queue.counts["cached"])
        if self._in_a_row >= GIVE_UP_AFTER and (gone or nothing_yet):
            raise ModelError(
                f"{GIVE_UP_AFTER} questions in a row without an answer; the last: {response.error}",
                where=self.queue.client.where,
                hint=KEPT.format("fix it"),
            )
        return response


def _told(
    done: SimpleQueue[tuple[Request, Future[Reply], int]], request: Request, size: int
) -> Callable[[Future[Reply]], None]:
    return lambda future: done.put((request, future, size))


def respond(request: Request, reply: Reply, named: Sequence[Tag] = ()) -> Response:
    """A server's reply as the answer to a request: trimmed and cut at stop texts, as everywhere.

    Thoughts that come in the text are left there for the runner, but for those in `named` tags. Raises ModelError when
    choices cannot be ranked by it.
    """
    choices = rank(request.choices, reply.first) if request.choices else ()
    text, stopped = cut_at(reply.text, request.generation.stop, named)
    text = text.strip()
    response = Response(
        text="" if choices else text,
        choices=choices,
        finish="stop" if choices or stopped else ending(reply.finish),
        prompt_tokens=reply.prompt_tokens,
        new_tokens=reply.completion_tokens,
        seconds=reply.seconds,
        reasoning=reply.reasoning,
        reasoning_tokens=reply.reasoning_tokens or _share(reply, text),
    )
    return apart(response, named) if named else response


def _share(reply: Reply, text: str) -> int:
    """Tokens of the thoughts where the server does not count them: their share of the characters."""
    whole = len(reply.reasoning) + len(text)
    return round(reply.completion_tokens * len(reply.reasoning) / whole) if whole else 0


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
    min_tokens_field: str = "",
    thinking: str = AUTO,
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
    client = ChatClient(checkpoint, options, adapts=(LENGTH, STOP, SEED))
    folder = settings.load().cache_folder / "answers" if cache != "false" else None
    price = Price.of(checkpoint, price_in, price_out)
    queue = CallQueue(client, price, budget=budget or None, folder=folder)
    sent = (detail, Limits(max_side, max_bytes), top_logprobs, length_field, send_temperature, send_stop)
    format = RequestFormat(*sent, thinking=thinking, min_tokens_field=min_tokens_field)
    return OpenAIChat(f"openai:{checkpoint}", queue, format, in_flight=in_flight, cache=cache)
