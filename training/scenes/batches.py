"""What each step learns from. Rows follow from (seed, stage, step) alone, so a resumed run sees the same ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from vlmbench.base.errors import DataError, VlmbenchError
from vlmbench.base.samples import Conversation, ImageRef
from vlmbench.data.files import ImageFile
from vlmbench.scenes import captions as scene_text
from vlmbench.scenes import lists as scene_lists
from vlmbench.scenes.scene import Dice

from ..recipe.recipe import Feed, Stage
from ..sources.draws import mix
from ..sources.files.image_digest import ImageSizes
from . import photos, questions
from .photos import Photo

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class BatchShare:
    """What one feed gives to one batch."""

    rows: tuple[Conversation, ...]
    photos: tuple[Photo, ...] = ()
    """What the rows show, where it was drawn."""
    known: tuple[tuple[bool, ...], ...] = ()
    """Of lists: which words can be known from the scene. Only these are trained on."""


class RowSource(Protocol):
    """Where a stage's rows come from."""

    def batch_share(self, feed: Feed, moment: int, step: int) -> BatchShare:
        """The feed's rows of one batch; `moment` counts batches over the whole stage."""


@dataclass(frozen=True)
class SyntheticRows:
    """Scenes drawn on the fly, from seeds that no sample uses."""

    stage: Stage
    seed: int

    def batch_share(self, feed: Feed, moment: int, step: int) -> BatchShare:
        """See RowSource."""
        dice = Dice(mix(self.seed, self.stage.name, feed.kind, *feed.exams, feed.see, moment))
        things = self.stage.at(step)
        if feed.kind == "exam":
            # All rows of a batch sit one exam in one protocol's words: the longest question sets the cost of each.
            kind, protocol = dice.pick(feed.exams), dice.pick(feed.protocols or ("",))
            sat = [questions.questions_about(kind, dice, feed.turns, things, protocol) for _ in range(feed.rows)]
            return BatchShare(tuple(_row(photo, turns, feed) for photo, turns in sat), tuple(photo for photo, _ in sat))
        if feed.kind == "list":
            shown = [photos.captionable_photo(dice, *things) for _ in range(feed.rows)]
            lists = [scene_lists.listing(photo.scene, dice, boards=photo.boards) for photo in shown]
            spoken = ([("", "".join(f" {word}" for word in words))] for words, _ in lists)
            rows = tuple(_row(photo, turns, feed) for photo, turns in zip(shown, spoken, strict=True))
            return BatchShare(rows, tuple(shown), tuple(tuple(known) for _, known in lists))
        # With or without LLaVA's suffix, but all rows of a batch alike: the longest question sets the cost of each.
        suffix = scene_text.SUFFIX if dice.chance(25) else ""
        taken = tuple(_photo(dice, feed, *things) for _ in range(feed.rows))
        return BatchShare(tuple(_row(photo, _turns(photo, dice, feed, suffix), feed) for photo in taken), taken)


def _photo(dice: Dice, feed: Feed, fewest: int, most: int) -> Photo:
    """What a feed shows: everything where patches or whole images are described, else things."""
    if feed.kind == "patches":
        return photos.varied_photo(dice, fewest, most, feed.signs)
    if feed.kind in ("caption", "match"):
        return photos.captionable_photo(dice, fewest, most)
    return Photo(photos.random_scene(dice, fewest, most))


def _row(photo: Photo, turns: Sequence[tuple[str, str]], feed: Feed) -> Conversation:
    # Seen in words, the image only keeps a place: what stands there is put in later.
    image = photo.image() if feed.see == "pictures" else _blank()
    independent = feed.kind in ("short", "describe", "exam")
    row = scene_text.llava_row(str(photo.scene.seed), "drawn", turns)
    return conversation(row, image, independent=independent)


