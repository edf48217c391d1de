"""Answers that a judge grades: what it is asked, and how its replies are read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vlmbench.base.samples import JudgeRequest, Response, Sample, Score, Status, Verdict
from vlmbench.base.task import NO_JUDGE, JudgeRules
from vlmbench.families.base import Benchmark, ProtocolRules, Talk
from vlmbench.parsing.numbers import two_words

Verdicts = Mapping[str, tuple[Verdict, ...]]
"""By sample id, one per run of the judge."""
FROM_0_TO_1 = (Verdict(0.0), Verdict(1.0))


@dataclass(frozen=True)
class JudgedRules(ProtocolRules):
    """One protocol, with its `judge`. `reader` takes the sample and the answer and gives a `Talk`."""


def reference_answer(sample: Sample) -> str:
    """The reference answer as the benchmark has it."""
    return str(sample.target)


@dataclass(frozen=True, eq=False, kw_only=True)
class Judged(Benchmark[JudgedRules]):
    """A benchmark whose answers a judge grades: a vlmbench.base.task.Judged."""

    verdict_files: Callable[[Path, Sequence[Sample], str], Verdicts | None]
    """Reads a file of verdicts under a protocol; None for a file of answers."""
    scale: tuple[Verdict, Verdict] = FROM_0_TO_1
    """The lowest and the highest grade."""
    reference: Callable[[Sample], str] = reference_answer
    """A good answer, for few-shot examples."""

    def parse(self, sample: Sample, response: Response, rules: JudgedRules) -> str:
        """Nothing: the judge reads the answer."""
        return ""

    def rate(self, sample: Sample, response: Response, rules: JudgedRules) -> Score:
        """No score until a judge has graded the answer."""
        return Score(None, Status.JUDGE_FAILED, note=NO_JUDGE)

    def example_answer(self, sample: Sample, protocol: str) -> str:
        """The reference answer."""
        return self.reference(sample)

    def grade(self, sample: Sample, response: Response, protocol: str) -> Talk:
        """One run of the judge over one answer."""
        talk: Talk = self.rules[protocol].reader(sample, response.text)
        return talk

    def read_verdicts(self, path: Path, samples: Sequence[Sample], protocol: str) -> Verdicts | None:
        """Verdicts of a file in the benchmark's own form, one per run of the judge. None when it holds answers."""
        return self.verdict_files(path, samples, protocol)

    def extremes(self, sample: Sample, protocol: str, runs: int) -> tuple[Score, Score]:
        """The lowest and the highest grade, in every run of the judge."""
        worst, best = (Score(grade.value, verdicts=(grade,) * runs) for grade in self.scale)
        return worst, best


@dataclass(frozen=True)
class PairReview:
    """A judge that grades two answers in one review, a reference's and the model's: what it is asked, how it is read.

    As LLaVA's scripts do it (llava/eval/{eval_gpt_review_bench,summarize_gpt_review}.py@c121f043): the review begins
    with two numbers, the grade of the reference first. Called with a sample and the model's answer, it is one
    conversation. Metrics: vlmbench.stats.judges.judge_runs; files of such reviews: vlmbench.families.verdict_files.
    """

    rules: JudgeRules
    words: Callable[[Sample, str], str]
    """(Sample, the model's answer) to what the judge is asked."""
    system: str = ""
    """What it is told before."""
    read: Callable[[str], tuple[float, float] | None] = two_words
    """A review to both grades; None where it does not say them."""
    keeps_failures: bool = True
    """Whether a review that cannot be read stays in the means, as `failed`; else it is missing."""
    failed: tuple[float, float] = (-1.0, -1.0)
    """What LLaVA's scripts record, and keep in their means, for a review without two numbers."""
    top: int = 10
    """The highest grade. The lowest is 0: judges do give it, though told 1."""

    def __call__(self, sample: Sample, answer: str) -> Talk:
        """One ask. A review that cannot be read is not asked for again."""
        system = (("system", self.system),) if self.system else ()
        messages = (*system, ("user", self.words(sample, answer)))
        review = yield JudgeRequest(messages, self.rules.max_tokens, self.rules.temperature)
        return self.verdict(review)

    def verdict(self, review: str) -> Verdict:
        """A review as a verdict: the answer's grade, and both grades."""
        pair, note = self.read(review), "the review does not start with two numbers"
        if pair is None and not self.keeps_failures:
            return Verdict(None, Status.JUDGE_FAILED, note=note)
        if pair is None:
            counted = " and ".join(f"{grade:g}" for grade in self.failed)
            note = f"{note}: counted as {counted} by the protocol's rule"
            return Verdict(self.failed[1], values=self.failed, note=note, unread=True)
        if not self.in_scale(pair) and not self.keeps_failures:
            return Verdict(None, Status.JUDGE_FAILED, values=pair, note=f"a grade is not from 0 to {self.top}")
        return Verdict(pair[1], values=pair, unread=not all(map(math.isfinite, pair)))

    def in_scale(self, grades: Sequence[float]) -> bool:
        """Whether all grades are from 0 to the highest."""
        return all(0 <= grade <= self.top for grade in grades)
