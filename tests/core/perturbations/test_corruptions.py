"""Each change of pixels against its definition; bytes to the digit where the pinned libraries are installed."""

from __future__ import annotations

import hashlib
from functools import partial
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.toys import keep
from vlmbench.base.samples import ImageRef
from vlmbench.data.images import decoding as images
from vlmbench.perturbations import corruptions as pixel_changes
from vlmbench.perturbations.corruptions import CORRUPTIONS
from vlmbench.perturbations.perturbations import Perturbation, levels, parse_one, perturbed_image

PINS = Path(__file__).resolve().parents[3] / "constraints.txt"
GOLDEN = {
    "blind": "f990833efe0d0675",
    "noise:1": "2bd52498701f843c",
    "noise:5": "4d05a60ec37e947e",
    "blur:3": "48650908ace8440d",
    "jpeg:1": "d652618ff217420c",
    "jpeg:5": "fee7ae086dfa19cc",
    "crop:3": "7aa3a2d51f7224b7",
    "rotate:2": "74a62173c7308bfd",
}
"""Of `tiny()` with seed 0: the start of the SHA-256 of the changed pixels."""


def tiny(width: int = 40, height: int = 30) -> Image.Image:
    """A smooth picture with two edges, made by arithmetic alone."""
    y, x = np.mgrid[:height, :width]
    planes = np.stack([x * 200 // width, y * 200 // height, (x + y) * 90 // (width + height)], axis=-1)
    planes[height // 3 : 2 * height // 3, width // 4 : width // 2] = (250, 20, 60)
    return Image.fromarray(planes.astype(np.uint8))


def picture(image: Image.Image, name: str = "a.ppm") -> ImageRef:
    """As a task hands it over."""
    header = f"P6\n{image.width} {image.height}\n255\n".encode()
    return ImageRef(name, partial(keep, header + image.tobytes()))


def changed(image: Image.Image, label: str, seed: int = 0) -> Image.Image:
    """The picture under a change."""
    return images.decode(perturbed_image(picture(image), parse_one(label, seed)).load())


def apart(one: Image.Image, other: Image.Image) -> float:
    """Mean distance of two pictures of one size, white against black being 255."""
    return float(np.abs(np.asarray(one, float) - np.asarray(other, float)).mean())


def pinned() -> bool:
    """Whether the libraries that make the pixels are those of constraints.txt."""
    wanted = dict(line.strip().split("==") for line in PINS.read_text().splitlines() if "==" in line)
    return all(metadata.version(name) == wanted[name] for name in ("numpy", "pillow"))


@pytest.mark.parametrize("label", GOLDEN)
def test_the_same_pixels_every_time(label: str) -> None:
    made = changed(tiny(), label)
    assert made.tobytes() == changed(tiny(), label).tobytes()
    if pinned():
        assert hashlib.sha256(made.tobytes()).hexdigest()[:16] == GOLDEN[label]


@pytest.mark.parametrize("label", ["noise:3", "crop:3", "rotate:3"])
def test_chance_comes_from_the_seed_and_the_pictures_bytes_alone(label: str) -> None:
    assert len({changed(tiny(), label, seed).tobytes() for seed in range(8)}) > 1
    change = parse_one(label)
    one, other = picture(tiny(), "one"), picture(tiny(), "other")
    assert perturbed_image(one, change).load() == perturbed_image(other, change).load()
    assert perturbed_image(other, change).name == "other"
    noisy = [np.asarray(changed(tiny(40, height), "noise:1"), float)[:9] for height in (30, 31)]
    assert not np.allclose(noisy[0], noisy[1], atol=9)


@pytest.mark.parametrize("name", ["noise", "blur", "jpeg"])
def test_severities_rise(name: str) -> None:
    far = [apart(tiny(200, 160), changed(tiny(200, 160), f"{name}:{level}")) for level in range(1, 6)]
    assert far == sorted(far) and 0.1 < far[0] < far[-1] / 1.5


def test_noise_is_gaussian_of_its_deviation_whatever_the_size() -> None:
    for size in ((224, 224), (672, 700), (100, 80)):
        grey = Image.new("RGB", size, (128, 128, 128))
        for level, sigma in enumerate(CORRUPTIONS["noise"].levels[:3], 1):
            off = (np.asarray(changed(grey, f"noise:{level}"), float) - 128) / 255
            assert abs(off.mean()) < 0.01 and off.std() == pytest.approx(sigma, rel=0.05)
    large = np.asarray(changed(Image.new("RGB", (672, 700), (128, 128, 128)), "noise:1"))
    assert (large[0:3, 0:3] == large[0, 0]).all() and not (large[0:3, 3:6] == large[0, 0]).all()


def test_blur_scales_with_the_picture() -> None:
    """A line blurred: the deviation of its profile is the severity's, at 224 pixels and at twice the size."""
    for scale in (1, 2):
        line = np.zeros((224 * scale, 224 * scale, 3), np.uint8)
        line[:, 112 * scale - scale : 112 * scale] = 255
        profile = np.asarray(changed(Image.fromarray(line), "blur:4"), float)[112 * scale, :, 0]
        place = np.arange(len(profile))
        middle = (profile * place).sum() / profile.sum()
        deviation = ((profile * (place - middle) ** 2).sum() / profile.sum()) ** 0.5
        assert deviation == pytest.approx(4 * scale, rel=0.12)


def test_jpeg_is_pils_of_that_quality(tmp_path: Path) -> None:
    tiny().save(tmp_path / "a.jpg", quality=CORRUPTIONS["jpeg"].levels[1])
    assert changed(tiny(), "jpeg:2").tobytes() == Image.open(tmp_path / "a.jpg").tobytes()


def test_a_crop_is_a_window_of_the_picture() -> None:
    whole = np.asarray(tiny(120, 90))
    for level, share in enumerate(CORRUPTIONS["crop"].levels, 1):
        part = np.asarray(changed(tiny(120, 90), f"crop:{level}"))
        height, width = part.shape[:2]
        assert (width, height) == (round(120 * share), round(90 * share))
        windows = [
            (whole[y : y + height, x : x + width] == part).all() for y in range(91 - height) for x in range(121 - width)
        ]
        assert any(windows)
    starts = {pixel_changes.window((120, 90), 0.5, np.random.default_rng(seed))[:2] for seed in range(40)}
    assert len(starts) > 30 and all(0 <= x <= 60 and 0 <= y <= 45 for x, y in starts)


def test_a_turn_keeps_the_middle_and_fills_the_corners() -> None:
    white = Image.new("RGB", (101, 101), "white")
    made = np.asarray(changed(white, "rotate:5"))
    assert (made[50, 50] == 255).all() and (made[0, 0] == pixel_changes.GREY).all()
    turned = {np.asarray(pixel_changes.rotate(tiny(), 20, np.random.default_rng(seed))).tobytes() for seed in range(20)}
    assert turned == {
        np.asarray(tiny().rotate(a, Image.Resampling.BICUBIC, fillcolor=pixel_changes.GREY)).tobytes()
        for a in (20, -20)
    }


def test_blind_is_grey_of_the_same_size() -> None:
    assert changed(tiny(), "blind").tobytes() == bytes([128]) * (40 * 30 * 3)


def test_every_severity_is_said_in_words() -> None:
    for name in CORRUPTIONS:
        most, default = levels(name)
        assert (most, default) in ((0, 0), (5, 3))
        words = {Perturbation(name, level).description for level in range(1, most + 1)} or {
            Perturbation(name).description
        }
        assert len(words) == max(1, most) and not any("{" in one for one in words)
