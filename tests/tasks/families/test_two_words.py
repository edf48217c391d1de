"""What benchmarks of two words read off rows: yes or no in words and digits, and rows of pred and gt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vlmbench.base.errors import DataError, PredictionsError
from vlmbench.base.samples import Request, Sample
from vlmbench.data.answers.predictions import answer_rows
from vlmbench.data.rows import Row
from vlmbench.families.answer_files import Answer
from vlmbench.families.yes_no import PredGtRows, word_of_digit, yes_no_target
from vlmbench.parsing.yes_no import TRUE_FALSE, YES_NO


def row(value: Any) -> Row:
    return Row({"label": value}, "f", "line 3")


@pytest.mark.parametrize(("text", "word"), [("Yes", "yes"), (" no\n", "no"), ("YES.", "yes")])
def test_targets_in_words(text: str, word: str) -> None:
    assert yes_no_target(row(text), "label") == word


@pytest.mark.parametrize("value", ["maybe", "", "yes, it is", "true", 1, None])
def test_targets_that_are_neither(value: Any) -> None:
    with pytest.raises(DataError, match="f, line 3, field 'label'"):
        yes_no_target(row(value), "label")


def test_targets_in_digits() -> None:
    assert [word_of_digit(row(digit), "label") for digit in (1, 0, "1", "0")] == ["yes", "no"] * 2
    assert word_of_digit(row(0), "label", TRUE_FALSE) == "false"
    for value in (2, -1, True, "yes", 0.5, None):
        with pytest.raises(DataError, match="f, line 3, field 'label'"):
            word_of_digit(row(value), "label")


SAMPLES = [Sample(str(n), "?", (), target) for n, target in enumerate(("yes", "no", "yes"))]
DIGITS, TEXTS = PredGtRows("meme", YES_NO), PredGtRows("statement")


def written(rows: PredGtRows, path: Path, *answers: tuple[str, str]) -> list[dict[str, Any]]:
    """The rows of (text, what was read) to each of the samples."""

    def build_request(sample: Sample, protocol: str) -> Request:
        raise AssertionError("the format holds no prompts")

    pairs = zip(SAMPLES, answers, strict=True)
    rows.write(path, [Answer(sample, text, parsed, "p", build_request) for sample, (text, parsed) in pairs])
    content: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))
    return content


def test_digits_are_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    answers = [("Yes, it is", "yes"), ("no", "no"), ("perhaps", "")]
    assert written(DIGITS, path, *answers) == [
        {"pred": 1, "gt": 1}, {"pred": 0, "gt": 0}, {"pred": "perhaps", "gt": 1}
    ]  # fmt: skip
    assert DIGITS.read(path, answer_rows(path), SAMPLES) == {"0": "yes", "1": "no", "2": "perhaps"}


def test_texts_are_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    answers = [("Yes, it is", "yes"), ("no", "no"), ("perhaps", "")]
    assert written(TEXTS, path, *answers)[0] == {"pred": "Yes, it is", "gt": "yes"}
    assert TEXTS.read(path, answer_rows(path), SAMPLES) == {"0": "Yes, it is", "1": "no", "2": "perhaps"}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"gt": 1}, "item 2: the row says that 1 is right, meme 1 is no"),
        ({"gt": 2}, "item 2, field 'gt': 0 or 1 was expected, not 2"),
        ({"pred": None}, "item 2, field 'pred'"),
    ],
)
def test_broken_rows_of_digits(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    rows = [{"pred": 1, "gt": 1}, {"pred": 0, "gt": 0, **change}, {"pred": 7, "gt": 1}]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(rows), "utf-8")
    with pytest.raises(PredictionsError, match=told):
        DIGITS.read(path, answer_rows(path), SAMPLES)
    with pytest.raises(PredictionsError, match="2 answers, and 3 memes"):
        DIGITS.read(path, answer_rows(path)[:2], SAMPLES)
    rows[1] = {"pred": 0, "gt": 0}
    path.write_text(json.dumps(rows), "utf-8")
    assert DIGITS.read(path, answer_rows(path), SAMPLES)["2"] == ""  # a digit that is neither
