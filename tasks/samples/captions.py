"""The embedded samples of captions: drawn scenes, and signs for TextCaps, with five or ten references each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vlmbench.scenes.lettering import Board, with_boards
from vlmbench.scenes.questions import article
from vlmbench.scenes.scene import GROUNDS, KINDS, SIDE, STYLES, Dice, Scene, Thing, sample_seeds

from .common import compact, encoded, jpeg, scenes, write
from .judged import PLACES, listed
from .textvqa import boards, image_id

COUNT = 24
"""Images of a sample."""
DOMAINS = ("in-domain", "near-domain", "out-domain")
FIRST = 900_001
"""The number of the first image, as COCO has them."""
SYNONYMS = {
    "circle": ("disc", "disk"), "cross": ("cros",), "ring": ("hoop",), "moon": ("crescent",), "house": ("cottage",),
    "hourglass": ("hourglas", "sandglas"),
}  # fmt: skip
"""Other names of shapes; CHAIR's singulars of words in -ss lack an s."""
PEOPLE = 5
"""References per image; NoCaps has twice as many."""

# ----------------------------------------------------------------------------------------------- what people would say


def _thing(thing: Thing) -> str:
    return article(f"{thing.color} {thing.kind}")


def _place(thing: Thing) -> str:
    return PLACES.get((thing.row, thing.column), f"at the {thing.row} {thing.column}")


def _all(scene: Scene, dice: Dice) -> str:
    return f"{listed([_thing(thing) for thing in dice.shuffled(scene.things)])} on a {scene.ground} background."


def _kinds(scene: Scene, dice: Dice) -> str:
    kinds = dict.fromkeys(thing.kind for thing in dice.shuffled(scene.things))
    return f"A drawing of {listed([article(kind) for kind in kinds])}."


def _one(scene: Scene, dice: Dice) -> str:
    thing = dice.pick(scene.things)
    return f"There is {article(f'{thing.size} {thing.color} {thing.kind}')} {_place(thing)}."


def _two(scene: Scene, dice: Dice) -> str:
    first, second = dice.shuffled(scene.things)[:2]
    return f"{_thing(first)} {_place(first)} and {_thing(second)} {_place(second)}"


def _background(scene: Scene, dice: Dice) -> str:
    thing = dice.pick(scene.things)
    return f"A {scene.style}, {scene.ground} picture with {article(f'{thing.texture} {thing.kind}')} and other shapes."


def _said(texts: Sequence[Callable[[Scene, Dice], str]], scene: Scene, people: int) -> list[str]:
    dice = Dice(scene.seed)
    said = [texts[number % len(texts)](scene, dice) for number in range(people)]
    return [text[0].upper() + text[1:] for text in said]


def references(scene: Scene, people: int = PEOPLE) -> list[str]:
    """Captions of a scene, all of them true."""
    return _said((_all, _kinds, _one, _two, _background), scene, people)


# -------------------------------------------------------------------------------------------------------------- samples


def _karpathy(
    folder: Path, task: str, dataset: str, name: Callable[[int], str], more: Callable[[int], dict[str, Any]]
) -> None:
    images, sentence = [], 0
    for number, scene in enumerate(scenes(task, COUNT)):
        sentences = []
        for text in references(scene):
            words = text.lower().replace(",", "").rstrip(".").split()
            sentences.append({"tokens": words, "raw": text, "imgid": number, "sentid": sentence})
            sentence += 1
        row = {"sentids": [one["sentid"] for one in sentences], "imgid": number, "sentences": sentences}
        about = more(number)
        images.append({**about, **row, "split": "test", "filename": name(number)})
        write(folder / about.get("filepath", "flickr30k-images") / name(number), jpeg(scene))
    write(folder / f"dataset_{dataset}.json", compact({"images": images, "dataset": dataset}))


def _coco(folder: Path, task: str) -> None:
    _karpathy(
        folder,
        task,
        "coco",
        lambda number: f"COCO_val2014_{FIRST + number:012d}.jpg",
        lambda number: {"filepath": "val2014", "cocoid": FIRST + number},
    )