def _turns(photo: Photo, dice: Dice, feed: Feed, suffix: str) -> list[tuple[str, str]]:
    scene = photo.scene
    if feed.kind == "short":
        return scene_text.short_turns(scene, dice, feed.turns, max(1, feed.turns // 4), suffix)
    if feed.kind == "describe":
        return [scene_text.description(scene, dice) for _ in range(feed.turns)]
    if feed.kind == "dialogue":
        first = (scene_text.DESCRIBE, scene_text.caption(scene))
        return [first, *scene_text.short_turns(scene, dice, feed.turns, 1, suffix)]
    return [(scene_text.DESCRIBE, photo.caption())]


def _blank() -> Image:
    from PIL import Image

    return Image.new("RGB", (8, 8))


def conversation(row: Mapping[str, Any], image: Image | None, *, independent: bool = False) -> Conversation:
    """A row in LLaVA's format as turns. Raises DataError when it is not one."""
    says = row.get("conversations")
    if not isinstance(says, Sequence) or len(says) % 2 or not says:
        raise DataError("`conversations` must alternate between human and gpt", where=f"row {row.get('id')!r}")
    turns = []
    for question, answer in zip(says[::2], says[1::2], strict=True):
        if question.get("from") != "human" or answer.get("from") != "gpt":
            raise DataError("`conversations` must alternate between human and gpt", where=f"row {row.get('id')!r}")
        turns.append((str(question["value"]), str(answer["value"])))
    return Conversation(tuple(turns), image, independent, str(row.get("id", "")))


class FileRows:
    """Rows of a JSON file in LLaVA's format, shuffled anew in each epoch."""

    def __init__(self, path: Path, images: Path, seed: int) -> None:
        """Reads the file. Raises DataError when it is missing or no list of rows."""
        hint = "set the stage's data and images: --set stages.NAME.data=FILE --set stages.NAME.images=DIR"
        try:
            self._rows = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(str(error), where=str(path), hint=hint) from None
        if not isinstance(self._rows, list) or not self._rows:
            raise DataError("no list of rows", where=str(path), hint=hint)
        self._path, self._images, self._seed = path, images, seed
        self._epoch, self._order = -1, list[int]()

    def digest(self) -> dict[str, Any]:
        """Counts and a digest of the rows' images."""
        names = [str(row["image"]) if isinstance(row, dict) and "image" in row else "" for row in self._rows]
        images = [ImageRef(name, ImageFile(self._images, name, ("",))) if name else None for name in names]
        sizes = ImageSizes()
        for image in images:
            if image is not None:
                sizes.add(image)
        return sizes.digest(len(images), lambda at: images[at])

    def batch_share(self, feed: Feed, moment: int, step: int) -> BatchShare:
        """See RowSource."""
        return BatchShare(tuple(self._read(at) for at in range(moment * feed.rows, (moment + 1) * feed.rows)))

    def _read(self, at: int) -> Conversation:
        epoch, place = divmod(at, len(self._rows))
        if epoch != self._epoch:
            self._epoch = epoch
            self._order = Dice(mix(self._seed, epoch)).shuffled(range(len(self._rows)))
        row = self._rows[self._order[place]]
        image = self._read_image(row["image"]) if "image" in row else None
        return conversation(row, image)

    def _read_image(self, name: str) -> Image:
        from PIL import Image, UnidentifiedImageError

        path = self._images / name
        try:
            with Image.open(path) as image:
                return image.convert("RGB")
        except (OSError, UnidentifiedImageError) as error:
            raise DataError(f"cannot read the image: {error}", where=str(path)) from None


def source(stage: Stage, seed: int) -> RowSource:
    """The rows a stage learns from."""
    if stage.data == "scenes":
        return SyntheticRows(stage, seed)
    return FileRows(Path(stage.data), Path(stage.images), mix(seed, stage.name))


class Batches:
    """A stage's batches from a step on, made ahead by a second process where asked for: torch's iterable data set."""

    def __init__(
        self,
        make: Callable[[int], list[Mapping[str, Any]]],
        first: int,
        steps: int,
        facts: Callable[[], Mapping[str, Any]] | None = None,
    ) -> None:
        """`make(step)` gives the batches of one step; `facts()` counts of the rows read so far."""
        self._make, self._first, self._steps, self._facts = make, first, steps, facts

    def __iter__(self) -> Iterator[list[Mapping[str, Any]]]:
        """In order of steps. Facts that a step changed come behind its batches, as {"facts": ...}."""
        reported = self._facts() if self._facts else None
        for step in range(self._first, self._steps):
            try:
                batches = self._make(step)
                facts = self._facts() if self._facts else None
                yield batches if facts == reported else [*batches, {"facts": facts}]
                reported = facts
            except VlmbenchError as error:
                # Raised in the second process it would arrive as a traceback in a text.
                yield [{"error": (error.what, error.where, error.hint)}]
            except Exception as error:
                if step > self._first:
                    raise
                reason = (str(error).strip().splitlines() or [""])[0]
                message = f"no batch can be made with these settings: {type(error).__name__}: {reason:.200}"
                yield [{"error": (message, f"step {step}", "")}]
