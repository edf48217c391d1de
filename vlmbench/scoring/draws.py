"""Several sampled answers to each question: `--samples N`.

Each draw is a sample of its own, with the question's id and `~2`, `~3`, ... behind it (the first draw keeps the plain
id), so that records, judges and comparisons meet N answers as they meet N questions. Only the metrics know better:

    the task's own   each metric's mean over the draws (stats/figures/draws.py); names unchanged
    pass@N           share of questions with a right answer among their N, where every answer is right or wrong
    majority@N       the headline, over the answer to each question that was read most often
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from vlmbench.base.errors import DataError
from vlmbench.base.samples import JudgeRequest, Request, Response, Sample, Score, Verdict
from vlmbench.base.task import ComparesAnswers
from vlmbench.scoring import bounds
from vlmbench.stats.figures import draws as averages
from vlmbench.stats.metrics import Metric, mean

if TYPE_CHECKING:
    from vlmbench.base.registry import TaskChoice
    from vlmbench.base.task import Task

Scored = Sequence[tuple[Sample, Score]]
_DRAW = re.compile(r"(.*)~([2-9]|[1-9][0-9]+)", re.DOTALL)
OPTIONAL = (
    "batches", "bundled_data_dir", "compare", "example_answer", "export", "formats", "grade_batch", "lossy",
    "read_protocol_predictions", "read_verdicts", "strata", "translations",
)  # fmt: skip
"""Members that a task need not have, kept in the instance: isinstance of a runtime protocol looks there."""


def split_id(sample_id: str) -> tuple[str, int]:
    """The question's id and the draw, from 0, of a sample's id in a run with several draws."""
    found = _DRAW.fullmatch(sample_id)
    return (found[1], int(found[2]) - 1) if found else (sample_id, 0)


def drawn(sample: Sample, draw: int) -> Sample:
    """A question as its draw number `draw`, from 0."""
    return replace(sample, id=f"{sample.id}~{draw + 1}") if draw else sample


def question(sample: Sample) -> Sample:
    """A draw as the question that it answers."""
    own, draw = split_id(sample.id)
    return replace(sample, id=own) if draw else sample


def planned(choice: TaskChoice, pairs: Iterable[tuple[Sample, Request]], seed: int) -> Iterator[tuple[Sample, Request]]:
    """Each question as often as it is asked, with the run's seed where answers are sampled.

    Raises DataError for a benchmark whose own ids read like draws.
    """
    for sample, request in pairs:
        sampled = replace(request, run_seed=seed) if seed and request.generation.temperature > 0 else request
        yield sample, sampled
        if choice.variant.samples == 1:
            continue
        if split_id(sample.id)[1]:
            problem = f"{choice.key}: the id {sample.id!r:.80} ends as that of a further answer to a question does"
            raise DataError(problem, hint="leave --samples out, or give the questions ids that do not end in ~NUMBER")
        for draw in range(1, choice.variant.samples):
            yield drawn(sample, draw), replace(sampled, draw=draw)


class DrawnTask:
    """A task whose questions are answered `count` times each. What is not here is the task's own."""

    def __init__(self, task: Task, count: int) -> None:
        self.task, self.count = task, count
        for name in OPTIONAL:
            if hasattr(task, name):
                self.__dict__[name] = getattr(task, name)
        if hasattr(task, "grade"):
            self.__dict__["grade"] = self._grade
        if hasattr(task, "compared_with"):
            self.__dict__["compared_with"] = self._compared_with

    def __getattr__(self, name: str) -> Any:
        if name == "task":  # not there yet: a copy is being made
            raise AttributeError(name)
        return getattr(self.task, name)

    def build_request(self, sample: Sample, protocol: str) -> Request:
        """The question's request, for this draw of it."""
        return replace(self.task.build_request(question(sample), protocol), draw=split_id(sample.id)[1])

    def score(self, sample: Sample, response: Response, protocol: str) -> Score:
        """Read one draw."""
        return self.task.score(question(sample), response, protocol)

    def _compared_with(self, sample: Sample, protocol: str) -> str:
        """The other question in the same draw."""
        other = cast(ComparesAnswers, self.task).compared_with(question(sample), protocol)
        draw = split_id(sample.id)[1]
        return f"{other}~{draw + 1}" if other and draw else other

    def _grade(self, sample: Sample, response: Response, protocol: str) -> Generator[JudgeRequest, str, Verdict]:
        graded: Generator[JudgeRequest, str, Verdict] = self.task.grade(  # type: ignore[attr-defined]
            question(sample), response, protocol
        )
        return graded

    def extremes(self, sample: Sample, protocol: str, runs: int) -> tuple[Score, Score]:
        """The scores of the worst and of the best answer."""
        return bounds.extremes(self.task, protocol, question(sample), runs)

    def summarise(self, scored: Scored, protocol: str) -> Sequence[Metric]:
        """The task's metrics averaged over the draws, then pass@N and majority@N where they can be had."""
        by_draw: dict[int, list[tuple[Sample, Score]]] = {}
        for sample, score in scored:
            by_draw.setdefault(split_id(sample.id)[1], []).append((question(sample), score))
        draws = [by_draw[draw] for draw in sorted(by_draw)]
        metrics = self._averaged(draws, protocol)
        if self.task.protocols[protocol].judge is not None or any(score.verdicts for _, score in scored):
            return metrics
        by_question: dict[str, list[tuple[Sample, Score]]] = {}
        for answers in draws:
            for sample, score in answers:
                by_question.setdefault(sample.id, []).append((sample, score))
        questions = list(by_question.values())
        whole = [metric for metric in metrics if not metric.breakdown]
        bars = [metric for metric in metrics if metric.breakdown]
        return [*whole, *self._passed(questions), *self._majority(questions, protocol), *bars]

    def _averaged(self, draws: Sequence[Scored], protocol: str) -> list[Metric]:
        """A metric that some draws lack, as they answered no question of its kind, is that of the others."""
        found: dict[str, list[Metric]] = {}
        for scored in draws:
            for metric in self.task.summarise(scored, protocol):
                found.setdefault(metric.name, []).append(metric)
        return [averages.average(metrics) for metrics in found.values()]

    def _passed(self, questions: Sequence[Scored]) -> Iterator[Metric]:
        values = {score.value for answers in questions for _, score in answers}
        if not values <= {0.0, 1.0}:
            return
        whole = [answers for answers in questions if len(answers) == self.count]
        right = [float(any(score.value for _, score in answers)) for answers in whole]
        metric = mean(f"pass@{self.count}", right, [answers[0][0].cluster for answers in whole])
        if less := len(questions) - len(whole):
            count = f"{less:,} question{'s' if less > 1 else ''}"
            metric = replace(metric, note=f"{count} with fewer than {self.count} scored answers left out")
        yield metric

    def _majority(self, questions: Sequence[Scored], protocol: str) -> Iterator[Metric]:
        headline = self.task.protocols[protocol].headline
        voted = [most_common(answers) for answers in questions]
        found = (metric for metric in self.task.summarise(voted, protocol) if metric.name == headline)
        yield from (replace(metric, name=f"majority@{self.count}") for metric in found)


def most_common(answers: Scored) -> tuple[Sample, Score]:
    """Of one question's draws, in their order: the answer that was read most often, the first drawn among equals.

    What was not read counts as one answer.
    """
    counts = Counter(score.parsed_answer for _, score in answers)
    return max(answers, key=lambda answer: counts[answer[1].parsed_answer])
