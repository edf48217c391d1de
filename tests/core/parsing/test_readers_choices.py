"""Readers of short and lettered answers: tables of what each rule makes of a text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmbench.base.samples import ChoiceScore
from vlmbench.parsing import edit_distance, yes_no
from vlmbench.parsing import options as letters

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
    assert yes_no.opening_yes_no(text) == plain
    assert yes_no.opening_yes_no_stripped(text) == stripped


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


def edits(one: str, other: str) -> int:
    """Levenshtein's distance as textbooks have it, row by row."""
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        corner, row[0] = row[0], i
        for j, second in enumerate(other, 1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (letter != second))
    return row[-1]


@given(text=st.text(max_size=8), target=st.text(max_size=8))
def test_anls_counts_edits_as_the_textbook_does(text: str, target: str) -> None:
    length = max(len(text.upper()), len(target.upper()))
    distance = edits(" ".join(target.lower().split()), " ".join(text.lower().split()))
    similarity = 1 - distance / length if length else 1.0
    assert edit_distance.anls(text, [target]) == (similarity if similarity >= 0.5 else 0.0)


def test_a_runaway_answer_is_compared_at_once() -> None:
    assert edit_distance.anls("ab" * 25_000, ["ba" * 25_000]) == 1 - 2 / 50_000


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
    assert edit_distance.anls(text, targets) == pytest.approx(value)
