"""Verdicts that exist already, under other scales and readers than LLaVA-Bench and MM-Vet have; lists of answers."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.tasks.layouts import write_lines
from vlmbench.base.errors import PredictionsError
from vlmbench.base.samples import Request, Sample, Status, Verdict
from vlmbench.base.task import JudgeRules
from vlmbench.data.answers.predictions import one_file
from vlmbench.families.answer_files import Answer
from vlmbench.families.answer_lists import AnswerLists
from vlmbench.families.base import fill
from vlmbench.families.judged import GradeLists, PairReview, ReviewLines

SAMPLES = [Sample(str(n), f"Q{n}", (), f"R{n}", extra={"thing": f"t{n // 2}"}) for n in range(3)]

_review = partial(PairReview, JudgeRules("gpt", "t", 8), lambda sample, answer: f"{sample.target} or {answer}?")
REVIEWS = {"kept": _review(failed=(0.0, 0.0), top=100), "missing": _review(keeps_failures=False, top=100)}


def test_a_template_is_filled_once() -> None:
    """Braces in a part are text, and so is what names no part."""
    assert fill("{a} {b} {c}", {"a": "{b}", "b": 2}) == "{b} 2 {c}"


def test_what_a_judge_of_pairs_is_asked() -> None:
    asked = next(_review(system="Be fair.")(SAMPLES[1], "A"))
    assert asked.messages == (("system", "Be fair."), ("user", "R1 or A?")) and asked.max_tokens == 8
    talk = REVIEWS["kept"](SAMPLES[1], "A")
    assert next(talk).messages == (("user", "R1 or A?"),)
    with pytest.raises(StopIteration) as end:
        talk.send("70 90\nbecause")
    assert end.value.value == Verdict(90, values=(70, 90))


@pytest.mark.parametrize("review", ["none", "70 101", "-1 70"])
def test_what_cannot_be_read_is_missing_or_counts_as_the_script_says(review: str) -> None:
    assert REVIEWS["missing"].verdict(review).status is Status.JUDGE_FAILED
    kept = REVIEWS["kept"].verdict(review)
    assert kept.status is Status.OK and kept.unread == (review == "none")
    assert REVIEWS["kept"].verdict("none").note.endswith("counted as 0 and 0 by the protocol's rule")


def reviews(*contents: str, model: str = "m") -> list[dict[str, Any]]:
    return [{"question_id": str(n), "content": text, "answer2_id": f"{model}{n}"} for n, text in enumerate(contents)]


def test_each_file_of_reviews_is_a_run(tmp_path: Path) -> None:
    write_lines(tmp_path / "1.jsonl", reviews("70 80", "none", "50 60"))
    write_lines(tmp_path / "2.jsonl", reviews("70 81", "1 2", "50 61"))
    found = ReviewLines(REVIEWS)(tmp_path, SAMPLES, "kept")
    assert found is not None and [[v.value for v in found[s.id]] for s in SAMPLES] == [[80, 81], [0, 2], [60, 61]]
    assert found["1"][0].replies == ("none",)
    write_lines(tmp_path / "2.jsonl", reviews("70 81", "1 2", "50 61", model="other"))
    with pytest.raises(PredictionsError, match=r"2\.jsonl, line 1: it reviews another answer .*1\.jsonl, line 1"):
        ReviewLines(REVIEWS)(tmp_path, SAMPLES, "kept")


def test_reviews_on_another_scale(tmp_path: Path) -> None:
    """Refused where the grades would go into the means; missing where they are missing anyway."""
    path = write_lines(tmp_path / "1.jsonl", reviews("70 80", "700 800", "50 60"))
    with pytest.raises(PredictionsError, match="line 2: the grades are 700 and 800, and the scale is 1 to 100"):
        ReviewLines(REVIEWS)(path, SAMPLES, "kept")
    found = ReviewLines(REVIEWS)(path, SAMPLES, "missing")
    assert found is not None and found["1"][0].status is Status.JUDGE_FAILED
    answers = write_lines(tmp_path / "a.jsonl", [{"question_id": "0", "text": "A"}])
    assert ReviewLines(REVIEWS)(answers, SAMPLES, "kept") is None


def test_grades_keep_what_the_script_recorded(tmp_path: Path) -> None:
    lists = {
        str(n): {"model": ["m", "m"], "content": ["good", "grade 1"], "score": [0.5, "nan" if n else 1]}
        for n in range(3)
    }
    path = tmp_path / "grades.json"
    path.write_text(json.dumps(lists), "utf-8")
    found = GradeLists(lambda reply: reply.startswith("grade"))(path, SAMPLES, "p")
    assert found is not None and [verdict.unread for verdict in found["0"]] == [True, False]
    assert found["0"][1] == Verdict(1, replies=("grade 1",), model="m") and found["1"][1].unread
    path.write_text(json.dumps({"0": "an answer"}), "utf-8")
    assert GradeLists(bool)(path, SAMPLES, "p") is None


def test_one_file_is_needed(tmp_path: Path) -> None:
    with pytest.raises(PredictionsError, match="a folder, where one file was expected"):
        one_file(tmp_path)
    with pytest.raises(PredictionsError, match="no such file"):
        one_file(tmp_path / "none.json")
    one_file(write_lines(tmp_path / "a.jsonl", [{}]))


LISTS = AnswerLists("thing")


def test_lists_of_answers_are_written_and_read(tmp_path: Path) -> None:
    def build_request(sample: Sample, protocol: str) -> Request:
        raise AssertionError("the format holds no prompts")

    path = tmp_path / "new" / "a.json"
    LISTS.write(path, [Answer(sample, f"A{sample.id}", "", "p", build_request) for sample in SAMPLES])
    assert json.loads(path.read_text("utf-8")) == {"t0": ["A0", "A1"], "t1": ["A2"]}
    assert LISTS.read(path, SAMPLES) == {"0": "A0", "1": "A1", "2": "A2"}


@pytest.mark.parametrize(
    ("content", "texts"),
    [({"t0": ["A"]}, ["A", "", ""]), ({"t1": ["A"], "t0": []}, ["", "", "A"]), ({"t0": ["A", "B"]}, ["A", "B", ""])],
)
def test_dropped_answers_are_empty(tmp_path: Path, content: dict[str, Any], texts: list[str]) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content), "utf-8")
    found = LISTS.read(path, SAMPLES)
    assert found is not None and [found[sample.id] for sample in SAMPLES] == texts


def test_rows_are_no_lists(tmp_path: Path) -> None:
    for name, row in (("a.json", {"thing": "t0", "text": "A"}), ("b.json", {"id": "0"}), ("c.jsonl", {"t0": ["A"]})):
        assert LISTS.read(write_lines(tmp_path / name, [row]), SAMPLES) is None


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"t0": ["A"] * 3}, "key t0: 3 answers to 2 questions"),
        ({"t0": [1]}, "key t0: a list of texts was expected"),
        ({"t9": []}, "1 things are not in this split: t9"),
        ({}, "there is no answer in it"),
    ],
)
def test_broken_lists(tmp_path: Path, content: dict[str, Any], told: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(PredictionsError, match=told):
        LISTS.read(path, SAMPLES)
