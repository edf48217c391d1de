"""Forms of official files and answer files that several benchmarks share: what is read, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.tasks.layouts import write_lines
from vlmbench.base.errors import DataError, PredictionsError
from vlmbench.data.answers.attention_maps import square_maps
from vlmbench.data.answers.probabilities import id_and_probability, probability_column
from vlmbench.data.files import Row, read_rows
from vlmbench.data.official.llava_conversations import choice_conversations, parted
from vlmbench.data.official.ocr_tokens import ocr_tokens
from vlmbench.data.official.problems import problems_of


def test_problems_by_list(tmp_path: Path) -> None:
    problems, splits = tmp_path / "problems.json", tmp_path / "pid_splits.json"
    problems.write_text(json.dumps({pid: {"choices": [], "split": "b" if pid == "2" else "a"} for pid in "123"}))
    assert [(name, pid) for name, pid, _ in problems_of(problems, "choices", None, ("a",))] == [("a", "1"), ("a", "3")]
    splits.write_text(json.dumps({"a": ["3", "1"], "b": ["2"], "again": ["1"], "lost": ["4"]}))
    found = [(name, pid) for name, pid, _ in problems_of(problems, "choices", splits, ("b", "a"))]
    assert found == [("b", "2"), ("a", "3"), ("a", "1")]
    for names, told in ((("a", "again"), "'1' is there twice: also in 'a'"), (("lost",), "has no problem '4'")):
        with pytest.raises(DataError, match=told):
            list(problems_of(problems, "choices", splits, names))


def test_options_are_the_last_lines() -> None:
    assert parted("Which?\nA. red\nB. blue") == ("Which?", ("red", "blue"))
    assert parted("See\nA. this\nand\nA. one\nline\nB. two\nD. not one") == (
        "See\nA. this\nand",
        ("one\nline", "two\nD. not one"),
    )
    assert parted("Which?\nB. blue") == ("Which?\nB. blue", ())


def test_conversations(tmp_path: Path) -> None:
    def turns(text: str, answer: str) -> list[dict[str, str]]:
        return [{"from": "human", "value": text}, {"from": "gpt", "value": answer}]

    row = {"id": "7", "image": "7.png", "conversations": turns("<image>\nWhich?\nA. red\nB. blue", "B")}
    ((key, _, question, choices, answer),) = choice_conversations(write_lines(tmp_path / "a.json", [row], array=True))
    assert (key, question, choices, answer) == ("7", "Which?", ("red", "blue"), "B")
    for wrong, told in (
        ({"conversations": turns("Which?\nA. red\nB. blue", "C")}, "letter of none"),
        ({"conversations": turns("<image>\nWhich?\nA. red", "A"), "image": None}, "shows <image>"),
        ({"conversations": turns("Which?", "A")}, "no options"),
        ({"conversations": []}, "a question and an answer"),
    ):
        with pytest.raises(DataError, match=told):
            list(choice_conversations(write_lines(tmp_path / "b.json", [row | wrong], array=True)))


def test_words_of_an_image_must_agree(tmp_path: Path) -> None:
    assert ocr_tokens(None)(Row({}, "", "")) is None
    rows = [{"image_id": "i", "ocr_tokens": words} for words in (["STOP", "4"], ["STOP", "4"], ["GO"])]
    path = tmp_path / "ocr.json"
    path.write_text(json.dumps({"data": rows[:2]}))
    assert ocr_tokens(path)(Row({"image_id": "i"}, "", "")) == "STOP, 4"
    with pytest.raises(DataError, match="no OCR tokens of image j"):
        ocr_tokens(path)(Row({"image_id": "j"}, "q", ""))
    path.write_text(json.dumps({"data": rows}))
    with pytest.raises(DataError, match="other OCR tokens of image i"):
        ocr_tokens(path)


def test_a_probability_is_the_model_s_or_the_dataset_s(tmp_path: Path) -> None:
    def rows(*values: dict[str, object]) -> list[Row]:
        return read_rows(write_lines(tmp_path / "a.jsonl", list(values)))

    model = rows({"image": "a", "Answerable": 0.25})
    column = probability_column(model, "answerable", ("answer_type",))
    assert column == "Answerable"
    assert [(key, share) for key, share, _ in id_and_probability(model, ("image",), column)] == [("a", 0.25)]
    for of_dataset in ({"answer_type": "other"}, {"answer": "red", "prediction": "blue"}):
        assert (
            probability_column(rows({"image": "a", "answerable": 1} | of_dataset), "answerable", ("answer_type",)) == ""
        )
    cases: list[tuple[dict[str, object], str]] = [
        ({"image": "a"}, "no 'answerable'"),
        ({"answerable": 1}, "no 'image'"),
        ({"image": "a", "answerable": 25}, "0 to 1"),
    ]
    for wrong, told in cases:
        with pytest.raises(PredictionsError, match=told):
            list(id_and_probability(rows({"image": "b", "answerable": 1}, wrong), ("image",), "answerable"))


def test_attention_of_what_is_asked_alone(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", [{"id": "1", "attention": [[0, 1], [1, 0]]}, {"id": "2", "attention": 3}])
    assert {key: found.tolist() for key, found in square_maps(path, "id", ["1"], "question").items()} == {
        "1": [[0, 1], [1, 0]]
    }
    for asked, told in ((["1", "3"], "1 questions have no attention: 3"), (["2"], "list was expected|not a square")):
        with pytest.raises(PredictionsError, match=told):
            square_maps(path, "id", asked, "question")
