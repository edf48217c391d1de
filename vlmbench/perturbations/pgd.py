"""Projected gradient descent (Madry et al. 2018, arXiv 1706.06083): small changes of images that raise a model's loss.

The attack works on the pixels of the original images, in 0..255. It starts at a random place within eps, goes `steps`
times along the gradient of the loss of the right answer, and is put back within eps and 0..255 after each. Pixels are
floats meanwhile. At the end they are rounded to the 8 bits of an image file, so that every written value is within eps
too; what the model is shown is the written image. Of several restarts the one with the highest loss counts, measured on
the written image.

With `norm=l2`, eps bounds the root mean square of an image's changes instead of each change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from vlmbench.base.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Levels = NDArray[np.uint8]
    Floats = NDArray[np.float32]
    Loss = Callable[[Sequence[Floats]], tuple[float, Sequence[Floats]]]

WHITE = 255
NORMS = ("linf", "l2")
TARGETS = ("none", "wrong")
MOST = 10_000
"""Steps and restarts, at most: more are a slip of the finger."""
PACE = 2.5
"""Step times steps over eps, where no step is given: Madry's rule for reaching the border and moving along it."""


@dataclass(frozen=True, slots=True)
class Attack:
    """The options of an attack, as a perturbation's label spells them: `pgd:eps=4/255+steps=20`."""

    eps: Fraction = Fraction(8, WHITE)
    """Largest change of a value, as a share of white."""
    steps: int = 10
    step: Fraction | None = None
    """Of one step, as a share of white; None: PACE * eps / steps."""
    restarts: int = 1
    norm: str = "linf"
    target: str = "none"
    """`wrong`: lower the loss of a wrong answer instead of raising that of the right one."""

    @property
    def words(self) -> str:
        """The options that are not the defaults, in order; empty for none."""
        given = ((item.name, getattr(self, item.name)) for item in fields(self))
        default = Attack()
        return "+".join(f"{name}={value}" for name, value in given if value != getattr(default, name))

    @property
    def told(self) -> str:
        """In words, for tables."""
        aim = "the right answer's loss raised" if self.target == "none" else "a wrong answer's loss lowered"
        starts = f", best of {self.restarts} starts" if self.restarts > 1 else ""
        return f"at most {self.eps} of white ({self.norm}), {self.steps} steps{starts}, {aim}"

    @property
    def largest(self) -> float:
        """The largest change in levels of 0..255."""
        return float(self.eps * WHITE)

    @property
    def pace(self) -> float:
        """One step in levels of 0..255."""
        return PACE * self.largest / self.steps if self.step is None else float(self.step * WHITE)


def parse(words: str) -> Attack:
    """`eps=4/255+steps=20` to an attack. Raises UsageError for an option that does not exist or cannot be."""
    attack = Attack()
    for word in filter(None, words.split("+")):
        name, equals, value = word.partition("=")
        if name not in OPTIONS or not equals:
            problem = f"pgd has no option {word!r:.80}"
            raise UsageError(problem, hint=f"options: {', '.join(OPTIONS)}, as in pgd:eps=4/255+steps=20")
        attack = replace(attack, **{name: OPTIONS[name](name, value)})
    if 0 < attack.eps < Fraction(1, WHITE):
        problem = f"pgd: eps={attack.eps} is less than one level of an 8-bit image"
        raise UsageError(problem, hint="give eps=1/255 at least, or eps=0 for images as they are")
    return attack


def _share(name: str, text: str) -> Fraction:
    try:
        value = Fraction(text)
    except (ValueError, ZeroDivisionError):
        value = Fraction(-1)
    if not 0 <= value <= 1 or (name == "step" and not value):
        problem = f"pgd: {name}={text!r:.80} is no share of white"
        raise UsageError(problem, hint=f"give a number from 0 to 1 or a fraction, as in {name}=8/255")
    return value


def _count(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 9 and 1 <= int(text) <= MOST):
        raise UsageError(f"pgd: {name}={text!r:.80} attacks nothing", hint=f"give a whole number from 1 to {MOST}")
    return int(text)


