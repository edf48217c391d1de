"""Draws an answer's boxes on a copy of its image: one colour a phrase, labels that can be read. PIL only."""

from __future__ import annotations

import colorsys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from vlmbench.parsing.boxes import Region

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

Colour = tuple[int, int, int]
Place = tuple[int, int, int, int]
"""x1, y1, x2, y2 on the canvas, the last pixel included."""

SMALLEST, LARGEST = 320, 2048
"""A image whose shorter side is under the one is drawn enlarged, as far as the longer one stays within the other."""
COLOURS: Sequence[Colour] = (
    (255, 64, 64), (0, 150, 255), (255, 200, 0), (40, 200, 80), (220, 80, 255),
    (255, 130, 20), (0, 210, 210), (255, 110, 180), (150, 110, 60), (160, 220, 40),
)  # fmt: skip
"""The first ones; further ones go around the colour wheel."""
DARK = (16, 16, 16)


def draw(image: Image, regions: Sequence[Region]) -> Image:
    """A new RGB image with the boxes and their labels; a small one is enlarged by a whole number, so that words fit.

    Boxes of one phrase have one colour. Boxes without a phrase have a colour each, and a number if there are several.
    """
    from PIL import Image as Images
    from PIL import ImageDraw

    factor = _enlargement(image.size)
    size = (image.width * factor, image.height * factor)
    canvas = image.convert("RGB").resize(size, Images.Resampling.BICUBIC) if factor > 1 else image.convert("RGB").copy()
    pen = ImageDraw.Draw(canvas)
    line = max(2, min(size) // 160)
    named = list(_named(regions))
    places = [_place(region, factor, size) for region in regions]
    largest_first = sorted(range(len(places)), key=lambda at: -_area(places[at]))
    for at in largest_first:  # so that a small box is not hidden under a large one's line
        _outline(pen, places[at], named[at][1], line)
    taken: list[Place] = []
    font = _font(max(14, min(size) // 28))
    for at in reversed(largest_first):
        label, ink = named[at]
        if label:
            taken.append(_label(pen, label, places[at], ink, font, size, taken))
    return canvas


def colour(number: int) -> Colour:
    """The n-th colour, from 0: all different."""
    if number < len(COLOURS):
        return COLOURS[number]
    turn = (number - len(COLOURS)) * 0.618034 % 1.0  # the golden ratio: neighbours are far apart
    red, green, blue = colorsys.hsv_to_rgb(turn, 0.6 + 0.4 * (number % 2), 0.75 + 0.25 * (number % 3 == 0))
    return round(red * 255), round(green * 255), round(blue * 255)


def _enlargement(size: tuple[int, int]) -> int:
    wanted = -(-SMALLEST // min(size))
    return max(1, min(wanted, LARGEST // max(size)))


def _named(regions: Sequence[Region]) -> Iterator[tuple[str, Colour]]:
    """Each region's label and colour."""
    nameless = sum(not region.phrase for region in regions)
    numbers: dict[str, int] = {}
    for at, region in enumerate(regions, 1):
        number = numbers.setdefault(region.phrase or f"\0{at}", len(numbers))
        yield region.phrase or (str(at) if nameless > 1 else ""), colour(number)


def _place(region: Region, factor: int, size: tuple[int, int]) -> Place:
    """A region's pixels on the canvas: at least one, and none outside."""
    x1, y1, x2, y2 = (round(value * factor) for value in region.box)
    x1, y1 = min(x1, size[0] - 1), min(y1, size[1] - 1)
    return x1, y1, min(max(x2 - 1, x1), size[0] - 1), min(max(y2 - 1, y1), size[1] - 1)


def _area(place: Place) -> int:
    return (place[2] - place[0]) * (place[3] - place[1])


def _outline(pen: ImageDraw, place: Place, ink: Colour, line: int) -> None:
    """A line inside the box, with a dark one around it that shows it on any ground; a dot for a box with no inside."""
    x1, y1, x2, y2 = place
    pen.rectangle((x1 - 1, y1 - 1, x2 + 1, y2 + 1), outline=DARK)
    if min(x2 - x1, y2 - y1) <= 2 * line:
        pen.rectangle(place, fill=ink)
        return
    pen.rectangle(place, outline=ink, width=line)
    pen.rectangle((x1 + line, y1 + line, x2 - line, y2 - line), outline=DARK)


def _label(
    pen: ImageDraw,
    text: str,
    box: Place,
    ink: Colour,
    font: FreeTypeFont | ImageFont,
    size: tuple[int, int],
    taken: Sequence[Place],
) -> Place:
    """Write a label where it fits: above its box, inside it, below it; else on a free line. Returns the place."""
    gap = max(2, round(_height(pen, font) * 0.3))
    text = _shortened(pen, text, font, size[0] - 2 * gap)
    width = round(pen.textlength(text, font=font)) + 2 * gap
    height = _height(pen, font) + 2 * gap
    x = max(0, min(box[0], size[0] - width))
    lines = [box[1] - height, box[1], box[3] + 1, box[3] - height + 1]
    lines += sorted(range(0, size[1] - height + 1, height), key=lambda y: abs(y - box[1]))
    spots = [(x, y, x + width - 1, y + height - 1) for y in lines if 0 <= y <= size[1] - height]
    spot = next((spot for spot in spots if not any(_touch(spot, other) for other in taken)), None)
    if spot is None:  # more labels than lines, or a image lower than a line
        y = max(0, min(box[1], size[1] - height))
        spot = (x, y, x + width - 1, y + height - 1)
    pen.rectangle(spot, fill=ink, outline=DARK)
    light = 0.299 * ink[0] + 0.587 * ink[1] + 0.114 * ink[2] < 110
    pen.text((spot[0] + gap, spot[1] + height // 2), text, fill="white" if light else "black", font=font, anchor="lm")
    return spot


def _font(size: int) -> FreeTypeFont | ImageFont:
    """PIL's own scalable font: nothing of the machine's."""
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _height(pen: ImageDraw, font: FreeTypeFont | ImageFont) -> int:
    """Of a line with letters that go up and down."""
    _, top, _, bottom = pen.textbbox((0, 0), "Ágj", font=font)
    return round(bottom - top)


def _shortened(pen: ImageDraw, text: str, font: FreeTypeFont | ImageFont, width: int) -> str:
    """As much of a text as fits, with dots where words are left out; at least its first letter."""
    if pen.textlength(text, font=font) <= width:
        return text
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if pen.textlength(f"{text[:middle]}...", font=font) <= width else (low, middle - 1)
    return f"{text[:low]}..."


def _touch(one: Place, other: Place) -> bool:
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]
