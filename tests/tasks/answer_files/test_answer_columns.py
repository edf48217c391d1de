"""Which column of an answer file is read, over all tasks: the model's, or none; never the truth, never the question."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from vlmbench.base.errors import PredictionsError
from vlmbench.base.registry import choose_task, tasks
from vlmbench.base.samples import Sample
from vlmbench.base.task import Task
from vlmbench.data.answers.answer_columns import note_on_targets, refuse_questions
from vlmbench.data.files import Folder
from vlmbench.data.sheets import write_sheet

pytestmark = pytest.mark.slow

NAMES = tuple(tasks.names())
SHEETS = tuple(name for name in NAMES if "xlsx" in getattr(tasks.get(name), "formats", {}))
"""Those whose answer files are VLMEvalKit's sheets."""
COUNT = 24
"""Questions of each task that are answered."""
PREDICTED = (
    "prediction", "predictions", "pred", "predict", "predicted_answer", "response", "model_response", "output",
    "model_output", "model_answer", "modelAnswer", "generated_text", "Prediction", "Model Response", "completion",
    "llava_prediction", "pred_label", "raw_output",
)  # fmt: skip
TRUTHS = (
    "answer",
    "Answer",
    "gt",
    "gt_answer",
    "label",
    "ground_truth",
    "target",
    "annotation",
    "reference",
    "answers",
)
QUESTIONS = ("question", "prompt", "text", "caption", "query")
FORMATS = (".jsonl", ".json", ".tsv", ".csv", ".xlsx")
MORE: tuple[dict[str, object], ...] = (
    {},
    {"image": "1.jpg"},
    {"category": "default", "model_id": "m"},
    {"image_source": "x", "hint": ""},
    {"score": 1},
)
SECOND = ("answer", "text", "ans", "llava_answer", "answer_13b", "output", "llava_output", "Model-Answer")
LONGEST = 1_000
"""Letters of an error message, the names of temporary folders aside."""

Row = dict[str, Any]


@lru_cache
def of(name: str) -> tuple[Task, tuple[Sample, ...]]:
    """A task, and some questions of its embedded sample."""
    task = choose_task(name).task
    return task, tuple(task.samples(Folder.sample(name), task.splits[0])[:COUNT])


def truth(sample: Sample) -> str:
    """The right answer as a dataset's column has it."""
    return str(sample.target[0] if isinstance(sample.target, tuple | list) else sample.target)


def answers(samples: Sequence[Sample]) -> dict[str, str]:
    """What a model said: nothing that is right, and texts that tables and sheets like to change."""
    odd = ("None", "NA", "0", "1.0", "=1+1", " zzz ", "no idea,\nreally", "zzz")
    return {sample.id: odd[at % len(odd)] for at, sample in enumerate(samples)}


