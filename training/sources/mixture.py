"""Which rows a batch holds: one data set per batch, drawn by ratio, and the next rows of its own shuffled order.

Everything follows from (seed, moment): a training that resumes in the middle sees the same rows. Source of the rule:
MiniGPT-4 minigpt4/datasets/datasets/dataloader_utils.py (MultiIterLoader) and minigpt4/runners/runner_base.py@d94738a.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from vlmbench.base.errors import TrainingError, UsageError
from vlmbench.base.samples import Conversation, ImageRef

from .draws import mix
from .entries import Entry, Rows, Stream, pixels, read
from .features import Features, stacked
from .ordering import order
from .packing import pack

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Part:
    """One data set of a mixture."""

    name: str
    rows: Rows | Stream
    batch: int
    """Rows in a batch."""
    ratio: float = 1.0
    """How often it is drawn, beside the others' ratios."""
    group: str = ""
    """See ordering.order."""
    world: int = 1
    """Batches that are dealt rows of like length together: Factory has one for each process. It decides the order, so
    it is the recipe's, whatever number of processes works at it."""
    whole: bool = True
    """Whether an epoch's last batch is left out where it is not full, as MiniGPT-v2's loader does."""

    def __post_init__(self) -> None:
        """Raises TrainingError where the settings contradict each other."""
        where = f"source {self.name!r}"
        if self.batch < 1 or self.ratio <= 0 or self.world < 1:
            raise TrainingError("batch, ratio and world must be above 0", where=where)
        if isinstance(self.rows, Stream):
            if self.group:
                raise TrainingError(f"group={self.group!r} needs rows that are counted, not a stream", where=where)
        elif self.whole and len(self.rows) < self.batch:
            message = f"batch={self.batch} rows are wanted, but the source has {len(self.rows)}"
            raise TrainingError(message, where=where, hint="a smaller batch, or whole=false")

    @property
    def batches(self) -> int:
        """Batches in an epoch. Raises UsageError for a stream, which has no end."""
        if isinstance(self.rows, Stream):
            raise UsageError(f"source {self.name!r} is a stream: it has no epochs", hint="say how many steps")
        return len(self.rows) // self.batch if self.whole else -(-len(self.rows) // self.batch)


@dataclass(frozen=True, slots=True)
class Draw:
    """What one batch holds."""

    part: int
    """Number of the data set."""
    name: str
    places: tuple[tuple[int, int], ...]
    """(row, epoch) of each; of a stream (position, 0)."""

    def share(self, rank: int, world: int) -> tuple[tuple[int, int], ...]:
        """The places of one process: a run of them, as even as it comes out."""
        cuts = np.linspace(0, len(self.places), world + 1).round().astype(int).tolist()
        return self.places[cuts[rank] : cuts[rank + 1]]


class Mixture:
    """Data sets drawn by ratio."""

    def __init__(self, parts: Sequence[Part], seed: int) -> None:
        """Raises TrainingError when there is no part, or two have one name."""
        names = [part.name for part in parts]
        if not parts or len(set(names)) < len(names):
            raise TrainingError("a mixture needs sources with names of their own", where=", ".join(names))
        self.parts, self._seed = tuple(parts), seed
        self._sums = list(accumulate(part.ratio for part in parts))
        self._chance = Random(mix(seed, "mixture"))
        self._drawn: list[int] = []
        self._before: list[int] = []
        """How often the data set of each moment was drawn before it."""
        self._times = [0] * len(parts)
        self._orders: dict[tuple[int, int], np.ndarray[Any, Any]] = {}

    def draw(self, moment: int) -> Draw:
        """The batch of a moment; moments count batches from 0 over a whole stage."""
        self._roll(moment)
        number = self._drawn[moment]
        part, turn = self.parts[number], self._before[moment]
        if isinstance(part.rows, Stream):
            first = turn * part.batch
            return Draw(number, part.name, tuple((at, 0) for at in range(first, first + part.batch)))
        epoch, batch = divmod(turn, part.batches)
        chosen = self._order(number, epoch)[batch * part.batch : (batch + 1) * part.batch]
        return Draw(number, part.name, tuple((int(at), epoch) for at in chosen))

    def _roll(self, moment: int) -> None:
        while len(self._drawn) <= moment:
            number = 0
            if len(self.parts) > 1:
                spot = self._chance.random() * self._sums[-1]
                number = min(bisect_right(self._sums, spot), len(self.parts) - 1)
            self._drawn.append(number)
            self._before.append(self._times[number])
            self._times[number] += 1

    def _order(self, number: int, epoch: int) -> np.ndarray[Any, Any]:
        if (number, epoch) not in self._orders:
            part = self.parts[number]
            assert not isinstance(part.rows, Stream)
            seed = mix(self._seed, part.name)
            indices = order(part.rows, seed, epoch, part.batch, part.group, part.world)
            # One epoch of each data set is kept: batches come in order.
            self._orders = {key: cached for key, cached in self._orders.items() if key[0] != number}
            self._orders[number, epoch] = indices
        return self._orders[number, epoch]

    def entries(self, draw: Draw, rank: int = 0, world: int = 1) -> list[Entry]:
        """The batch's rows of one process, images unread. Raises UsageError for a stream."""
        rows = self._listed(draw)
        return [rows.entry(at, epoch) for at, epoch in draw.share(rank, world)]

    def rows(self, draw: Draw, rank: int = 0, world: int = 1, *, room: int = 0) -> list[Conversation]:
        """The batch's rows of one process, packed up to `room` words where that is above 0.

        Raises DataError when too many have damaged images.
        """
        rows, places = self.parts[draw.part].rows, draw.share(rank, world)
        if isinstance(rows, Stream):
            return rows.rows(places[0][0], len(places)) if places else []
        return [entry.with_image(image) for entry, image in _read(rows, places, pixels, room)]

    def with_features(
        self, draw: Draw, features: Features, rank: int = 0, world: int = 1, *, room: int = 0
    ) -> tuple[list[Conversation], Tensor | None]:
        """The same rows with a stand-in for each image, and what the tower sees of them (see Features.stack).

        Raises UsageError for a stream, and as `rows` does.
        """
        entries = _read(self._listed(draw), draw.share(rank, world), features.of, room)
        return [entry.with_blank_image() for entry, _ in entries], stacked([feature for _, feature in entries])

    def _listed(self, draw: Draw) -> Rows:
        rows = self.parts[draw.part].rows
        if isinstance(rows, Stream):
            raise UsageError(f"source {draw.name!r} is a stream: its rows come with their images")
        return rows

    def moments(self, epochs: int) -> int:
        """Batches in so many epochs of a mixture's only source. Raises UsageError where there are several."""
        if len(self.parts) > 1:
            names = ", ".join(part.name for part in self.parts)
            raise UsageError(f"epochs of several sources have no common end: {names}", hint="say how many steps")
        return epochs * self.parts[0].batches


def _read(
    rows: Rows, places: Sequence[tuple[int, int]], how: Callable[[ImageRef], T], room: int
) -> list[tuple[Entry, T | None]]:
    """Rows and what `how` makes of their images, each image once where rows are packed."""
    if not room:
        return [read(rows, at, epoch, how) for at, epoch in places]
    known: dict[str, T] = {}

    def once(image: ImageRef) -> T:
        if image.name not in known:
            known[image.name] = how(image)
        return known[image.name]

    packed = pack([read(rows, at, epoch, once)[0] for at, epoch in places], room)
    return [(entry, None if entry.image is None else known[entry.image.name]) for entry in packed]
