"""A running `vllm serve`: what is asked of it beside what any chat server is asked.

vLLM adds no special tokens to what a chat template renders, unless told: a prompt then lacks the <s> that the model was
trained with. The server's own /tokenize shows whether the tokenizer puts a first token where the template writes none,
and then it is asked for in every request.
"""

from __future__ import annotations

import http.client
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from vlmbench.base.samples import Request
from vlmbench.chat.models import is_local
from vlmbench.chat.small_json import fetched

from .openai import OpenAIChat, RequestFormat

LOGGER = logging.getLogger(__name__)
PROBE = [{"role": "user", "content": "x"}]
WITHIN = 10.0
"""Seconds in which /tokenize and /models must answer."""
LARGEST = 4 * 2**20


@dataclass(frozen=True)
class SpecialTokensFormat(RequestFormat):
    """Requests that ask vLLM to let the tokenizer add its special tokens."""

    def body(self, request: Request, urls: Sequence[str]) -> dict[str, Any]:
        """The body of a chat completion, without the model."""
        body = RequestFormat.body(self, request, urls)
        return {**body, "extra_body": {**body.get("extra_body", {}), "add_special_tokens": True}}


class VllmServer(OpenAIChat):
    """Answers by a model of a vLLM server."""

    def __init__(self, chat: OpenAIChat, options: Mapping[str, str]) -> None:
        """`chat`: the server as any other. `options`: of the reference, as --model takes them."""
        format = replace(chat.format, min_tokens_field="min_tokens")
        super().__init__("", chat.queue, format, in_flight=chat.in_flight, cache=chat.cache)
        self.name = f"vllm:{self.queue.client.model}"
        self._options = dict(options)

    @property
    def reference(self) -> str:
        """transformers with the folder or hub name that the server says it serves; empty where that is neither."""
        source = self._root or self.queue.client.model
        if not (Path(source).expanduser().is_dir() or source.count("/") == 1):
            return ""
        return ",".join([f"hf:{source}", *(f"{name}={value}" for name, value in self._options.items() if value)])

    @reference.setter
    def reference(self, _: str) -> None:
        """The one that any chat server is made with."""

    @cached_property
    def _root(self) -> str:
        """What the server says it has loaded under the name."""
        body = self._object("/models", None)
        rows = body.get("data") if isinstance(body.get("data"), list) else []
        named = (row for row in rows or () if isinstance(row, Mapping) and row.get("id") == self.queue.client.model)
        return str(next(named, {}).get("root") or "")

    @cached_property
    def adds_first_token(self) -> bool:
        """Whether the tokenizer has a first token that the chat template does not write."""
        plain, special = (self._tokens(add) for add in (False, True))
        if plain is None or special is None:
            if is_local(self.queue.client.options.base_url):
                LOGGER.warning(
                    "%s does not show how it tokenises: whether its prompts begin with the model's first token is not "
                    "known; --verify-backend compares them with hf",
                    self.name,
                )
            return False
        return special[1:] == plain and special[:1] != plain[:1]

    def _tokens(self, special: bool) -> list[int] | None:
        body = {"messages": PROBE, "add_generation_prompt": True, "add_special_tokens": special}
        tokens = self._object("/tokenize", {"model": self.queue.client.model, **body}).get("tokens")
        return tokens if isinstance(tokens, list) and tokens else None

    def _object(self, path: str, body: Mapping[str, Any] | None) -> Mapping[str, Any]:
        """A JSON object of the server; empty where it gives none."""
        base = self.queue.client.options.base_url.rstrip("/")
        base = base.removesuffix("/v1") if path == "/tokenize" else base
        headers = {"content-type": "application/json"}
        if key := self.queue.client.key:
            headers["authorization"] = f"Bearer {key}"
        data = None if body is None else orjson.dumps(body)
        try:
            answer = fetched(base + path, headers=headers, within=WITHIN, largest=LARGEST, body=data)
        except (OSError, ValueError, http.client.HTTPException):
            return {}
        return answer if isinstance(answer, Mapping) else {}

    @property
    def settings(self) -> Mapping[str, str | int | float | bool]:
        """What else decides the answers; from here on requests ask for the first token where it is needed."""
        if self.adds_first_token and not isinstance(self.format, SpecialTokensFormat):
            values = {entry.name: getattr(self.format, entry.name) for entry in fields(self.format)}
            self.format = SpecialTokensFormat(**values)
        return {**super().settings, **({"add_special_tokens": True} if self.adds_first_token else {})}
