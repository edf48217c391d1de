"""Plans a run: reads the samples, builds the requests, hashes the images and gives every request its key.

Nothing is asked here (runner.py does that), so a plan costs no model time and `--verify-backend` can use a part of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from vlmbench.base.model import Model
from vlmbench.base.process import progress
from vlmbench.base.registry import TaskChoice
from vlmbench.base.samples import Request, Sample
from vlmbench.data import encoding
from vlmbench.data import notes as data_notes
from vlmbench.data.files import read_samples
from vlmbench.data.images.decoding import source_of
from vlmbench.runs.execution import few_shot
from vlmbench.runs.execution.capabilities import Abilities
from vlmbench.runs.execution.image_hashes import ImageHashes
from vlmbench.runs.execution.selection import Ids, selected
from vlmbench.runs.storage import changed_images, manifest
from vlmbench.runs.storage.changed_images import Changed
from vlmbench.runs.storage.store import AnswerKeys
from vlmbench.scoring import draws

if TYPE_CHECKING:
    from vlmbench.data.files import Folder, Hub
    from vlmbench.perturbations.perturbations import Perturbation
    from vlmbench.scoring.judge import Judge


@dataclass(frozen=True, slots=True)
class PlannedRequest:
    """One sample of one task, with everything decided but the answer."""

    task: str
    sample: Sample
    request: Request
    key: str
    image_hashes: tuple[str, ...]
    error: str = ""
    """Why it cannot even be asked: its image cannot be read."""


@dataclass
class Plan:
    """Everything a run will ask."""

    choices: Sequence[TaskChoice]
    requests: list[PlannedRequest]
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Each task's entry in run.json."""
    skipped: dict[str, dict[str, int]] = field(default_factory=dict)
    """By task, how many samples the perturbation does not apply to, by reason. A task of which no sample is left is not
    in `choices`."""
    changed: list[Changed] = field(default_factory=list)
    """A few of the images that the perturbation changed."""


def plan(
    choices: Sequence[TaskChoice],
    data: Mapping[str, Folder | Hub],
    model: Model,
    *,
    limit: int | float | None,
    limits: Mapping[str, int | float] = MappingProxyType({}),
    seed: int,
    ids: Ids | None = None,
    perturbation: Perturbation | None = None,
    judge: Judge | None = None,
    samples: Mapping[str, Sequence[Sample]] = MappingProxyType({}),
    cache: Path | None = None,
) -> Plan:
    """Read the samples, build the requests and hash the images. `data` is by task key, and so are
    `limits`, which are there where a task has one of its own, and `samples`: those that have been read before.
    `cache` is where attacks on images keep what they made: without it there are none.

    Raises ModelError where the model cannot do what a request asks (Abilities.refuse).
    """
    result = Plan([], [])
    for choice in choices:
        known = samples.get(choice.key)
        found = read_samples(choice.task, data[choice.key], choice.split) if known is None else known
        chosen = selected(choice, found, limits.get(choice.key, limit), ids, seed)
        pairs, skipped = _requests(choice, found, chosen, perturbation, (model, data[choice.key], cache))
        if skipped:
            result.skipped[choice.key] = skipped
        if skipped and not pairs:
            continue
        if perturbation is not None:
            result.changed += _changed(choice, pairs)
        examples = few_shot.pool(choice, found, data[choice.key], seed) if choice.variant.shots else None
        if examples is not None:
            pairs = [(sample, replace(request, examples=examples.shown_with(sample))) for sample, request in pairs]
        planned = _planned(choice, list(draws.planned(choice, pairs, seed)), model)
        result.requests += planned
        result.choices = [*result.choices, choice]
        label = data[choice.key].label
        result.tasks[choice.key] = manifest.task_entry(
            choice,
            pairs,
            {item.sample.id: item.image_hashes for item in planned},
            label,
            judge,
            questions=chosen,
            notes=data_notes.notes(choice.task, choice.split, found, label),
            examples=None if examples is None else examples.entry([request for _, request in pairs]),
        )
    return result


def _requests(
    choice: TaskChoice,
    samples: Sequence[Sample],
    chosen: Sequence[Sample],
    perturbation: Perturbation | None,
    given: tuple[Model, Folder | Hub, Path | None],
) -> tuple[list[tuple[Sample, Request]], dict[str, int]]:
    """Each chosen sample with its request, and how many samples the perturbation does not apply to, by reason.

    `given`: the model, where the samples come from, and a cache.
    """
    if perturbation is None:
        return [(sample, choice.build_request(sample)) for sample in chosen], {}
    from vlmbench.perturbations import perturbations

    perturbed = perturbations.apply(choice, samples, chosen, perturbation, perturbations.Given(*given))
    return perturbed.requests, dict(perturbed.skipped)


def _changed(choice: TaskChoice, pairs: Sequence[tuple[Sample, Request]]) -> list[Changed]:
    """The first changed image of each of the first questions that have one, no image twice."""
    found: dict[str, Changed] = {}
    for sample, request in pairs:
        own = choice.build_request(sample).images
        for before, after in zip(own, request.images, strict=False):
            if before.name not in found and source_of(before) != source_of(after):
                found[before.name] = Changed(choice.key, sample.question, before, after)
                break
        if len(found) == changed_images.MOST:
            break
    return list(found.values())


def _planned(choice: TaskChoice, pairs: Sequence[tuple[Sample, Request]], model: Model) -> list[PlannedRequest]:
    """The requests of one task with their images' hashes and keys. Raises ModelError for what the model cannot do."""
    of_questions, of_examples = ImageHashes(), ImageHashes()  # which may be of another split, with the same names
    of_questions.learn((image for _, request in pairs for image in request.images), model, f"hashing of {choice.key}")
    planned = []
    task, able = choice.task, Abilities.of(model)
    # the fingerprint may be a hash over all weights
    keys = AnswerKeys(model=model.fingerprint, settings=model.settings, task=task.name, version=task.version)
    encoding.check_encodable(choice.key, pairs)
    for sample, request in progress.each(pairs, f"reading the images of {choice.key}", "question"):
        encoding.check_image_places(choice.key, request)
        able.refuse(choice, sample, request)
        hashes, error = of_questions.of(request.images)
        shown, unread = of_examples.of([image for example in request.examples for image in example.images])
        key = keys.of(request, hashes, shown)
        planned.append(PlannedRequest(choice.key, sample, request, key, hashes, error or unread))
    return planned


def group_by_images(items: Iterable[PlannedRequest]) -> list[list[PlannedRequest]]:
    """Groups that share their images, in order of first appearance; one item per key."""
    groups: dict[tuple[str, ...], dict[str, PlannedRequest]] = {}
    for number, item in enumerate(items):
        shared = item.image_hashes or (f"text only {number // 32}",)  # no image to share: groups of a handy size
        groups.setdefault(shared, {}).setdefault(item.key, item)
    return [list(group.values()) for group in groups.values()]
