"""Answers that stand somewhere in what a model wrote: a rule or a judge finds them, a rule says whether they are right.

A protocol's `reader` finds the answer in a text, or leaves it to its judge (`talk`); `match` compares it with the right
one. A judge's findings may lie in a file already (`verdict_files`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vlmbench.base.samples import JudgeRequest, Response, Sample, Score, Status, Verdict
from vlmbench.base.task import NO_JUDGE, JudgeRules
from vlmbench.families.base import Benchmark, ProtocolRules, Talk

Verdicts = Mapping[str, tuple[Verdict, ...]]
"""By sample id, one per run of the judge."""


@dataclass(frozen=True, slots=True)
class Match:
    """An answer that was found, against the right one."""

    read: str
    """What it is taken for: an option, a number."""
    right: bool
    unread: str = ""
    """What was looked for in vain, as `Score.unread`."""

    def verdict(self, *replies: str) -> Verdict:
        """As the verdict of a judge that found it."""
        return Verdict(float(self.right), note=f"read as {self.read}", replies=replies, unread=bool(self.unread))


Matcher = Callable[[Sample, str], Match]
"""(Sample, the answer that was found) to whether it is right. The sample's target may be None."""


def left_to_judge(sample: Sample, text: str) -> None:
    """The reader of a protocol whose judge finds all answers."""


def equal(sample: Sample, found: str) -> Match:
    """Right where it is the target, to the character."""
    return Match(found, found == sample.target)


@dataclass(frozen=True)
class ExtractionRules(ProtocolRules):
    """One protocol. `reader` takes the sample and the text, and gives the answer in it; None: a judge is to find it."""

    match: Matcher = equal


@dataclass(frozen=True, eq=False, kw_only=True)
class Extraction(Benchmark[ExtractionRules]):
    """A benchmark whose answers must be found: a vlmbench.base.task.Judged."""

    verdict_files: Callable[[Path, Sequence[Sample], Matcher], Verdicts | None] | None = None
    """Reads a file of answers that a judge found before; None for a file of whole texts."""
    example: Callable[[Sample], str] = lambda sample: str(sample.target)
    """A right answer, for few-shot examples."""

    def parse(self, sample: Sample, response: Response, rules: ExtractionRules) -> str:
        """What the answer is taken for; empty where a judge is to find it."""
        found = rules.reader(sample, response.text)
        return "" if found is None else rules.match(sample, found).read

    def rate(self, sample: Sample, response: Response, rules: ExtractionRules) -> Score:
        """Right or wrong where the rule finds the answer."""
        found = rules.reader(sample, response.text)
        if found is None:
            return Score(None, Status.JUDGE_FAILED, note=NO_JUDGE)
        match = rules.match(sample, found)
        return Score(float(match.right), parsed_answer=match.read, unread=match.unread)

    def example_answer(self, sample: Sample, protocol: str) -> str:
        """The right answer alone, which every protocol finds."""
        return self.example(sample)

    def grade(self, sample: Sample, response: Response, protocol: str) -> Talk:
        """The protocol's talk with its judge, where the rule does not find the answer."""
        score, talk = self.score(sample, response, protocol), self.rules[protocol].talk
        if talk is None or score.status is not Status.JUDGE_FAILED:
            return Verdict(score.value, score.status, note=score.note, unread=bool(score.unread))
        return (yield from talk(sample, response.text))

    def read_verdicts(self, path: Path, samples: Sequence[Sample], protocol: str) -> Verdicts | None:
        """Answers that a judge found, of a file in the benchmark's own form. None when it holds whole texts."""
        if self.verdict_files is None:
            return None
        return self.verdict_files(path, samples, self.rules[protocol].match)

    def extremes(self, sample: Sample, protocol: str, runs: int) -> tuple[Score, Score]:
        """Wrong and right, in every run of the judge."""
        worst, best = (Score(value, verdicts=(Verdict(value),) * runs) for value in (0.0, 1.0))
        return worst, best


def one_ask(rules: JudgeRules, prompt: Callable[[Sample, str], str], match: Matcher) -> Callable[[Sample, str], Talk]:
    """A talk that takes the judge's first reply for the answer."""

    def talk(sample: Sample, answer: str) -> Talk:
        request = JudgeRequest((("user", prompt(sample, answer)),), rules.max_tokens, rules.temperature)
        return match(sample, (yield request)).verdict()

    return talk
