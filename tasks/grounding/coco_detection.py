"""COCO detection: all things of one category in an image, each with its box, asked for by the category's name.

Lin et al., Microsoft COCO: Common Objects in Context, ECCV 2014 (arXiv 1405.0312). A question is an image and one of
the categories that are there: what is not there is asked by POPE. The figure is F1 at an overlap of 0.5, the mean over
questions, as an answer in words has no confidences for COCO's average precision (vlmbench.families.grounding.detection
has the rules). Boxes around crowds count neither for nor against an answer. Files: COCO's instances, and its images.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vlmbench.base.errors import DataError
from vlmbench.base.samples import ImageRef, Sample
from vlmbench.base.task import DataFile
from vlmbench.data.files import Folder, Hub, Row
from vlmbench.data.official.files import COCO as ADDRESS
from vlmbench.data.official.files import by_key, coco_images, data_file, rows_of_list
from vlmbench.families.base import OwnFiles
from vlmbench.families.grounding.detection import Detection, DetectionRules, box_of
from vlmbench.parsing.boxes import Box, minigpt_boxes

SPLITS = ("val2017", "val2014")
MOST_TOKENS = 512
"""A box is some 20 tokens."""

RULES = {
    "minigpt_v2": DetectionRules(
        "Vision-CAIR/MiniGPT-4 demo_v2.py@0eba23ce (how it is asked), minigpt4/datasets/datasets/flickr.py@d94738a7 "
        "(answers in training); cocodataset/cocoapi PythonAPI/pycocotools/cocoeval.py@03ed8bda (how boxes are matched)",
        "[detection] {question}",
        minigpt_boxes,
        tokens=MOST_TOKENS,
        note="no published figure: every {<x1><y1><x2><y2>} of an answer is a box, in hundredths of the image",
    ),
}


def _instances(split: str) -> DataFile:
    name = f"instances_{split}.json"
    url = f"{ADDRESS}/annotations/annotations_trainval{split.removeprefix('val')}.zip"
    return data_file([f"annotations/{name}", name], "boxes by image", url, "CC BY 4.0", split)


def required_files(split: str) -> list[DataFile]:
    """Boxes and images."""
    return [_instances(split), coco_images(split, f"COCO {split} images", split)]


def samples(data: Folder | Hub, split: str, task: str) -> Sequence[Sample]:
    """A question per image and category, in the order of the file's images and categories; ids are `IMAGE/CATEGORY`."""
    if isinstance(data, Hub):
        raise DataError(f"{task} has no copy on the hub", hint=f"`vlmbench data status {task}`, then --data DIR")
    file, folder = required_files(split)
    path = data.need("COCO's instances", file.path, *file.also, hint=f"`vlmbench data fetch {task}:{split}` gets it")
    images, categories = (by_key(rows_of_list(path, field)[1], "id") for field in ("images", "categories"))
    things: dict[tuple[str, str], list[Row]] = {(key, name): [] for key in images for name in categories}
    for row in rows_of_list(path, "annotations")[1]:
        key, category = row.key("image_id"), row.key("category_id")
        if (key, category) not in things:
            raise row.error("image_id", f"no image {key!r:.40}, or no category {category!r:.40}, in this file")
        things[key, category].append(row)
    known: dict[str, ImageRef] = {}
    found = []
    for (key, category), rows in things.items():
        target = _target(images[key], rows)
        if not target["boxes"]:  # not there, or only as a crowd: there is no box to be found
            continue
        if key not in known:
            known[key] = data.image(
                images[key], images[key].text("file_name"), folder.path, *folder.also, field="file_name"
            )
        tags = {"things": "one" if len(target["boxes"]) == 1 else "several"}
        asked, image = categories[category].text("name"), known[key]
        found.append(Sample(f"{key}/{category}", asked, (image,), target, tags=tags, cluster=image.name))
    return found


def _target(image: Row, things: Sequence[Row]) -> dict[str, Any]:
    width, height = image.number("width"), image.number("height")
    if not (0 < width < 1e6 and 0 < height < 1e6):
        raise image.error("width", f"the image's size is {width:g} x {height:g}")
    parts: tuple[list[Box], list[Box]] = [], []
    for thing in things:
        parts[bool(thing.integer("iscrowd", 0))].append(box_of(thing))
    return {"boxes": parts[0], "crowd": parts[1], "width": width, "height": height}


COCO_DETECTION = Detection(
    name="coco_detection",
    title="COCO detection: every thing of a category in an image, with its box (Lin et al. 2014)",
    about=__doc__,
    sizes={},
    unsized=SPLITS,
    rules=RULES,
    files=OwnFiles(required_files, samples),
    breakdowns=("things",),
)
