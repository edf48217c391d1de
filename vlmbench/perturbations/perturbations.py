"""Changes of questions that are asked again: does the score need the image at all, and how fragile is it?

`--perturb blind,noise:2,option-order`. A change is made between task and model, on samples and requests; neither knows
of it. A changed image is a ImageRef like any other, so hashes and stored keys change with it. Everything that is
drawn is drawn from the seed and the content it concerns (an image's bytes, a question's words), never from an order: a
resumed run, another order of samples, a larger --limit change nothing.

A sample that a change does not fit is skipped in that run, with the reason: nothing is skipped silently.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.base.errors import ImageError, UnknownNameError, UsageError
from vlmbench.base.samples import ImageRef, Request, Sample
from vlmbench.data.images import decoding as images
from vlmbench.data.images.places import moved
from vlmbench.parsing.boxes import cropped
from vlmbench.perturbations import (
    attacked_images,
    languages,
    option_order,
    paraphrases,
    pgd,
    typographic,
    wrong_answers,
)
from vlmbench.perturbations.corruptions import CORRUPTIONS, window
from vlmbench.perturbations.places import fixed_places
from vlmbench.perturbations.shuffled_images import Donors

if TYPE_CHECKING:
    import numpy as np

    from vlmbench.base.model import Model
    from vlmbench.base.registry import TaskChoice
    from vlmbench.data.files import Folder, Hub

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
    argument: str = ""
    """What stands behind the name where that is no level: a language, the options of an attack."""

    @property
    def label(self) -> str:
        """`noise:2`, `language:de`; the name alone where there is nothing more to say."""
        more = self.argument or (str(self.level) if self.level else "")
        return f"{self.name}:{more}" if more else self.name

    @property
    def description(self) -> str:
        """What it does, in words."""
        pixels = CORRUPTIONS.get(self.name)
        if pixels is not None:
            return pixels.description.format(_value(self))
        change = INPUT_CHANGES[self.name]
        return change.description if change.told is None else f"{change.description}: {change.told(self.argument)}"


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
class Given:
    """What some perturbations need besides the questions; none of it where a run is only planned anew."""

    model: Model | None = None
    data: Folder | Hub | None = None
    """Where the task's samples come from."""
    cache: Path | None = None
    """Folder for what takes long to make."""


@dataclass(frozen=True, slots=True)
class InputChange:
    """A perturbation of more than pixels."""

    apply: Callable[[Perturbation, TaskChoice, Sequence[Sample], Sequence[Sample], Given], Requests]
    """From (change, task, every sample of the split, those to be asked, what else there is)."""
    description: str
    values: str = ""
    """What the levels or the argument may be, for tables."""
    levels: int = 0
    default: int = 0
    argument: Callable[[str], str] | None = None
    """Reads what stands behind the name: to the form that labels have. None: levels, or nothing."""
    told: Callable[[str], str] | None = None
    """The argument in words."""
    check: Callable[[Perturbation, TaskChoice, Sequence[Sample]], None] | None = None
    """Raises UsageError for a task that the perturbation has nothing for."""
    attacks: bool = False
    """Whether it needs the model's gradients."""


def apply(
    choice: TaskChoice,
    every: Sequence[Sample],
    chosen: Sequence[Sample],
    change: Perturbation | None,
    given: Given | None = None,
) -> Perturbed:
    """Build the requests of the chosen samples, perturbed or as they are. `every` is the whole split."""
    result = Perturbed(chosen)
    if change is None:
        result.requests = [(sample, choice.build_request(sample)) for sample in chosen]
        return result
    input_change = INPUT_CHANGES.get(change.name)
    how = input_change.apply if input_change else _pixels
    for sample, request in how(change, choice, every, chosen, given or Given()):
        if isinstance(request, str):
            result.skipped[request] += 1
        else:
            result.requests.append((sample, request))
    return result


def check(changes: Iterable[Perturbation], choice: TaskChoice, every: Sequence[Sample]) -> None:
    """Raise UsageError for a task that a perturbation has nothing for, before a model is loaded."""
    for change in changes:
        found = INPUT_CHANGES.get(change.name)
        if found is not None and found.check is not None:
            found.check(change, choice, every)


def check_model(changes: Iterable[Perturbation], model: Model) -> None:
    """Raise UsageError for a model through which an attack cannot be made, before it is asked anything."""
    if any(change.name in INPUT_CHANGES and INPUT_CHANGES[change.name].attacks for change in changes):
        attacked_images.refuse(model)


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
    if name in INPUT_CHANGES and (read := INPUT_CHANGES[name].argument) is not None:
        return Perturbation(name, 0, seed, read(argument))
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
    data = image.load()
    changed = CORRUPTIONS[change.name].change(images.decode(data, image.name), _value(change), _chance(change, data))
    return images.to_ppm(changed)


def _value(change: Perturbation) -> float:
    return CORRUPTIONS[change.name].levels[change.level - 1] if change.level else 0.0


