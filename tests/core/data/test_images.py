"""Pictures: what comes out of good ones, and that bad ones give ImageError and nothing else."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vlmbench.base.errors import ImageError
from vlmbench.base.samples import ImageRef
from vlmbench.data.images import decoding as images

RANDOM = np.random.default_rng(0)
NOISE = Image.fromarray(RANDOM.integers(0, 256, (24, 32, 3), dtype=np.uint8))


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM"])
def test_ordinary_pictures_have_pils_own_pixels(kind: str) -> None:
    data = encoded(NOISE, kind)
    image = images.decode(data)
    assert image.mode == "RGB"
    assert image.tobytes() == Image.open(io.BytesIO(data)).convert("RGB").tobytes()


def test_progressive_jpeg() -> None:
    data = encoded(NOISE, "JPEG", progressive=True, subsampling=2)
    assert images.decode(data).tobytes() == Image.open(io.BytesIO(data)).convert("RGB").tobytes()


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "1", "CMYK"])
def test_other_modes_flatten_as_the_official_codes_do(mode: str) -> None:
    data = encoded(NOISE.convert(mode), "TIFF" if mode == "CMYK" else "PNG")
    assert images.decode(data).tobytes() == Image.open(io.BytesIO(data)).convert("RGB").tobytes()


@pytest.mark.parametrize(("turn", "back"), [(3, Image.Transpose.ROTATE_180), (6, Image.Transpose.ROTATE_270)])
def test_orientation_is_applied(turn: int, back: Image.Transpose) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    image = images.decode(encoded(NOISE, "PNG", exif=exif))
    assert image.tobytes() == NOISE.transpose(back).tobytes()


def test_sixteen_bits_are_scaled() -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    image = images.decode(encoded(Image.fromarray(ramp), "PNG"))
    assert np.array_equal(np.asarray(image)[..., 0], (ramp / 257.0).round().astype(np.uint8))


def test_floats_are_scaled() -> None:
    ramp = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    grey = np.asarray(images.decode(encoded(Image.fromarray(ramp), "TIFF")))[..., 0]
    assert grey.ravel().tolist() == list(range(256))


def test_animation_gives_its_first_frame_and_one_pixel_is_enough() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert images.decode(data).getpixel((0, 0)) == (255, 0, 0)
    assert images.decode(encoded(Image.new("RGB", (1, 1)))).size == (1, 1)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"no image", "not an image"),
        (encoded(NOISE, "JPEG")[:-200], "damaged"),
        (encoded(NOISE)[:200], "damaged"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
    ],
)
def test_bad_bytes_say_what_where_and_cure(data: bytes, said: str) -> None:
    with pytest.raises(ImageError) as caught:
        images.decode(data, "the/name.jpg")
    assert said in str(caught.value)
    assert "the/name.jpg" in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("size", [(9000, 9000), (20_000, 2)])
def test_too_large_is_refused_before_it_is_unpacked(size: tuple[int, int]) -> None:
    data = encoded(Image.new("1", size))
    tracemalloc.start()
    with pytest.raises(ImageError, match="pixels"):
        images.decode(data)
    assert tracemalloc.get_traced_memory()[1] < 4 * len(data) + 2**20
    tracemalloc.stop()


def test_every_cut_and_flip_is_a_picture_or_an_image_error() -> None:
    whole = bytearray(encoded(NOISE, "JPEG"))
    for position in RANDOM.integers(0, len(whole), 150).tolist():
        flipped = bytearray(whole)
        flipped[position] ^= 0x55
        for data in (bytes(flipped), bytes(whole[:position])):
            try:
                assert images.decode(data).mode == "RGB"
            except ImageError as error:
                assert error.hint


def test_real_photographs(shared: Path) -> None:
    good = 0
    for path in sorted((shared / "real" / "photos").iterdir()):
        try:
            good += images.decode(path.read_bytes(), path.name).mode == "RGB"
        except ImageError as error:
            assert path.name in str(error)
            assert not path.name.startswith("exif_")
    assert good >= 30
    bad = {"broken.png", "broken_data_stream.png", "decompression_bomb.gif", "truncated_jpeg.jpg"}
    for name in bad:
        with pytest.raises(ImageError):
            images.decode((shared / "real" / "photos" / f"pillow_{name}").read_bytes(), name)


def test_fingerprint_blank_thumbnail() -> None:
    assert images.fingerprint(b"abc").startswith("ba7816bf")
    grey = images.blank(NOISE)
    assert grey.size == NOISE.size
    assert grey.tobytes() == bytes([128]) * (32 * 24 * 3)
    assert Image.open(io.BytesIO(images.thumbnail(NOISE, 8))).size == (8, 6)


def test_prefetch_keeps_order_and_is_bounded() -> None:
    drawn: list[int] = []
    threads: set[str] = set()

    def source() -> Iterator[int]:
        for number in range(20):
            drawn.append(number)
            yield number

    def work(number: int) -> int:
        threads.add(threading.current_thread().name)
        return number * number

    for seen, (number, square) in enumerate(images.prefetch(source(), work, ahead=3)):
        assert (number, square) == (seen, seen * seen)
        assert len(drawn) <= seen + 4
    assert len(drawn) == 20
    assert threading.current_thread().name not in threads


class Weight:
    """A result whose pixels are held until it is dropped."""

    held = most = 0

    def __init__(self, pixels: int) -> None:
        self.pixels = pixels
        type(self).held += pixels
        type(self).most = max(type(self).most, type(self).held)

    def __del__(self) -> None:
        type(self).held -= self.pixels


@pytest.mark.parametrize("bounded", [True, False])
def test_prefetch_holds_few_pixels_ahead(bounded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a timing: counts the pixels of the results that exist at once."""
    monkeypatch.setattr(Weight, "held", 0)
    monkeypatch.setattr(Weight, "most", 0)
    made, all_ahead = [0], threading.Event()

    def work(number: int) -> Weight:
        result = Weight(10)
        made[0] += 1
        if made[0] == 7:
            all_ahead.set()
        return result

    results = images.prefetch(range(30), work, ahead=6, weigh=lambda one: one.pixels if bounded else 0, most=20)
    numbers = []
    for number, result in results:
        assert result.pixels == 10
        numbers.append(number)
        if number == 0:
            all_ahead.wait(0.3 if bounded else 60)  # bounded: a chance to go too far, which must not be taken
        del result
    assert numbers == list(range(30))
    assert Weight.most <= 40 if bounded else Weight.most >= 70  # below 20, and one more for each of two workers


