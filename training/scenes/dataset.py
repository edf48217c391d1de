"""SyntheticRows scenes as rows that are asked for by number: data for small recipes, in the place of files."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from vlmbench.base.errors import UnknownNameError
from vlmbench.base.samples import Conversation, ImageRef
from vlmbench.scenes import captions as scene_text
from vlmbench.scenes.scene import TRAIN_SEEDS, Dice, Scene, draw, make_scene

from ..recipe.limits import MOST, MOST_THINGS
from ..sources import Entry, mix

Turns = list[tuple[str, str]]


def _caption(scene: Scene, dice: Dice) -> Turns:
    return [(scene_text.DESCRIBE, scene_text.caption(scene))]


def _short(scene: Scene, dice: Dice) -> Turns:
    return scene_text.short_turns(scene, dice, 4, 1, "")


def _describe(scene: Scene, dice: Dice) -> Turns:
    return [scene_text.description(scene, dice)]


def _dialogue(scene: Scene, dice: Dice) -> Turns:
    return [*_caption(scene, dice), *scene_text.short_turns(scene, dice, 3, 1, "")]


def _one(scene: Scene, dice: Dice) -> Turns:
    return scene_text.short_turns(scene, dice, 1, 0, "")[:1]


SAYS: Mapping[str, Callable[[Scene, Dice], Turns]] = {
    "caption": _caption,
    "describe": _describe,
    "short": _short,
    "dialogue": _dialogue,
    "one": _one,
    "text": lambda scene, dice: [(f"Say: {scene_text.caption(scene)}", scene_text.caption(scene))],
}
"""`text` has no image; `short` asks independent questions; `one` asks a single one."""


@dataclass
class Scenes:
    """So many rows about drawn scenes, none of them a sample's."""

    name: str
    seed: int
    say: str = "caption"
    count: int = 1000
    things: tuple[int, int] = (1, 5)
    """How many things a scene holds, at least and at most."""
    bad: Mapping[str, int] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)
    named: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises UnknownNameError for something that cannot be said, ValueError for counts that mean nothing."""
        if self.say not in SAYS:
            raise UnknownNameError("thing to say about scenes", self.say, SAYS)
        if isinstance(self.count, bool) or not isinstance(self.count, int) or not 1 <= self.count <= MOST:
            raise ValueError(f"count is {self.count!r}: it must be at least 1 and at most {MOST}")
        fewest, most = self.things
        if not 1 <= fewest <= most <= MOST_THINGS:
            raise ValueError(f"things is {self.things}: it must be between 1 and {MOST_THINGS}, fewest first")

    def __len__(self) -> int:
        """Rows."""
        return self.count

    def entry(self, index: int, epoch: int = 0) -> Entry:
        """A row, its image not drawn yet."""
        dice = Dice(mix(self.seed, self.name, index))
        scene = make_scene(TRAIN_SEEDS.start + dice.below(len(TRAIN_SEEDS)), *self.things)
        turns = SAYS[self.say](scene, dice)
        if self.say == "text":
            return Entry(tuple(turns), None, str(index))
        name = f"{self.name}-{index}.png"
        return Entry(tuple(turns), ImageRef(name, partial(_drawn, scene)), str(index), self.say == "short")

    def row(self, index: int, epoch: int = 0) -> Conversation:
        """A row with its image."""
        return self.entry(index, epoch).conversation()

    def length(self, index: int) -> int:
        """Words."""
        return self.entry(index).words

    def has_image(self, index: int) -> bool:
        """Whether the row has an image."""
        return self.say != "text"


def _drawn(scene: Scene) -> bytes:
    buffer = io.BytesIO()
    draw(scene).save(buffer, "PNG")
    return buffer.getvalue()
