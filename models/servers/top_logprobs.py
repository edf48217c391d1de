"""Choices ranked by the first token of a server's answer, where it tells the likeliest tokens.

A server's tokenizer is not known here: its tokens come as texts, of which only the likeliest are told. A choice gets
the log-probability of the longest of them that it begins with, spaces around it aside. That decides between choices
whose first tokens differ (yes and no, letters, True and False) and is refused for others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from vlmbench.base.errors import ModelError
from vlmbench.base.samples import ChoiceScore
from vlmbench.parsing.thinking import has_tags

CERTAIN = 0.01
"""The highest log-probability there is, with room for rounding."""
CURE = "take a protocol that reads text, or a model that runs here"


def rank(choices: Sequence[str], likeliest: Sequence[tuple[str, float]]) -> tuple[ChoiceScore, ...]:
    """One score per choice. A choice outside the list gets the list's lowest value, which it cannot exceed.

    Raises ModelError when the list tells nothing: it is empty, holds no choice, or one token begins two of them.
    """
    if not likeliest:
        hint = "top_logprobs=0 says so beforehand: protocols that rank are then refused"
        raise ModelError("the server tells no log-probabilities", hint=hint)
    if not all(value <= CERTAIN for _, value in likeliest):
        raise ModelError("the server's log-probabilities are none", hint=CURE)
    likeliest = [(token, value) for token, value in likeliest if math.isfinite(value)]
    if likeliest and has_tags(max(likeliest, key=lambda item: item[1])[0]):
        raise ModelError("the first token opens a thought: no choice is what comes next", hint="try thinking=off")
    by_choice = {choice: _token(choice, likeliest) for choice in choices}
    tokens = [token for token, _ in by_choice.values() if token]
    if not tokens:
        raise ModelError(f"no choice is among the {len(likeliest)} likeliest first tokens", hint=CURE)
    if len(set(tokens)) < len(tokens):
        raise ModelError(f"choices that begin with the same token: {', '.join(choices)}", hint=CURE)
    lowest = min(value for _, value in likeliest)
    return tuple(ChoiceScore(choice, value if token else lowest, 1) for choice, (token, value) in by_choice.items())


def _token(choice: str, likeliest: Sequence[tuple[str, float]]) -> tuple[str, float]:
    """The longest token a choice begins with and its log-probability; of equal ones (with and without a space) the
    likelier. Empty when there is none."""
    text = choice.strip()
    fitting = [(token.strip(), value) for token, value in likeliest if token.strip() and text.startswith(token.strip())]
    return max(fitting, key=lambda item: (len(item[0]), item[1]), default=("", 0.0))
