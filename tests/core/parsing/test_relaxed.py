"""Relaxed accuracy: what a number is, how far it may be off, and where the codes part."""

from __future__ import annotations

import pytest

from vlmbench.parsing import relaxed

CODES = {
    name: getattr(relaxed, name)
    for name in ("lmms_eval", "vlmevalkit", "internvl", "big_vision", "moondream", "cambrian")
}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("50%", 0.5),
        ("50", 50.0),
        ("1,000", None),
        ("12.", 12.0),
        ("%", None),
        ("1e3", 1000.0),
        ("", None),
        ("$5", None),
    ],
)
def test_numbers(text: str, number: float | None) -> None:
    assert relaxed.value(text) == number


@pytest.mark.parametrize(
    ("text", "right", "wrong"),
    [
        ("105", "100", ()),
        ("95", "100", ("internvl",)),
        ("105.2", "100", ("lmms_eval", "vlmevalkit", "big_vision", "moondream", "cambrian")),
        ("2014", "2015", ()),
        ("50", "50%", CODES),
        ("0.5", "50%", ("cambrian",)),
        ("0.0", "0", ("lmms_eval", "vlmevalkit", "internvl", "big_vision", "moondream")),
        ("1,000", "1000", CODES),
        ("BLUE", "Blue", ()),
        ("Blue ", "Blue", ("lmms_eval", "big_vision", "cambrian")),
        ("nan", "nan", CODES),
        ("[1, 2]", "[1, 2]", ("vlmevalkit",)),
        ("2", "[1, 2]", ("lmms_eval", "internvl", "big_vision", "moondream", "cambrian")),
        ("[1.02, 2]", "[1, 2]", ("lmms_eval", "vlmevalkit", "internvl", "big_vision", "cambrian")),
        ("Dark blue", "dark", CODES),
    ],
)
def test_where_the_codes_part(text: str, right: str, wrong: tuple[str, ...]) -> None:
    assert {name for name, match in CODES.items() if match(text, right)[1] == 0.0} == set(wrong)


def test_one_of_several_right_answers_is_enough() -> None:
    assert relaxed.lmms_eval("7", ("five", "7.1"))[1] == 1.0
    assert relaxed.vlmevalkit("[5]", ("[5]", "6"))[1] == 1.0  # a list of right answers is not read a second time


@pytest.mark.parametrize("text", ["[" * 100_000, "[__import__('os')]", "[1, 2", "[1] + [2]"])
def test_a_right_answer_that_only_looks_like_a_list(text: str) -> None:
    assert relaxed.named_alternatives(text) == (text,)
    assert relaxed.moondream(text, text)[1] == 1.0
