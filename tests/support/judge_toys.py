"""A task of numbers that a judge grades; `python -m tests.support.judge_toys URL CACHE` grades 1,000, to be killed."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vlmbench.base.registry import TaskChoice
from vlmbench.base.samples import Generation, JudgeRequest, Request, Response, Sample, Score, Status, Verdict
from vlmbench.base.task import DataFile, JudgeRules, Size, TaskProtocol
from vlmbench.data.files import Folder
from vlmbench.scoring.judge import Judge, open_judge
from vlmbench.stats import metrics

RULES = JudgeRules("nobody", "grade {number}", 3)


@dataclass
class Numbers:
    """The answer to question N is "N"; the judge is asked "grade N"."""

    count: int = 10
    name: str = "numbers"
    title: str = "numbers (tests)"
    version: int = 1
    splits: tuple[str, ...] = ("test",)
    sizes: Mapping[str, Size] = field(default_factory=dict)
    protocols: Mapping[str, TaskProtocol] = field(
        default_factory=lambda: {"official": TaskProtocol("official", "tests", "total", Generation(8), judge=RULES)}
    )

    def required_files(self, split: str) -> Sequence[DataFile]:
        return []

    def samples(self, data: Any, split: str) -> Sequence[Sample]:
        return [Sample(str(n), f"What is {n}?", (), str(n), cluster=str(n)) for n in range(self.count)]

    def build_request(self, sample: Sample, protocol: str) -> Request:
        return Request(sample.id, sample.question, generation=self.protocols[protocol].generation)

    def score(self, sample: Sample, response: Response, protocol: str) -> Score:
        if response.text == "by rule":
            return Score(1.0)
        return Score(None, Status.JUDGE_FAILED)

    def grade(self, sample: Sample, response: Response, protocol: str) -> Generator[JudgeRequest, str, Verdict]:
        for temperature in (0.0, 0.5):
            reply = yield JudgeRequest((("user", f"grade {response.text}"),), 3, temperature)
            try:
                return Verdict(float(reply))
            except ValueError:
                continue
        return Verdict(None, Status.JUDGE_FAILED, note="no number")

    def read_verdicts(self, path: Path, samples: Sequence[Sample], protocol: str) -> None:
        return None

    def summarise(self, scored: Sequence[tuple[Sample, Score]], protocol: str) -> Sequence[metrics.Metric]:
        return [metrics.mean("total", [s.value or 0.0 for _, s in scored], [sample.cluster for sample, _ in scored])]

    def read_predictions(self, path: Path, samples: Sequence[Sample]) -> Mapping[str, str]:
        return {sample.id: sample.target for sample in samples}


def chosen(count: int = 10) -> TaskChoice:
    """The task as chosen on a command line."""
    return TaskChoice(Numbers(count), "test", "official")


def questions(choice: TaskChoice) -> Sequence[Sample]:
    """Its samples."""
    return choice.task.samples(Folder(Path(), "numbers"), "test")


def judge_all(judge: Judge, choice: TaskChoice) -> dict[str, Score]:
    """Grade the right answers of all questions."""
    samples = questions(choice)
    for sample in samples:
        judge.submit(choice, sample, Response(sample.target))
    judge.finish()
    return {sample.id: judge.score(choice, sample, Response(sample.target)) for sample in samples}


FAST = "rpm=600000,timeout=1,attempts=6,backoff=0.02,in_flight=32"


def main(url: str, cache: str) -> None:
    """Grade 1,000 numbers; print scores and facts as JSON."""
    with open_judge(f"openai:tiny,base_url={url},{FAST}", Path(cache)) as judge:
        scores = judge_all(judge, chosen(1000))
        print(json.dumps([{key: [str(s.status), s.value] for key, s in scores.items()}, judge.facts()]))


if __name__ == "__main__":
    main(*sys.argv[1:])
