"""Changes under which the same questions are asked again: is the score vision at all, and how fragile is it?

`--perturb blind,noise:2,option-order`. A change is made between task and model, on samples and requests; neither knows
of it. A changed picture is a ImageRef like any other, so hashes and stored keys change with it. Everything that is
drawn is drawn from the seed and the content it concerns (a picture's bytes, a question's words), never from an order: a
resumed run, another order of samples, a larger --limit change nothing.

A sample that a change does not fit is left out of that run with the reason; nothing is left out in silence.
"""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from vlmbench.base.errors import ImageError, UnknownNameError, UsageError
from vlmbench.base.samples import ImageRef, Request, Sample
from vlmbench.data import images
from vlmbench.parsing.boxes import cropped
from vlmbench.perturbations import option_order
from vlmbench.perturbations import paraphrases as wordings
from vlmbench.perturbations.corruptions import PIXEL_CHANGES, window

if TYPE_CHECKING:
    import numpy as np

    from vlmbench.base.registry import TaskChoice

DEFAULT_SEVERITY = 3
NO_PICTURE = "no picture"
BOX = frozenset({"bbox", "width", "height"})
"""What a right answer holds that is a box: (x, y, width, height) in a picture of a width and height."""
KEPT = 0.5
"""Share of a box's area that must be left in a cropped picture."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a run, as its label in run.json says it, with the run's seed."""

    name: str
    level: int = 0
    """Severity 1 to 5, or the number of a wording; 0 where the change has none."""
    seed: int = 0

    @property
    def label(self) -> str:
        """`noise:2`; the name alone where there are no levels."""
        return f"{self.name}:{self.level}" if self.level else self.name

    @property
    def words(self) -> str:
        """What it does, in words."""
        pixels = PIXEL_CHANGES.get(self.name)
        return OTHERS[self.name].what if pixels is None else pixels.what.format(_value(self))


@dataclass
class Put:
    """A task's questions as a change puts them."""

    samples: Sequence[Sample]
    """All of them, as the benchmark has them."""
    asked: list[tuple[Sample, Request]] = field(default_factory=list)
    """Those that the change fits, as they are scored and asked."""
    left_out: Counter[str] = field(default_factory=Counter)
    """How many are not asked, by reason."""


Changed = Iterator[tuple[Sample, Request | str]]
"""Each sample, as it is scored, with how it is asked, or why it is left out."""


@dataclass(frozen=True, slots=True)
class OtherChange:
    """A change that is not one of pixels alone."""

    put: Callable[[Change, TaskChoice, Sequence[Sample], Sequence[Sample]], Changed]
    """From (change, task, every sample of the split, those to be asked)."""
    what: str
    levels: int = 0
    default: int = 0


def put(choice: TaskChoice, every: Sequence[Sample], chosen: Sequence[Sample], change: Change | None) -> Put:
    """Word the chosen samples of a task under a change, or as they are. `every` is the whole split."""
    found = Put(chosen)
    if change is None:
        found.asked = [(sample, choice.task.build_request(sample, choice.protocol)) for sample in chosen]
        return found
    other = OTHERS.get(change.name)
    for sample, request in (other.put if other else _pixels)(change, choice, every, chosen):
        if isinstance(request, str):
            found.left_out[request] += 1
        else:
            found.asked.append((sample, request))
    return found


def parse(words: str, seed: int = 0) -> list[Change]:
    """`blind,noise:2` to changes, severities filled in. Raises UsageError for unknown, doubled or empty ones."""
    changes = [parse_one(word.strip(), seed) for word in words.split(",") if word.strip()]
    labels = [change.label for change in changes]
    if words and not changes:
        raise UsageError("--perturb names no perturbation", hint=f"there are: {', '.join(names())}")
    if doubled := sorted({label for label in labels if labels.count(label) > 1}):
        raise UsageError(f"perturbation named twice: {', '.join(doubled)}", hint="name each once")
    return changes


def parse_one(word: str, seed: int = 0) -> Change:
    """One change from its label; the default level where none is given."""
    name, colon, told = word.partition(":")
    if name not in names():
        raise UnknownNameError("perturbation", name, names())
    most, default = levels(name)
    if not most and colon:
        raise UsageError(f"{name} has no severities: {word!r}", hint=f"write {name}")
    if colon and (not told.isdecimal() or not 1 <= int(told) <= most):
        raise UsageError(f"no severity {told!r} of {name}", hint=f"write {name}:1 to {name}:{most}")
    return Change(name, int(told) if colon else default, seed)


def names() -> list[str]:
    """All changes."""
    return [*PIXEL_CHANGES, *OTHERS]


def levels(name: str) -> tuple[int, int]:
    """(how many severities or wordings a change has, which is taken where none is said); zeros where it has none."""
    if name in OTHERS:
        return OTHERS[name].levels, OTHERS[name].default
    count = len(PIXEL_CHANGES[name].levels)
    return count, DEFAULT_SEVERITY if count else 0


# ------------------------------------------------------------------------------------------------------------- pixels


def ablate(picture: ImageRef, change: Change) -> ImageRef:
    """The picture under a change of pixels; read, it raises ImageError where the picture cannot be had."""
    return ImageRef(picture.name, partial(_read, picture, change))


def _read(picture: ImageRef, change: Change) -> bytes:
    """As a PPM file: its bytes depend on the pixels alone, whatever packs PNG files here."""
    data = picture.load()
    made = PIXEL_CHANGES[change.name].change(images.decode(data, picture.name), _value(change), _chance(change, data))
    out = io.BytesIO()
    made.save(out, "PPM")
    return out.getvalue()


def _value(change: Change) -> float:
    return PIXEL_CHANGES[change.name].levels[change.level - 1] if change.level else 0.0


