"""Warnings about a task's data that stand beside its score: another number of questions than the official one, repeats.

A file cut at a line end, another version's file or a row pasted twice is still a well-formed file: its score is one of
another benchmark, under the same name. Embedded samples, which are small on purpose, are not compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from vlmbench.base.errors import DataError, VlmbenchError
from vlmbench.base.samples import Sample

if TYPE_CHECKING:
    from vlmbench.base.task import DataSource, Task

EMBEDDED = "sample"
"""How tables name the data that come with the package."""


def lacking_split(task: Task, data: DataSource, split: str, error: VlmbenchError) -> VlmbenchError:
    """What to raise where a split cannot be read: that the embedded sample does not have it, or else the error."""
    if not isinstance(error, DataError) or data.label != EMBEDDED:
        return error
    others = []
    for other in task.splits:
        with suppress(DataError):
            if other != split and task.samples(data, other):
                others.append(other)
    if not others:
        return error
    hint = f"it has {', '.join(others)}; the others need --data hub, or --data DIR with the official files"
    return DataError(f"the embedded sample has no {task.name}:{split}", where=error.where, hint=hint)


def notes(task: Task, split: str, samples: Sequence[Sample], label: str) -> list[str]:
    """What to say about all questions of a split (before any --limit), as read from data of this label."""
    if label == EMBEDDED:
        return []
    official = task.sizes.get(split)
    if official is not None and official.questions == len(samples):
        return []  # as many as there must be: the official file's own repeats (RefCOCO has hundreds) are its business
    return _size(task, split, len(samples)) + _repeats(samples) + _images(task, samples)


def _images(task: Task, samples: Sequence[Sample]) -> list[str]:
    """A table whose image column is empty in all rows, and whose author did not say that there are no images."""
    if not samples or not getattr(task, "needs_images", False) or any(sample.images for sample in samples):
        return []
    return ["no question has an image: the image column is empty in all rows"]


def _size(task: Task, split: str, count: int) -> list[str]:
    official = task.sizes.get(split)
    if official is None:
        return []
    lack = official.questions - count
    difference = f"{abs(lack):,} too few" if lack > 0 else f"{-lack:,} too many"
    others = [name for name, size in task.sizes.items() if name != split and size.questions == count]
    remark = f" ({official.note})" if official.note else ""
    meant = f"; {' and '.join(others)} has as many: another set of questions?" if others else ""
    return [f"{count:,} questions, and the official {split} has {official.questions:,}{remark}: {difference}{meant}"]


def _repeats(samples: Sequence[Sample]) -> list[str]:
    """Questions that are there twice under different ids."""
    first: dict[int, Sample] = {}  # by hash: contents take memory
    repeats: list[tuple[str, str]] = []
    for sample in samples:
        original = first.setdefault(hash(_content(sample)), sample)
        if original.id != sample.id and _content(original) == _content(sample):
            repeats.append((original.id, sample.id))
    if not repeats:
        return []
    many = "1 question is" if len(repeats) == 1 else f"{len(repeats):,} questions are"
    return [f"{many} there twice, with image and answer: {repeats[0][0]} and {repeats[0][1]}"]


def _content(sample: Sample) -> tuple[object, ...]:
    """A question without its id, to be compared and hashed."""
    return (
        sample.question,
        tuple(image.name for image in sample.images),
        sample.choices,
        repr(sample.target),
        tuple(sorted(sample.tags.items())),  # POPE's kinds share their questions about what is there
    )
