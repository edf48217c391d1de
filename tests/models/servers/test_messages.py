"""Pictures on their way to a server, and choices ranked by what comes back."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from vlmbench.base.errors import ImageError, ModelError
from vlmbench.data.images import decoding as images
from vlmbench.data.images.data_urls import Limits, data_url
from vlmbench.models.servers.top_logprobs import rank


def noise(size: tuple[int, int] = (40, 30), mode: str = "RGB") -> Image.Image:
    rng = np.random.default_rng(3)
    return Image.fromarray(rng.integers(0, 256, (size[1], size[0], 4), np.uint8), "RGBA").convert(mode)


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def sent(data: bytes, limits: Limits | None = None) -> tuple[str, bytes]:
    """ImageTensors type and bytes of what is sent."""
    head, _, coded = data_url(data, "x", limits or Limits()).partition(";base64,")
    return head.removeprefix("data:"), base64.b64decode(coded)


def turned() -> bytes:
    """A JPEG that was held on its side."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(noise(), "JPEG", exif=exif)


@pytest.mark.parametrize("data", [encoded(noise(), "JPEG"), encoded(noise(), "PNG"), encoded(noise(mode="L"), "PNG")])
def test_plain_pictures_go_as_they_are(data: bytes) -> None:
    assert sent(data)[1] == data


@pytest.mark.parametrize(
    "data",
    [
        encoded(noise(mode="RGBA"), "PNG"),
        encoded(noise(mode="CMYK"), "JPEG"),
        encoded(noise(), "WEBP", lossless=True),
        encoded(noise(), "GIF"),
        encoded(noise(), "BMP"),
        turned(),
    ],
    ids=["transparent", "cmyk", "webp", "gif", "bmp", "turned"],
)
def test_others_are_sent_with_the_pixels_our_adapters_see(data: bytes) -> None:
    kind, got = sent(data)
    assert kind == "image/png"
    assert np.array_equal(np.asarray(images.decode(got)), np.asarray(images.decode(data)))


def test_limits() -> None:
    """A side, then bytes: PNG while it fits, then JPEG, then smaller; always in proportion."""
    data = encoded(noise((400, 300)), "PNG")
    kind, got = sent(data, Limits(max_side=100))
    assert kind == "image/png" and images.decode(got).size == (100, 75)
    kind, got = sent(data, Limits(max_bytes=150_000))
    assert kind == "image/jpeg" and images.decode(got).size == (400, 300) and len(got) <= 150_000
    kind, got = sent(data, Limits(max_bytes=20_000))
    width, height = images.decode(got).size
    assert len(got) <= 20_000 and width < 400 and width / height == pytest.approx(4 / 3, rel=0.02)
    with pytest.raises(ImageError, match="cannot be made to fit"):
        sent(data, Limits(max_bytes=10))
    with pytest.raises(ImageError):
        sent(b"no image")


def test_the_longest_token_a_choice_begins_with_counts() -> None:
    likeliest = [(" yes", -0.5), ("yes", -1.0), (" no", -1.5), ("y", -3.0), ("Maybe", -4.0)]
    assert [(s.choice, s.logprob, s.tokens) for s in rank(("yes", "no"), likeliest)] == [
        ("yes", -0.5, 1),
        ("no", -1.5, 1),
    ]
    assert [s.logprob for s in rank((" yes", "nothing"), likeliest)] == [-0.5, -1.5]
    assert [s.logprob for s in rank(("no", "unheard"), likeliest)] == [-1.5, -4.0], "not told: at most the lowest"


@pytest.mark.parametrize(
    ("choices", "likeliest", "told"),
    [
        (("a", "b"), [], "tells no log-probabilities"),
        (("a", "b"), [("C", -0.1), ("", -0.2)], "no choice is among the 2"),
        (("two dogs", "two cats"), [("two", -0.1)], "begin with the same token"),
        (("1", "10"), [("1", -0.1), ("2", -0.2)], "begin with the same token"),
    ],
)
def test_what_the_first_token_cannot_tell(
    choices: tuple[str, ...], likeliest: list[tuple[str, float]], told: str
) -> None:
    with pytest.raises(ModelError, match=told):
        rank(choices, likeliest)
