"""Sequences of one to four words in all captions and references at once, as sorted arrays of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

LONGEST = 4
"""Words of the longest sequences that are counted."""


@dataclass(frozen=True)
class Grams:
    """How often each sequence of n words is in each text; a row per text and sequence, sorted by text."""

    text: Ints
    """(rows,) which text."""
    code: Ints
    """(rows,) which sequence, from 0 on."""
    count: Ints
    """(rows,) how often."""
    kinds: int
    """How many different sequences there are in all texts."""


def count(texts: Sequence[str]) -> list[Grams]:
    """The sequences of 1 to LONGEST words; words are what spaces of any kind separate."""
    import numpy as np

    split = [text.split() for text in texts]
    known: dict[str, int] = {}
    word = np.array([known.setdefault(one, len(known)) for words in split for one in words], dtype=np.int64)
    lengths = np.array([len(words) for words in split], dtype=np.int64)
    owner = np.repeat(np.arange(len(split), dtype=np.int64), lengths)
    code, found = word, []
    for n in range(1, LONGEST + 1):
        if n > 1:  # the sequence before, and the next word, where that is of the same text
            inside = np.flatnonzero(owner[: len(owner) - n + 1] == owner[n - 1 :]) if len(owner) >= n else owner[:0]
            pairs = code[inside] * len(known) + word[inside + n - 1]
            code = np.full(len(word), -1, dtype=np.int64)
            code[inside] = np.unique(pairs, return_inverse=True)[1]
        there = np.flatnonzero(code >= 0)
        kinds = int(code.max(initial=-1)) + 1
        keys, counts = np.unique(owner[there] * kinds + code[there], return_counts=True)
        found.append(Grams(keys // max(kinds, 1), keys % max(kinds, 1), counts, kinds))
    return found
