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
from vlmbench.parsing.thinking import has_tags

MANY = 0.05
"""The share from which answers that were unread or cut are told of."""
BLANK = 0.01
"""The same for empty ones: no model means to say nothing..."""
FEW = 3
"""... if they are at least so many, or all there are."""
SAME = 0.95
"""The share from which equal answers are told of..."""
ENOUGH = 20
"""... among at least so many."""
EXCERPT = 40
"""Letters of an answer that a note quotes."""


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
        """Each answer as text, stripped; where choices were ranked, the likeliest. Failed requests are left out."""
        return [_said(one) for one in self.responses if _answered(one)]

    @cached_property
    def common(self) -> tuple[str, int]:
        """The most common answer, and how often it was given."""
        counts = Counter(self.texts)
        return counts.most_common(1)[0] if counts else ("", 0)

    @cached_property
    def unread(self) -> list[Score]:
        """Scores of answers in which the reader did not find what it looks for, whatever its rule makes of them."""
        return [one for one in self.scores if one.unread or one.status in (Status.UNPARSED, Status.TRUNCATED)]

    @property
    def cut(self) -> int:
        """How many answers reached max_new_tokens."""
        return sum(one.finish == "length" for one in self.responses)

    @property
    def empty(self) -> int:
        """How many answers are blank."""
        return sum(not text for text in self.texts)


def _answered(response: Response) -> bool:
    return response.finish != "error" and not response.error


def _said(response: Response) -> str:
    if response.choices and not response.text.strip():
        return max(response.choices, key=lambda one: one.logprob).choice
    return response.text.strip()


def counts(found: Answered) -> dict[str, Any]:
    """`answers` of a task's entry in scores.json; null where the answers themselves are not known."""
    text, number = found.common
    names = ("cut", "empty", "most_common", "most_common_share", "distinct")
    if not found.responses:
        return {"total": len(found.scores), "unread": len(found.unread), **dict.fromkeys(names)}
    return {
        "total": len(found.scores),
        "unread": len(found.unread),
        "cut": found.cut,
        "empty": found.empty,
        "most_common": text[:EXCERPT],
        "most_common_share": number / len(found.texts) if found.texts else None,
        "distinct": len(set(found.texts)),
    }


def notes(found: Answered, known: Sequence[str] = ()) -> list[str]:
    """`notes` of a task's entry in scores.json: those known already, then what the checks find; each once."""
    made = [check(found) for check in CHECKS]
    return list(dict.fromkeys([*known, *(note for note in made if note)]))


def many(count: int, total: int, share: float = MANY) -> bool:
    """Whether so many of so many answers are worth a note."""
    return count > 0 and (count == total or (count >= FEW and count >= share * total))


def of(count: int, total: int) -> str:
    """`36 of 36 answers`."""
    return f"{count:,} of {total:,} answers"


def cut_off(found: Answered) -> str | None:
    """Answers that ended because of the limit on tokens."""
    if many(found.cut, len(found.scores)):
        return f"{of(found.cut, len(found.scores))} were cut at max_new_tokens"
    return None


def unread(found: Answered) -> str | None:
    """Answers in which the reader found nothing, by what it looks for."""
    total = len(found.scores)
    if not many(len(found.unread), total):
        return None
    scored = sum(one.status is Status.OK for one in found.unread)
    what = Counter(one.unread for one in found.unread if one.unread).most_common(1)
    sought = what[0][0] if what else "answer that the reader knows"
    which = "them" if scored == len(found.unread) else f"{scored:,} of them"
    ruled = f"; the protocol's rule scores {which} all the same" if scored else ""
    return f"{of(len(found.unread), total)} hold no {sought}{ruled}"


def empty(found: Answered) -> str | None:
    """Blank answers, which some rules count as an answer."""
    return f"{of(found.empty, len(found.scores))} are empty" if many(found.empty, len(found.scores), BLANK) else None


def identical(found: Answered) -> str | None:
    """One text for (nearly) everything, where the right answers differ."""
    text, number = found.common
    if not text or _right_alike(found) or not _nearly_all(number, len(found.texts)):
        return None
    return f"{of(number, len(found.texts))} are the same text: {text[:EXCERPT]!r}"


def constant(found: Answered) -> str | None:
    """Answers that differ in words and were all read as one, where the right answers differ."""
    read = Counter(one.parsed_answer for one in found.scores if one.parsed_answer)
    if not read or _right_alike(found) or identical(found) or found.unread:
        return None
    word, number = read.most_common(1)[0]
    if number < len(found.scores) or number < ENOUGH:
        return None
    return f"all {number:,} answers were read as {word[:EXCERPT]!r}"


def thinking(found: Answered) -> str | None:
    """Thoughts in the text, which every reader takes for a part of the answer."""
    count = sum(map(has_tags, found.texts))
    if not count:
        return None
    return (
        f"{of(count, len(found.scores))} contain thinking tags: thinking models are not supported yet, and the text "
        "was read as it stands"
    )


def grades(found: Answered) -> str | None:
    """Judges' replies without a grade, to which the protocol's rule gives one."""
    verdicts = [verdict for score in found.scores for verdict in score.verdicts]
    count = sum(verdict.unread for verdict in verdicts)
    if not count:
        return None
    return f"{count:,} of {len(verdicts):,} judge's replies hold no grade; the protocol's rule scores them all the same"


def not_finite(found: Answered) -> str | None:
    """Grades that are no finite numbers: a total over them is undefined."""
    values = [score.value for score in found.scores if score.value is not None]
    count = sum(not math.isfinite(value) for value in values)
    return (
        f"{count:,} of {len(values):,} grades are not finite numbers: totals over them are undefined" if count else None
    )


def _nearly_all(number: int, total: int) -> bool:
    return total >= ENOUGH and number >= SAME * total


def _right_alike(found: Answered) -> bool:
    """Whether the right answers are themselves (nearly) all the same, so that equal answers tell nothing."""
    targets = Counter(repr(sample.target) for sample in found.samples)
    return bool(targets) and targets.most_common(1)[0][1] >= SAME * len(found.samples)


Check = Callable[[Answered], str | None]
CHECKS: Sequence[Check] = (cut_off, unread, empty, thinking, grades, not_finite, identical, constant)
"""In the order in which their notes are shown."""
