"""Many concurrent calls to a chat server from synchronous code: an event loop on a thread of its own."""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import orjson

from vlmbench.chat.cache import Reply, ReplyCache, cache_file
from vlmbench.chat.client import ChatClient
from vlmbench.chat.faults import NoReplyError
from vlmbench.chat.options import LENGTHS
from vlmbench.chat.pricing import IMAGE_TOKENS, Budget, Price, tokens_of
from vlmbench.chat.reply import read_reply

T = TypeVar("T")


@dataclass(frozen=True)
class ChatCall:
    """One call to make."""

    body: Mapping[str, Any]
    """Of a chat completion, without the model."""
    texts: Sequence[str]
    n_images: int
    salt: str = ""
    """The sample's id where answers are drawn: equal questions are then drawn independently."""
    ranked: bool = False
    """Whether the log-probabilities of the first token are what is wanted."""
    size: int = 0
    """Characters of its images."""

    def key(self, server: str) -> str:
        """Content hash of everything that decides the reply."""
        return hashlib.sha256(orjson.dumps([server, self.body, self.salt])).hexdigest()[:32]


class CallQueue:
    """A client with a memory and a budget: calls that were answered before are free."""

    def __init__(self, client: ChatClient, price: Price, *, budget: float | None, folder: Path | None) -> None:
        """`folder`: where replies are kept; None: nowhere. Raises UsageError for a budget without prices."""
        self.client, self.price, self.budget, self.folder = client, price, budget, folder
        self.weights = ""
        """What the server says it holds: part of every key. To be set before anything is asked."""
        self.from_cache = True
        """False: call again what is known already. Replies are kept all the same."""
        Budget(budget, price, client.where.partition(" ")[0], "budget")
        self.counts: Counter[str] = Counter()
        """replies, cached, failed, prompt_tokens, completion_tokens: of this run."""
        self.spent = 0.0
        self.served = ""
        """What the server last said it is."""
        self._cache: ReplyCache | None = None
        self._last = 0.0
        self._waiting: set[asyncio.Task[Any]] = set()
        self._under_way: dict[str, asyncio.Task[Reply]] = {}
        self._none: dict[str, str] = {}
        """Why asks got no answer that were paid for all the same: they are not asked again in this run."""

    @property
    def identity(self) -> str:
        """What makes replies this model's own: the server, the name, and the weights as far as they are known."""
        return f"{self.client.where} weights {self.weights}" if self.weights else self.client.where

    @contextmanager
    def opened(self) -> Iterator[Callable[[ChatCall], Future[Reply]]]:
        """Gives what begins an call and returns its future: a Reply, NoReplyError, ServerStoppedError or StoreError."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="asking", daemon=True)
        thread.start()

        def wait(work: Coroutine[Any, Any, T]) -> T:
            return asyncio.run_coroutine_threadsafe(work, loop).result()

        try:
            left = None if self.budget is None else self.budget - self.spent
            budget = Budget(left, self.price, self.client.where)
            if self.folder is not None and self._cache is None:
                self._cache = ReplyCache(cache_file(self.folder, self.client.where.partition(" ")[0], self.identity))
            wait(self.client.open())
            self._last = time.monotonic()

            yield lambda call: asyncio.run_coroutine_threadsafe(self._reply(call, budget), loop)
        finally:
            wait(self._end())
            wait(self.client.close())
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    async def _reply(self, call: ChatCall, budget: Budget) -> Reply:
        task = asyncio.current_task()
        assert task is not None
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)
        key = call.key(self.identity)
        known = self._cache.replies.get(key) if self._cache is not None and self.from_cache else None
        if known is not None or key in self._under_way:  # two tasks may call the same at the same time
            self.counts["cached"] += 1
        if known is not None:
            self.served = known.model or self.served
            return known
        if key in self._none:
            raise NoReplyError(self._none[key], refused=True)
        if key not in self._under_way:
            self._under_way[key] = asyncio.create_task(self._call(key, call, budget))
            self._under_way[key].add_done_callback(lambda _: self._under_way.pop(key))
        return await asyncio.shield(self._under_way[key])

    async def _call(self, key: str, call: ChatCall, budget: Budget) -> Reply:
        """Call, pay and keep."""
        size = sum(map(tokens_of, call.texts)) + call.n_images * IMAGE_TOKENS
        longest = next((int(call.body[name]) for name in LENGTHS if call.body.get(name)), 0)
        number = await budget.reserve(size, longest)
        if number is None:
            raise NoReplyError("the budget is spent: a larger one resumes from here", refused=True)
        used: tuple[int, int] | None = None
        try:
            reply = await self.client.send(
                call.body,
                size + longest,
                lambda content, calls: read_reply(content, calls, call.texts, ranked=call.ranked),
            )
            used = reply.prompt_tokens, reply.completion_tokens
        finally:
            await budget.settle(number, used)
            self.spent += 0.0 if used is None else self.price.cost(*used) or 0.0
        return self._keep(key, reply)

    async def _end(self) -> None:
        """Cancel what still waits, and wait until it is over.

        Our own tasks alone: what the HTTP library began ends with them, and a connection that is cancelled before it
        starts leaves a coroutine that nobody awaits.
        """
        left = [*self._waiting, *self._under_way.values()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _keep(self, key: str, reply: Reply) -> Reply:
        """Count a reply and put it on disk at once. Raises NoReplyError for one that holds no answer: it is asked for
        again another time."""
        self.counts.update(prompt_tokens=reply.prompt_tokens, completion_tokens=reply.completion_tokens)
        self.served = reply.model or self.served
        if reply.none:
            self._none[key] = f"the server gave no answer: {reply.none}"
            raise NoReplyError(self._none[key], refused=True)
        now = time.monotonic()
        reply, self._last = replace(reply, seconds=now - self._last), now
        if self._cache is not None:
            self._cache.add(key, reply)
        self.counts["replies"] += 1
        return reply
