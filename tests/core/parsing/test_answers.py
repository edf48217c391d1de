"""Readers of answers: their peculiarities, one by one. All of the official code's cases are in tests/golden."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmbench.parsing import text as answers
from vlmbench.parsing import yes_no


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("No", "no"), ("no", "no"), ("not at all", "no"), ("Well, no, I think", "no"), ("Yes. No.", "yes"),
        ("NO", "yes"), ("No!", "yes"), ("(no)", "yes"), ("nope", "yes"), ("isn't", "yes"), ("maybe", "yes"),
        ("", "yes"),        ("No\n\nThe picture", "yes"), ("No, there is not.", "no"), (".No", "yes"), ("a  no", "no"),
    ],
)  # fmt: skip
def test_first_sentence_yes_no(text: str, read: str) -> None:
    assert yes_no.first_sentence_yes_no(text) == read


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("Yes.", "yes"), ("(No)", "no"), ("yes and no", "unknown"), ("", "unknown"), ("YES!", "yes"),
        ("know", "unknown"),        ("It is: no", "no"), ("not", "unknown"), ("yes,1,000", "unknown"),
    ],
)  # fmt: skip
def test_word_yes_no(text: str, read: str) -> None:
    assert yes_no.word_yes_no(text) == read


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("t-shirt", "t shirt"), ("t- shirt", "t shirt"), ("1,000 t-shirt", "1000 tshirt"), ("3.", "3"), ("a.5", "a.5"),
        ("The Ten Cats", "10 cats"), ("none", "0"), ("dont", "don't"), ("somebody'd", "somebodyd"), ("Im", "im"),
        ("\tyes\n", "yes"), ("a an the", ""), ("dog's", "dog's"), ("." * 40, "." * 8), ("couldntve", "couldntve"),
    ],
)  # fmt: skip
def test_vqa_normal(text: str, normal: str) -> None:
    assert answers.vqa_normal(text) == normal


def test_variants_of_the_normaliser() -> None:
    assert answers.m4c_normal("dog's") == "dog 's"
    assert answers.m4c_normal("1,000?") == "1000"
    assert answers.vlmevalkit_normal("3.") == "3."
    assert answers.vqa_normal("3.") == "3"
    assert answers.lavis_normal(" A dog ") == "dog"


def test_short_answer_readers() -> None:
    assert answers.converted(" Yes..\n") == "yes"
    assert answers.unpunctuated(" It's RED! ") == "its red"
    assert answers.qwen_vl_cut("It is a red car, I think") == "red car"
    assert answers.qwen_vl_cut("sofa big") == "big"
    assert answers.qwen_vl_cut("the top of the hill") == "top"
    assert yes_no.bare_yes_no(" Yes\n") == "yes"


@pytest.mark.slow
@given(st.text())
def test_no_text_breaks_a_reader(text: str) -> None:
    assert yes_no.first_sentence_yes_no(text) in ("yes", "no")
    assert yes_no.word_yes_no(text) in ("yes", "no", "unknown")
    for normal in (answers.vqa_normal, answers.m4c_normal, answers.vlmevalkit_normal, answers.lavis_normal):
        assert isinstance(normal(text), str)
    for read in (answers.converted, answers.unpunctuated, answers.qwen_vl_cut):
        assert isinstance(read(text), str)