def write(path: Path, rows: Sequence[Row]) -> Path:
    """Rows in the form that the suffix names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in (".json", ".jsonl"):
        text = json.dumps(rows) if path.suffix == ".json" else "".join(json.dumps(row) + "\n" for row in rows)
        path.write_text(text, "utf-8")
        return path
    header = list(rows[0])
    lines = [[str(row[name]) for name in header] for row in rows]
    if path.suffix == ".xlsx":
        write_sheet(path, header, lines)
        return path
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",").writerows([header, *lines])
    return path


def read(task: Task, path: Path, samples: Sequence[Sample]) -> Mapping[str, str] | None:
    """The answers, or None where they are refused in a message that names the file and is not long."""
    try:
        return task.read_predictions(path, samples)
    except PredictionsError as error:
        said = str(error).replace(str(path.parent), "")
        assert path.name in said and len(said) <= LONGEST, said
        return None


def shuffled(row: Row, order: Sequence[str]) -> Row:
    return {name: row[name] for name in order}


def table(samples: Sequence[Sample], columns: Mapping[str, Any], pick: random.Random) -> list[Row]:
    """Rows of some columns, each from a function of the sample, in one drawn order."""
    rows = [{name: make(sample) for name, make in columns.items()} for sample in samples]
    order = list(rows[0])
    pick.shuffle(order)
    rows = [shuffled(row, order) for row in rows]
    pick.shuffle(rows)
    return rows


@pytest.mark.parametrize("name", NAMES)
def test_a_prediction_beside_the_truth_and_the_question_is_read(name: str, tmp_path: Path) -> None:
    task, samples = of(name)
    said = answers(samples)
    pick = random.Random(f"columns {name}")
    for number in range(24):
        suffix = FORMATS[number % len(FORMATS)]
        right = pick.choice([one for one in TRUTHS if one != "answers" or suffix in (".json", ".jsonl")])
        asked, predicted, more = pick.choice(QUESTIONS), pick.choice(PREDICTED), pick.choice(MORE)
        if asked == "prompt" and name == "refcoco":
            continue
        columns: dict[str, Any] = {"id": lambda s: s.id, asked: lambda s: s.question}
        columns |= {key: lambda s, value=value: value for key, value in more.items()}
        columns |= {right: lambda s, many=right == "answers": [truth(s)] * 10 if many else truth(s)}
        columns |= {predicted: lambda s: said[s.id]}
        path = write(tmp_path / f"{number}{suffix}", table(samples, columns, pick))
        if name == "vizwiz" and "image" in more:
            continue  # rows of an image column are known by it
        assert task.read_predictions(path, samples) == said, (suffix, list(columns))


@pytest.mark.parametrize("name", NAMES)
def test_ambiguous_columns_are_read_or_refused_but_never_as_the_truth(name: str, tmp_path: Path) -> None:
    task, samples = of(name)
    said = answers(samples)
    truths = {sample.id: truth(sample) for sample in samples}
    pick = random.Random(f"ambiguous {name}")
    names = [(first, second) for first in ("answer", "text", "ans") for second in SECOND if first != second]
    if name in SHEETS:  # `answer` is the truth there by name, so that `text` is the only candidate
        names = [pair for pair in names if pair[0] != "text"]
    for number, (first, second) in enumerate(names):
        suffix = FORMATS[number % len(FORMATS)]
        columns: dict[str, Any] = {"id": lambda s: s.id, first: truth, second: lambda s: said[s.id]}
        if pick.random() < 0.5:
            columns |= {"question": lambda s: s.question}
        found = read(task, write(tmp_path / f"{number}{suffix}", table(samples, columns, pick)), samples)
        assert found in (None, said), (first, second)
        assert found != truths


@pytest.mark.parametrize("name", NAMES)
def test_the_truth_beside_a_column_of_any_name_is_not_read(name: str, tmp_path: Path) -> None:
    """`candidate`, `final`: no list has all names. What equals the truth in every row is not the model's."""
    task, samples = of(name)
    said = answers(samples)
    if any(isinstance(s.target, tuple | list) for s in samples) and name == "refcoco":
        return  # boxes: no text is equal to them
    for number, (right, other) in enumerate((("answer", "candidate"), ("text", "final"), ("answer", "sentence"))):
        columns = {"id": lambda s: s.id, right: lambda s: most_common(s), other: lambda s: said[s.id]}
        path = write(tmp_path / f"{number}{FORMATS[number]}", table(samples, columns, random.Random(number)))
        assert read(task, path, samples) is None, (right, other)


def most_common(sample: Sample) -> str:
    """The right answer; of several people's the most common one."""
    several = isinstance(sample.target, tuple | list)
    return max(sample.target, key=list(sample.target).count) if several else str(sample.target)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("beside", [None, "annotation", "gt_answer", "label", "ground_truth", "target"])
def test_answer_alone_or_beside_a_column_named_for_the_truth_is_the_models(
    name: str, beside: str | None, tmp_path: Path
) -> None:
    task, samples = of(name)
    said = answers(samples)
    columns: dict[str, Any] = {"id": lambda s: s.id, "answer": lambda s: said[s.id]}
    columns |= {beside: truth} if beside else {}
    rows = table(samples, columns, random.Random(3))
    found = read(task, write(tmp_path / "a.jsonl", rows), samples)
    assert found == (None if name in SHEETS else said)  # VLMEvalKit's sheet has the truth under this name


