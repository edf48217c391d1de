"""A judge that is shown the model's answer to another question too: whichever comes first, and where one is absent."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.support.judge_server import Judging
from tests.support.judge_toys import FAST, Numbers
from vlmbench.base.registry import TaskChoice
from vlmbench.base.samples import JudgeRequest, Response, Sample, Score, Status, Verdict
from vlmbench.data.files import Folder
from vlmbench.scoring.judge import Judge, open_judge


@dataclass
class Followed(Numbers):
    """Each number is graded, and then it and the answer to the next question; the last has no next one."""

    def compared_with(self, sample: Sample, protocol: str) -> str:
        return str(int(sample.id) + 1) if int(sample.id) < self.count - 1 else ""

    def compare(
        self, verdict: Verdict, answer: Response, other: Response, protocol: str
    ) -> Generator[JudgeRequest, str, Verdict]:
        reply = yield JudgeRequest((("user", f"compare {answer.text} with {other.text}"),), 3)
        return replace(verdict, values=(float(answer.text), float(other.text), float(reply)))


CHOICE = TaskChoice(Followed(4), "test", "official")
SAMPLES = CHOICE.task.samples(Folder(Path()), "test")


def graded(judge: Judge, order: Sequence[int], answers: Sequence[Response]) -> list[Score]:
    for at in order:
        judge.submit(CHOICE, SAMPLES[at], answers[at])
    judge.finish()
    return [judge.score(CHOICE, SAMPLES[at], answers[at]) for at in range(len(answers)) if at in order]


def values(scores: Sequence[Score]) -> list[tuple[float, ...]]:
    return [score.verdicts[0].values[:2] for score in scores]


ANSWERS = [Response(str(number)) for number in range(4)]
SPECS = ("openai:t,base_url={url}," + FAST, "echo,text=0.5")
"""One that asks while answers come, and one that waits for all of them."""


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_whatever_comes_first(order: Sequence[int], spec: str, tmp_path: Path) -> None:
    with Judging() as server, open_judge(spec.format(url=server.url), tmp_path) as judge:
        assert values(graded(judge, order, ANSWERS)) == [(0, 1), (1, 2), (2, 3), ()]
        assert judge.facts()["replies"] == 7


@pytest.mark.parametrize("spec", SPECS)
def test_without_the_other_answer_the_verdict_is_that_on_the_one(spec: str, tmp_path: Path) -> None:
    """Question 1 has no answer, and 3 was not asked."""
    answers = [ANSWERS[0], Response(finish="error", error="no image"), ANSWERS[2]]
    with Judging() as server, open_judge(spec.format(url=server.url), tmp_path) as judge:
        first, failed, last = graded(judge, (0, 2, 1), answers)
    assert values([first, last]) == [(), ()] and failed.status is Status.ERROR
    assert first.status is last.status is Status.OK


def test_answers_of_another_run_are_not_mixed_in(tmp_path: Path) -> None:
    with Judging() as server, open_judge(SPECS[0].format(url=server.url), tmp_path) as judge:
        graded(judge, (0, 1, 2, 3), ANSWERS)
        judge.next_run()
        others = [Response(str(number)) for number in (5, 6, 7, 8)]
        assert values(graded(judge, (0, 1), others)) == [(5, 6), ()]
