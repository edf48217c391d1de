"""Photos of drawn scenes: with signs in front, dark or out of focus, in few shades."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vlmbench.scenes import captions as scene_text
from vlmbench.scenes.lettering import Board, signs, with_boards
from vlmbench.scenes.scene import GROUNDS, STYLES, TRAIN_SEEDS, Dice, Scene, blurred, make_scene, pixels

if TYPE_CHECKING:
    from PIL.Image import Image

DARK = (45, 70)
"""An image that is a little dark keeps so many percent of its light."""
SHADE = 16
"""Values of a colour that become one, where shades are few."""


@dataclass(frozen=True, slots=True)
class Photo:
    """One image, and what is known of it."""

    scene: Scene
    boards: tuple[Board, ...] = ()
    light: int = 100
    """Percent."""
    blur: tuple[int, int] = (0, 0)
    """Radius and how many times."""
    shades: bool = False
    given: tuple[Any, ...] = ()
    """What a sample's maker gave, the pixels last; empty: they are drawn here."""

    @property
    def unusable(self) -> bool:
        """Whether nothing can be seen any more."""
        return self.light < DARK[0] // 2 or self.blur[0] > 4

    def pixel_array(self) -> Any:
        """(96, 96, 3) bytes."""
        import numpy as np

        if self.given:
            grid = self.given[-1]
        else:
            grid = with_boards(self.scene, self.boards) if self.boards else pixels(self.scene)
        if self.light < 100 or self.blur[0]:
            grid = np.clip(blurred(grid.astype(np.int64) * self.light // 100, *self.blur), 0, 255).astype(np.uint8)
        return (grid // SHADE * SHADE + SHADE // 2).astype(np.uint8) if self.shades else grid.astype(np.uint8)

    def image(self) -> Image:
        """As an image."""
        from PIL import Image

        return Image.fromarray(self.pixel_array(), "RGB")

    def caption(self) -> str:
        """Everything that can be seen: how many things and which, or what the signs say."""
        if self.unusable:
            return "Nothing can be seen."
        if self.boards:
            signs_text = ", ".join(f"a {board.color} sign that says {board.word.lower()}" for board in self.boards)
            return f"{signs_text.capitalize()}, on a {self.scene.style} {self.scene.ground} background."
        return f"{len(self.scene.things)} things: {scene_text.caption(self.scene)}"


def random_scene(dice: Dice, fewest: int, most: int) -> Scene:
    """A scene of a seed that training may use."""
    return make_scene(TRAIN_SEEDS.start + dice.below(len(TRAIN_SEEDS)), fewest, most)


def empty_scene(dice: Dice) -> Scene:
    """A background with nothing on it."""
    seed = TRAIN_SEEDS.start + dice.below(len(TRAIN_SEEDS))
    return Scene(seed, (), dice.pick(tuple(GROUNDS)), dice.pick(STYLES))


def corrupted(dice: Dice, scene: Scene, unusable: bool) -> Photo:
    """An image taken badly; or so badly that nothing can be seen."""
    dark = dice.chance(50)
    if unusable:
        return Photo(scene, light=2) if dark else Photo(scene, blur=(14, 3))
    low, high = DARK
    return Photo(scene, light=low + dice.below(high - low)) if dark else Photo(scene, blur=(1, 1))


def captionable_photo(dice: Dice, fewest: int, most: int) -> Photo:
    """What can be put in words: things, signs alone, now and then an image that shows nothing."""
    chance = dice.below(100)
    if chance < 15:
        return Photo(empty_scene(dice), signs(dice)[:2])
    if chance < 18:
        return corrupted(dice, random_scene(dice, 1, 1), True)
    return Photo(random_scene(dice, fewest, most))


def varied_photo(dice: Dice, fewest: int, most: int, signed: int = 45) -> Photo:
    """What a vision tower should have seen: things, signs with and without things behind, images taken badly."""
    chance = dice.below(100)
    if chance < signed:
        scene = empty_scene(dice) if dice.chance(50) else random_scene(dice, fewest, most)
        return Photo(scene, signs(dice), shades=dice.chance(30))
    if chance < signed + 12:
        return corrupted(dice, random_scene(dice, 1, 1 if dice.chance(60) else most), dice.chance(20))
    return Photo(random_scene(dice, 1 if dice.chance(10) else fewest, most), shades=dice.chance(20))
