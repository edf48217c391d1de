"""Columns of answer files by any name: a dataset's beside a model's, numbers in place of words, forms scripts write."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import pytest

from tests.tasks.answer_files.test_answer_columns import (
    FORMATS,
    NAMES,
    answers,
    most_common,
    of,
    read,
    table,
    truth,
    write,
)
from vlmbench.base.errors import PredictionsError
from vlmbench.base.samples import Sample
from vlmbench.data.answers.answer_columns import id_and_answer
from vlmbench.data.answers.predictions import ReadsByProtocol, answer_rows

OWN_NAMES = ("my_model", "choice", "llava_7b", "Qwen2-VL", "hyp", "raw", "\u6a21\u578b", "result")
DATASETS = (
    "answer",
    "answer_text",
    "most_common_answer",
    "golden_answer",
    "original_answer",
    "true_answer",
    "groundtruth_pred",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_dataset_column_beside_a_column_named_for_the_model_is_not_read(name: str, tmp_path: Path) -> None:
    """Every pair of names; of ten people's answers the first one, which need not be the most common."""
    task, samples = of(name)
    said = answers(samples)
    if name == "refcoco":
        return  # boxes: no text is equal to them
    for at, (right, own) in enumerate(itertools.product(DATASETS, OWN_NAMES)):
        columns = {"id": lambda s: s.id, right: truth, own: lambda s: said[s.id]}
        path = write(tmp_path / f"{at}.jsonl", table(samples, columns, random.Random(at)))
        assert read(task, path, samples) in (None, said), (right, own)


@pytest.mark.parametrize("spec", [f"{name}:bard_set" if name == "mmvet" else name for name in NAMES])
@pytest.mark.parametrize("words", ["answer", "text", "llava_answer", None])
def test_numbers_are_no_answers_beside_words_or_alone(spec: str, words: str | None, tmp_path: Path) -> None:
    """Scores, percent and marks of right and wrong under a prediction's name, in tables where all cells are texts."""
    name = spec.partition(":")[0]
    task, samples = of(name)
    protocol = next((p for p in task.protocols if p not in ("unanswerability",)), "")
    protocol = "minigpt_v2" if name == "hateful_memes" else protocol
    kinds = {
        "score": lambda at: f"{at / 97:.4f}",
        "percent": lambda at: f"{at * 4.17:.1f}%",
        "mark": lambda at: str(at % 2),
    }
    numbers = sum(most_common(sample).rstrip("%").isdecimal() for sample in samples if sample.target is not None)
    for number, (kind, make) in enumerate(kinds.items()):
        if kind == "mark" and (words is None or name == "iconqa" or numbers > len(samples) / 4):
            continue  # an option's number, or the answer, for all that is known
        order = {sample.id: at for at, sample in enumerate(samples)}
        columns: dict[str, Any] = {"id": lambda s: s.id, "prediction": lambda s, f=make, o=order: f(o[s.id] + 1)}
        columns |= {words: lambda s: "yes"} if words else {}
        path = write(tmp_path / f"{number}{(FORMATS[2:])[number]}", table(samples, columns, random.Random(number)))
        with pytest.raises(PredictionsError, match="holds numbers"):
            if isinstance(task, ReadsByProtocol):
                task.read_protocol_predictions(path, samples, protocol)
            else:
                task.read_predictions(path, samples)


def test_numbers_are_answers_where_the_truth_is_a_number(tmp_path: Path) -> None:
    rows = [{"id": str(at), "prediction": f"{at}.5"} for at in range(9)]
    samples = [Sample(str(at), "How much?", (), (f"{at}.5",)) for at in range(9)]
    read_rows = answer_rows(write(tmp_path / "a.csv", rows))
    assert [text for _, text, _ in id_and_answer(read_rows, ("id",), samples)] == [row["prediction"] for row in rows]


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("refcoco", "mmvet", "llava_bench")])
def test_all_right_is_read_from_the_forms_that_scripts_write(name: str, tmp_path: Path) -> None:
    """A file of right answers gets a note; LLaVA's, Cambrian's and our own columns beside them raise no alarm."""
    task, samples = of(name)
    said = {s.id: most_common(s) for s in samples}
    beside = {"answer_id": "bRT4x", "model_id": "llava-v1.5", "metadata": {}, "category": "c", "type": "t", "score": 1}
    rows = [{"id": s.id, "text": said[s.id], **beside, "answer_id": f"a{at}x"} for at, s in enumerate(samples)]
    assert read(task, write(tmp_path / "a.jsonl", rows), samples) == said


def test_lists_of_one_say_the_same_as_what_is_in_them(tmp_path: Path) -> None:
    """lmms-eval's `resps` beside `filtered_resps` are no two answers; what is wrong is the lacking id."""
    task, samples = of("gqa")
    rows = [{"doc_id": at, "resps": [["no"]], "filtered_resps": ["no"]} for at in range(len(samples))]
    with pytest.raises(PredictionsError, match="no column holds the question's id"):
        task.read_predictions(write(tmp_path / "samples.jsonl", rows), samples)
