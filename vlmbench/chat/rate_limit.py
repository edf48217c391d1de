"""When the next call to a server may be sent: never faster than its limits, slower after a refusal.

Two token buckets, for requests and for tokens, each with a rate. A call waits until both have room; calls are sent
evenly spaced and in order. A refusal (HTTP 429) stops all calls for as long as the server says and slows both buckets;
they recover slowly, up to the server's limit. What counts is the rate, not how many calls are open: a limit of R calls
per second with answers after L seconds needs R x L open calls, whatever their number.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

SHARE = 0.98
"""Of a limit that is used: clocks differ."""
LATE = 0.03
"""Seconds' worth of calls that may be made up for when a wake-up comes late."""
REGAIN = 0.02
"""Of the limit, regained each second after a refusal."""
SLOWEST = 0.02
"""Of the limit, below which refusals do not push the rate."""
WINDOW = 2.0
"""Seconds over which calls that were served are counted."""


class PausedError(Exception):
    """The server will take no call in the time that is left; the text says why."""


@dataclass
class TokenBucket:
    """One thing that is limited, per second."""

    limit: float
    rate: float = 0.0
    next_at: float = 0.0

    def __post_init__(self) -> None:
        self.limit *= SHARE
        self.rate = self.rate or self.limit

    def lower(self, limit: float) -> None:
        """Apply a limit from the server, if it is stricter."""
        self.limit = min(self.limit, limit * SHARE)
        self.rate = min(self.rate, self.limit)

    def take(self, amount: float, now: float) -> None:
        """Advance by what was sent."""
        self.next_at = max(self.next_at, now - LATE) + amount / self.rate


@dataclass
class RateLimiter:
    """Lets calls out at the allowed rate. Use from one event loop."""

    requests: TokenBucket
    tokens: TokenBucket | None = None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    refusals: int = 0
    """How many calls were refused."""
    stalled_since: float | None = None
    """When the first of the calls was refused since which none has been served."""
    _paused_until: float = 0.0
    _cut_at: float = float("-inf")
    _grown_at: float | None = None
    _served: deque[float] = field(default_factory=deque)
    _queue: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    def per_minute(cls, requests: float, tokens: float | None) -> RateLimiter:
        """From the limits as servers name them."""
        return cls(TokenBucket(requests / 60), None if tokens is None else TokenBucket(tokens / 60))

    async def acquire(self, tokens: int, left: Callable[[], float] | None = None) -> float:
        """Wait until a call may be sent; returns the time.

        `left` gives the seconds that the call has. Raises PausedError when the server's pause, or its refusing every
        call, goes beyond them.
        """
        async with self._queue:  # asyncio's locks are fair: first come, first served
            while (wait := self._wait()) > 0:
                self._check(left)
                await self.sleep(wait)
            now = self.clock()
            self._grow(now)
            self.requests.take(1, now)
            if self.tokens:
                self.tokens.take(tokens, now)
            return now

    def _check(self, left: Callable[[], float] | None) -> None:
        """Raise PausedError when waiting does not help. A wait that is due to the user's own limits is no reason."""
        if left is None:
            return
        now, seconds = self.clock(), left()
        if max(0.0, self._paused_until - now) > seconds:
            raise PausedError(f"the server asks to wait {self._paused_until - now:,.0f} s, beyond the deadline")
        if self.stalled_since is not None and seconds <= 0:
            raise PausedError(f"the server has refused every call for {now - self.stalled_since:,.0f} s")

    def _wait(self) -> float:
        ready = [self._paused_until, *(bucket.next_at for bucket in self._buckets())]
        return max(ready) - self.clock()

    def _buckets(self) -> list[TokenBucket]:
        return [bucket for bucket in (self.requests, self.tokens) if bucket]

    def _grow(self, now: float) -> None:
        seconds = now - (now if self._grown_at is None else self._grown_at)
        self._grown_at = now
        for bucket in self._buckets():
            bucket.rate = min(bucket.limit, bucket.rate + REGAIN * bucket.limit * seconds)

    def served(self) -> None:
        """A call was answered."""
        self.stalled_since = None
        self._served.append(self.clock())

    def on_429(self, sent_at: float, pause: float | None) -> None:
        """A call was refused: stop for `pause` seconds, and slow down, once for all calls of one burst."""
        now = self.clock()
        self.refusals += 1
        self.stalled_since = now if self.stalled_since is None else self.stalled_since
        self._paused_until = max(self._paused_until, now + (1.0 if pause is None else pause))
        if sent_at <= self._cut_at:
            return  # it went out before we slowed down
        self._cut_at = now
        while self._served and self._served[0] < now - WINDOW:
            self._served.popleft()
        share = max(0.5, 0.97 * len(self._served) / WINDOW / self.requests.rate)
        for bucket in self._buckets():
            bucket.rate = max(SLOWEST * bucket.limit, bucket.rate * min(share, 0.97))

    def update_from_headers(self, headers: Mapping[str, str]) -> None:
        """Apply the limits in a response's headers."""
        for bucket, name in ((self.requests, "requests"), (self.tokens, "tokens")):
            limit = headers.get(f"x-ratelimit-limit-{name}", "")
            if bucket and limit.isdecimal() and int(limit) > 0:
                bucket.lower(int(limit) / 60)


def retry_after(headers: Mapping[str, str], now: Callable[[], float] = time.time) -> float | None:
    """Seconds a server asks to wait: `retry-after-ms`, or `retry-after` in seconds or as a date."""
    with_unit = ((headers.get("retry-after-ms"), 1000.0), (headers.get("retry-after"), 1.0))
    for text, unit in with_unit:
        if not text:
            continue
        try:
            seconds = float(text) / unit
        except ValueError:
            try:
                seconds = parsedate_to_datetime(text).timestamp() - now()
            except (ValueError, OverflowError, TypeError, IndexError):
                continue
        if seconds == seconds:
            return max(0.0, seconds)
    return None
