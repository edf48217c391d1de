"""Conversations with a judge: many at once, in one event loop on a thread of its own.

A conversation is a generator that yields requests and returns a verdict (`Judged.grade`). Every reply is looked up in
the cache first and stored there at once; equal requests under way share one call.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from vlmbench.base.errors import ImageError
from vlmbench.base.samples import JudgeRequest, Status, Verdict
from vlmbench.chat.cache import Reply, ReplyCache, reply_key
from vlmbench.chat.faults import NoReplyError, ServerStoppedError
from vlmbench.chat.pricing import Budget, Price, size_of
from vlmbench.chat.reply import flaw
from vlmbench.parsing.thinking import split

GIVE_UP_AFTER = 25
"""Requests in a row that may get no reply before the rest is not sent at all."""
BUDGET_SPENT = "--judge-budget is spent"


class Backend(Protocol):
    """What answers the requests: a server, or a model of ours."""

    name: str
    price: Price
    overlaps: bool
    """Whether it may ask while the model under test still answers."""
    in_flight: int
    """Conversations open at once, at most."""

    @property
    def identity(self) -> str:
        """What makes its replies its own: part of every key in the cache."""

    @property
    def keeps(self) -> bool:
        """Whether its replies may be kept for later runs."""

    @property
    def adapted(self) -> str:
        """What was changed about the requests because the server refused it; empty for nothing."""

    def longest(self, request: JudgeRequest) -> int:
        """Tokens that a reply may take."""

    @property
    def calls(self) -> int:
        """Attempts made, failed ones included."""

    @property
    def refusals(self) -> int:
        """Calls refused for coming too fast."""

    async def open(self) -> None:
        """Get ready, inside the event loop."""

    async def close(self) -> None:
        """Close the connections."""

    async def reply(self, request: JudgeRequest) -> Reply:
        """One reply. Raises NoReplyError for this request alone, ServerStoppedError for all."""


@dataclass
class JudgeConversation:
    """One conversation, in one run of the judge."""

    begin: Callable[[], Generator[JudgeRequest, str, Verdict | tuple[Verdict, ...]]]
    run: int
    answers: int = 1
    """How many it grades: so many verdicts it has in the end."""
    verdicts: tuple[Verdict, ...] = ()
    """Empty as long as it goes on."""


class Conversations:
    """Runs conversations. `submit` and `close` are the caller's; the rest runs on the thread."""

    def __init__(self, backend: Backend, cache: ReplyCache, budget: Budget) -> None:
        self.backend, self.cache, self.budget = backend, cache, budget
        self.counts: Counter[str] = Counter()
        """replies, cached, failed, prompt_tokens, completion_tokens: of this command."""
        self.stopped = ""
        """Why the rest was not asked."""
        self.error: BaseException | None = None
        self.done = 0
        self.changed = threading.Event()
        self._failed_in_a_row = 0
        self._under_way: dict[str, asyncio.Future[Reply]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()

    def submit(self, conversations: Sequence[JudgeConversation]) -> None:
        """Begin conversations. Returns at once."""
        if self._thread is None:
            self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="judge", daemon=True)
            self._thread.start()
            self._ready.wait()
        self._loop.call_soon_threadsafe(self._begin, conversations)

    def close(self) -> None:
        """Cancel what is under way and end the thread."""
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
            self._thread = None

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop, self._opened = asyncio.Event(), asyncio.Event()
        self._slots = asyncio.Semaphore(self.backend.in_flight)
        self._ready.set()
        try:
            await self.backend.open()
            self._opened.set()
        except Exception as error:
            self._fail(error)
        await self._stop.wait()
        unfinished: list[asyncio.Future[Any]] = [*self._tasks, *self._under_way.values()]
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        await self.backend.close()

    def _begin(self, conversations: Sequence[JudgeConversation]) -> None:
        for conversation in conversations:
            task = self._loop.create_task(self._hold(conversation))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _fail(self, error: BaseException) -> None:
        self.error = self.error or error
        self.changed.set()

    async def _hold(self, conversation: JudgeConversation) -> None:
        try:
            await self._opened.wait()
            async with self._slots:
                conversation.verdicts = await self._verdicts(conversation)
            self.done += 1
            self.changed.set()
        except Exception as error:  # no key, a full disk, a bug in a task's rules: the caller raises it
            self._fail(error)

    async def _verdicts(self, conversation: JudgeConversation) -> tuple[Verdict, ...]:
        """Walk through one conversation.

        A reply that is none is passed on as an empty text, as the rules on repeated requests expect; it never becomes
        a grade. What a judge thinks before its reply is no part of it.
        """
        replies: list[Reply] = []
        flaws: list[str] = []
        repeats: Counter[JudgeRequest] = Counter()
        steps = conversation.begin()
        try:
            request = next(steps)
            while True:
                replies.append(await self._reply(request, conversation.run, repeats[request]))
                repeats[request] += 1
                flaws.append(flaw(replies[-1]))
                request = steps.send("" if flaws[-1] else split(replies[-1].text).answer)
        except StopIteration as end:
            found: tuple[Verdict, ...] = end.value if isinstance(end.value, tuple) else (end.value,)
            bad = any(verdict.unread or verdict.status is not Status.OK for verdict in found)
            if any(flaws) and (flaws[-1] or bad):
                note = f"the judge gave no reply: {next(why for why in reversed(flaws) if why)}"
                found = (Verdict(None, Status.JUDGE_FAILED, note=note),) * conversation.answers
        except (NoReplyError, ImageError) as why:
            found = (Verdict(None, Status.JUDGE_FAILED, note=str(why)),) * conversation.answers
        self.counts["failed"] += sum(verdict.status is not Status.OK for verdict in found)
        texts, model = tuple(reply.text for reply in replies), replies[-1].model if replies else ""
        return tuple(replace(verdict, replies=texts, model=model) for verdict in found)

    async def _reply(self, request: JudgeRequest, run: int, repeat: int) -> Reply:
        asked = (self.backend.identity, request, run, repeat)
        # Images are read for it, which would hold up all other conversations.
        key = await asyncio.to_thread(reply_key, *asked) if request.images else reply_key(*asked)
        if key in self.cache.replies:
            self.counts["cached"] += 1
            return self.cache.replies[key]
        if key not in self._under_way:
            self._under_way[key] = self._loop.create_task(self._call(key, request))
            self._under_way[key].add_done_callback(lambda _: self._under_way.pop(key))
        return await asyncio.shield(self._under_way[key])

    async def _call(self, key: str, request: JudgeRequest) -> Reply:
        """Ask, pay and keep."""
        size = size_of(request)
        number = None if self.stopped else await self.budget.reserve(size, self.backend.longest(request))
        if number is None:
            self.stopped = self.stopped or BUDGET_SPENT
            raise NoReplyError(self.stopped)
        used: tuple[int, int] | None = None
        try:
            reply = await self.backend.reply(request)
            used = reply.prompt_tokens, reply.completion_tokens
        except NoReplyError as why:
            self._count_failure(str(why))
            raise
        finally:
            await self.budget.settle(number, used)
        self.counts.update(prompt_tokens=reply.prompt_tokens, completion_tokens=reply.completion_tokens)
        if why_none := flaw(reply):  # paid for, and not kept: it is asked for again another time
            self._count_failure(why_none)
            return reply
        self.cache.add(key, reply)
        self._failed_in_a_row = 0
        self.counts["replies"] += 1
        return reply

    def _count_failure(self, why: str) -> None:
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= GIVE_UP_AFTER and not self.stopped:
            self.stopped = f"given up after {GIVE_UP_AFTER} requests in a row without a reply; the last: {why}"


def stopping_error(error: BaseException) -> BaseException:
    """What the caller raises: the error that says the hint, where there is one."""
    return error.error if isinstance(error, ServerStoppedError) else error