def build_coco_captions(folder: Path) -> None:
    """`dataset_coco.json` and `val2014/`."""
    _coco(folder, "coco_captions")


def build_chair(folder: Path) -> None:
    """As of COCO's captions, and the shapes as objects: `annotations/instances_val2014.json` and `synonyms.txt`."""
    _coco(folder, "chair")
    drawn = [(FIRST + number, scene) for number, scene in enumerate(scenes("chair", COUNT))]
    objects = [(key, KINDS.index(thing.kind) + 1) for key, scene in drawn for thing in scene.things]
    content = {
        "images": [{"id": key, "file_name": f"COCO_val2014_{key:012d}.jpg"} for key, _ in drawn],
        "annotations": [{"id": n, "image_id": key, "category_id": kind} for n, (key, kind) in enumerate(objects, 1)],
        "categories": [{"id": number, "name": kind} for number, kind in enumerate(KINDS, 1)],
    }
    write(folder / "annotations" / "instances_val2014.json", compact(content))
    lines = [", ".join((kind, *SYNONYMS.get(kind, ()))) for kind in KINDS]
    write(folder / "synonyms.txt", "\n".join(lines) + "\n")


def build_flickr30k(folder: Path) -> None:
    """`dataset_flickr30k.json` and `flickr30k-images/`."""
    _karpathy(folder, "flickr30k", "flickr30k", lambda number: f"{9_000_000_001 + number}.jpg", lambda number: {})


def build_nocaps(folder: Path) -> None:
    """`nocaps_val_4500_captions.json` and `images/`: eight images of each domain, ten captions each."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, scene in enumerate(scenes("nocaps", COUNT)):
        name = f"{image_id(scene.seed)}.jpg"
        about = {"id": number, "open_images_id": name[:-4], "file_name": name, "domain": DOMAINS[number % len(DOMAINS)]}
        images.append({**about, "width": SIDE, "height": SIDE})
        for text in references(scene, 2 * PEOPLE):
            annotations.append({"id": len(annotations), "image_id": number, "caption": text})
        write(folder / "images" / name, jpeg(scene))
    content = {"images": images, "annotations": annotations}
    write(folder / "nocaps_val_4500_captions.json", compact(content))


def _signs(shown: Sequence[Board]) -> list[str]:
    first, last = shown[0], shown[-1]
    if first is last:
        return [
            f"{article(first.color).capitalize()} sign that says {first.word}.",
            f"A sign with the word {first.word.lower()} on it",
            f"The word {first.word.capitalize()} is written on a sign.",
            f'A board reads "{first.word}" in dark letters.',
            f"{first.word} is all that the {first.color} sign says",
        ]
    return [
        f"{article(first.color).capitalize()} sign says {first.word} and {article(last.color)} one says {last.word}.",
        f"Two signs that read {first.word.lower()} and {last.word.lower()}",
        f"The upper sign says {first.word.capitalize()}, the lower one {last.word.capitalize()}.",
        f'"{first.word}" is written above "{last.word}".',
        f"{last.word} below {first.word} on two boards",
    ]


def build_textcaps(folder: Path) -> None:
    """`TextCaps_0.1_val.json` with a row per caption, and `train_images/`."""
    from PIL import Image

    rows: list[dict[str, Any]] = []
    for seed in sample_seeds("textcaps")[:COUNT]:
        dice, key = Dice(seed), image_id(seed)
        shown = boards(dice)
        texts = _signs(shown)
        for text in texts:
            rows.append(
                {
                    "image_id": key,
                    "image_classes": ["Sign"],
                    "image_width": SIDE,
                    "image_height": SIDE,
                    "image_name": key,
                    "caption_str": text,
                    "reference_strs": texts,
                    "caption_id": len(rows),
                    "set_name": "val",
                }
            )
        scene = Scene(seed, (), dice.pick(tuple(GROUNDS)), dice.pick(STYLES))
        write(folder / "train_images" / f"{key}.jpg", encoded(Image.fromarray(with_boards(scene, shown), "RGB")))
    head = {"dataset_type": "val", "dataset_name": "textcaps", "dataset_version": "0.1"}
    write(folder / "TextCaps_0.1_val.json", compact({**head, "data": rows}))
