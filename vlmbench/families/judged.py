"""Answers that a judge grades: what it is asked, how its replies are read, and files of verdicts that exist already."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vlmbench.base.samples import JudgeRequest, Response, Sample, Score, Status, Verdict
from vlmbench.families.base import Benchmark, ProtocolRules
from vlmbench.scoring.verdicts import NO_JUDGE

Talk = Generator[JudgeRequest, str, Verdict]
"""One conversation with a judge: yields what to ask, is sent each reply, returns the verdict."""
Verdicts = Mapping[str, tuple[Verdict, ...]]
"""By sample id, one per run of the judge."""
FROM_0_TO_1 = (Verdict(0.0), Verdict(1.0))


@dataclass(frozen=True)
class JudgedRules(ProtocolRules):
    """One protocol, with its `judge`. `reader` takes the sample and the answer and gives a `Talk`."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Judged(Benchmark[JudgedRules]):
    """A benchmark whose answers a judge grades: a vlmbench.base.task.Judged."""

    verdict_files: Callable[[Path, Sequence[Sample], str], Verdicts | None]
    """Reads a file of verdicts under a protocol; None for a file of answers."""
    scale: tuple[Verdict, Verdict] = FROM_0_TO_1
    """The lowest and the highest grade."""

    def parse(self, sample: Sample, response: Response, rules: JudgedRules) -> str:
        """Nothing: the judge reads the answer."""
        return ""

    def rate(self, sample: Sample, response: Response, rules: JudgedRules) -> Score:
        """No score until a judge has graded the answer."""
        return Score(None, Status.JUDGE_FAILED, note=NO_JUDGE)

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
