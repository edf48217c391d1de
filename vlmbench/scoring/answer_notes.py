"""What stands beside a score: counts of answers that are no good answers, and warnings in plain English.

A model that is broken, or says the same to everything, can still get a score: an official reader counts a text without
yes or no as `yes`. These counts and notes are how a reader of the score learns of it. They change no score.

A new check is a function in CHECKS. What is known before there are answers (the data are short of questions) is put
into the task's entry of run.json, as its `notes`; it is shown first.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from vlmbench.base.samples import Response, Sample, Score, Status
from vlmbench.base.task import Task
from vlmbench.parsing.thinking import cut_inside, has_tags

MANY = 0.05
"""The share from which answers that were unread or cut get a note."""
BLANK = 0.01
"""The same for empty ones: no model means to say nothing..."""
FEW = 3
"""... if they are at least so many, or all there are."""
SAME = 0.95
"""The share from which equal answers get a note..."""
ENOUGH = 20
"""... among at least so many."""
EXCERPT = 40
"""Characters of an answer that a note quotes."""


@dataclass(frozen=True)
class Answered:
    """One task's questions with what was answered and how it was scored, in one order."""

    task: Task
    protocol: str
    samples: Sequence[Sample]
    responses: Sequence[Response]
    """Empty where the answers are not known: scores made from a judge's published verdicts."""
    scores: Sequence[Score]

    @cached_property
    def texts(self) -> list[str]:
        """Each answer as text, stripped; where choices were ranked, the likeliest. Failed requests and thoughts that
        were cut are left out."""
        return [_said(response) for response in self.responses if _answered(response)]

    @cached_property
    def common(self) -> tuple[str, int]:
        """The most common answer, and how often it was given."""
        counts = Counter(self.texts)
        return counts.most_common(1)[0] if counts else ("", 0)

    @cached_property
    def unread(self) -> list[Score]:
        """Scores of answers in which the reader did not find what it looks for, whatever its rule makes of them."""
        return [score for score in self.scores if score.unread or score.status in (Status.UNPARSED, Status.TRUNCATED)]

    @property
    def cut(self) -> int:
        """How many answers reached max_new_tokens."""
        return sum(response.finish == "length" for response in self.responses)

    @cached_property
    def cut_thoughts(self) -> int:
        """How many answers end inside the model's thought."""
        return sum(map(cut_inside, self.responses))

    @property
    def empty(self) -> int:
        """How many answers are empty."""
        return sum(not text for text in self.texts)


def _answered(response: Response) -> bool:
    return response.finish != "error" and not response.error and not cut_inside(response)


def _said(response: Response) -> str:
    if response.choices and not response.text.strip():
        return max(response.choices, key=lambda score: score.logprob).choice
    return response.text.strip()


def counts(answered: Answered) -> dict[str, Any]:
    """`answers` of a task's entry in scores.json; null where the answers themselves are not known."""
    text, number = answered.common
    names = ("cut", "empty", "most_common", "most_common_share", "distinct")
    if not answered.responses:
        return {"total": len(answered.scores), "unread": len(answered.unread), **dict.fromkeys(names)}
    return {
        "total": len(answered.scores),
        "unread": len(answered.unread),
        "cut": answered.cut,
        "empty": answered.empty,
        "most_common": text[:EXCERPT],
        "most_common_share": number / len(answered.texts) if answered.texts else None,
        "distinct": len(set(answered.texts)),
        **_thoughts(answered),
    }


def _thoughts(answered: Answered) -> dict[str, Any]:
    """`thoughts`, where the model thought: how many did, how many were cut, tokens of a thought and their share."""
    thought = [response for response in answered.responses if response.reasoning or response.reasoning_tokens]
    if not thought:
        return {}
    tokens, new = (sum(getattr(r, name) for r in thought) for name in ("reasoning_tokens", "new_tokens"))
    return {
        "thoughts": {
            "total": len(thought),
            "cut": answered.cut_thoughts,
            "mean_tokens": tokens / len(thought),
            "share_of_tokens": tokens / new if new else None,
        }
    }


def notes(answered: Answered, known: Sequence[str] = ()) -> list[str]:
    """`notes` of a task's entry in scores.json: those known already, then what the checks find; each once."""
    lines = [check(answered) for check in CHECKS]
    return list(dict.fromkeys([*known, *(note for note in lines if note)]))


def many(count: int, total: int, share: float = MANY) -> bool:
    """Whether so many of so many answers are worth a note."""
    return count > 0 and (count == total or (count >= FEW and count >= share * total))


def of(count: int, total: int) -> str:
    """`36 of 36 answers`."""
    return f"{count:,} of {total:,} answers"


