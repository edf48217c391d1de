"""Every box of an answer is found with its phrase, and drawn where it is."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from vlmbench.cli import draw_boxes as drawing
from vlmbench.parsing.boxes import Region, regions

HALF = (0.0, 0.0, 100.0, 50.0)
"""`{<0><0><50><50>}` on 200 x 100 pixels."""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("no box", []),
        ("", []),
        ("{<0><0><50><50>}", [(HALF, "")]),
        ("<p>a dog</p> {<0><0><50><50>}", [(HALF, "a dog")]),
        ("<p>a dog</p>{<0><0><50><50>}<delim>{<50><0><100><100>}", [(HALF, "a dog"), ((100, 0, 200, 100), "a dog")]),
        ("<p>dogs</p> {<0><0><50><50>} <delim> {<0><0><50><50>}", [(HALF, "dogs"), (HALF, "dogs")]),
        ("<p>a</p> rides <p>b</p> {<0><0><50><50>}.", [(HALF, "b")]),
        ("<p>a</p> is there: {<0><0><50><50>}", [(HALF, "")]),
        ("<p>a {<0><0><50><50>}", [(HALF, "")]),
        ("<p> two\n words </p> { <0> <0> <50> <50> }", [(HALF, "two words")]),
        ("<p>a</p> {<0><0><50><50>} and <p>b</p> {<50><50><0><0>}", [(HALF, "a"), (HALF, "b")]),
        ("{<0><0><50>", []),
        ("{<0><0><50><50><50>}", []),
        ("{<0><0><150><50>}", []),
        ("{<-1><0><50><50>}", []),
        ("[0.0, 0.0, 0.5, 0.5]", [(HALF, "")]),
        ("It is at [0.00,0,.5,0.5].", [(HALF, "")]),
        ("[0.5, 0.5, 0, 0] and [0, 0, 1, 1.0]", [(HALF, ""), ((0, 0, 200, 100), "")]),
        ("<p>x</p> [0, 0, 0.5, 0.5]", [(HALF, "x")]),
        ("[0, 0, 1, 1]", []),
        ("[1.5, 0, 0.5, 0.5]", []),
        ("[0.1, 0.2, 0.3]", []),
        ("[0.1, 0.2, 0.3, 0.4, 0.5]", []),
        ("[0.1, ., 0.3, 0.4]", []),
        ("[-0.1, 0.2, 0.3, 0.4]", []),
    ],
)
def test_boxes_of_an_answer(text: str, found: list[tuple[tuple[float, ...], str]]) -> None:
    assert [(region.box, region.phrase) for region in regions(text, 200, 100)] == found


def test_shares_of_a_padded_square() -> None:
    """200 x 100 pixels stand in a square of 200, 50 below its top."""
    text = "[0.25, 0.25, 0.5, 0.75] [0.0, 0.0, 0.5, 0.5] {<0><0><50><50>}"
    found = [region.box for region in regions(text, 200, 100, padded=True)]
    assert found == [(50, 0, 100, 100), (0, 0, 100, 50), HALF]
    assert regions(text, 100, 100, padded=True) == regions(text, 100, 100)


def test_long_answers_are_read_to_their_end() -> None:
    """Tens of thousands of signs that begin what never ends; the only box is in the last text."""
    texts = (
        "<p>" * 30_000,
        "<p>x</p> " * 10_000,
        "{<1>" * 20_000,
        "[1.0," * 20_000,
        "{<1><1><2><2>}" + " " * 50_000,
    )
    assert [len(regions(text, 10, 10)) for text in texts] == [0, 0, 0, 0, 1]


def picture(size: tuple[int, int], colour: int = 128) -> Image.Image:
    return Image.new("RGB", size, (colour, colour, colour))


def pixel(image: Image.Image, x: int, y: int) -> tuple[int, ...]:
    return tuple(int(value) for value in np.asarray(image)[y, x])


def test_the_line_is_on_the_box_and_the_inside_is_left_alone() -> None:
    image = picture((640, 480))
    drawn = drawing.draw(image, [Region((100, 50, 300, 200))])
    first = drawing.colour(0)
    assert [pixel(drawn, *at) for at in ((100, 100), (299, 100), (200, 50), (200, 199))] == [first] * 4
    assert [pixel(drawn, *at) for at in ((200, 120), (90, 100), (310, 100), (200, 40), (200, 210))] == [(128,) * 3] * 5
    assert drawn.size == image.size and pixel(image, 100, 100) == (128,) * 3  # the picture itself is as it was


def test_a_small_picture_is_enlarged() -> None:
    drawn = drawing.draw(picture((64, 48)), [Region((16, 12, 48, 36))])
    assert drawn.size == (448, 336)
    assert pixel(drawn, 16 * 7, 24 * 7) == pixel(drawn, 48 * 7 - 1, 24 * 7) == drawing.colour(0)


def test_one_colour_a_phrase() -> None:
    corners = ((10, 200), (210, 200), (410, 200))
    boxes = [(float(x), float(y), x + 100.0, y + 100.0) for x, y in corners]
    drawn = drawing.draw(picture((640, 480)), [Region(box, name) for box, name in zip(boxes, "aba", strict=True)])
    assert [pixel(drawn, x, y + 50) for x, y in corners] == [drawing.colour(number) for number in (0, 1, 0)]
    drawn = drawing.draw(picture((640, 480)), [Region(box) for box in boxes])
    assert [pixel(drawn, x, y + 50) for x, y in corners] == [drawing.colour(number) for number in range(3)]


def test_colours_are_all_different() -> None:
    assert len({drawing.colour(number) for number in range(100)}) == 100


@pytest.mark.parametrize("y", [0, 5, 200, 459, 470])
def test_the_label_is_beside_its_box_and_inside_the_picture(y: int) -> None:
    plain = drawing.draw(picture((640, 480)), [Region((50, y, 250, min(y + 100, 480)))])
    named = drawing.draw(picture((640, 480)), [Region((50, y, 250, min(y + 100, 480)), "a dog")])
    rows, columns = np.nonzero((np.asarray(plain) != np.asarray(named)).any(-1))
    assert 10 < rows.max() - rows.min() < 40 and 20 < columns.max() - columns.min() < 100
    assert abs(columns.min() - 50) <= 2 and rows.min() - 40 < min(y + 100, 480) and rows.max() + 40 > y
    label = np.asarray(named)[rows.min() : rows.max(), columns.min() : columns.max()]
    assert (label < 30).all(-1).mean() > 0.05  # dark letters
    assert (label == drawing.colour(0)).all(-1).mean() > 0.3  # on the box's colour


def test_labels_do_not_hide_each_other() -> None:
    boxes = [Region((100, 100, 300, 300), f"thing {number}") for number in range(8)]
    drawn = np.asarray(drawing.draw(picture((640, 480)), boxes))
    assert all((drawn == drawing.colour(number)).all(-1).sum() > 300 for number in range(8))


@pytest.mark.parametrize("size", [(1, 1), (4, 3000), (3000, 4), (20, 900), (4000, 3000)])
def test_any_size_takes_any_box(size: tuple[int, int]) -> None:
    width, height = size
    shares = ((0, 0, 1, 1), (1, 1, 1, 1), (0, 0, 0, 0), (0.5, 0.5, 0.5, 0.9), (0.2, 0.3, 0.9, 0.31))
    found = [Region((a * width, b * height, c * width, d * height), "words " * 30) for a, b, c, d in shares]
    drawn = drawing.draw(picture(size), found)
    assert drawn.mode == "RGB" and drawn.width % width == 0
    assert (np.asarray(drawn) == drawing.colour(0)).all(-1).any()
