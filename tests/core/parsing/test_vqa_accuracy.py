"""VQA accuracy: the table against the loop it replaces, and each peer's peculiarities on one question."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from vlmbench.parsing import text as answers
from vlmbench.parsing import vqa_accuracy
from vlmbench.parsing.vqa_accuracy import Matcher, leave_one_out

CATS = ("cat",) * 10
MIXED = ("cat", "cat", "a cat", "Cat.", "dog", "dog", "kitten", "two cats", "2 cats", "cat's")


def loop(text: str, people: tuple[str, ...]) -> float:
    """The official loop over texts that are compared as they are."""
    values = []
    for place in range(len(people)):
        others = [person for other, person in enumerate(people) if other != place]
        values.append(min(1, float(len([person for person in others if person == text])) / 3))
    total = 0.0
    for value in values:
        total += value
    return total / len(values)


@pytest.mark.parametrize(("matches", "score"), [*enumerate((0, 0.3, 0.6, 0.9, 1, 1, 1, 1, 1, 1, 1))])
def test_ten_people(matches: int, score: float) -> None:
    assert leave_one_out((1 << matches) - 1, 10) == pytest.approx(score, abs=1e-12)


@given(some.lists(some.booleans(), min_size=1, max_size=12))
def test_the_table_is_the_loop(agree: list[bool]) -> None:
    people = tuple("yes" if same else "no" for same in agree)
    bits = sum(1 << place for place, same in enumerate(agree) if same)
    assert leave_one_out(bits, len(agree)) == loop("yes", people)


WORDS = some.sampled_from(
    ["cat", "Cat.", "a cat", "two", "2", " dont", "don't", "t-shirt", "t- shirt", "1,000", "x.\ty"]
)


@given(WORDS | some.text(max_size=12), some.lists(WORDS | some.text(max_size=6), min_size=10, max_size=10))
def test_official_is_the_official_loop(text: str, humans: list[str]) -> None:
    people = [answers.vqa_cleaned(human) for human in humans]
    said = answers.vqa_cleaned(text)
    if len(set(people)) > 1:
        people, said = [answers.vqa_normal(person) for person in people], answers.vqa_normal(said)
    assert vqa_accuracy.official(text, tuple(humans)) == (said, loop(said, tuple(people)))


@pytest.mark.parametrize(
    ("match", "text", "humans", "score"),
    [
        (vqa_accuracy.official, "cat", CATS, 1),
        (vqa_accuracy.official, "Cat.", CATS, 0),  # all agree: nothing is normalised
        (vqa_accuracy.official, " cat\n", CATS, 1),
        (vqa_accuracy.official, "The cat!", MIXED, 1),
        (vqa_accuracy.official, "two cats", MIXED, 0.6),
        (vqa_accuracy.after_m4c(vqa_accuracy.official), "Cat?", CATS, 1),
        (vqa_accuracy.lmms_eval_vqav2, "Cat.", CATS, 1),
        (vqa_accuracy.vlmevalkit, "3.", ("3",) * 10, 0),  # its mended pattern keeps the period
        (vqa_accuracy.lavis, "Cat.", CATS, 1),
        (vqa_accuracy.lavis, "cat", MIXED, 0.6),  # people keep their capitals and articles
        (vqa_accuracy.case_folded, "CAT", CATS, 1),
        (vqa_accuracy.minigpt_v2_okvqa, "<unk> Cat ", CATS, 1),
        (vqa_accuracy.tinygpt_v_okvqa, "cat###Human: what", CATS, 1),
        (vqa_accuracy.tinygpt_v_okvqa, "Assistant: cat", CATS, 0),  # its cut comes too late
        (vqa_accuracy.m4c, "cat's,", MIXED, 0.3),
        (vqa_accuracy.vizwiz, "A CAT", MIXED, 0.6),
        (vqa_accuracy.vizwiz, "dont", ("don't",) * 10, 0),  # becomes don’t
        (vqa_accuracy.minigpt_v2_vizwiz, "CAT", MIXED, 2 / 3),
        (vqa_accuracy.minigpt_v2_vizwiz, "cat ", CATS, 0),
        (vqa_accuracy.minigpt_v2_vizwiz, "b", ("a_b",) * 10, 1),
        (vqa_accuracy.tinygpt_v_vizwiz, "", MIXED, 1),
        (vqa_accuracy.tinygpt_v_vizwiz, "at", MIXED, 1),
        (vqa_accuracy.tinygpt_v_vizwiz, "Assistant: dog", MIXED, 2 / 3),
    ],
)
def test_by_hand(match: Matcher, text: str, humans: tuple[str, ...], score: float) -> None:
    assert match(text, humans)[1] == pytest.approx(score, abs=1e-12)