def cut_off(answered: Answered) -> str | None:
    """Answers that ended because of the limit on tokens."""
    count = answered.cut - answered.cut_thoughts
    if many(count, len(answered.scores)):
        return f"{of(count, len(answered.scores))} were cut at max_new_tokens"
    return None


def unread(answered: Answered) -> str | None:
    """Answers in which the reader found nothing, by what it looks for."""
    total = len(answered.scores)
    if not many(len(answered.unread) - answered.cut_thoughts, total):
        return None
    scored = sum(score.status is Status.OK for score in answered.unread)
    missing = Counter(score.unread for score in answered.unread if score.unread).most_common(1)
    sought = missing[0][0] if missing else "answer that the reader knows"
    which = "them" if scored == len(answered.unread) else f"{scored:,} of them"
    ruled = f"; the protocol's rule still scores {which}" if scored else ""
    return f"{of(len(answered.unread), total)} hold no {sought}{ruled}"


def empty(answered: Answered) -> str | None:
    """Empty answers, which some rules count as an answer."""
    return (
        f"{of(answered.empty, len(answered.scores))} are empty"
        if many(answered.empty, len(answered.scores), BLANK)
        else None
    )


def identical(answered: Answered) -> str | None:
    """One text for (nearly) everything, where the right answers differ."""
    text, number = answered.common
    if not text or _right_alike(answered) or not _nearly_all(number, len(answered.texts)):
        return None
    return f"{of(number, len(answered.texts))} are the same text: {text[:EXCERPT]!r}"


def constant(answered: Answered) -> str | None:
    """Answers that differ in words and were all read as one, where the right answers differ."""
    read = Counter(score.parsed_answer for score in answered.scores if score.parsed_answer)
    if not read or _right_alike(answered) or identical(answered) or answered.unread:
        return None
    word, number = read.most_common(1)[0]
    if number < len(answered.scores) or number < ENOUGH:
        return None
    return f"all {number:,} answers were read as {word[:EXCERPT]!r}"


def tags(answered: Answered) -> str | None:
    """Tags behind other words, which every reader takes for a part of the answer."""
    count = sum(map(has_tags, answered.texts))
    if not count:
        return None
    return f"{of(count, len(answered.scores))} hold thinking tags behind other words, which were read as they stand"


def cut_thoughts(answered: Answered) -> str | None:
    """Answers that never began: the limit on tokens cut the thought before them."""
    if not answered.cut_thoughts:
        return None
    cut = of(answered.cut_thoughts, len(answered.scores))
    cure = "--thinking-budget N gives thoughts N tokens of their own"
    return f"{cut} end inside the model's thought and are truncated: {cure}"


def thoughts_in_file(responses: Sequence[Response]) -> list[str]:
    """What is told of an answer file whose texts begin with thoughts."""
    count = sum(bool(response.reasoning) for response in responses)
    told = f"{of(count, len(responses))} began with a thought between tags, which is no part of the answer"
    return [told] if count else []


def grades(answered: Answered) -> str | None:
    """Judges' replies without a grade, to which the protocol's rule gives one."""
    verdicts = [verdict for score in answered.scores for verdict in score.verdicts]
    count = sum(verdict.unread for verdict in verdicts)
    if not count:
        return None
    return f"{count:,} of {len(verdicts):,} judge's replies hold no grade; the protocol's rule still scores them"


def not_finite(answered: Answered) -> str | None:
    """Grades that are no finite numbers: a total over them is undefined."""
    values = [score.value for score in answered.scores if score.value is not None]
    count = sum(not math.isfinite(value) for value in values)
    return (
        f"{count:,} of {len(values):,} grades are not finite numbers: totals over them are undefined" if count else None
    )


def _nearly_all(number: int, total: int) -> bool:
    return total >= ENOUGH and number >= SAME * total


def _right_alike(answered: Answered) -> bool:
    """Whether the right answers are themselves (nearly) all the same, so that equal answers mean nothing.

    What nearly all have, most of the first tenth have; elsewhere no more are looked at.
    """
    total = len(answered.samples)
    others = total - math.ceil(SAME * total)
    for looked_at in (2 * others + 1, total):
        targets = Counter(repr(sample.target) for sample in answered.samples[:looked_at])
        if not targets or targets.most_common(1)[0][1] < min(looked_at, total) - others:
            return False
    return True


Check = Callable[[Answered], str | None]
CHECKS: Sequence[Check] = (cut_off, cut_thoughts, unread, empty, tags, grades, not_finite, identical, constant)
"""In the order in which their notes are shown."""
