"""A judge behind an OpenAI-compatible server: its options, and its requests as calls of a ChatClient."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from vlmbench.base.errors import ImageError, UnknownNameError, UsageError
from vlmbench.base.samples import ImageRef, JudgeRequest
from vlmbench.chat.adapting import JSON, LENGTH, SAMPLING, SEED
from vlmbench.chat.cache import Reply
from vlmbench.chat.client import ChatClient
from vlmbench.chat.faults import NoReplyError
from vlmbench.chat.messages import image_part, messages
from vlmbench.chat.models import Served, served
from vlmbench.chat.options import DETAILS, LENGTHS, ApiOptions, check_options
from vlmbench.chat.pricing import Price, size_of
from vlmbench.chat.reply import read_reply
from vlmbench.chat.turns import judge_turns
from vlmbench.data.images.data_urls import Limits, data_url

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class JudgeOptions(ApiOptions):
    """What stands after `openai:MODEL` of a judge."""

    length_field: str = LENGTHS[0]
    """What the server calls the limit on a reply's length; found out where it refuses the usual name."""
    send_temperature: bool = True
    """False for models that take no temperature; found out where the server refuses it."""
    max_tokens: int = 0
    """Tokens of a reply at most; 0: as many as the protocol says. A judge that thinks first needs more."""
    detail: str = ""
    """How closely the server looks at images: low, high or auto; empty: not sent."""
    max_side: int = 0
    """Pixels of an image's longer side; a larger one is scaled down. 0: any."""
    cache: str = "auto"
    """Whether replies are kept. `auto`: unless a local server does not say which weights it holds."""


WORDS = {"true": True, "false": False}


def read_options(pairs: Mapping[str, str]) -> JudgeOptions:
    """Options from text. Raises UnknownNameError or UsageError."""
    fields = JudgeOptions.__dataclass_fields__
    values: dict[str, Any] = {}
    for name, text in pairs.items():
        if name not in fields:
            raise UnknownNameError("option of an API judge", name, fields)
        kind: type = type(fields[name].default)
        try:
            values[name] = WORDS[text.lower()] if kind is bool else kind(text)
        except KeyError:
            raise UsageError(f"{name} takes true or false, not {text!r}", hint="see docs/evaluate/judging.md") from None
        except ValueError:
            raise UsageError(f"{name} takes a number, not {text!r}", hint="see docs/evaluate/judging.md") from None
    options = JudgeOptions(**values)
    check_options(options)
    for name, choices in (("length_field", LENGTHS), ("detail", DETAILS), ("cache", ("auto", "true", "false"))):
        if getattr(options, name) not in choices:
            known = ", ".join(filter(None, choices))
            raise UsageError(f"no {name} {getattr(options, name)!r}", hint=f"there are: {known}")
    if options.max_tokens < 0:
        raise UsageError("max_tokens must not be negative", hint="leave it out for the protocol's own limit")
    if options.max_side < 0:
        raise UsageError("max_side must not be negative", hint="leave it out for images of any size")
    return options


class ApiJudge:
    """Sends requests to one model of one server. Open and used in one event loop."""

    overlaps = True
    """It may be asked while the model under test still answers."""

    def __init__(self, model: str, options: JudgeOptions) -> None:
        self._client = ChatClient(model, options, adapts=(LENGTH, SAMPLING, SEED, JSON))
        self._options = options
        self.name = f"openai:{model}"
        self.price = Price.of(model, options.price_in, options.price_out)
        self.in_flight = options.in_flight

    @cached_property
    def _served(self) -> Served:
        weights = served(self._options.base_url, self._client.model, self._client.key)
        self._client.held = weights
        if not weights.known and self._options.cache == "auto":
            reason = (
                "does not say which weights it holds: its replies are not kept for other runs (cache=true keeps them)"
            )
            LOGGER.warning("judge %s %s", self._client.where, reason)
        return weights

    @property
    def identity(self) -> str:
        """What makes its replies its own: the server, the weights it says it holds, and how it is asked."""
        options, parts = self._options, [self._client.where]
        parts += [f"weights {self._served.mark}"] if self._served.mark else []
        parts += [f"max_tokens={options.max_tokens}"] if options.max_tokens else []
        parts += [] if options.send_temperature else ["send_temperature=false"]
        parts += [f"detail={options.detail}"] if options.detail else []
        parts += [f"max_side={options.max_side}"] if options.max_side else []
        return " ".join(parts)

    @property
    def keeps(self) -> bool:
        """Whether its replies may be kept for later runs."""
        return self._options.cache == "true" or (self._options.cache == "auto" and self._served.known)

    @property
    def calls(self) -> int:
        """Attempts made, failed ones included."""
        return self._client.calls

    @property
    def refusals(self) -> int:
        """Calls the server refused for coming too fast."""
        return self._client.refusals

    @property
    def adapted(self) -> str:
        """Which fields of a request this server refused, and what became of them."""
        return self._client.adapted.summary()

    def longest(self, request: JudgeRequest) -> int:
        """Tokens that a reply may take."""
        return self._options.max_tokens or request.max_tokens

    async def open(self) -> None:
        """Get ready, inside the event loop."""
        await self._client.open()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def reply(self, request: JudgeRequest) -> Reply:
        """One reply. Raises NoReplyError; ServerStoppedError when no request can succeed."""
        longest = self.longest(request)
        try:
            urls = iter([await asyncio.to_thread(self._url, image) for image in request.images])
        except ImageError as error:
            raise NoReplyError(str(error)) from None
        body = {
            "messages": messages(judge_turns(request), lambda _: image_part(next(urls), self._options.detail)),
            **({"temperature": request.temperature} if self._options.send_temperature else {}),
            self._options.length_field: longest,
            **({"response_format": {"type": "json_object"}} if request.json_object else {}),
            **({} if request.seed is None else {"seed": request.seed}),
        }
        size = size_of(request) + longest
        return await self._client.send(body, size, lambda content, calls: read_reply(content, calls, request.texts))

    def _url(self, image: ImageRef) -> str:
        return data_url(image.load(), image.name, Limits(self._options.max_side))
