"""The attack on pixels: it raises the loss, stays within eps in what is written, and depends on its seed alone."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest

from vlmbench.base.errors import UsageError
from vlmbench.perturbations import pgd
from vlmbench.perturbations.perturbations import parse, parse_one

RNG = np.random.default_rng(0)
CLEAN = [RNG.integers(0, 256, (6, 9, 3), dtype=np.uint8), RNG.integers(0, 256, (4, 4, 3), dtype=np.uint8)]
WEIGHTS = [RNG.standard_normal(image.shape).astype(np.float32) for image in CLEAN]


def loss(images: Sequence[pgd.Floats]) -> tuple[float, Sequence[pgd.Floats]]:
    """A smooth loss with a gradient that changes from place to place: the sum of w sin(x / 40)."""
    value = sum(float((w * np.sin(x / 40)).sum()) for w, x in zip(WEIGHTS, images, strict=True))
    return value, [(w * np.cos(x / 40) / 40).astype(np.float32) for w, x in zip(WEIGHTS, images, strict=True)]


def value(images: Sequence[pgd.Levels]) -> float:
    return loss([image.astype(np.float32) for image in images])[0]


def attack(words: str, seed: int = 0, **more: bool) -> list[pgd.Levels]:
    return pgd.attacked(CLEAN, loss, pgd.parse(words), np.random.default_rng(seed), **more)


def holds(words: str, seed: int = 0) -> None:
    """The loss rises, and no written value is further from the image than eps allows."""
    options = pgd.parse(words)
    written = attack(words, seed)
    assert value(written) > value(CLEAN) + 1
    for before, after in zip(CLEAN, written, strict=True):
        assert after.dtype == np.uint8 and after.shape == before.shape
        change = np.abs(after.astype(int) - before)
        if options.norm == "linf":
            assert 0 < change.max() <= options.eps * 255
        else:
            assert 0 < np.square(change).mean() <= float(options.eps * 255) ** 2


WORDS = ("", "eps=1/255", "eps=0.03+steps=3", "eps=16/255+steps=20+restarts=3", "norm=l2", "norm=l2+eps=3/255+step=0.1")


@pytest.mark.parametrize("words", WORDS)
def test_the_loss_rises_within_the_bound(words: str) -> None:
    holds(words)
    holds(words, seed=1)


def test_mistakes_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step down instead of up; no projection; rounding that leaves the bound."""
    real = pgd._BOUNDS["linf"]
    mistakes = (
        pgd._Bound(real.start, lambda gradient, pace: -real.step(gradient, pace), real.project, real.whole),
        pgd._Bound(real.start, real.step, lambda change, largest: change, lambda change, largest: change.round()),
        pgd._Bound(real.start, real.step, real.project, lambda change, largest: np.sign(change) * np.ceil(largest + 1)),
    )
    for mistake in mistakes:
        monkeypatch.setitem(pgd._BOUNDS, "linf", mistake)
        with pytest.raises(AssertionError):
            holds("eps=0.03+step=0.02")
    monkeypatch.setitem(pgd._BOUNDS, "linf", real)
    holds("eps=0.03+step=0.02")


def test_values_stay_within_those_of_an_image() -> None:
    """White cannot become whiter: without the clip the bytes would wrap around."""
    white = [np.full((3, 3, 3), 255, np.uint8)]
    up = pgd.attacked(white, lambda x: (0.0, [np.ones_like(x[0])]), pgd.parse("eps=0.1"), np.random.default_rng(0))
    assert (up[0] == 255).all()
    down = pgd.attacked(white, lambda x: (0.0, [-np.ones_like(x[0])]), pgd.parse("eps=0.1"), np.random.default_rng(0))
    assert (down[0] == 255 - 25).all()  # 0.1 of 255 is 25.5


def test_the_seed_decides() -> None:
    one, same, other = attack("steps=1"), attack("steps=1"), attack("steps=1", seed=1)
    assert all((a == b).all() for a, b in zip(one, same, strict=True))
    assert any((a != b).any() for a, b in zip(one, other, strict=True))


def test_no_eps_gives_the_images_themselves() -> None:
    assert all(a is b for a, b in zip(attack("eps=0"), CLEAN, strict=True))


def test_restarts_keep_the_highest_loss() -> None:
    """With one step, chance decides much: the best of eight starts is the best of the eight single ones."""
    chance = np.random.default_rng(7)
    single = [value(pgd.attacked(CLEAN, loss, pgd.parse("steps=1"), chance)) for _ in range(8)]
    best = pgd.attacked(CLEAN, loss, pgd.parse("steps=1+restarts=8"), np.random.default_rng(7))
    assert value(best) == max(single) > min(single)


def test_towards_lowers_the_loss() -> None:
    assert value(attack("", towards=True)) < value(CLEAN) - 1


def test_labels_say_what_was_asked_for() -> None:
    assert parse_one("pgd").label == "pgd" == parse_one("pgd:eps=8/255+steps=10").label
    found = parse_one("pgd:steps=20+eps=0.5")
    assert found.label == "pgd:eps=1/2+steps=20" and parse_one(found.label) == found
    assert "at most 1/2 of white (linf), 20 steps" in found.description
    assert pgd.parse("eps=8/255").pace == pytest.approx(2.5 * 8 / 10)
    assert pgd.parse("step=1/255").step == Fraction(1, 255)


@pytest.mark.parametrize(
    ("word", "told", "fix"),
    [
        ("pgd:eps=-0.1", "no share of white", "from 0 to 1"),
        ("pgd:eps=1.1", "no share of white", "from 0 to 1"),
        ("pgd:eps=8/0", "no share of white", "from 0 to 1"),
        ("pgd:eps=nan", "no share of white", "from 0 to 1"),
        ("pgd:step=0", "no share of white", "from 0 to 1"),
        ("pgd:eps=0.001", "less than one level", "eps=1/255"),
        ("pgd:steps=0", "attacks nothing", "from 1"),
        ("pgd:restarts=-1", "attacks nothing", "from 1"),
        ("pgd:steps=99999999999", "attacks nothing", "from 1"),
        ("pgd:norm=l1", "no norm 'l1'", "linf, l2"),
        ("pgd:target=cat", "no target 'cat'", "none, wrong"),
        ("pgd:3", "no option '3'", "eps=4/255"),
        ("pgd:epsilon=3", "no option", "eps, steps, step, restarts, norm, target"),
    ],
)
def test_what_cannot_be_is_refused(word: str, told: str, fix: str) -> None:
    with pytest.raises(UsageError, match=told) as error:
        parse(word)
    assert fix in error.value.hint
