"""What all families of benchmarks share: vlmbench.families.base and answer_files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from vlmbench.base.errors import PredictionsError
from vlmbench.base.samples import Response, Sample, Score, Status
from vlmbench.base.task import DataFile, Exports, JudgeRules, Size, Task
from vlmbench.data.answers.predictions import Lossy
from vlmbench.data.files import Folder, Hub
from vlmbench.families.answer_files import Answer, AnswerFiles, Format, write_id_text, write_llava
from vlmbench.families.base import Benchmark, ProtocolRules, Scored, filled
from vlmbench.stats.metrics import Metric, mean

SAMPLES = [
    Sample("1", "How many?", (), "3", tags={"kind": "few"}, cluster="a", extra={"hint": "count"}),
    Sample("2", "And here?", (), "40", tags={"kind": "many"}, cluster="b"),
    Sample("3", "And there?", (), None, cluster="c"),
]


class Numbers(Benchmark[ProtocolRules]):
    """A family in two hooks."""

    def parse(self, sample: Sample, response: Response, rules: ProtocolRules) -> str:
        """The text as the protocol reads it."""
        return str(rules.reader(response.text))

    def rate(self, sample: Sample, response: Response, rules: ProtocolRules) -> Score:
        """Equality."""
        parsed = self.parse(sample, response, rules)
        return Score(float(parsed == sample.target), parsed_answer=parsed)


class Listed:
    """The samples above, from a folder named after the task where there is one."""

    def __init__(self) -> None:
        """`calls`: what it was asked for."""
        self.calls: list[str] = []

    def required_files(self, split: str) -> Sequence[DataFile]:
        """One."""
        return [DataFile(f"{split}.json", "questions")]

    def samples(self, data: Folder | Hub, split: str, task: str) -> Sequence[Sample]:
        """The same for all splits."""
        assert isinstance(data, Folder)
        self.calls.append(f"{data.root.name} {split} {task}")
        return SAMPLES


def own_figures(scored: Scored) -> Sequence[Metric]:
    """One metric under another name."""
    return [mean("share", [score.value or 0.0 for _, score in scored], [sample.cluster for sample, _ in scored])]


LISTED = Listed()
NUMBERS = Numbers(
    name="numbers",
    title="Numbers: how many (nobody 2026)",
    about="Numbers.\n\nCounted by hand.",
    sizes={"val": Size(3), "test": Size(9)},
    unsized=("train",),
    rules={
        "official": ProtocolRules("paper", "{question} ({hint}, {nothing})", str.strip, note="exact"),
        "first_digit": ProtocolRules(
            "code",
            lambda sample: sample.question.upper(),
            lambda text: text[:1],
            tokens=4,
            beams=2,
            stop=("\n",),
            headline="share",
            figures=own_figures,
            choices=lambda sample: ("1", "2"),
            judge=JudgeRules("someone", "words", 5),
        ),
    },
    files=LISTED,
    answer_files=AnswerFiles(
        formats={"llava": Format(".jsonl", write_llava), "rows": Format(".json", write_id_text, "an empty text")}
    ),
    breakdowns=("kind",),
)


def test_a_table_of_rules_is_a_task(tmp_path: Path) -> None:
    task: Task = NUMBERS
    assert isinstance(task, Exports) and isinstance(task, Lossy)
    assert task.splits == ("val", "test", "train")
    assert list(task.protocols) == ["official", "first_digit"]
    second = task.protocols["first_digit"]
    assert (second.source, second.headline, second.judge) == ("code", "share", JudgeRules("someone", "words", 5))
    assert (second.generation.max_new_tokens, second.generation.num_beams, second.generation.stop) == (4, 2, ("\n",))
    (tmp_path / "numbers").mkdir()
    assert task.samples(Folder(tmp_path), "test") is SAMPLES
    assert LISTED.calls[-1] == "numbers test numbers"
    assert [file.path for file in task.required_files("test")] == ["test.json"]


def test_requests() -> None:
    request = NUMBERS.build_request(SAMPLES[0], "official")
    assert (request.prompt, request.choices) == ("How many? (count, {nothing})", ())
    assert NUMBERS.build_request(SAMPLES[1], "first_digit").prompt == "AND HERE?"
    assert NUMBERS.build_request(SAMPLES[1], "first_digit").choices == ("1", "2")
    assert filled("{question}", Sample("1", "What does {hint} say?", (), "x", extra={"hint": "no"})) == (
        "What does {hint} say?"
    )


def test_scores_and_metrics() -> None:
    scores = [NUMBERS.score(sample, Response(" 3 "), "official") for sample in SAMPLES]
    assert [score.value for score in scores] == [1.0, 0.0, None]
    assert (scores[2].status, scores[2].parsed_answer) == (Status.UNLABELED, "3")
    scored = list(zip(SAMPLES[:2], scores[:2], strict=True))
    assert [metric.name for metric in NUMBERS.summarise(scored, "official")] == ["accuracy", "kind_few", "kind_many"]
    assert [metric.name for metric in NUMBERS.summarise(scored, "first_digit")] == ["share"]


def test_answer_files_come_back(tmp_path: Path) -> None:
    texts = {"1": "3", "2": "four\n", "3": "x"}
    assert NUMBERS.formats == {"llava": ".jsonl", "rows": ".json"}
    assert NUMBERS.lossy == {".json": "an empty text"}
    for suffix in (".jsonl", ".json", ".other"):
        NUMBERS.export(texts, SAMPLES, "official", tmp_path / f"a{suffix}")
    assert NUMBERS.read_predictions(tmp_path / "a.jsonl", SAMPLES) == texts
    assert NUMBERS.read_protocol_predictions(tmp_path / "a.json", SAMPLES, "official") == texts
    assert (tmp_path / "a.other").read_text("utf-8").startswith("[")  # the usual format where no suffix is known
    (tmp_path / "b.jsonl").write_text(json.dumps({"id": "1", "text": "3"}) + "\n", "utf-8")
    with pytest.raises(PredictionsError, match="2 of 3 questions have no answer"):
        NUMBERS.read_predictions(tmp_path / "b.jsonl", SAMPLES)


def test_writers_are_told_what_was_read_and_asked(tmp_path: Path) -> None:
    kept: list[Answer] = []
    task = Numbers(
        name="numbers",
        title="Numbers",
        sizes={"val": Size(3)},
        rules=NUMBERS.rules,
        files=Listed(),
        answer_files=AnswerFiles(formats={"own": Format("", lambda path, answers: kept.extend(answers))}),
    )
    task.export({"1": "30"}, SAMPLES[:1], "first_digit", tmp_path / "folder")
    assert kept == [Answer(SAMPLES[0], "30", "3", "first_digit", task.build_request)]
    assert kept[0].prompt == "HOW MANY?"
    with pytest.raises(PredictionsError, match="2 of 3 questions have no answer: 2, 3"):
        task.export({"1": "30"}, SAMPLES, "official", tmp_path / "folder")