def _chance(change: Perturbation, data: bytes) -> np.random.Generator:
    """Chance that depends on seed, change and the image's own bytes."""
    import numpy as np

    digest = hashlib.sha256(f"{change.seed} {change.label} {images.fingerprint(data)}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))


def _pixels(
    change: Perturbation, choice: TaskChoice, every: Sequence[Sample], chosen: Sequence[Sample], given: Given
) -> Requests:
    for sample in chosen:
        request = choice.build_request(sample)
        if not request.images:
            yield sample, NO_IMAGE
            continue
        target: Any = sample.target
        if change.name in ("crop", "rotate") and (why := fixed_places(sample)):
            yield sample, why
            continue
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


def _shuffled(
    change: Perturbation, choice: TaskChoice, every: Sequence[Sample], chosen: Sequence[Sample], given: Given
) -> Requests:
    """Each image gets the place of the next one in a drawn circle of the split's images that is really another."""
    donors = Donors(every, change.seed)
    for sample in chosen:
        donor = donors.of(sample) if sample.images else None
        if donor is None:
            yield sample, "the task has no other image to show" if sample.images else NO_IMAGE
            continue
        yield sample, choice.build_request(replace(sample, images=donor))


def _reordered(
    change: Perturbation, choice: TaskChoice, every: Sequence[Sample], chosen: Sequence[Sample], given: Given
) -> Requests:
    named = option_order.naming(every)
    for sample in chosen:
        if len(sample.choices) < 2:
            yield sample, "no options to choose from"
            continue
        if named is None:
            yield sample, "it is not clear how the right answers name their options"
            continue
        before = choice.build_request(sample)
        image_options = option_order.shows_images(sample, before.prompt)
        reordered_sample = option_order.reordered(
            sample, option_order.drawn(sample, change.seed), named, image_options=image_options
        )
        request = choice.build_request(reordered_sample)
        same = _shown(request) == _shown(before) and not image_options
        yield reordered_sample, "the prompt does not show the options" if same else request


def _shown(request: Request) -> tuple[object, ...]:
    return request.prompt, [image.name for image in request.images], request.image_places


def _paraphrased(
    change: Perturbation, choice: TaskChoice, every: Sequence[Sample], chosen: Sequence[Sample], given: Given
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


def _written(
    change: Perturbation, choice: TaskChoice, every: Sequence[Sample], chosen: Sequence[Sample], given: Given
) -> Requests:
    wrong = wrong_answers.WrongAnswers(choice, every, change.seed)
    for sample in chosen:
        request = choice.build_request(sample)
        if not request.images:
            yield sample, NO_IMAGE
            continue
        try:
            changed = typographic.attacked(sample, request, wrong, change.level, control=change.name != "typographic")
        except ImageError:
            changed = request  # left to its error
        yield sample, changed or typographic.NO_WORD


def _refuse_without_wrong_answers(change: Perturbation, choice: TaskChoice, every: Sequence[Sample]) -> None:
    if change.name != "pgd":
        wrong_answers.refuse_without(choice, every, change.name, typographic.writable)
    elif pgd.parse(change.argument).target != "none":
        wrong_answers.refuse_without(choice, every, change.label, bool)


def _attacked(
    change: Perturbation, choice: TaskChoice, every: Sequence[Sample], chosen: Sequence[Sample], given: Given
) -> Requests:
    if given.model is None or given.cache is None:
        raise UsageError("pgd needs the model that is attacked", hint="run the command that began this run again")
    attack = pgd.parse(change.argument)
    yield from attacked_images.Attacks(attack, change.seed, choice, every, given.model, given.cache).requests(chosen)


def _translated(
    change: Perturbation, choice: TaskChoice, every: Sequence[Sample], chosen: Sequence[Sample], given: Given
) -> Requests:
    return languages.requests(change.argument, choice, chosen, given.data)


INPUT_CHANGES: Mapping[str, InputChange] = {
    "shuffle-image": InputChange(_shuffled, "another image of the same task"),
    "option-order": InputChange(_reordered, "the options in another order"),
    "paraphrase-suffix": InputChange(
        _paraphrased,
        "the request for a form of answer in other words",
        f"paraphrases 1 to {paraphrases.COUNT}",
        levels=paraphrases.COUNT,
        default=1,
    ),
    **{
        name: InputChange(
            _written,
            description,
            f"letters {', '.join(f'{height:g}' for height in typographic.HEIGHTS)} of the shorter side",
            levels=len(typographic.HEIGHTS),
            default=DEFAULT_SEVERITY,
            check=_refuse_without_wrong_answers,
        )
        for name, description in (
            ("typographic", "a wrong answer written into the image"),
            ("typographic-control", "a neutral word on the same board in the image"),
        )
    },
    "language": InputChange(
        _translated,
        "the question in another language",
        ", ".join(f"`{code}`" for code in languages.NAMES),
        argument=languages.parse,
        told=lambda code: languages.NAMES[code],
        check=lambda change, choice, every: languages.refuse_without(change.argument, choice, every),
    ),
    "pgd": InputChange(
        _attacked,
        "pixels changed along the gradient of the model's own loss",
        ", ".join(f"`{name}`" for name in pgd.OPTIONS),
        argument=lambda words: pgd.parse(words).words,
        told=lambda words: pgd.parse(words).told,
        check=_refuse_without_wrong_answers,
        attacks=True,
    ),
}
"""By name; those of pixels are in CORRUPTIONS."""
