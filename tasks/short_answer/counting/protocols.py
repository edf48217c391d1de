"""Protocols that ask for a count in several benchmarks, and the columns that these share."""

from __future__ import annotations

from vlmbench.families.short_answer import ShortAnswerRules
from vlmbench.parsing.matchers import exact
from vlmbench.parsing.numbers import numeral
from vlmbench.parsing.text import lowered

LOOK = "Look at the image carefully and count the objects. Answer with just a number, without any additional text. "
"""Before the question, in Moondream's evaluations and lmms-eval's CountBench."""
COUNT = {"count": "count"}
"""The tag of the right number: accuracy by it."""


def big_vision() -> ShortAnswerRules:
    """PaliGemma, tuned for counting."""
    return ShortAnswerRules(
        "google-research/big_vision big_vision/evaluators/proj/paligemma/transfers/tallyqa.py@0127fb6b",
        "answer en {question}",
        exact(numeral, numeral),
        tokens=32,
        note="the whole answer must be the number or its word, without blanks around it; theirs dies of right answers "
        "above 15",
    )


def moondream(file: str) -> ShortAnswerRules:
    """Moondream."""
    return ShortAnswerRules(
        f"vikhyat/moondream moondream/eval/{file}@44146f13",
        LOOK + "{question}",
        exact(lowered, lowered),
        note="the whole answer must be the number in digits",
    )
