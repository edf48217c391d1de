"""Writes the embedded samples of ScreenSpot and its second version: drawn screens with things and with boards.

A thing that is the only one of its kind is an icon, a board with a word is a text. No real screen is shown.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vlmbench.scenes.lettering import with_boards
from vlmbench.scenes.scene import GROUNDS, STYLES, Dice, Scene

from .common import compact, encoded, jpeg, scenes, write
from .refcoco_files import bounds, only
from .textvqa import boards

SOURCES = {
    "mobile": ("ios", "android"),
    "desktop": ("macos", "windows"),
    "web": ("shop", "forum", "tool", "gitlab"),
}
IMAGES = 6
"""Screens with icons of each platform; there are as many with texts."""
ICON = ("tap the {}", "open the {}", "click on the {}")
TEXT = ('press "{}"', "go to {}", "choose {}")


def icons(scene: Scene) -> list[tuple[str, list[int], str]]:
    """(command, box, type) of the things that are the only ones of their kind."""
    dice = Dice(scene.seed)
    return [
        (dice.pick(ICON).format(thing.kind), bounds(thing), "icon")
        for thing in scene.things
        if only(scene, thing, "kind")
    ]


def texts(seed: int) -> tuple[list[tuple[str, list[int], str]], bytes]:
    """(command, box, type) of the boards of a screen, and its image."""
    from PIL import Image

    dice = Dice(seed)
    shown = boards(dice)
    scene = Scene(seed, (), dice.pick(tuple(GROUNDS)), dice.pick(STYLES))
    asked = [
        (dice.pick(TEXT).format(board.word.lower()), [board.x, board.y, board.width, board.height], "text")
        for board in shown
    ]
    return asked, encoded(Image.fromarray(with_boards(scene, shown), "RGB"))


def _build(folder: Path, task: str, images: str, suffix: str) -> None:
    pictures = scenes(task, len(SOURCES) * IMAGES)
    for part, (platform, sources) in enumerate(SOURCES.items()):
        rows: list[dict[str, Any]] = []
        for number, scene in enumerate(pictures[part * IMAGES : (part + 1) * IMAGES], 1):
            screens = ((icons(scene), jpeg(scene)), texts(scene.seed))
            for kind, (asked, image) in zip(("icon", "text"), screens, strict=True):
                name = f"{platform}_{kind}_{number}.jpg"
                write(folder / images / name, image)
                rows += [
                    {
                        "img_filename": name,
                        "bbox": box,
                        "instruction": command,
                        "data_type": type_,
                        "data_source": sources[number % len(sources)],
                    }
                    for command, box, type_ in asked
                ]
        write(folder / f"screenspot_{platform}{suffix}.json", compact(rows))


def build_screenspot(folder: Path) -> None:
    """`screenspot_{mobile,desktop,web}.json` and `screenspot_imgs/`."""
    _build(folder, "screenspot", "screenspot_imgs", "")


def build_screenspot_v2(folder: Path) -> None:
    """`screenspot_{mobile,desktop,web}_v2.json` and `screenspotv2_image/`."""
    _build(folder, "screenspot_v2", "screenspotv2_image", "_v2")