def _chance(change: Change, data: bytes) -> np.random.Generator:
    """Chance that depends on seed, change and the picture's own bytes."""
    import numpy as np

    digest = hashlib.sha256(f"{change.seed} {change.label} {images.fingerprint(data)}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))


def _pixels(change: Change, choice: TaskChoice, every: Sequence[Sample], chosen: Sequence[Sample]) -> Changed:
    for sample in chosen:
        request = choice.task.build_request(sample, choice.protocol)
        if not request.images:
            yield sample, NO_PICTURE
            continue
        target: Any = sample.target
        if isinstance(target, Mapping) and target.keys() >= BOX and change.name in ("crop", "rotate"):
            target = _moved(change, request.images[0], target)
            if isinstance(target, str):
                yield sample, target
                continue
        changed = tuple(ablate(picture, change) for picture in request.images)
        yield replace(sample, target=target), replace(request, images=changed)


def _moved(change: Change, picture: ImageRef, target: Mapping[str, Any]) -> Mapping[str, Any] | str:
    """The right box in the changed picture, or why there is none. One that cannot be read is left to its error."""
    if change.name == "rotate":
        return "a box has no right answer in a turned picture: it is no longer upright"
    try:
        data = picture.load()
        size = images.decode(data, picture.name).size
    except ImageError:
        return target
    moved = cropped(target, window(size, _value(change), _chance(change, data)), size, KEPT)
    return moved or f"the crop leaves less than {KEPT:.0%} of what the box holds"


# --------------------------------------------------------------------------------------------------------- the others


def _shuffled(change: Change, choice: TaskChoice, every: Sequence[Sample], chosen: Sequence[Sample]) -> Changed:
    """Each picture gets the place of the next one in a drawn circle of the split's pictures that is really another."""
    donors = _Donors(every, change.seed)
    for sample in chosen:
        donor = donors.of(sample) if sample.images else None
        if donor is None:
            yield sample, "the task has no other picture to show" if sample.images else NO_PICTURE
            continue
        yield sample, choice.task.build_request(replace(sample, images=donor), choice.protocol)


class _Donors:
    """Whose pictures stand in for whose: never equal bytes, never of a shared cluster, always as many."""

    def __init__(self, every: Iterable[Sample], seed: int) -> None:
        self._pictures: dict[tuple[str, ...], tuple[ImageRef, ...]] = {}
        self._clusters: dict[tuple[str, ...], set[str]] = {}
        for sample in every:
            if sample.images:
                names = _names(sample)
                self._pictures.setdefault(names, sample.images)
                self._clusters.setdefault(names, set()).add(sample.cluster or sample.id)
        self._circle = sorted(self._pictures, key=lambda names: hashlib.sha256(repr((seed, names)).encode()).digest())
        self._place = {names: place for place, names in enumerate(self._circle)}
        self._found: dict[tuple[str, ...], tuple[ImageRef, ...] | None] = {}

    def of(self, sample: Sample) -> tuple[ImageRef, ...] | None:
        """The pictures to show instead; None where there are none."""
        names = _names(sample)
        if names not in self._found:
            start = self._place[names] + 1
            rest = (*self._circle[start:], *self._circle[: start - 1])
            self._found[names] = next((self._pictures[other] for other in rest if self._fits(names, other)), None)
        return self._found[names]

    def _fits(self, names: tuple[str, ...], other: tuple[str, ...]) -> bool:
        if len(names) != len(other) or self._clusters[names] & self._clusters[other]:
            return False
        own, theirs = (_prints(self._pictures[key]) for key in (names, other))
        return not own & theirs


def _names(sample: Sample) -> tuple[str, ...]:
    return tuple(picture.name for picture in sample.images)


def _prints(pictures: Sequence[ImageRef]) -> set[str]:
    """Fingerprints of those pictures that can be read."""
    found = set()
    for picture in pictures:
        try:
            found.add(images.fingerprint(picture.load()))
        except ImageError:
            continue
    return found


def _reordered(change: Change, choice: TaskChoice, every: Sequence[Sample], chosen: Sequence[Sample]) -> Changed:
    renamed = option_order.naming(every)
    for sample in chosen:
        if len(sample.choices) < 2:
            yield sample, "no options to choose from"
            continue
        if renamed is None:
            yield sample, "it cannot be told how the right answers name their options"
            continue
        before = choice.task.build_request(sample, choice.protocol)
        pictured = len(sample.images) == 1 + len(sample.choices) and not any(c in before.prompt for c in sample.choices)
        moved = option_order.reordered(sample, option_order.drawn(sample, change.seed), renamed, pictured=pictured)
        request = choice.task.build_request(moved, choice.protocol)
        same = request.prompt == before.prompt and not pictured
        yield moved, "the prompt does not show the options" if same else request


def _paraphrased(change: Change, choice: TaskChoice, every: Sequence[Sample], chosen: Sequence[Sample]) -> Changed:
    for sample in chosen:
        request = choice.task.build_request(sample, choice.protocol)
        prompt = wordings.paraphrased(request.prompt, change.level)
        told = "the prompt has no sentence about the answer's form of which other wordings are known"
        yield sample, told if prompt is None else replace(request, prompt=prompt)


OTHERS: Mapping[str, OtherChange] = {
    "shuffle-image": OtherChange(_shuffled, "another picture of the same task"),
    "option-order": OtherChange(_reordered, "the options in another order"),
    "paraphrase-suffix": OtherChange(
        _paraphrased, "the request for a form of answer in other words", levels=wordings.COUNT, default=1
    ),
}
"""By name; those of pixels are in PIXEL_CHANGES."""