LINES = ("gqa", "vqav2", "okvqa", "scienceqa", "mmbench", "llava_bench", "vizwiz", "mmvet")


@pytest.mark.parametrize("name", LINES)
def test_llava_lines_with_an_answer_column(name: str, tmp_path: Path) -> None:
    """{question_id, prompt, text, answer_id, model_id, metadata}: text is the model's, whatever `answer` says."""
    task, samples = of(name)
    said = answers(samples)
    rows = [
        {"question_id": s.id.removeprefix("v1_").removesuffix(".jpg"), "prompt": s.question, "text": said[s.id]}
        | {"answer_id": "x", "model_id": "m", "metadata": {}, "answer": truth(s)}
        for s in samples
    ]
    if name == "vizwiz":
        rows = [{**row, "question_id": s.id} for row, s in zip(rows, samples, strict=True)]
    assert task.read_predictions(write(tmp_path / "a.jsonl", rows), samples) == said


@pytest.mark.parametrize("name", NAMES)
def test_files_without_answers_are_refused_by_what_they_look_like(name: str, tmp_path: Path) -> None:
    task, samples = of(name)
    made: dict[str, tuple[Mapping[str, Any], str]] = {
        "llava's question file": (
            {"image": lambda s: "1.jpg", "text": lambda s: s.question, "category": lambda s: "default"},
            "question file",
        ),
        "labels": ({"text": lambda s: s.question, "label": truth}, "annotations or labels"),
        "questions": ({"question": lambda s: s.question}, "question file"),
        "annotations": ({"answers": lambda s: [truth(s)] * 10}, "annotations or labels"),
        "rows of the dataset": (
            {"question": lambda s: s.question, "answer": truth, "image_source": lambda s: "x"},
            "image_source",
        ),
        "more rows of the dataset": (
            {"question": lambda s: s.question, "answer": truth, "choices": lambda s: ["a", "b"]},
            "choices",
        ),
    }
    for number, (words, (columns, told)) in enumerate(made.items()):
        for key in ("id", "question_id"):
            rows = table(samples, {key: lambda s: s.id, **columns}, random.Random(1))
            path = write(tmp_path / f"{number}.json", rows)
            assert read(task, path, samples) is None, words
            with pytest.raises(PredictionsError) as caught:
                task.read_predictions(path, samples)
            assert told in str(caught.value) or name in SHEETS, words


@pytest.mark.parametrize("name", NAMES)
def test_two_predictions_that_differ_are_refused_by_name_and_line(name: str, tmp_path: Path) -> None:
    task, samples = of(name)
    said = answers(samples)
    rows = [{"id": s.id, "prediction": said[s.id], "response": said[s.id]} for s in samples]
    assert task.read_predictions(write(tmp_path / "same.jsonl", rows), samples) == said
    rows[4]["response"] = "another text"
    with pytest.raises(PredictionsError, match=r"line 5: two columns .*'prediction' .* and 'response'"):
        task.read_predictions(write(tmp_path / "differ.jsonl", rows), samples)
    del rows[4]["prediction"]
    with pytest.raises(PredictionsError, match=r"line 5: the row has .*no 'prediction'"):
        task.read_predictions(write(tmp_path / "lacks.jsonl", rows), samples)


@pytest.mark.parametrize("name", NAMES)
def test_a_column_that_is_there_twice_is_refused(name: str, tmp_path: Path) -> None:
    task, samples = of(name)
    said = answers(samples)
    pairs = [(json.dumps(s.id), json.dumps(said[s.id]), json.dumps(truth(s))) for s in samples]
    rows = [f'{{"id": {key}, "answer": {one}}}' for key, one, _ in pairs]
    rows[3] = '{{"id": {}, "answer": {}, "answer": {}}}'.format(*pairs[3])
    for file, text in (("a.jsonl", "\n".join(rows)), ("a.json", f"[{', '.join(rows)}]")):
        (tmp_path / file).write_text(text, "utf-8")
        with pytest.raises(PredictionsError, match=r"(line|item) 4: 'answer' is there twice"):
            task.read_predictions(tmp_path / file, samples)
    (tmp_path / "a.csv").write_text("id,answer,answer\n" + "".join(f"{s.id},zzz,no\n" for s in samples), "utf-8")
    assert read(task, tmp_path / "a.csv", samples) is None
    (tmp_path / "b.json").write_text('{"a": "x", "b": "y", "a": "z"}', "utf-8")
    assert read(task, tmp_path / "b.json", samples) is None


