"""Warnings about a task's data that stand beside its score: another number of questions than the official one, repeats.

A file cut at a line end, another version's file or a row pasted twice is still a well-formed file: its score is one of
another benchmark, under the same name. Embedded samples, which are small on purpose, are not compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vlmbench.base.samples import Sample

if TYPE_CHECKING:
    from vlmbench.base.task import Task

EMBEDDED = "sample"
"""How tables name the data that come with the package."""


def notes(task: Task, split: str, samples: Sequence[Sample], label: str) -> list[str]:
    """What to say about all questions of a split (before any --limit), as read from data of this label."""
    if label == EMBEDDED:
        return []
    official = task.sizes.get(split)
    if official is not None and official.questions == len(samples):
        return []  # as many as there must be: the official file's own repeats (RefCOCO has hundreds) are its business
    return _size(task, split, len(samples)) + _repeats(samples) + _pictures(task, samples)


def _pictures(task: Task, samples: Sequence[Sample]) -> list[str]:
    """A table whose image column is empty in all rows, and whose author did not say that there are no pictures."""
    if not samples or not getattr(task, "needs_images", False) or any(sample.images for sample in samples):
        return []
    return ["no question has a picture: the image column is empty in all rows"]


def _size(task: Task, split: str, count: int) -> list[str]:
    official = task.sizes.get(split)
    if official is None:
        return []
    lack = official.questions - count
    told = f"{abs(lack):,} too few" if lack > 0 else f"{-lack:,} too many"
    others = [name for name, size in task.sizes.items() if name != split and size.questions == count]
    known = f" ({official.note})" if official.note else ""
    meant = f"; {' and '.join(others)} has as many: another set of questions?" if others else ""
    return [f"{count:,} questions, and the official {split} has {official.questions:,}{known}: {told}{meant}"]


def _repeats(samples: Sequence[Sample]) -> list[str]:
    """Questions that are there twice under different ids."""
    first: dict[tuple[object, ...], str] = {}
    found: list[tuple[str, str]] = []
    for sample in samples:
        content = (
            sample.question,
            tuple(picture.name for picture in sample.images),
            sample.choices,
            repr(sample.target),
            tuple(sorted(sample.tags.items())),  # POPE's kinds share their questions about what is there
        )
        known = first.setdefault(content, sample.id)
        if known != sample.id:
            found.append((known, sample.id))
    if not found:
        return []
    many = "1 question is" if len(found) == 1 else f"{len(found):,} questions are"
    return [f"{many} there twice, with picture and answer: {found[0][0]} and {found[0][1]}"]
