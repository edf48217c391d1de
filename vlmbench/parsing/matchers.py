"""How a short answer is compared with the right one. VQA accuracy: vlmbench.parsing.vqa_accuracy.

A matcher takes the answer and the right answer; it gives what the answer was read as, and its score in 0..1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Matcher = Callable[[str, Any], tuple[str, float]]


def exact(normal: Callable[[str], str], target_normal: Callable[[str], str] = str) -> Matcher:
    """Equality, after each side's normaliser."""

    def match(text: str, target: str) -> tuple[str, float]:
        read = normal(text)
        return read, float(read == target_normal(target))

    return match


def contains(normal: Callable[[str], str], target_normal: Callable[[str], str] = str) -> Matcher:
    """The right answer occurs anywhere in the text, also inside a word; of several right ones, any of them."""

    def match(text: str, target: str | Sequence[str]) -> tuple[str, float]:
        read = normal(text)
        targets = (target,) if isinstance(target, str) else target
        return read, float(any(target_normal(one) in read for one in targets))

    return match