def test_prefetch_goes_on_with_results_heavier_than_all_that_may_be_held() -> None:
    found = list(images.prefetch(range(10), str, weigh=lambda _: 1000, most=1))
    assert found == [(number, str(number)) for number in range(10)]
    endless = images.prefetch(iter(int, 1), str, weigh=lambda _: 1000, most=1)
    next(endless)
    endless.close()


def test_an_open_prefetch_does_not_keep_a_program_from_ending() -> None:
    code = (
        "from vlmbench.data.images.decoding import prefetch\n"
        "results = prefetch(range(10), str, weigh=lambda _: 1000, most=1)\n"
        "print(next(results))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "(0, '0')\n", "")


def test_prefetch_raises_in_turn_and_can_be_closed() -> None:
    results = images.prefetch([1, 0, 2], lambda number: 1 / number)
    assert next(results) == (1, 1.0)
    with pytest.raises(ZeroDivisionError):
        next(results)
    endless = images.prefetch(iter(int, 1), str)
    next(endless)
    endless.close()


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_the_size_is_read_off_the_head(kind: str) -> None:
    """Of a cut file too, whose pixels cannot be read; a file that is no image is an ImageError with its name."""
    data = encoded(NOISE, kind)
    assert images.size_of(ImageRef("a", lambda: data[:-20])) == (32, 24)
    for broken in (b"", b"no image", data[:4]):
        with pytest.raises(ImageError, match=r"^the picture"):
            images.size_of(ImageRef("the picture", partial(bytes, broken)))
