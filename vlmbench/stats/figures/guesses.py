"""Random guesses: official codes that take a random option where they read none, so that their figures come out.

Such a score depends on luck, and on where in the file a question stands: one generator serves a whole split. So it is
made of all scores together, by the places of their questions (`numbered`). A question whose answer failed takes no
guess, which moves those behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from string import ascii_uppercase

from vlmbench.base.samples import Sample, Score

SEED = 42
"""Of MMMU's code and MuirBench's, set when they are imported; golden data of codes that set none were made with it."""
GUESSED = "no option was read: a random one counts"
"""The note of a score that a guess decides."""


PLACE = "place"
"""In `Sample.extra`: where in its file a question stands."""


def numbered(samples: Sequence[Sample]) -> list[Sample]:
    """Samples, in the order of their file, that know their places in it."""
    return [replace(sample, extra={**sample.extra, PLACE: place}) for place, sample in enumerate(samples)]


def guess(scored: Sequence[tuple[Sample, Score]], seed: int = SEED) -> list[tuple[Sample, Score]]:
    """The scores with a random letter where none was read, by CPython's generator as the codes use it."""
    dice, found = Random(seed), list(scored)
    for row in sorted(range(len(found)), key=lambda row: int(found[row][0].extra.get(PLACE, row))):
        sample, score = found[row]
        if score.note == GUESSED:
            letter = dice.choice(ascii_uppercase[: len(sample.choices)])
            found[row] = sample, replace(score, parsed_answer=letter, value=float(letter == sample.target))
    return found
