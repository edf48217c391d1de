"""The readers of option letters and boxes on plain cases; tests/golden has the adversarial ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmbench.parsing import boxes
from vlmbench.parsing import options as letters

OPTIONS = {"A": "cat", "B": "dog", "C": "a cow", "D": "cattle"}


@pytest.mark.parametrize(
    ("text", "exact", "now", "before", "lmms"),
    [
        ("B", "B", "B", "B", "B"),
        (" B\n", "B", "B", "B", "B"),
        ("B.", "", "B", "B", "B"),
        ("(B)", "", "B", "B", "B"),
        ("[B]", "", "B", "B", ""),
        ("dog", "", "B", "B", "B"),
        ("cattle", "", "", "", ""),  # holds "cat" too
        ("B, because there are no dogs to be seen in it", "", "", "B", "B"),
        ("The answer is b, since nothing else fits", "", "B", "", ""),
        ("A or B", "", "", "", ""),
        ("A dog is over there", "", "B", "A", "B"),
        ("Z", "", "Z", "Z", ""),
        ("E", "", "", "", "E"),
        ("Cannot determine the answer", "", "Z", "Z", ""),
        ("Failed to obtain answer via API B", "", "", "", ""),
        ("", "", "", "", ""),
    ],
)
def test_letters(text: str, exact: str, now: str, before: str, lmms: str) -> None:
    readers = (
        letters.exact_letter,
        letters.vlmevalkit_letter,
        letters.vlmevalkit_letter_2023,
        letters.lmms_eval_letter,
    )
    assert tuple(read(text, OPTIONS) for read in readers) == (exact, now, before, lmms)


@given(st.text(max_size=40), st.dictionaries(st.sampled_from("ABCD"), st.text(max_size=5), min_size=1))
def test_a_reader_names_an_option_or_none(text: str, options: dict[str, str]) -> None:
    for read in (letters.exact_letter, letters.vlmevalkit_letter, letters.vlmevalkit_letter_2023):
        assert read(text, options) in {*options, "Z", letters.UNDECIDED}
    assert letters.lmms_eval_letter(text, options) in {*"ABCDE", letters.UNDECIDED}


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ("{<10><20><50><60>}", (20, 20, 100, 60)),
        (" { <10> <20> <50> <60> } and more", (20, 20, 100, 60)),
        ("<unk>{<10><20><50><60>}</s>", (20, 20, 100, 60)),
        ("{<50><60><10><20>}", (100, 60, 20, 20)),  # not put in order
        ("{<10><20><50><60>} 2", None),
        ("It is {<10><20><50><60>}", None),
        ("<10><20><50><60>", None),
        ("", None),
    ],
)
def test_minigpt_box(text: str, box: boxes.Box | None) -> None:
    assert boxes.minigpt_box(text, 200, 100) == box


def test_any_minigpt_box() -> None:
    assert boxes.any_minigpt_box("10, 20, 50, 60", 200, 100) == (20, 20, 100, 60)
    assert boxes.any_minigpt_box("10, 20, 50, 60, 70", 200, 100) is None
    assert boxes.any_minigpt_box(f"1 2 3 {'9' * 5000}", 200, 100) is None


def test_lmms_eval_numbers() -> None:
    assert boxes.lmms_eval_numbers("at [0.1, 0.2, 0.5, 0.6] or [0, 0, 1, 1]") == (0.1, 0.2, 0.5, 0.6)
    assert boxes.lmms_eval_numbers("[.1, .2, .5, .6]") is None
    assert boxes.lmms_eval_numbers("[0.1 0.2 0.5 0.6]") is None


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ("[0.1, 0.2, 0.5, 0.6]", (20, 20, 100, 60)),
        ("[100 200 500 600]", (20, 20, 100, 60)),
        ("(500,600),(100,200)", (20, 20, 100, 60)),
        ("[-0.5, 0, 0.5, 2e-1]", (0, 0, 100, 20)),
        ("[20, 20, 1100, 60]", (20, 20, 200, 60)),
        ("three: 1, 2, 3", None),
    ],
)
def test_vlmevalkit_box(text: str, box: boxes.Box | None) -> None:
    assert boxes.vlmevalkit_box(text, 200, 100) == (box and pytest.approx(box))


def test_the_first_index_of_a_grid_runs_along_x() -> None:
    assert boxes.grid_coverage([(0.0, 0.0, 0.5, 1.0)], 2).tolist() == [[1, 1], [0, 0]]
    assert boxes.grid_coverage([(0.25, 0.25, 0.75, 0.75)] * 2, 2).tolist() == [[0.5, 0.5], [0.5, 0.5]]
