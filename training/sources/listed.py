"""Rows of one annotation file: where each lies, how long it is, and the reader that makes it a conversation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from vlmbench.base.errors import DataError, ImageError
from vlmbench.base.samples import Conversation, ImageRef
from vlmbench.data.rows import Row
from vlmbench.scenes.scene import Dice

from .draws import mix
from .entries import BadRowError, Entry, SkippedRowError, Tally, pixels, read, size
from .files.image_digest import ImageSizes
from .files.jsonfile import JsonFile, Span

Numbers = np.ndarray[Any, Any]


class Store(Protocol):
    """Holds elements: their places, and what lies at a place."""

    def spans(self, fields: Sequence[str] = (), *, keyed: bool = False) -> Iterator[Span]:
        """See JsonFile."""

    def value(self, start: int, stop: int) -> Any:
        """See JsonFile."""


class InMemoryStore:
    """A store of elements in memory: for formats that are no JSON."""

    def __init__(self, elements: Sequence[Any]) -> None:
        self._elements = elements

    def spans(self, fields: Sequence[str] = (), *, keyed: bool = False) -> Iterator[Span]:
        """See Store."""
        return (Span(at, at + 1, value, f"item {at + 1}") for at, value in enumerate(self._elements))

    def value(self, start: int, stop: int) -> Any:
        """See Store."""
        return self._elements[start]


Frame = Callable[[ImageRef], tuple[int, int]]
"""Gives an image's (width, height): boxes are written in shares of it."""


class Reader(ABC):
    """One official format: elements of a file to conversations."""

    fields: ClassVar[tuple[str, ...]] = ()
    """Where the array of rows is, in a file that holds an object."""
    keyed: ClassVar[bool] = False
    """Whether the rows are the values of an object."""
    one_dialogue_per_image: bool = False
    """Whether rows of one image become one dialogue, as LLaVA-1.5's mixture has them."""

    def __init__(self, path: Path, images: Path) -> None:
        """`path`: the annotation file; `images`: the folder of the images. Options are the reader's own."""
        self.path, self.images = path, images

    def items(self, value: Any) -> Sequence[Any]:
        """The rows of one element. Raises SkippedRowError where the data set's rules leave it out, BadRowError where it
        is broken.
        """
        return (value,)

    @abstractmethod
    def entry(self, row: Row, dice: Dice, frame: Frame) -> Entry:
        """One row. Raises BadRowError, SkippedRowError or DataError."""

    def open(self) -> Store:
        """What holds the elements."""
        return JsonFile(self.path)

    def later(self, question: str) -> str:
        """The question where it is not the first of its dialogue."""
        return question

    def words(self, row: Row, entry: Entry) -> int:
        """How long it is, for grouping."""
        return entry.words


