"""Images inside a question's text: the marks that benchmarks write for them, and how a protocol shows them.

A sample's marks are numbered: `<image 2>`, in its question or as one of its options, is the second of `Sample.images`.
Text with other marks (`<image>`, one after another) is brought to this form when it is read (`numbered`), so that an
option keeps its image when the options change places. A protocol's `Placement` makes of it what the model is shown.

Marks as in MMMU (`<image 1>`), MuirBench (`<image>`), MM-Vet v2 (`<IMG>NAME<IMG>`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from vlmbench.base.errors import DataError
from vlmbench.base.samples import ImageRef, Sample

NUMBERED, SEQUENTIAL = "<image {n}>", "<image>"
"""Marks of benchmarks, as `image_mark` takes them: with the image's number, or one after another."""
MARK = re.compile(r"<image ([0-9]{1,3})>")
"""A mark of a sample."""
WRITTEN = "written"
"""In `Sample.extra`: by option with numbered marks, what the benchmark has written for it."""
SUFFIXES = (".jpg", "jpeg", ".png")
"""How a part of a text ends that names an image, in MM-Vet v2."""


def mark_of(number: int, written: str = NUMBERED) -> str:
    """The mark of an image, counted from 1, in the form of a benchmark or protocol."""
    return written.replace("{n}", str(number))


def numbered(sample: Sample, written: str) -> Sample:
    """A sample whose text has a benchmark's marks, with numbered ones: the question's first, then the options'."""
    if written == NUMBERED:
        return sample
    known = re.compile(re.escape(written).replace(re.escape("{n}"), "([0-9]{1,3})"))
    count = 0

    def as_ours(found: re.Match[str]) -> str:
        nonlocal count
        count += 1
        return mark_of(int(found[1]) if "{n}" in written else count)

    question = known.sub(as_ours, sample.question)
    choices = tuple(known.sub(as_ours, text) for text in sample.choices)
    changed = {ours: theirs for ours, theirs in zip(choices, sample.choices, strict=True) if ours != theirs}
    extra = {**sample.extra, WRITTEN: changed} if changed else sample.extra
    return replace(sample, question=question, choices=choices, extra=extra)


def as_written(sample: Sample) -> tuple[str, ...]:
    """A sample's options with the benchmark's own marks, as codes that compare answers with them have them."""
    written: Mapping[str, str] = sample.extra.get(WRITTEN, {})
    return tuple(written.get(text, text) for text in sample.choices)


def named_in(text: str, separator: str = "<IMG>") -> tuple[str, tuple[str, ...]]:
    """A text with the names of its images between separators, to numbered marks and the names, as MM-Vet v2 has it."""
    parts, names = [], []
    for part in text.split(separator):
        if part.endswith(SUFFIXES):
            names.append(part)
        parts.append(mark_of(len(names)) if part.endswith(SUFFIXES) else part)
    return "".join(parts), tuple(names)


@dataclass(frozen=True, slots=True)
class Placed:
    """A prompt with its images."""

    prompt: str
    images: tuple[ImageRef, ...]
    places: tuple[int, ...] = ()
    """As in Request; empty where all images come first."""


@dataclass(frozen=True, slots=True)
class Placement:
    """How a protocol shows the images of a question."""

    at_marks: bool = False
    """Whether each image stands where its mark is; else all come before the text."""
    mark: str | None = None
    """What stays in the text for a mark, behind an image that stands there; `{n}` is the number. None: the mark, as the
    benchmark writes it."""
    images: Literal["all", "marked", "each mark"] = "all"
    """Which images come before the text: all; those with a mark, once each, by number; or one for each mark."""
    unmarked: Literal["refuse", "first", "leave out"] = "refuse"
    """What becomes of an image without a mark, where not all come before the text."""

    def place(self, prompt: str, images: Sequence[ImageRef], written: str, where: str) -> Placed:
        """A prompt whose marks are numbered, as the model is shown it; `written`: the benchmark's own mark, if any.

        Raises DataError, with `where` it is, for a mark without its image and an image without its mark.
        """
        if not written and self == FIRST:
            return Placed(prompt, tuple(images))
        stays = (written or NUMBERED) if self.mark is None else self.mark
        marks, text, places = _split(prompt, lambda number: mark_of(number, stays))
        count = len(images)
        if wrong := [number for number in marks if not 1 <= number <= count]:
            problem = f"the text has {mark_of(wrong[0], written or NUMBERED)}"
            problem += f" as number {wrong[0]}" if "{n}" not in (written or NUMBERED) else ""
            there = "there is 1 image" if count == 1 else f"there are {count} images"
            raise DataError(f"{problem}, and {there}", where=where, hint="fix the task's data, or its image_mark")
        shown = [images[number - 1] for number in marks]
        absent = [number for number in range(1, count + 1) if number not in marks]
        others = [images[number - 1] for number in absent]
        follow = bool(stays) and "{n}" not in stays  # a mark without a number is that of the next image
        if self.images == "all" and not self.at_marks:
            return Placed(text, (*shown, *others) if follow else tuple(images))
        if absent and self.unmarked == "refuse":
            problem = f"image {absent[0]} ({others[0].name}) has no mark in the text"
            hint = "fix the task's data, or say what becomes of it: Placement(unmarked=...)"
            raise DataError(problem, where=where, hint=hint)
        before = others if self.unmarked == "first" else []
        if self.at_marks:
            return Placed(text, (*before, *shown), (*([0] * len(before)), *places))
        if self.images == "marked" and not follow:
            shown = [images[number - 1] for number in sorted(set(marks))]
        return Placed(text, (*before, *shown))


FIRST = Placement()
"""All images before the text, whose marks stay as they are."""
AT_MARKS = Placement(at_marks=True, mark="")
"""Each image in place of its mark."""
MARKED_FIRST = Placement(images="marked", unmarked="leave out")
"""The images that have a mark, once each, before the text, whose marks stay."""


def _split(prompt: str, stays: Callable[[int], str]) -> tuple[list[int], str, list[int]]:
    """The numbers of a prompt's marks, the text that is left, and where in it the marks were."""
    numbers, places = [], []
    parts, length, start = [], 0, 0
    for found in MARK.finditer(prompt):
        numbers.append(int(found[1]))
        before, left = prompt[start : found.start()], stays(numbers[-1])
        places.append(length + len(before))
        parts += [before, left]
        length += len(before) + len(left)
        start = found.end()
    return numbers, "".join([*parts, prompt[start:]]), places


def moved(places: Sequence[int], before: str, after: str) -> tuple[int, ...] | None:
    """Places in a text of which one part was replaced; None where an image stands inside that part."""
    most = min(len(before), len(after))
    head = next((n for n in range(most) if before[n] != after[n]), most)
    tail = next((n for n in range(most - head) if before[-1 - n] != after[-1 - n]), most - head)
    end, shift = len(before) - tail, len(after) - len(before)
    if any(head < place < end for place in places):
        return None
    return tuple(place if place <= head else place + shift for place in places)
