"""ScreenSpot's files: the authors' lists with a folder of screenshots, VLMEvalKit's tables, the hub's copies."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vlmbench.base.errors import DataError, ImageError
from vlmbench.base.samples import Sample
from vlmbench.base.task import DataFile
from vlmbench.data.files import Folder, Hub, Row
from vlmbench.data.images.decoding import size_of
from vlmbench.data.tables.columns import Columns
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.data.tables.image_table import ImageTable, table
from vlmbench.data.tables.layouts import Layouts
from vlmbench.data.tables.row_files import RowFiles
from vlmbench.families.grounding import box_target

PLATFORMS = ("mobile", "desktop", "web")
SYSTEMS = {"ios": "mobile", "android": "mobile", "macos": "desktop", "windows": "desktop"}
LICENCE = "Apache-2.0 (hub card); screenshots of their owners"


def _sides(row: Row, column: str) -> list[Any]:
    """Four numbers, in a list or in a text that holds one."""
    sides = row.values.get(column)
    try:
        sides = json.loads(sides) if isinstance(sides, str) else sides
    except ValueError:
        sides = None
    if not isinstance(sides, list) or len(sides) != 4 or not all(isinstance(side, int | float) for side in sides):
        raise row.error(column, f"four numbers were expected, not {row.values.get(column)!r:.60}")
    return sides


def _platform(row: Row) -> str:
    return SYSTEMS.get(row.text("data_source"), "web")


def _columns(question: str, key: str = "") -> Columns:
    return Columns(
        id=key,
        question=question,
        answer="bbox",
        target=_sides,
        tags={"platform": "platform", "type": "data_type", "source": "data_source"},
        made={"platform": _platform},
        made_from=("data_source", "data_type"),
        extra={},
    )


@dataclass(frozen=True)
class Screens:
    """One file per platform, or all of them; boxes get the sizes of their images."""

    parts: Mapping[str, Layouts]
    """By platform."""
    hub: HubDataset

    def required_files(self, split: str) -> Sequence[DataFile]:
        """The files of the platforms."""
        files = [file for name in self._parts(split) for file in self.parts[name].required_files(name)]
        return [replace(file, split=split) for file in dict.fromkeys(files)]

    def _parts(self, split: str) -> Sequence[str]:
        return PLATFORMS if split == "test" else (split,)

    def samples(self, data: Folder | Hub, split: str, task: str) -> Sequence[Sample]:
        """All commands of a split; ids are PLATFORM/NUMBER, on the hub the rows' numbers."""
        if isinstance(data, Hub):
            found = self.hub.samples(data, "test", task)
            return [_sized(sample) for sample in found if split in ("test", sample.tags["platform"])]
        return [
            _sized(replace(sample, id=f"{name}/{sample.id}", tags={**sample.tags, "platform": name}))
            for name in self._parts(split)
            for sample in self.parts[name].samples(data, name, task)
        ]


def _sized(sample: Sample) -> Sample:
    """The sample with a target of the family: the box in pixels, and the image's size.

    Boxes in shares of the image (x1, y1, x2, y2) are kept too: lmms-eval compares those without the size.
    """
    sides, where = sample.target, f"sample {sample.id}"
    try:
        width, height = size_of(sample.images[0])
    except (ImageError, IndexError) as error:
        what = error.what if isinstance(error, ImageError) else "it has no image"
        raise DataError(f"the size of its screenshot is needed: {what}", where=where, hint="get the images") from None
    shares = all(0 <= side <= 1 for side in sides) and sides[2] >= sides[0] and sides[3] >= sides[1]
    box = sides
    if shares:
        x1, y1, x2, y2 = (side * size for side, size in zip(sides, (width, height) * 2, strict=True))
        box = [x1, y1, x2 - x1, y2 - y1]
    target = box_target(Row({"bbox": box, "width": width, "height": height}, where, ""))
    return replace(sample, target={**target, "shares": tuple(sides)} if shares else target)


def screens(images: str, kit: str, hub: str, url: str = "", suffix: str = "", image_id: str = "") -> Screens:
    """The files of one version. `images`: the folder; `kit`: VLMEvalKit's name; `url`: where the lists are."""
    parts = {}
    for platform in PLATFORMS:
        name = f"screenspot_{platform}{suffix}.json"
        how = "" if url else "SeeClick's README links to it"
        own = DataFile(name, "commands and boxes", f"{url}/{name}" if url else "", how, LICENCE)
        shots = DataFile(images, "screenshots", how=how or f"{images}.zip beside the lists", licence=LICENCE)
        rows = RowFiles({platform: (own, shots)}, _columns("instruction"), "img_filename", (images, "."))
        site = f"https://opencompass.openxlab.space/utils/benchmarks/GUI/{kit.split('_v')[0]}"
        kits = table(f"{kit}_{platform.capitalize()}.tsv", site if not url else site + "_v2", licence=LICENCE)
        parts[platform] = Layouts({platform: (rows, ImageTable({platform: kits}, _columns("question", "index")))})
    copies = HubDataset((hub,), {"test": "test"}, _columns("instruction"), image_id=image_id, licence=LICENCE)
    return Screens(parts, copies)
