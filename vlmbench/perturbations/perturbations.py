"""Changes of questions that are asked again: does the score need the image at all, and how fragile is it?

`--perturb blind,noise:2,option-order`. A change is made between task and model, on samples and requests; neither knows
of it. A changed image is a ImageRef like any other, so hashes and stored keys change with it. Everything that is
drawn is drawn from the seed and the content it concerns (an image's bytes, a question's words), never from an order: a
resumed run, another order of samples, a larger --limit change nothing.

A sample that a change does not fit is skipped in that run, with the reason: nothing is skipped silently.
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
from vlmbench.data.images import decoding as images
from vlmbench.data.images.places import MARK, moved
from vlmbench.parsing.boxes import cropped
from vlmbench.perturbations import option_order, paraphrases
from vlmbench.perturbations.corruptions import CORRUPTIONS, window

if TYPE_CHECKING:
    import numpy as np

    from vlmbench.base.registry import TaskChoice

DEFAULT_SEVERITY = 3
NO_IMAGE = "no image"
BOX = frozenset({"bbox", "width", "height"})
"""What a right answer holds that is a box: (x, y, width, height) in an image of a width and height."""
KEPT = 0.5
"""Share of a box's area that must be left in a cropped image."""


@dataclass(frozen=True, slots=True)
class Perturbation:
    """One change of a run, as its label in run.json says it, with the run's seed."""

    name: str
    level: int = 0
    """Severity 1 to 5, or the number of a paraphrase; 0 where the perturbation has none."""
    seed: int = 0

    @property
    def label(self) -> str:
        """`noise:2`; the name alone where there are no levels."""
        return f"{self.name}:{self.level}" if self.level else self.name

    @property
    def description(self) -> str:
        """What it does, in words."""
        pixels = CORRUPTIONS.get(self.name)
        return INPUT_CHANGES[self.name].description if pixels is None else pixels.description.format(_value(self))


@dataclass
class Perturbed:
    """A task's questions, perturbed."""

    samples: Sequence[Sample]
    """All of them, as the benchmark has them."""
    requests: list[tuple[Sample, Request]] = field(default_factory=list)
    """Those that the change fits, as they are scored and asked."""
    skipped: Counter[str] = field(default_factory=Counter)
    """How many are not asked, by reason."""


Requests = Iterator[tuple[Sample, Request | str]]
"""Each sample, as it is scored, with how it is asked, or why it is left out."""


@dataclass(frozen=True, slots=True)
class InputChange:
    """A perturbation of more than pixels."""

    apply: Callable[[Perturbation, TaskChoice, Sequence[Sample], Sequence[Sample]], Requests]
    """From (change, task, every sample of the split, those to be asked)."""
    description: str
    levels: int = 0
    default: int = 0


def apply(
    choice: TaskChoice, every: Sequence[Sample], chosen: Sequence[Sample], change: Perturbation | None
) -> Perturbed:
    """Build the requests of the chosen samples, perturbed or as they are. `every` is the whole split."""
    result = Perturbed(chosen)
    if change is None:
        result.requests = [(sample, choice.build_request(sample)) for sample in chosen]
        return result
    input_change = INPUT_CHANGES.get(change.name)
    for sample, request in (input_change.apply if input_change else _pixels)(change, choice, every, chosen):
        if isinstance(request, str):
            result.skipped[request] += 1
        else:
            result.requests.append((sample, request))
    return result


def parse(text: str, seed: int = 0) -> list[Perturbation]:
    """`blind,noise:2` to changes, severities filled in. Raises UsageError for unknown, duplicate or empty ones."""
    changes = [parse_one(word.strip(), seed) for word in text.split(",") if word.strip()]
    labels = [change.label for change in changes]
    if text and not changes:
        raise UsageError("--perturb names no perturbation", hint=f"there are: {', '.join(names())}")
    if duplicate := sorted({label for label in labels if labels.count(label) > 1}):
        raise UsageError(f"perturbation named twice: {', '.join(duplicate)}", hint="name each once")
    return changes


