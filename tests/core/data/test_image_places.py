"""Marks for images in a text: what each form of benchmark makes of them, and what is refused."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial

import pytest

from tests.support.toys import keep
from vlmbench.base.errors import DataError
from vlmbench.base.samples import ImageRef, Sample, in_order
from vlmbench.data.images.places import (
    AT_MARKS,
    FIRST,
    MARKED_FIRST,
    NUMBERED,
    SEQUENTIAL,
    Placement,
    moved,
    named_in,
    numbered,
)

EACH, NAMED = Placement(images="each mark", mark="<image>"), Placement(at_marks=True, mark="Image {n}")
IMAGES = tuple(ImageRef(f"{n}.png", partial(keep, b"")) for n in (1, 2, 3))


def parts(placement: Placement, text: str, count: int = 3, written: str = NUMBERED) -> list[str]:
    """What the model is shown, in order: names of images in brackets, and text."""
    found = placement.place(text, IMAGES[:count], written, "here")
    return in_order(found.prompt, [f"[{image.name[0]}]" for image in found.images], found.places)


@pytest.mark.parametrize(
    ("placement", "text", "count", "shown"),
    [
        (FIRST, "Is <image 2> like <image 1>?", 2, ["[1]", "[2]", "Is <image 2> like <image 1>?"]),
        (AT_MARKS, "Is <image 2> like <image 1>?", 2, ["Is ", "[2]", " like ", "[1]", "?"]),
        (AT_MARKS, "<image 1><image 2>", 2, ["[1]", "[2]"]),
        (AT_MARKS, "<image 1> and again <image 1>", 1, ["[1]", " and again ", "[1]"]),
        (AT_MARKS, "No image.", 0, ["No image."]),
        (MARKED_FIRST, "<image 3>, <image 1>, <image 3>", 3, ["[1]", "[3]", "<image 3>, <image 1>, <image 3>"]),
        (EACH, "<image 2>=<image 1>=<image 2>", 2, ["[2]", "[1]", "[2]", "<image>=<image>=<image>"]),
        (NAMED, "See <image 2>. <image 1>", 2, ["See ", "[2]", "Image 2. ", "[1]", "Image 1"]),
        (Placement(at_marks=True, mark="", unmarked="first"), "a <image 2> b", 3, ["[1]", "[3]", "a ", "[2]", " b"]),
        (Placement(at_marks=True, mark="", unmarked="leave out"), "a <image 2> b", 3, ["a ", "[2]", " b"]),
        (FIRST, "one < two, <image>, <image x>", 1, ["[1]", "one < two, <image>, <image x>"]),
    ],
)  # fmt: skip
def test_what_is_shown(placement: Placement, text: str, count: int, shown: Sequence[str]) -> None:
    assert parts(placement, text, count) == shown


def test_marks_without_numbers_stay_with_their_images() -> None:
    """Images follow the marks where nothing else tells them apart: an option that moves takes its image along."""
    assert parts(FIRST, "Which? A. <image 1> B. <image 2>", 2, SEQUENTIAL) == [
        "[1]",
        "[2]",
        "Which? A. <image> B. <image>",
    ]
    assert parts(FIRST, "Which? A. <image 2> B. <image 1>", 2, SEQUENTIAL) == [
        "[2]",
        "[1]",
        "Which? A. <image> B. <image>",
    ]
    assert parts(FIRST, "<image 2>?", 3, SEQUENTIAL) == ["[2]", "[1]", "[3]", "<image>?"]
    assert parts(AT_MARKS, "A. <image 2> B. <image 1>", 2, SEQUENTIAL) == ["A. ", "[2]", " B. ", "[1]"]


@pytest.mark.parametrize(
    ("placement", "text", "count", "written", "message"),
    [
        (FIRST, "<image 3>", 2, NUMBERED, "here: the text has <image 3>, and there are 2 images"),
        (AT_MARKS, "<image 0>", 1, NUMBERED, "here: the text has <image 0>, and there is 1 image"),
        (AT_MARKS, "<image 1>", 0, NUMBERED, "the text has <image 1>, and there are 0 images"),
        (AT_MARKS, "<image 2>", 2, NUMBERED, r"image 1 \(1.png\) has no mark in the text"),
        (MARKED_FIRST, "<image 4>", 3, NUMBERED, "<image 4>"),
        (Placement(images="each mark"), "<image 1>", 2, NUMBERED, r"image 2 \(2.png\) has no mark"),
        (FIRST, "<image 1> <image 2>", 1, SEQUENTIAL, "the text has <image> as number 2, and there is 1 image"),
        (AT_MARKS, "no mark", 1, "", r"image 1 \(1.png\) has no mark"),
    ],
)  # fmt: skip
def test_what_is_refused(placement: Placement, text: str, count: int, written: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        placement.place(text, IMAGES[:count], written, "here")


def test_marks_are_numbered_in_the_question_then_in_the_options() -> None:
    sample = Sample("1", "<image> or <image>?", IMAGES, "A", ("both", "<image>", "a <image> b"))
    found = numbered(sample, SEQUENTIAL)
    assert (found.question, found.choices) == (
        "<image 1> or <image 2>?",
        ("both", "<image 3>", "a <image 4> b"),
    )
    bracketed = numbered(Sample("1", "[IMG2] (x) [IMG1]", IMAGES, "A"), "[IMG{n}]")
    assert bracketed.question == "<image 2> (x) <image 1>"
    assert numbered(found, NUMBERED) is found
    assert parts(FIRST, bracketed.question, 2, "[IMG{n}]")[-1] == "[IMG2] (x) [IMG1]"


def test_names_between_separators() -> None:
    assert named_in("Look: <IMG>v2_1.jpg<IMG> and <IMG>v2_2.png") == (
        "Look: <image 1> and <image 2>",
        ("v2_1.jpg", "v2_2.png"),
    )
    assert named_in("Plain text.") == ("Plain text.", ())


def test_places_in_a_text_of_which_a_part_was_replaced() -> None:
    chance = random.Random(4)
    for _ in range(200):
        head, tail = ("ab"[chance.randint(0, 1)] * chance.randint(0, 4) for _ in range(2))
        old, new = "old"[: chance.randint(1, 3)], "news"[: chance.randint(1, 4)]
        before, after = head + old + tail, head + new + tail
        places = (0, len(head), len(head + old), len(before))
        assert moved(places, before, after) == (0, len(head), len(head + new), len(after))
    assert moved((3, 13), "see answer A, now", "see reply A, now") == (3, 12)
    assert moved((6,), "see answer now", "see reply now") is None
    assert moved((), "a", "b") == ()
