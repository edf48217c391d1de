"""The thought before an answer, by tokens: how long it may be, and how long it was.

`Generation.max_reasoning_tokens` gives a thought tokens of its own; `max_new_tokens` then counts from its end. Without
it a thought uses up `max_new_tokens`. The thought is found by its tags (vlmbench/parsing/thinking.py) in decoded text,
of which only the end is looked at while it goes on.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence

from vlmbench.base.samples import Generation
from vlmbench.parsing.thinking import Tag, begins_tag, has_end, split

WINDOW = 48
"""Tokens at the end of a thought in which its closing tag is looked for."""
Decode = Callable[[Sequence[int]], str]


class ThoughtLimits:
    """The limits of one answer while it is generated."""

    def __init__(self, generation: Generation, decode: Decode, named: Sequence[Tag] = ()) -> None:
        self._budget, self._length = generation.max_reasoning_tokens, generation.max_new_tokens
        self._decode, self._named = decode, named
        self._inside, self._begun, self._behind = False, False, False
        self._end = 0
        """How many tokens the thoughts so far have taken."""

    def left(self, ids: Sequence[int], *, ended: bool = False) -> int:
        """How many tokens may follow these, the answer so far; below 0 where the last of them are too many: what began
        like a tag and is none. To be called for each token; `ended`: the model ends here.
        """
        if self._budget and not self._behind:
            self._look(ids)
        if self._inside:
            return self._budget - len(ids)
        limit = self._end + self._length
        return (max(limit, self._budget) if self._begun and not ended else limit) - len(ids)

    def _look(self, ids: Sequence[int]) -> None:
        if self._inside and len(ids) > WINDOW and not has_end(self._decode(ids[-WINDOW:]), self._named):
            return
        text = self._decode(ids)
        found = split(text, self._named)
        rest = text[found.start :]
        self._begun = found.finished and begins_tag(rest, self._named)
        inside = not self._begun and not split(text, self._named, cut=True).finished
        if self._inside and not inside:
            self._end = len(ids)
        self._inside = inside
        self._behind = not self._inside and not self._begun and bool(rest.strip())


def thought_tokens(ids: Sequence[int], decode: Decode, named: Sequence[Tag] = ()) -> int:
    """How many of an answer's tokens come before the answer itself; all where it ends inside the thought."""
    found = split(text := decode(ids), named, cut=True)
    if not found.start:
        return 0
    if not found.finished or found.start >= len(text):
        return len(ids)
    return bisect_left(range(len(ids)), found.start, key=lambda count: len(decode(ids[:count])))
