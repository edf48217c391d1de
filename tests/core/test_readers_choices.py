"""Readers of short and lettered answers: tables of what each rule makes of a text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmbench.base.samples import ChoiceScore
from vlmbench.parsing import options as letters
from vlmbench.parsing import text as answers

OPTIONS = {"A": "push", "B": "pull", "C": "the moon"}


@pytest.mark.parametrize(
    ("text", "plain", "stripped"),
    [
        ("Yes", "yes", "yes"),
        ("no.", "no", "no"),
        ("know", "no", "no"),
        ("unknown", "other", "other"),
        ("eyes", "yes", "yes"),
        ("   no", "other", "no"),
        ("The answer is yes", "other", "other"),
        ("y", "other", "yes"),
        (" N. ", "other", "no"),
        ("n.o", "other", "no"),
        ("", "other", "other"),
    ],
)
def test_opening_yes_no(text: str, plain: str, stripped: str) -> None:
    assert answers.opening_yes_no(text) == plain
    assert answers.opening_yes_no_stripped(text) == stripped


@pytest.mark.parametrize(
    ("text", "llava", "official", "lmms_eval"),
    [
        ("B", "B", "B", "B"),
        ("b", "", "", "B"),
        (" B", "", "B", "B"),
        ("B.", "", "", "B"),
        ("B. pull", "B", "", "B"),
        ("B.pull", "", "", "B"),
        ("(B)", "", "", ""),
        ("E", "", "", ""),
        ("E. x", "", "", ""),
        ("The answer is B.", "B", "B", ""),
        ("The answer is B. The answer is C.", "", "", ""),
        ("the answer is B.", "", "", ""),
        ("The answer is E.", "", "", ""),
        ("pull", "", "", ""),
        ("", "", "", ""),
    ],
)
def test_letters(text: str, llava: str, official: str, lmms_eval: str) -> None:
    assert letters.llava_letter(text, OPTIONS) == llava
    assert letters.scienceqa_letter(text, OPTIONS) == official
    assert letters.lmms_eval_opening_letter(text, OPTIONS) == lmms_eval


def test_likelihoods() -> None:
    scores = (ChoiceScore("a long one", -4.0, 8), ChoiceScore("short", -1.0, 1), ChoiceScore("last", -1.0, 1))
    assert letters.likeliest(scores) == "short"  # the first of equal ones
    assert letters.likeliest(scores, per_token=True) == "a long one"
    assert letters.share(scores[1:], "last") == 0.5
    far = (ChoiceScore("yes", -2000.0, 1), ChoiceScore("no", -1000.0, 1))
    assert letters.share(far, "yes") == 0.0 and letters.share(far, "no") == 1.0


@given(a=st.text(max_size=8), b=st.text(max_size=8))
def test_edits_are_a_distance(a: str, b: str) -> None:
    assert answers.edits(a, a) == 0 and answers.edits(a, "") == len(a)
    assert answers.edits(a, b) == answers.edits(b, a) <= max(len(a), len(b))
    assert (answers.edits(a, b) == 0) == (a == b)


@pytest.mark.parametrize(
    ("text", "targets", "value"),
    [
        ("half", ["half"], 1),
        (" HALF ", ["half"], 4 / 6 + 2 / 6),
        ("halt", ["half"], 0.75),
        ("D.", ["D"], 0.5),
        ("no", ["yes"], 0),
        ("", [""], 1),
        ("b", ["half", "b"], 1),
    ],
)
def test_anls(text: str, targets: list[str], value: float) -> None:
    assert answers.anls(text, targets) == pytest.approx(value)