class IndexedRows:
    """Rows of a file, by number."""

    def __init__(self, name: str, reader: Reader, *, seed: int = 0, max_bad: float = 0.01) -> None:
        """Goes through the file once. Raises DataError when it cannot be read or too many of its rows are bad."""
        self.name, self._reader, self._seed = name, reader, seed
        self._file = reader.open()
        self._tally = Tally(str(reader.path), max_bad)
        self._damaged, self._images = set[int](), ImageSizes()
        starts, stops, inner, lengths, saved, images = (array("q") for _ in range(6))
        numbers: dict[str, int] = {}
        any_dice = Dice(0)  # which draw it is does not matter here
        for span, item, sub in self._walk():
            try:
                row = self._row(item, span.at)
                entry = reader.entry(row, any_dice, lambda _: (100, 100))
            except SkippedRowError as error:
                self._tally.skip(str(error))
                continue
            except (BadRowError, DataError) as error:
                self._tally.add(error, span.at)
                continue
            if entry.image is not None:
                self._images.add(entry.image)
            for column, number in ((starts, span.start), (stops, span.stop), (inner, sub)):
                column.append(number)
            # The sign says whether there is an image, as in Factory's `modality_lengths`.
            lengths.append((1 if entry.image else -1) * max(reader.words(row, entry), 1))
            if reader.one_dialogue_per_image:
                saved.append(sum(len(q.split()) - len(reader.later(q).split()) for q, _ in entry.turns))
                images.append(numbers.setdefault(entry.image.name if entry.image else entry.id, len(numbers)))
        self._total = len(starts) + sum(self._tally.bad.values())
        self._tally.judge(self._total)
        self._starts, self._stops, self._inner = (np.frombuffer(c, np.int64) for c in (starts, stops, inner))
        self._groups = _groups(np.frombuffer(images, np.int64)) if reader.one_dialogue_per_image else None
        whole = np.frombuffer(lengths, np.int64)
        self.lengths = whole if self._groups is None else _summed(whole, np.frombuffer(saved, np.int64), self._groups)

    def _walk(self) -> Iterator[tuple[Span, Any, int]]:
        """Every row with its place; what is broken as a whole is counted here."""
        for span in self._file.spans(self._reader.fields, keyed=self._reader.keyed):
            try:
                if span.value is None:
                    raise BadRowError("broken JSON", "cannot be read as JSON")
                yield from ((span, item, sub) for sub, item in enumerate(self._reader.items(span.value)))
            except BadRowError as error:
                self._tally.add(error, span.at)
            except SkippedRowError as error:
                self._tally.skip(str(error))

    def _row(self, item: Any, at: str) -> Row:
        if not isinstance(item, dict):
            raise BadRowError("odd field", f"an object was expected, not {item!r:.40}")
        return Row(item, str(self._reader.path), at)

    def __len__(self) -> int:
        return len(self.lengths)

    def entry(self, index: int, epoch: int = 0) -> Entry:
        """See Rows."""
        members = [index] if self._groups is None else self._groups[index]
        entries = [self._entry(int(member), epoch) for member in members]
        if len(entries) == 1:
            return entries[0]
        later = ((self._reader.later(question), answer) for entry in entries[1:] for question, answer in entry.turns)
        return Entry((*entries[0].turns, *later), entries[0].image, entries[0].id)

    def _entry(self, index: int, epoch: int) -> Entry:
        value = self._file.value(int(self._starts[index]), int(self._stops[index]))
        item = self._reader.items(value)[int(self._inner[index])]
        dice = Dice(mix(self._seed, self.name, index, epoch))
        return self._reader.entry(self._row(item, f"row {index}"), dice, size)

    def row(self, index: int, epoch: int = 0) -> Conversation:
        """See Rows."""
        entry, image = read(self, index, epoch, pixels)
        return entry.with_image(image)

    def record_bad_row(self, index: int, error: ImageError) -> None:
        """See RepairLog."""
        if index not in self._damaged:
            self._damaged.add(index)
            self._tally.add(error, f"row {index}")
            self._tally.judge(self._total)

    def digest(self) -> dict[str, Any]:
        """Counts and a digest of the rows' images; the annotation file is not read again."""
        return self._images.digest(len(self), lambda at: self.entry(at).image)

    def length(self, index: int) -> int:
        """See Rows."""
        return abs(int(self.lengths[index]))

    def has_image(self, index: int) -> bool:
        """See Rows."""
        return bool(self.lengths[index] > 0)

    @property
    def bad(self) -> Mapping[str, int]:
        """See Rows."""
        return dict(self._tally.bad)

    @property
    def skipped(self) -> Mapping[str, int]:
        """See Rows."""
        return dict(self._tally.skipped)

    @property
    def named(self) -> tuple[str, ...]:
        """See Rows."""
        return tuple(self._tally.named)


def _groups(images: Numbers) -> list[Numbers]:
    """Numbers of the rows of each image, images in the order of their first row."""
    order = np.argsort(images, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(images[order])) + 1)


def _summed(lengths: Numbers, saved: Numbers, groups: Sequence[Numbers]) -> Numbers:
    """Words of dialogues: each later turn saves what is said in the first alone."""
    return np.array([lengths[members].sum() - saved[members[1:]].sum() for members in groups], np.int64)
