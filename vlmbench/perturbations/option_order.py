"""The options of a question in another order, with the right answer following its option.

The order is drawn from what the question is (its words, its image, its options whatever their order), so all
rotations of one question in a circular protocol are put into new places by one and the same permutation: the right
option still stands once at each letter. A rotation is never drawn (a circular protocol asks those already), nor the
order as it is; of two options the other order is taken, which a circular protocol asks too.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from vlmbench.base.samples import Sample
from vlmbench.data.images.places import MARK

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Naming:
    """How the right answers of a task name an option."""

    place: Callable[[Any, Sequence[str]], int]
    """The place of an option, from 0, from (target, options)."""
    name: Callable[[int, Sequence[str]], Any]
    """The target that names an option, from (place, options)."""


_NAMINGS: Mapping[str, Naming] = {
    "letter": Naming(lambda target, options: LETTERS.index(target), lambda place, options: LETTERS[place]),
    "place": Naming(lambda target, options: int(target), lambda place, options: place),
    "text": Naming(lambda target, options: options.index(target), lambda place, options: options[place]),
}


def naming(samples: Sequence[Sample]) -> Naming | None:
    """How the right answers of a task name their options, by all questions together; None where that is ambiguous.

    By letter (A, B, ...), by place from 0, or by the option's own text. Questions without a published answer fit all.
    """
    answerable = [sample for sample in samples if len(sample.choices) > 1 and sample.target is not None]
    fits = {
        "letter": all(_is_letter(sample.target, len(sample.choices)) for sample in answerable),
        "place": all(_is_place(sample.target, len(sample.choices)) for sample in answerable),
        "text": all(sample.choices.count(sample.target) == 1 for sample in answerable),
    }
    fitting = [name for name, all_fit in fits.items() if all_fit]
    if not answerable:
        return _NAMINGS["text"]
    return _NAMINGS[fitting[0]] if len(fitting) == 1 else None


def shows_images(sample: Sample, prompt: str) -> bool:
    """Whether the options of a sample are images: those behind its first one. One whose text is in the prompt is none,
    and one with an image's mark takes its mark along.
    """
    told = any(option in prompt or MARK.search(option) for option in sample.choices)
    return len(sample.images) == 1 + len(sample.choices) and not told


def _is_letter(target: Any, count: int) -> bool:
    return isinstance(target, str) and len(target) == 1 and target in LETTERS[:count]


def _is_place(target: Any, count: int) -> bool:
    return isinstance(target, int) and not isinstance(target, bool) and 0 <= target < count


def drawn(sample: Sample, seed: int) -> list[int]:
    """The new order of a sample's options: order[new place] = old place. Two options at least."""
    count = len(sample.choices)
    if count == 2:
        return [1, 0]
    identity = [sample.cluster, sample.question, sorted(sample.choices)]
    digest = hashlib.sha256(orjson.dumps([seed, identity])).digest()
    chance = random.Random(digest)
    turns = [[(place + turn) % count for place in range(count)] for turn in range(count)]
    order = turns[0]
    while order in turns:
        order = chance.sample(range(count), count)
    return order


def reordered(sample: Sample, order: Sequence[int], named: Naming, *, image_options: bool) -> Sample:
    """The sample with its options in a new order. `image_options`: its images are the question's, then one each."""
    options = tuple(sample.choices[old] for old in order)
    target = sample.target
    if target is not None:
        target = named.name(order.index(named.place(target, sample.choices)), options)
    images = sample.images
    if image_options:
        images = (images[0], *(images[1 + old] for old in order))
    return replace(sample, choices=options, target=target, images=images)