@pytest.mark.parametrize("name", NAMES)
def test_an_object_of_answers_by_id_is_read_or_refused_shortly(name: str, tmp_path: Path) -> None:
    task, samples = of(name)
    said = answers(samples)
    for number, indent in enumerate((None, 1)):
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(said, indent=indent), "utf-8")
        assert read(task, path, samples) == (None if name == "refcoco" else said)  # MiniGPT-4's has lists by picture
        unknown: tuple[object, ...] = (
            {f"{'long' * 50}{n}": "x" for n in range(3_000)},
            {str(n): {"a": 1} for n in range(3_000)},
            {},
        )
        for content in unknown:
            path.write_text(json.dumps(content, indent=indent), "utf-8")
            assert read(task, path, samples) is None
    wide = [{"id": s.id} | {f"{'column' * 20}{n}": "x" for n in range(300)} for s in samples]
    assert read(task, write(tmp_path / "wide.jsonl", wide), samples) is None


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("mmvet")])
def test_folders_of_answers(name: str, tmp_path: Path) -> None:
    """Hidden files are passed over; packed files, two models, and a whole beside its parts are refused by name."""
    task, samples = of(name)
    said = answers(samples)
    rows = [{"id": s.id, "text": said[s.id], "model_id": "m"} for s in samples]
    folder = tmp_path / "answers"
    write(folder / "1_0.jsonl", rows[::2])
    write(folder / "1_1.jsonl", rows[1::2])
    for hidden in ("._1_0.jsonl", ".DS_Store", "._existence.txt"):
        (folder / hidden).write_bytes(b"\x00\x05\x16\x07\x00\x02\xff\xfe")
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "._1_0.jsonl").write_bytes(b"\x00\x05\x16\x07")
    assert task.read_predictions(folder, samples) == said
    write(folder / "merge.jsonl", rows)
    with pytest.raises(PredictionsError, match=r"answered twice: at .*1_0\.jsonl, line 1 and at .*merge\.jsonl, line"):
        task.read_predictions(folder, samples)
    write(folder / "merge.jsonl", [{**row, "model_id": "other"} for row in rows[1::2]])
    with pytest.raises(PredictionsError, match=r"merge\.jsonl, line 1: .*two models: 'm' at .*1_0\.jsonl, line 1"):
        task.read_predictions(folder, samples)
    (folder / "merge.jsonl").unlink()
    (folder / "1_1.jsonl").rename(folder / "1_1.jsonl.gz")
    with pytest.raises(PredictionsError, match=r"1_1\.jsonl\.gz: the file is packed"):
        task.read_predictions(folder, samples)


@pytest.mark.parametrize("name", NAMES)
def test_the_questions_are_no_answers_and_the_truth_gets_a_note(name: str) -> None:
    _, samples = of(name)
    echo = {sample.id: f"{sample.question}\nAnswer the question using a single word or phrase." for sample in samples}
    with pytest.raises(PredictionsError, match="the text of the questions"):
        refuse_questions(echo, samples, "answers.jsonl")
    refuse_questions(answers(samples), samples, "answers.jsonl")
    assert not note_on_targets(answers(samples), samples)
    truths = {sample.id: truth(sample).upper() for sample in samples}
    several = all(not isinstance(s.target, tuple | list) for s in samples)
    if several and len({truth(sample) for sample in samples}) > 1:
        (note,) = note_on_targets(truths, samples)
        assert note.startswith(f"all {len(samples)} answers are equal to the right ones")
        assert not note_on_targets({**truths, samples[0].id: "zzz"}, samples)