def _among(known: Sequence[str]) -> Callable[[str, str], str]:
    def read(name: str, text: str) -> str:
        if text not in known:
            raise UsageError(f"pgd: no {name} {text!r:.80}", hint=f"there are: {', '.join(known)}")
        return text

    return read


OPTIONS: Mapping[str, Callable[[str, str], Any]] = {
    "eps": _share,
    "steps": _count,
    "step": _share,
    "restarts": _count,
    "norm": _among(NORMS),
    "target": _among(TARGETS),
}
"""By name: what reads a value, from (name, text)."""


def attacked(
    images: Sequence[Levels], loss: Loss, attack: Attack, chance: np.random.Generator, *, towards: bool = False
) -> list[Levels]:
    """Attack the images of one question together; (height, width, 3) uint8 each, as they are written.

    `loss` gives a loss and its gradients by each image, float32 in 0..255. `towards`: it is lowered, not raised.
    """
    import numpy as np

    if not attack.eps:
        return list(images)
    clean = [image.astype(np.float32) for image in images]
    bound = _BOUNDS[attack.norm]
    sign = -1.0 if towards else 1.0
    best: tuple[float, list[Levels]] | None = None
    for _ in range(attack.restarts):
        shown = [_within(image, bound.start(image, attack.largest, chance)) for image in clean]
        for _ in range(attack.steps):
            _, gradients = loss(shown)
            shown = [
                _within(image, bound.project(at + sign * bound.step(gradient, attack.pace) - image, attack.largest))
                for image, at, gradient in zip(clean, shown, gradients, strict=True)
            ]
        written = [
            (image + bound.whole(at - image, attack.largest)).astype(np.uint8)
            for image, at in zip(clean, shown, strict=True)
        ]
        reached = 0.0
        if attack.restarts > 1:
            reached = sign * loss([image.astype(np.float32) for image in written])[0]
        if best is None or reached > best[0]:
            best = reached, written
    assert best is not None
    return best[1]


def _within(image: Floats, change: Floats) -> Floats:
    """The changed image, within 0..255."""
    return (image + change).clip(0, WHITE)


@dataclass(frozen=True, slots=True)
class _Bound:
    """What a norm makes of changes, all in levels of 0..255 and of an image's shape."""

    start: Callable[[Floats, float, np.random.Generator], Floats]
    """A random change, from (image, largest, chance)."""
    step: Callable[[Floats, float], Floats]
    """A step, from (gradient, pace)."""
    project: Callable[[Floats, float], Floats]
    """The nearest change within the largest."""
    whole: Callable[[Floats, float], Floats]
    """The change in whole levels, within the largest; the image must stay within 0..255."""


def _uniform(image: Floats, largest: float, chance: np.random.Generator) -> Floats:
    return chance.uniform(-largest, largest, image.shape).astype("float32")


def _signs(gradient: Floats, pace: float) -> Floats:
    import numpy as np

    return np.sign(gradient) * np.float32(pace)


def _clipped(change: Floats, largest: float) -> Floats:
    return change.clip(-largest, largest)


def _rounded(change: Floats, largest: float) -> Floats:
    """To the nearest level. Images are whole themselves, so 0..255 is not left."""
    return change.round().clip(-int(largest), int(largest))


def _ball(image: Floats, largest: float, chance: np.random.Generator) -> Floats:
    direction = chance.standard_normal(image.shape).astype("float32")
    return _scaled(direction, largest * float(chance.random()))


def _scaled(change: Floats, size: float) -> Floats:
    """In the same direction, with a root mean square of `size`; zeros stay zeros."""
    import numpy as np

    length = np.float32(np.sqrt(np.square(change, dtype=np.float64).mean()))
    return change * (np.float32(size) / length) if length else change


def _projected(change: Floats, largest: float) -> Floats:
    import numpy as np

    return _scaled(change, largest) if np.square(change, dtype=np.float64).mean() > largest**2 else change


def _shrunk(change: Floats, largest: float) -> Floats:
    """Towards no change, so that no norm grows."""
    import numpy as np

    return np.trunc(change)


_BOUNDS: Mapping[str, _Bound] = {
    "linf": _Bound(_uniform, _signs, _clipped, _rounded),
    "l2": _Bound(_ball, _scaled, _projected, _shrunk),
}