def parse_one(word: str, seed: int = 0) -> Perturbation:
    """One change from its label; the default level where none is given."""
    name, colon, argument = word.partition(":")
    if name not in names():
        raise UnknownNameError("perturbation", name, names())
    most, default = levels(name)
    if not most and colon:
        raise UsageError(f"{name} has no severities: {word!r}", hint=f"write {name}")
    if colon and (not argument.isdecimal() or not 1 <= int(argument) <= most):
        raise UsageError(f"no severity {argument!r} of {name}", hint=f"write {name}:1 to {name}:{most}")
    return Perturbation(name, int(argument) if colon else default, seed)


def names() -> list[str]:
    """All changes."""
    return [*CORRUPTIONS, *INPUT_CHANGES]


def levels(name: str) -> tuple[int, int]:
    """(how many severities or paraphrases a perturbation has, the default one); zeros where it has none."""
    if name in INPUT_CHANGES:
        return INPUT_CHANGES[name].levels, INPUT_CHANGES[name].default
    count = len(CORRUPTIONS[name].levels)
    return count, DEFAULT_SEVERITY if count else 0


# ------------------------------------------------------------------------------------------------------------- pixels


def perturbed_image(image: ImageRef, change: Perturbation) -> ImageRef:
    """The image under a change of pixels; read, it raises ImageError where the image cannot be had."""
    return ImageRef(image.name, partial(_read, image, change))


def _read(image: ImageRef, change: Perturbation) -> bytes:
    """As a PPM file: its bytes depend on the pixels alone, whatever packs PNG files here."""
    data = image.load()
    changed = CORRUPTIONS[change.name].change(images.decode(data, image.name), _value(change), _chance(change, data))
    out = io.BytesIO()
    changed.save(out, "PPM")
    return out.getvalue()


def _value(change: Perturbation) -> float:
    return CORRUPTIONS[change.name].levels[change.level - 1] if change.level else 0.0


