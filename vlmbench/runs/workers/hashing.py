"""Content hashes of images, read by the workers of a pool: for planning, so that no single process reads all data."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from vlmbench.base.samples import ImageRef
from vlmbench.runs.workers.images import travels
from vlmbench.runs.workers.slots import Slot

CHUNK = 128
"""Images that a worker is asked for at once."""
IN_HAND = 2
"""Chunks that a worker has."""
PATIENCE = 300.0
"""Seconds without a chunk after which the rest is left to who asks."""


def by_workers(
    ray: Any, admitted: Callable[[], Sequence[Slot]], refs: Sequence[ImageRef]
) -> Iterator[tuple[ImageRef, str]]:
    """Each image with its hash, as they come; "" for one that is left to who asks: nobody could read it.

    `admitted` gives the workers that are there by now. One that dies meanwhile is asked no more.
    """
    light = [ref for ref in refs if travels(ref)]
    waiting = deque(light[start : start + CHUNK] for start in range(0, len(light), CHUNK))
    asked: dict[Any, tuple[int, Sequence[ImageRef]]] = {}
    busy: Counter[int] = Counter()
    while waiting or asked:
        for slot in admitted():
            while waiting and busy[slot.number] < IN_HAND:
                chunk = waiting.popleft()
                asked[slot.actor.hashes.remote(chunk)] = slot.number, chunk
                busy[slot.number] += 1
        done, _ = ray.wait(list(asked), num_returns=1, timeout=PATIENCE) if asked else ([], [])
        if not done:
            break
        number, images = asked.pop(done[0])
        busy[number] -= 1
        try:
            found = ray.get(done[0])
        except ray.exceptions.RayError:
            busy[number] += IN_HAND  # it gets no more
            found = [""] * len(images)
        yield from zip(images, found, strict=True)
