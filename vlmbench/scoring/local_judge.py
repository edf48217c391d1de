"""A model of ours as judge: it answers what is asked in batches, after the model under test is done."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from vlmbench.base.model import Model
from vlmbench.base.samples import Generation, ImageRef, JudgeRequest, Request
from vlmbench.chat.cache import Reply
from vlmbench.chat.faults import NoReplyError
from vlmbench.chat.pricing import FREE
from vlmbench.chat.turns import judge_turns
from vlmbench.data.images import decoding as images
from vlmbench.parsing.thinking import apart

BATCH = 32


class LocalJudge:
    """Any adapter as judge. A system message stands before the user's, as the adapters know one prompt only."""

    overlaps = False
    """Two models would fight over one machine."""
    price = FREE
    refusals = 0
    in_flight = 4 * BATCH
    keeps = True
    adapted = ""

    def __init__(self, spec: str, model: Model) -> None:
        self.name = spec
        settings: Mapping[str, object] = dict(sorted(model.settings.items()))
        self.identity = f"{model.name} {model.fingerprint} {settings}"
        self.calls = 0
        self._model = model
        self._waiting: list[tuple[JudgeRequest, asyncio.Future[Reply]]] = []
        self._worker: asyncio.Task[None] | None = None

    def longest(self, request: JudgeRequest) -> int:
        """Tokens that a reply may take."""
        return request.max_tokens

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Let a batch under way end."""
        if self._worker is not None:
            await asyncio.gather(self._worker, return_exceptions=True)

    async def reply(self, request: JudgeRequest) -> Reply:
        """One reply, made together with whatever else waits. Raises NoReplyError."""
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await future

    async def _work(self) -> None:
        await asyncio.sleep(0)  # let everything that can be asked now come in
        while self._waiting:
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            try:
                replies = await asyncio.to_thread(self._answers, [request for request, _ in batch])
            except Exception as error:  # a bug in an adapter or its library: these verdicts are lost, not the run
                replies = [NoReplyError(f"{type(error).__name__}: {error}")] * len(batch)
            for (_, future), reply in zip(batch, replies, strict=True):
                if future.done():
                    continue
                if isinstance(reply, Reply):
                    future.set_result(reply)
                else:
                    future.set_exception(reply)

    def _answers(self, asked: list[JudgeRequest]) -> list[Reply | NoReplyError]:
        prompts = [_as_request(f"judge {number}", request) for number, request in enumerate(asked)]
        groups: dict[object, list[Request]] = {}
        for prompt in prompts:
            groups.setdefault(tuple(images.source_of(image) for image in prompt.images), []).append(prompt)
        replies: list[Reply | NoReplyError] = [NoReplyError("the judge gave no answer")] * len(asked)
        place = {id(request): number for number, request in enumerate(prompts)}
        for request, response in self._model.answer(groups.values()):
            self.calls += 1
            response = apart(response)
            if response.finish == "error":
                replies[place[id(request)]] = NoReplyError(response.error)
            else:
                replies[place[id(request)]] = Reply(
                    response.text,
                    self._model.name,
                    response.prompt_tokens,
                    response.new_tokens,
                    finish=response.finish,
                    reasoning=response.reasoning,
                    reasoning_tokens=response.reasoning_tokens,
                )
        return replies


def _as_request(name: str, request: JudgeRequest) -> Request:
    """A judge's messages as one question, images in their places."""
    text, shown, places = "", list[ImageRef](), list[int]()
    for number, turn in enumerate(judge_turns(request)):
        text += "\n\n" if number else ""
        for part in turn.parts:
            if isinstance(part, str):
                text += part
            else:
                shown.append(part)
                places.append(len(text))
    generation = Generation(max_new_tokens=request.max_tokens, temperature=request.temperature)
    return Request(name, text, tuple(shown), generation=generation, image_places=tuple(places))
