"""Relaxed accuracy of ChartQA: a number may be 5 % off, anything else must be the same text. One matcher per code.

A matcher takes the answer and the right one, or several right ones of which one is enough; it gives the text that was
compared, and its score. The ways of the codes part in what the 5 % are of, in which texts are numbers, and in case.

Sources: google-research/big_vision big_vision/evaluators/proj/paligemma/transfers/chartqa.py@0127fb6b (after
pix2struct's metrics.py); lmms-eval lmms_eval/tasks/chartqa/utils.py@75571cfe; VLMEvalKit
vlmeval/dataset/utils/vqa_eval.py@e8e78f05; InternVL internvl_chat/eval/vqa/evaluate_vqa.py@2410d1db and Qwen-VL
eval_mm/evaluate_vqa.py@aa00ed04; vikhyat/moondream moondream/eval/chartqa.py@44146f13; cambrian
eval/eval/chartqa/chartqa_test.py@539ffc32
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Sequence
from typing import Any

from vlmbench.parsing.matchers import Matcher
from vlmbench.parsing.numbers import number
from vlmbench.parsing.text import lowered

TOLERANCE = 0.05
LONGEST = 100_000
"""Characters of a right answer that may be a list."""
Near = Callable[[str, str], bool]
"""Whether an answer is near enough to a right one."""


def value(text: str) -> float | None:
    """A text as a number: `50%` is 0.5. None if it is none; 1,000 is none."""
    if not text.endswith("%"):
        return number(text)
    share = number(text.rstrip("%"))
    return None if share is None else share / 100.0


def near(text: str, right: str) -> bool:
    """Within 5 % of the right number. The same text where either is no number, or where the right one is 0."""
    said, known = value(text), value(right)
    if said is None or not known:
        return text == right
    return abs(said - known) / abs(known) <= TOLERANCE


def near_of_answer(text: str, right: str) -> bool:
    """The same with the two exchanged: 5 % of the answer, and the same text where the answer is 0."""
    return near(right, text)


def near_or_equal(text: str, right: str) -> bool:
    """Cambrian-1: within 5 % without percent signs; 0.0 is 0."""
    said, known = number(text), number(right)
    if said is None or known is None:
        return text == right
    return abs(said - known) <= abs(known) * TOLERANCE


def relaxed(
    normal: Callable[[str], str],
    right_normal: Callable[[str], str] = str.lower,
    is_near: Near = near,
    alternatives: Callable[[str], Sequence[str]] = lambda right: (right,),
) -> Matcher:
    """The matcher after each side's normaliser. `alternatives` are the right answers that a right answer names."""

    def match(text: str, target: str | Sequence[str]) -> tuple[str, float]:
        read = normal(text)
        rights = alternatives(target) if isinstance(target, str) else target
        return read, float(any(is_near(read, right_normal(right)) for right in rights))

    return match


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text) if len(text) <= LONGEST else None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def named_alternatives(right: str) -> Sequence[str]:
    """VLMEvalKit: a right answer that reads as a list of Python's means any one of its items."""
    found = _literal(right)
    return [str(item) for item in found] if isinstance(found, list) else (right,)


def _items(text: str) -> list[Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) else None


def _all_near(text: str, right: str) -> bool:
    said, known = _items(text), _items(right)
    if said is None or known is None or len(said) != len(known):
        said, known = [text], [right]
    return all(near(lowered(str(one)), lowered(str(other))) for one, other in zip(said, known, strict=True))


lmms_eval = relaxed(str.lower)
"""Blanks around the answer count: a text with one is another text, though a number is not."""
big_vision = relaxed(str.lower)
"""PaliGemma, whose configuration makes both sides lower-case."""
vlmevalkit = relaxed(lowered, alternatives=named_alternatives)
internvl = relaxed(lowered, is_near=near_of_answer)
"""Also Qwen-VL: both call their function with the answer in the place of the right answer."""
moondream = relaxed(str, str, _all_near)
"""Two JSON lists of one length are compared item by item."""
cambrian = relaxed(str.lower, is_near=near_or_equal)
