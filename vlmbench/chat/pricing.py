"""What a server's replies cost: list prices, sizes of texts in tokens, and a budget that stops before it is overspent.

Prices are OpenAI's list prices in US dollars per million tokens as far as known in 2025; `price_in` and `price_out`
of the options go before them. Exact names only: a dated name and its alias are two names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from vlmbench.base.errors import UsageError
from vlmbench.base.samples import JudgeRequest

PER_MILLION: Mapping[str, tuple[float, float]] = {
    "gpt-3.5-turbo-0125": (0.5, 1.5),
    "gpt-3.5-turbo-1106": (1.0, 2.0),
    "gpt-3.5-turbo-0613": (1.5, 2.0),
    "gpt-4": (30.0, 60.0),
    "gpt-4-0314": (30.0, 60.0),
    "gpt-4-0613": (30.0, 60.0),
    "gpt-4-32k-0613": (60.0, 120.0),
    "gpt-4-1106-preview": (10.0, 30.0),
    "gpt-4-0125-preview": (10.0, 30.0),
    "gpt-4-turbo": (10.0, 30.0),
    "gpt-4-turbo-2024-04-09": (10.0, 30.0),
    "gpt-4o-2024-05-13": (5.0, 15.0),
    "gpt-4o": (2.5, 10.0),
    "gpt-4o-2024-08-06": (2.5, 10.0),
    "gpt-4o-2024-11-20": (2.5, 10.0),
    "gpt-4o-mini": (0.15, 0.6),
    "gpt-4o-mini-2024-07-18": (0.15, 0.6),
    "gpt-4.1-2025-04-14": (2.0, 8.0),
    "gpt-4.1-mini-2025-04-14": (0.4, 1.6),
}
BYTES_PER_TOKEN = 3.5
"""Of English text about 4: a little low, so that estimates are a little high."""
OVERHEAD = 8
"""Tokens around a message."""
IMAGE_TOKENS = 800
"""About what an image takes, for pacing and budgets; what it took is counted."""


def tokens_of(text: str) -> int:
    """About how many tokens a message takes; needs no tokenizer, and errs on the high side."""
    return int(len(text.encode("utf-8", "replace")) / BYTES_PER_TOKEN) + OVERHEAD


def size_of(request: JudgeRequest) -> int:
    """About how many tokens a judge is given."""
    return sum(map(tokens_of, request.texts)) + len(request.images) * IMAGE_TOKENS


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens; None where not known."""

    prompt: float | None
    completion: float | None

    @classmethod
    def of(cls, model: str, prompt: float, completion: float) -> Price:
        """The given prices, else the list price."""
        listed = PER_MILLION.get(model, (None, None))
        return cls(prompt if prompt >= 0 else listed[0], completion if completion >= 0 else listed[1])

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """US dollars; None when the price is not known."""
        if self.prompt is None or self.completion is None:
            return None
        return (self.prompt * prompt_tokens + self.completion * completion_tokens) / 1e6


FREE = Price(0.0, 0.0)
"""Local judges."""


class Budget:
    """What one command may spend. A call's highest cost is reserved before it goes out. Use from one event loop.

    Sizes in tokens are estimates: under a budget the first call goes out alone, and the largest ratio seen of cost to
    estimate is applied to all that follow.
    """

    def __init__(self, limit: float | None, price: Price, name: str, word: str = "--judge-budget") -> None:
        if limit is not None and price.cost(1, 1) is None:
            hint = f"give them: {name},price_in=...,price_out=... (US dollars per million tokens)"
            raise UsageError(f"{word} needs the prices of {name}, which are not known", hint=hint)
        self.limit, self.price = limit, price
        self.spent = 0.0
        self.closed = False
        self._reserved: dict[int, float] = {}
        """Estimates of the calls that are out, by number."""
        self._number = 0
        self._ratio: float | None = None
        self._change = asyncio.Condition()

    async def reserve(self, prompt_tokens: int, completion_tokens: int) -> int | None:
        """Reserve a call's highest cost, if need be once others have been settled; returns the call's number.

        None, and for good, when the call could still exceed the budget.
        """
        cost = self.price.cost(prompt_tokens, completion_tokens) or 0.0
        async with self._change:
            while not self.closed and self._reserved and not self._fits(cost):
                await self._change.wait()
            if self.closed or not self._fits(cost):
                self.closed = True
                self._change.notify_all()
                return None
            self._number += 1
            self._reserved[self._number] = cost
            return self._number

    def _fits(self, cost: float) -> bool:
        if self.limit is None:
            return True
        if self._ratio is None and self._reserved:
            return False
        return self.spent + (sum(self._reserved.values()) + cost) * (self._ratio or 1.0) <= self.limit

    async def settle(self, number: int, used: tuple[int, int] | None) -> None:
        """Release a call's reservation and add what it cost; `used` is None for one that failed."""
        async with self._change:
            estimate = self._reserved.pop(number)
            cost = 0.0 if used is None else self.price.cost(*used) or 0.0
            self.spent += cost
            if used is not None and estimate > 0:
                self._ratio = max(self._ratio or 1.0, cost / estimate)
            self._change.notify_all()
