"""The families yes_no, short_answer, judged and grounding on benchmarks of two questions: what each gives for free."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from vlmbench.base.errors import PredictionsError
from vlmbench.base.samples import ChoiceScore, JudgeRequest, Response, Sample, Score, Status, Verdict
from vlmbench.base.task import DataFile, Exports, Judged, JudgeRules, Size, Task
from vlmbench.data.answers.answer_columns import bare_question
from vlmbench.data.answers.unnumbered_answers import Unanswered, in_blocks
from vlmbench.data.files import Folder, Hub
from vlmbench.data.rows import Row
from vlmbench.families import base, grounding, judged, short_answer
from vlmbench.families import yes_no as family
from vlmbench.families.short_answer import Capitalised, ShortAnswer, ShortAnswerRules
from vlmbench.families.yes_no import YesNo, YesNoRules
from vlmbench.parsing import boxes, matchers, numbers, vqa_accuracy, yes_no
from vlmbench.stats.figures import binary
from vlmbench.stats.judges import judge_runs

SIZES = {"val": Size(2)}


@dataclass(frozen=True)
class Listed:
    """Files that hold these samples."""

    listed: Sequence[Sample]

    def required_files(self, split: str) -> Sequence[DataFile]:
        return []

    def samples(self, data: Folder | Hub, split: str, task: str) -> Sequence[Sample]:
        return self.listed


def benchmark(kind: Any, rules: Any, samples: Sequence[Sample], **more: Any) -> Any:
    made = kind(name="mine", title="Mine", sizes=SIZES, rules=rules, files=Listed(samples), **more)
    task: Task = made
    assert isinstance(made, Exports) and task.splits == ("val",)
    return made


def values(task: Any, protocol: str, pairs: Sequence[tuple[Sample, Score]]) -> dict[str, float]:
    return {metric.name: metric.value() for metric in task.summarise(pairs, protocol)}


def test_yes_no() -> None:
    samples = [Sample(str(n), "?", (), target, cluster=str(n)) for n, target in enumerate(("true", "false"))]
    rules = {
        "text": YesNoRules("s", "{question}", yes_no.word_yes_no, words=yes_no.YES_NO),
        "ranked": YesNoRules(
            "s",
            "{question}",
            yes_no.digit_true_false,
            choices=("True", "False"),
            ranked=yes_no.ranked_true_false,
            unparsed="neither",
            beside=lambda scored: family.areas(scored, "true", [0.9, 0.2]),
        ),
    }
    task = benchmark(YesNo, rules, samples, words=yes_no.TRUE_FALSE)
    read = task.score(samples[0], Response("Yes, it is"), "text")
    assert (read.value, read.parsed_answer, read.unread) == (1, "yes", "")
    assert task.score(samples[1], Response("perhaps"), "text").unread == "yes or no"
    assert task.score(samples[1], Response("perhaps"), "ranked").status is Status.UNPARSED
    likely = Response(choices=(ChoiceScore("True", -3.0, 1), ChoiceScore("False", -1.0, 1)))
    scored = [(sample, task.score(sample, likely, "ranked")) for sample in samples]
    assert [score.value for _, score in scored] == [0, 1] and scored[0][1].parsed_answer.startswith("false 0.11")
    assert values(task, "ranked", scored) == {"accuracy": 50, "auroc": 100, "average_precision": 100}
    for protocol, pair in {"text": ("no", "yes"), "ranked": ("false 0.0", "true 1.0")}.items():
        assert tuple(score.parsed_answer for score in task.extremes(samples[0], protocol, 0)) == pair


def test_counts_of_yes() -> None:
    items = binary.columns(["yes", "yes", "other", "no"], ["yes", "no", "yes", "no"], [1, 0, 0, 1])
    clusters = list("abcd")
    official, lenient = binary.Counting(), binary.Counting(misses=binary.SAID_NO)
    assert binary.figure("recall", items, clusters, official).value() == 50
    assert binary.figure("recall", items, clusters, lenient).value() == 100
    none = binary.figure("precision", items[2:], clusters[2:], official, "popular")
    assert none.name == "popular_precision" and none.value() != none.value() and none.note == binary.UNDEFINED
    (mean,) = binary.means(("accuracy",), items, clusters, official, [0, 0, 1, 1], "two")
    assert (mean.name, mean.value(), mean.note) == ("mean_accuracy", 50, "two")
    assert binary.f1_of_yes([False], [False], ["a"], empty=0.0).value() == 0


def test_short_answers(tmp_path: Path) -> None:
    samples = [
        Sample("1", "what IS it?", (), ("a dog",) * 10, tags={"kind": "is it"}, cluster="1"),
        Sample("b", "how many?", (), None, tags={"kind": "how many"}, cluster="2"),
    ]
    rules = {
        "vqa": ShortAnswerRules("s", Capitalised("{question}" + short_answer.SHORT), vqa_accuracy.official, 16),
        "m4c": ShortAnswerRules("s", "{question}", vqa_accuracy.m4c, upload=str.lower),
    }
    task = benchmark(ShortAnswer, rules, samples, breakdowns=("kind",), answer_files=short_answer.upload_files(rules))
    assert task.build_request(samples[0], "vqa").prompt.startswith("What is it?\n")
    assert task.score(samples[0], Response(" a dog\n"), "vqa") == Score(1.0, parsed_answer="a dog")
    hidden = task.score(samples[1], Response(" 2 "), "vqa")
    assert (hidden.status, hidden.parsed_answer) == (Status.UNLABELED, "2")
    pairs = [(sample, Score(1.0)) for sample in samples]
    assert list(values(task, "vqa", pairs)) == ["accuracy", "kind_how_many", "kind_is_it"]
    path = tmp_path / "up.json"
    task.export({"1": "A Dog", "b": "2"}, samples, "m4c", path)
    assert json.loads(path.read_text("utf-8")) == [
        {"question_id": 1, "answer": "a dog"},
        {"question_id": "b", "answer": "2"},
    ]
    assert task.read_predictions(path, samples) == {"1": "a dog", "b": "2"}
    assert matchers.exact(str.lower, str.lower)("Red", "RED") == ("red", 1.0)
    assert matchers.contains(str.lower)("I know", "no") == ("i know", 1.0)


def is_judged(task: object) -> bool:
    return isinstance(task, Judged)


def test_judged() -> None:
    sample = Sample("1", "q", (), "t", cluster="1")

    def talk(sample: Sample, answer: str) -> base.Talk:
        grade = numbers.first_word_number((yield JudgeRequest((("user", sample.question + answer),), 8)))
        return Verdict(grade) if grade is not None else Verdict(None, Status.JUDGE_FAILED)

    rules = {"official": judged.JudgedRules("s", "{question}", talk, judge=JudgeRules("gpt", "words", 8))}
    task = benchmark(judged.Judged, rules, [sample], verdict_files=lambda path, samples, protocol: None)
    assert is_judged(task) and task.score(sample, Response("a"), "official").status is Status.JUDGE_FAILED
    steps = task.grade(sample, Response("a"), "official")
    assert next(steps).messages == (("user", "qa"),)
    with pytest.raises(StopIteration) as end:
        steps.send("0.5 because")
    assert end.value.value == Verdict(0.5)
    worst, best = task.extremes(sample, "official", 2)
    assert (worst.value, best.value, len(best.verdicts)) == (0, 1, 2)
    graded = Score(0.5, verdicts=(Verdict(0.4), Verdict(0.6)))
    assert judge_runs.mean_of_runs("total", [graded, worst], ["a", "b"]).value() == pytest.approx(25)
    pairs = judge_runs.pairs_of_grades([Score(3.0, verdicts=(Verdict(3.0, values=(7.0, 3.0)),))])
    assert judge_runs.relative_grade("r", pairs, ["a"], (3, 1)).value() == 42.9
    assert judge_runs.mean_grade("r", pairs, ["a"], 0, "", 10).value() == 70


def test_grounding() -> None:
    sample = Sample("1", "cup", (), {"bbox": [0, 0, 50, 50], "width": 100, "height": 100}, cluster="1")
    read = boxes.agreement(boxes.minigpt_box, boxes.iou)
    rules = {
        "half": grounding.GroundingRules("s", "{question}", read),
        "above": grounding.GroundingRules("s", "{question}", read, hit=grounding.above_half),
    }
    task = benchmark(grounding.Grounding, rules, [sample])
    half = Response("{<0><0><50><25>}")
    assert [task.score(sample, half, name).value for name in rules] == [1, 0]
    assert task.score(Sample("2", "cup", (), None), half, "half").status is Status.UNLABELED
    miss = task.score(sample, Response("nowhere"), "half")
    assert (miss.value, miss.unread) == (0, "box")
    pairs = [(sample, miss), (sample, task.score(sample, half, "half"))]
    assert values(task, "half", pairs) == {"accuracy": 50, "valid_boxes": 50, "mean_iou": 25}
    assert values(task, "half", [(sample, score) for score in task.extremes(sample, "half", 0)])["accuracy"] == 50


def test_answers_without_ids() -> None:
    samples = [Sample(f"{kind}/{n}", f"Is it {n}?", (), "yes") for kind in "ab" for n in (1, 2)]
    waiting = Unanswered(samples, lambda sample: sample.question)
    assert [found.id if (found := waiting.take("Is it 1?")) else None for _ in range(3)] == ["a/1", "b/1", None]
    blocks = {"a": samples[:2], "b": [samples[2]]}

    def matched(*questions: str | None) -> list[str]:
        rows = [Row({}, "answers", f"line {n}") for n, _ in enumerate(questions, 1)]
        return [sample.id for sample, _ in in_blocks(rows, questions, blocks, "look again")]

    assert bare_question("<image> Is it  1?\nAnswer the question using a single word or phrase.") == "Is it 1?"
    assert matched("Is it 1?", "Is it 2?", "Is it 1?") == ["a/1", "a/2", "b/1"]
    wrong: list[tuple[tuple[str | None, ...], str]] = [
        (("Is it 1?", "Is it 3?"), "line 2: the row asks 'Is it 3"),
        (("Is it 1?", None), "line 2: the row says no question"),
        (("Is it 1?", "Is it 2?", "Is it 1?", "Is it 1?"), "1 answers too many, from line 4 on"),
    ]
    for questions, problem in wrong:
        with pytest.raises(PredictionsError, match=problem):
            matched(*questions)
