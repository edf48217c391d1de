"""Captioned images in tar shards, as img2dataset writes LAION, CC3M, CC12M and SBU: a stream without an end.

As in the official code, shards are drawn with replacement and rows shuffled in a buffer. Unlike there, all of it
follows from the position: shard k of the sequence is drawn from (seed, k), and rows are shuffled within each `buffer`
of rows that follow each other in a shard. So a training resumes from a number alone. To find its place again it reads
the heads of the shards before it, not their images.

Sources: MiniGPT-4 minigpt4/datasets/datasets/{laion,cc_sbu}_dataset.py@d94738a; the webdataset library reads the tars.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from vlmbench.base.errors import DataError, ImageError, UsageError
from vlmbench.base.process.extras import install_command
from vlmbench.base.samples import Conversation
from vlmbench.data.images.decoding import decode
from vlmbench.scenes.scene import Dice

from .draws import mix
from .entries import BadRowError, Tally
from .files import tarcount
from .pools import clean as cleaned

IMAGE_SUFFIXES = ("jpg", "jpeg", "png", "webp")
JUDGED = 100
"""Rows seen before a bad fraction says anything."""
Sample = Mapping[str, Any]


class Shards:
    """See entries.Stream."""

    def __init__(
        self,
        path: str,
        *,
        name: str = "webdataset",
        seed: int = 0,
        max_bad: float = 0.01,
        buffer: int = 1000,
        clean: bool = True,
    ) -> None:
        """`path`: shards as `folder/{00000..01255}.tar` (several, by `::`), or with `*`; those that are there count.

        `buffer`: rows shuffled together, and held as bytes; `clean`: captions as BLIP's processor leaves them. Raises
        DataError when there is no shard, UsageError when the webdataset library is not installed.
        """
        self.name, self._seed, self._buffer, self._clean = name, seed, buffer, clean
        self.shards = expand(path)
        self._tally, self._seen, self._met = Tally(path, max_bad), 0, set[int]()
        self._counts: dict[str, int] = {}
        self._lost = 0
        """Rows of damaged shards."""
        self._ends: list[int] = []
        """Position behind each shard of the sequence, as far as it is known."""
        self._block: tuple[tuple[int, int], list[Sample | None]] = ((-1, -1), [])
        self._reader: tuple[tuple[int, int], Iterator[Sample]] | None = None
        """The open shard: (number in the sequence, samples read) and what goes on reading it."""

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_reader": None}

    def rows(self, start: int, count: int) -> list[Conversation]:
        """See entries.Stream. The next row stands in for a bad one; raises DataError when there are too many."""
        return [self._row(position) for position in range(start, start + count)]

    @property
    def bad(self) -> Mapping[str, int]:
        """See entries.Stream."""
        return dict(self._tally.bad)

    @property
    def named(self) -> tuple[str, ...]:
        """See entries.Rows."""
        return tuple(self._tally.named)

    def _row(self, position: int) -> Conversation:
        for at in range(position, position + self._buffer + JUDGED):
            number, place = self._find(at)
            shard = self._shard(number)
            self._seen += at == position
            try:
                return self._read(self._sample(number, place), shard)
            except (BadRowError, ImageError) as error:
                if at not in self._met:
                    self._met.add(at)
                    self._tally.add(error, f"{shard}, row {place}")
                if self._seen >= JUDGED:
                    self._tally.judge(self._seen)
        self._tally.judge(len(self._met))
        raise DataError("no row can be read", where=self._tally.where, hint="get the shards again")

    def _read(self, sample: Sample | None, shard: str) -> Conversation:
        if sample is None:
            raise BadRowError("cut shard", "the shard ends before this row")
        image = next((sample[kind] for kind in IMAGE_SUFFIXES if kind in sample), None)
        if image is None:
            raise BadRowError("missing image", f"{sample['__key__']} has no {IMAGE_SUFFIXES[0]}")
        caption = _caption(sample)
        caption = cleaned(caption) if self._clean else caption
        if not caption.strip():
            raise BadRowError("empty turn", f"the caption of {sample['__key__']} is empty")
        return Conversation((("", caption),), decode(image, f"{shard}/{sample['__key__']}"), id=str(sample["__key__"]))

    def _shard(self, number: int) -> str:
        """The shard of a place in the sequence."""
        return Dice(mix(self._seed, self.name, "shard", number)).pick(self.shards)

    def _find(self, position: int) -> tuple[int, int]:
        """(number of the shard in the sequence, row in it)."""
        while not self._ends or self._ends[-1] <= position:
            shard = self._shard(len(self._ends))
            if shard not in self._counts:
                self._counts[shard] = self._count(shard)
                if len(self._counts) == len(self.shards):
                    self._judge_shards()
            self._ends.append((self._ends[-1] if self._ends else 0) + self._counts[shard])
        number = bisect_right(self._ends, position)
        return number, position - (self._ends[number - 1] if number else 0)

    def _judge_shards(self) -> None:
        """When each shard was counted. Raises DataError where none has a row, or damage took too many."""
        rows = sum(self._counts.values())
        if not rows:
            first = "".join(f"\n  {line}" for line in self._tally.named)
            raise DataError("the shards hold no row", where=self._tally.where, hint=f"download them again{first}")
        if self._lost:
            self._tally.judge(rows + self._lost)

    def _count(self, shard: str) -> int:
        """Samples of a shard, from the heads of its files. Those that are lost in a damaged one count as bad rows."""
        counted = tarcount.count(shard, lambda name: _library().tariterators.base_plus_ext(name)[0])
        if counted.damage:
            lost = "" if counted.expected is None else f", {counted.expected} rows belong into it"
            error = BadRowError("row of a damaged shard", f"{counted.damage}: {counted.rows} rows can be read{lost}")
            self._tally.add(error, shard, counted.lost)
            self._lost += counted.lost
        return counted.rows

    def _sample(self, number: int, place: int) -> Sample | None:
        """A row of the shuffled shard, as bytes."""
        block, inside = divmod(place, self._buffer)
        if self._block[0] != (number, block):
            self._block = ((number, block), self._load(number, block))
        return self._block[1][inside]

    def _load(self, number: int, block: int) -> list[Sample | None]:
        """The rows of one buffer, shuffled. Continues where the last one ended, where that is possible."""
        shard, first = self._shard(number), block * self._buffer
        size = min(self._buffer, self._counts[shard] - first)
        if self._reader is None or self._reader[0] != (number, first):
            stream = self._stream(shard)
            next(islice(stream, first, first), None)
        else:
            stream = self._reader[1]
        samples: list[Sample | None] = list(islice(stream, size))
        self._reader = ((number, first + size), stream)
        samples += [None] * (size - len(samples))
        return Dice(mix(self._seed, self.name, "buffer", number, block)).shuffled(samples)

    @staticmethod
    def _stream(shard: str) -> Iterator[Sample]:
        """What the library reads from a shard; it ends where the shard is damaged."""
        source = [{"url": shard, "stream": Path(shard).open("rb")}]  # noqa: SIM115
        files = _library().tariterators.tar_file_expander(source, handler=lambda _: False)
        samples: Iterator[Sample] = _library().tariterators.group_by_keys(files, handler=lambda _: False)
        try:
            yield from samples
        finally:
            source[0]["stream"].close()  # type: ignore[attr-defined]


def expand(path: str) -> Sequence[str]:
    """Shards of a pattern, in order. Raises DataError when none of them is there."""
    shards: list[str] = []
    for pattern in path.split("::"):
        for name in _library().shardlists.expand_urls(pattern):
            file = Path(name)
            if "*" in file.name:
                shards += sorted(map(str, file.parent.glob(file.name)))
            elif file.is_file():
                shards.append(str(file))
    if not shards:
        raise DataError("there is no such shard", where=path, hint="name them as folder/{00000..01255}.tar")
    return shards


def _caption(sample: Sample) -> str:
    read: Mapping[str, Callable[[bytes], Any]] = {"json": lambda b: json.loads(b)["caption"], "txt": bytes.decode}
    for kind, reader in read.items():
        if kind in sample:
            try:
                text = reader(sample[kind])
            except (ValueError, KeyError, TypeError) as error:
                raise BadRowError("broken JSON", f"{sample['__key__']}.{kind}: {error}") from None
            if not isinstance(text, str):
                raise BadRowError("empty turn", f"the caption of {sample['__key__']} is {text!r}")
            return text
    raise BadRowError("no caption", f"{sample['__key__']} has no json")


def _library() -> Any:
    try:
        import webdataset
    except ImportError:
        hint = install_command("train")
        raise UsageError("shards are read by the webdataset library, which is not installed", hint=hint) from None
    return webdataset
