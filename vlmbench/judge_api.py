"""A judge behind an OpenAI-compatible server: its options, and its asks as calls of a ChatClient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vlmbench.chat_cache import Reply
from vlmbench.chat_client import ApiOptions, ChatClient, check_options, read_reply
from vlmbench.chat_prices import Price, tokens_of
from vlmbench.errors import UnknownNameError, UsageError
from vlmbench.nouns import JudgeAsk


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
    check_options(options)
    return options


class ApiJudge:
    """Asks one model of one server. Open and used in one event loop."""

    overlaps = True
    """Asks while the model under test still answers."""

    def __init__(self, model: str, options: ApiOptions) -> None:
        self._client = ChatClient(model, options)
        self.name = f"openai:{model}"
        self.identity = self._client.where
        self.price = Price.of(model, options.price_in, options.price_out)
        self.in_flight = options.in_flight

    @property
    def calls(self) -> int:
        """Attempts made, failed ones included."""
        return self._client.calls

    @property
    def refusals(self) -> int:
        """Calls the server refused for coming too fast."""
        return self._client.refusals

    async def open(self) -> None:
        """Get ready, inside the event loop."""
        await self._client.open()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def reply(self, ask: JudgeAsk) -> Reply:
        """One reply. Raises NoReplyError; ServerStoppedError when no ask can succeed."""
        texts = [text for _, text in ask.messages]
        body = {
            "messages": [{"role": role, "content": text} for role, text in ask.messages],
            "temperature": ask.temperature,
            "max_tokens": ask.max_tokens,
        }
        size = sum(map(tokens_of, texts)) + ask.max_tokens
        return await self._client.send(body, size, lambda content, calls: read_reply(content, calls, texts))