def _chance(change: Perturbation, data: bytes) -> np.random.Generator:
    """Chance that depends on seed, change and the image's own bytes."""
    import numpy as np

    digest = hashlib.sha256(f"{change.seed} {change.label} {images.fingerprint(data)}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))


def _pixels(change: Perturbation, choice: TaskChoice, every: Sequence[Sample], chosen: Sequence[Sample]) -> Requests:
    for sample in chosen:
        request = choice.build_request(sample)
        if not request.images:
            yield sample, NO_IMAGE
            continue
        target: Any = sample.target
        if isinstance(target, Mapping) and target.keys() >= BOX and change.name in ("crop", "rotate"):
            target = _moved(change, request.images[0], target)
            if isinstance(target, str):
                yield sample, target
                continue
        changed = tuple(perturbed_image(image, change) for image in request.images)
        yield replace(sample, target=target), replace(request, images=changed)


def _moved(change: Perturbation, image: ImageRef, target: Mapping[str, Any]) -> Mapping[str, Any] | str:
    """The right box in the changed image, or why there is none. One that cannot be read is left to its error."""
    if change.name == "rotate":
        return "a box has no right answer in a turned image: it is no longer upright"
    try:
        data = image.load()
        size = images.decode(data, image.name).size
    except ImageError:
        return target
    box = cropped(target, window(size, _value(change), _chance(change, data)), size, KEPT)
    return box or f"the crop leaves less than {KEPT:.0%} of what the box holds"


# --------------------------------------------------------------------------------------------------------- the others


def _shuffled(change: Perturbation, choice: TaskChoice, every: Sequence[Sample], chosen: Sequence[Sample]) -> Requests:
    """Each image gets the place of the next one in a drawn circle of the split's images that is really another."""
    donors = _Donors(every, change.seed)
    for sample in chosen:
        donor = donors.of(sample) if sample.images else None
        if donor is None:
            yield sample, "the task has no other image to show" if sample.images else NO_IMAGE
            continue
        yield sample, choice.build_request(replace(sample, images=donor))


class _Donors:
    """Whose images stand in for whose: never equal bytes, never of a shared cluster, always as many."""

    def __init__(self, every: Iterable[Sample], seed: int) -> None:
        self._images: dict[tuple[str, ...], tuple[ImageRef, ...]] = {}
        self._clusters: dict[tuple[str, ...], set[str]] = {}
        for sample in every:
            if sample.images:
                names = _names(sample)
                self._images.setdefault(names, sample.images)
                self._clusters.setdefault(names, set()).add(sample.cluster or sample.id)
        self._circle = sorted(self._images, key=lambda names: hashlib.sha256(repr((seed, names)).encode()).digest())
        self._place = {names: place for place, names in enumerate(self._circle)}
        self._found: dict[tuple[str, ...], tuple[ImageRef, ...] | None] = {}

    def of(self, sample: Sample) -> tuple[ImageRef, ...] | None:
        """The images to show instead; None where there are none."""
        names = _names(sample)
        if names not in self._found:
            start = self._place[names] + 1
            rest = (*self._circle[start:], *self._circle[: start - 1])
            self._found[names] = next((self._images[donor] for donor in rest if self._fits(names, donor)), None)
        return self._found[names]

    def _fits(self, names: tuple[str, ...], donor: tuple[str, ...]) -> bool:
        if len(names) != len(donor) or self._clusters[names] & self._clusters[donor]:
            return False
        own, donated = (_prints(self._images[key]) for key in (names, donor))
        return not own & donated


def _names(sample: Sample) -> tuple[str, ...]:
    return tuple(image.name for image in sample.images)


def _prints(refs: Sequence[ImageRef]) -> set[str]:
    """Fingerprints of those images that can be read."""
    prints = set()
    for image in refs:
        try:
            prints.add(images.fingerprint(image.load()))
        except ImageError:
            continue
    return prints


def _reordered(change: Perturbation, choice: TaskChoice, every: Sequence[Sample], chosen: Sequence[Sample]) -> Requests:
    renamed = option_order.naming(every)
    for sample in chosen:
        if len(sample.choices) < 2:
            yield sample, "no options to choose from"
            continue
        if renamed is None:
            yield sample, "it is not clear how the right answers name their options"
            continue
        before = choice.build_request(sample)
        image_options = len(sample.images) == 1 + len(sample.choices) and not any(
            c in before.prompt or MARK.search(c)
            for c in sample.choices  # a mark moves with its option
        )
        reordered_sample = option_order.reordered(
            sample, option_order.drawn(sample, change.seed), renamed, image_options=image_options
        )
        request = choice.build_request(reordered_sample)
        same = _shown(request) == _shown(before) and not image_options
        yield reordered_sample, "the prompt does not show the options" if same else request


def _shown(request: Request) -> tuple[object, ...]:
    return request.prompt, [image.name for image in request.images], request.image_places


def _paraphrased(
    change: Perturbation, choice: TaskChoice, every: Sequence[Sample], chosen: Sequence[Sample]
) -> Requests:
    for sample in chosen:
        request = choice.build_request(sample)
        prompt = paraphrases.paraphrased(request.prompt, change.level)
        if prompt is None:
            yield sample, "the prompt has no sentence about the answer's form that has known paraphrases"
            continue
        places = request.image_places if request.history else moved(request.image_places, request.prompt, prompt)
        inside = "an image stands inside the sentence about the answer's form"
        yield sample, inside if places is None else replace(request, prompt=prompt, image_places=places)


INPUT_CHANGES: Mapping[str, InputChange] = {
    "shuffle-image": InputChange(_shuffled, "another image of the same task"),
    "option-order": InputChange(_reordered, "the options in another order"),
    "paraphrase-suffix": InputChange(
        _paraphrased, "the request for a form of answer in other words", levels=paraphrases.COUNT, default=1
    ),
}
"""By name; those of pixels are in CORRUPTIONS."""
