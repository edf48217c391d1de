"""The interface of sources: rows by number, whose images are read on demand."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

from vlmbench.base.errors import DataError, ImageError
from vlmbench.base.samples import Conversation, ImageRef
from vlmbench.data.files import ImageFile
from vlmbench.data.images.decoding import FORMATS, decode

if TYPE_CHECKING:
    from PIL.Image import Image

T = TypeVar("T")

NAMED = 5
"""How many bad rows are named; all are counted."""
IMAGE_WORDS = 128
"""Words per image, where rows are grouped by length alone. Source: Factory tinyllava/data/dataset.py@53f12c7
(`lengths`)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A row whose image is not read yet."""

    turns: tuple[tuple[str, str], ...]
    image: ImageRef | None = None
    id: str = ""
    independent: bool = False
    """See base.samples.Conversation."""

    def conversation(self) -> Conversation:
        """With the image's pixels. Raises ImageError when it cannot be read."""
        return self.with_image(None if self.image is None else pixels(self.image))

    def with_blank_image(self) -> Conversation:
        """With one black pixel for the image: for batches whose visual features are known already."""
        return self.with_image(None if self.image is None else _pixel())

    def with_image(self, image: Image | None) -> Conversation:
        """With this image, whatever its own is."""
        return Conversation(self.turns, image, self.independent, self.id)

    @property
    def words(self) -> int:
        """Words of all turns, split at spaces."""
        return sum(len(text.split()) for turn in self.turns for text in turn)


def _pixel() -> Image:
    from PIL import Image

    return Image.new("RGB", (1, 1))


class Rows(Protocol):
    """Rows that can be asked for by number. Bad ones are left out when it is opened, and counted."""

    name: str

    def __len__(self) -> int:
        """Good rows."""

    def entry(self, index: int, epoch: int = 0) -> Entry:
        """A row, its image unread. What is drawn by chance follows from (seed, index, epoch)."""

    def row(self, index: int, epoch: int = 0) -> Conversation:
        """A row with its image. The next row stands in for one whose image turns out damaged, and it is counted;
        raises DataError when there are too many of these.
        """

    def length(self, index: int) -> int:
        """Words, cheaply."""

    def has_image(self, index: int) -> bool:
        """Whether the row has an image."""

    @property
    def bad(self) -> Mapping[str, int]:
        """Bad rows by reason."""

    @property
    def skipped(self) -> Mapping[str, int]:
        """Rows that the data set's own rules leave out, by reason."""

    @property
    def named(self) -> tuple[str, ...]:
        """Where the first bad rows are, and what is wrong with them."""


@runtime_checkable
class RepairLog(Protocol):
    """Rows that count damaged images and are replaced by the next row."""

    def record_bad_row(self, index: int, error: ImageError) -> None:
        """Count a row whose image turned out damaged. Raises DataError when there are too many."""


@runtime_checkable
class Stream(Protocol):
    """Rows without an end, by position: the same position always gives the same rows."""

    name: str

    def rows(self, start: int, count: int) -> list[Conversation]:
        """So many rows from a position on."""

    @property
    def bad(self) -> Mapping[str, int]:
        """Bad rows met so far, by reason."""

    @property
    def named(self) -> tuple[str, ...]:
        """Where the first bad rows are, and what is wrong with them."""


def read(rows: Rows, index: int, epoch: int, how: Callable[[ImageRef], T]) -> tuple[Entry, T | None]:
    """A row and what `how` makes of its image; None for a row without one.

    The next row stands in for one whose image is damaged, if the rows have a RepairLog. Raises ImageError otherwise,
    DataError when there are too many.
    """
    for step in range(len(rows)):
        at = (index + step) % len(rows)
        try:
            entry = rows.entry(at, epoch)
            return entry, None if entry.image is None else how(entry.image)
        except ImageError as error:
            if not isinstance(rows, RepairLog):
                raise
            rows.record_bad_row(at, error)
    raise DataError("no row has a readable image", where=rows.name, hint="get the images again")


def pixels(image: ImageRef) -> Image:
    """An image decoded. Raises ImageError."""
    return decode(image.load(), image.name)


class BadRowError(Exception):
    """A row that cannot be trained on. `reason` is counted, `what` shown for the first few."""

    def __init__(self, reason: str, message: str = "") -> None:
        super().__init__(reason, message)
        self.reason, self.what = reason, message


class SkippedRowError(Exception):
    """A row that the data set's rules leave out, with the reason."""


@dataclass
class Tally:
    """Counts bad rows and says when there are too many."""

    where: str
    """The file, for the error."""
    limit: float
    """Highest bad fraction."""
    bad: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, int] = field(default_factory=dict)
    named: list[str] = field(default_factory=list)

    def add(self, error: BadRowError | DataError, at: str, rows: int = 1) -> None:
        """Count a bad row, or several that are bad for one reason; `at` says which."""
        reason, message = _reason(error)
        self.bad[reason] = self.bad.get(reason, 0) + rows
        if len(self.named) < NAMED:
            self.named.append(f"{at}: {message or reason}")

    def skip(self, reason: str) -> None:
        """Count one row that is left out by rule."""
        self.skipped[reason] = self.skipped.get(reason, 0) + 1

    def judge(self, total: int) -> None:
        """Raises DataError when more than the limit of `total` rows, bad ones among them, are bad, or none is left."""
        count = sum(self.bad.values())
        if count <= self.limit * total and count < total:
            return
        reasons = ", ".join(f"{number} {reason}" for reason, number in sorted(self.bad.items()))
        message = f"{count} of {total} rows are bad, more than {self.limit:.2%}: {reasons or 'there is no row'}"
        first = "".join(f"\n  {text}" for text in self.named)
        allow = "allow more with bad_rows (--set bad_rows=SHARE)"
        hint = f"fix the file or the folder of images, or {allow}; the first:{first or ' none'}"
        raise DataError(message, where=self.where, hint=hint)


def _reason(error: BadRowError | DataError) -> tuple[str, str]:
    if isinstance(error, BadRowError):
        return error.reason, error.what
    if isinstance(error, ImageError):
        return "damaged image", f"{error.where}: {error.what}"
    return "odd field", f"{error.where}: {error.what}"


def find_image(images: Path, *names: str) -> ImageRef:
    """The first of several images that is there. Raises BadRowError when none is, or a name leaves the folder."""
    for name in names:
        parts = name.replace("\\", "/").split("/")
        if not name or "\0" in name or name.startswith(("/", "\\")) or ".." in parts or ":" in parts[0]:
            raise BadRowError("image outside the folder", f"{name!r} is not the name of an image inside the folder")
        if (images / name).is_file():
            return ImageRef(name, ImageFile(images, name, ("",)))
    raise BadRowError("missing image", f"no image {names[0]}")


def size(image: ImageRef) -> tuple[int, int]:
    """(width, height) from the image's head. Raises ImageError."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(image.load()), formats=FORMATS) as opened:
            return opened.size
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageError(f"not a readable image: {error}", where=image.name, hint="fetch it again") from None
