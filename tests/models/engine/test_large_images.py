"""Large pictures: few are decoded at once, and little of them is kept. Counts pixels, not bytes or time."""

from __future__ import annotations

import functools
import io
import threading
import weakref
from functools import partial
from typing import Any

import pytest
from PIL import Image

from tests.models.engine.toy import SIDE, toy
from vlmbench.base.samples import Generation, ImageRef, Request
from vlmbench.data.images import decoding
from vlmbench.models.engine import group_images
from vlmbench.models.engine.engine import Engine

EDGE = 2500


@functools.cache
def encoded() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (EDGE, EDGE), (200, 90, 30)).save(out, "PNG", compress_level=1)
    return out.getvalue()


def large(number: int) -> ImageRef:
    """A file of its own: what stands behind the picture's end is not read."""
    return ImageRef(f"large-{number}.png", partial(bytes, encoded() + bytes([number])))


class Decoded:
    """How many pixels of decoded pictures exist, and how many did at most."""

    def __init__(self) -> None:
        self.held = self.most = self.pictures = 0
        self._lock = threading.RLock()

    def add(self, pixels: int) -> None:
        with self._lock:
            self.held += pixels
            self.most = max(self.most, self.held)
            self.pictures += pixels > 0

    def decode(self, data: bytes, name: str, real: Any = decoding.decode) -> Image.Image:
        image: Image.Image = real(data, name)
        self.add(image.width * image.height)
        weakref.finalize(image, self.add, -image.width * image.height)
        return image


def test_groups_of_large_pictures_hold_two_decoded_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """One for each thread that works ahead: 19 MB each."""
    decoded = Decoded()
    monkeypatch.setattr(decoding, "decode", decoded.decode)
    asked = Generation(max_new_tokens=1)
    groups = [
        [
            Request(f"{first}-many", "which?", tuple(large(first + number) for number in range(6)), generation=asked),
            Request(f"{first}-one", "what?", (large(first + 6),), generation=asked),
            Request(f"{first}-again", "what?", (large(first),), generation=asked),
        ]
        for first in (0, 10, 20)
    ]
    said = list(Engine(toy()).answer(groups))
    assert [response.error for _, response in said] == [""] * 9
    assert decoded.pictures == 21
    assert 0 < decoded.most <= 2 * EDGE * EDGE
    assert decoded.held == 0


def test_what_is_kept_of_a_group_is_weighed_once_a_picture() -> None:
    requests = [Request("a", "which?", (large(1), large(2), large(1))), Request("b", "what?", (large(2),))]
    prepared = group_images.prepare(toy(), requests)
    assert group_images.pixels_held(prepared) == 2 * SIDE * SIDE
    assert group_images.pixels_held([]) == 0
