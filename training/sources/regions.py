"""Referring expressions and regions: RefCOCO, RefCOCO+, RefCOCOg and their inverse, Visual Genome's regions.

Form `minigptv2`: one phrase drawn, cleaned, asked for in one of seven ways, boxes in hundredths. Form `llava`:
LLaVA-1.5's sentences and boxes in shares of the padded image.

Sources: MiniGPT-4 minigpt4/datasets/datasets/{coco_dataset,vg_dataset}.py@d94738a.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vlmbench.base.errors import DataError
from vlmbench.base.samples import ImageRef
from vlmbench.data.rows import Row
from vlmbench.scenes.scene import Dice

from .captions import FORMS, filled
from .entries import BadRowError, Entry, SkippedRowError, find_image
from .files.jsonfile import JsonFile
from .files.plainpickle import read_plain
from .listed import Frame, InMemoryStore, Reader, Store
from .pools import IDENTIFY, REFER, REGION_BOX, REGION_TEXT, clean, hundredths, padded_shares

Box = tuple[float, float, float, float]
LARGEST = 16384
"""Regions of Visual Genome with as many pixels or more are left out."""


class Region(Reader):
    """A phrase and its box, asked for in one direction."""

    def __init__(self, path: Path, images: Path, *, form: str = "minigptv2", inverse: bool = False) -> None:
        """`inverse`: the box is given and the phrase asked for."""
        super().__init__(path, images)
        self.llava, self.inverse = FORMS.index(form) == 1, inverse

    def turn(self, phrase: str, box: Box, image: ImageRef, dice: Dice, frame: Frame) -> tuple[str, str]:
        """Question and answer."""
        filled(phrase if self.llava else clean(phrase), "phrase")
        width, height = frame(image)
        if self.llava:
            where = padded_shares(box, width, height)
            if self.inverse:
                return REGION_TEXT.format(where), phrase
            return REGION_BOX.format(phrase.removesuffix(".")), where
        cleaned, where = clean(phrase), hundredths(box, width, height)
        if self.inverse:
            return f"{dice.pick(IDENTIFY).format(where)} ", cleaned
        return f"{dice.pick(REFER).format(cleaned)} ", where


class RefCoco(Region):
    """refs(SPLIT).p and instances.json in one folder; only references of the training split."""

    def __init__(
        self, path: Path, images: Path, *, form: str = "minigptv2", inverse: bool = False, split_by: str = ""
    ) -> None:
        """`path`: the folder, e.g. refcoco+; `split_by`: `unc`, `umd` or `google`; "": the one that is there."""
        names = [f"refs({split_by}).p"] if split_by else [f"refs({name}).p" for name in ("unc", "umd", "und", "google")]
        file = next((path / name for name in names if (path / name).is_file()), path / names[0])
        super().__init__(file, images, form=form, inverse=inverse)
        self._boxes = _boxes(path / "instances.json")

    def open(self) -> Store:
        """See Reader."""
        references = read_plain(self.path)
        if not isinstance(references, list):
            raise DataError("a list of references was expected", where=str(self.path), hint="get the official file")
        return InMemoryStore(references)

    def items(self, value: Any) -> Sequence[Any]:
        """See Reader."""
        if isinstance(value, dict) and value.get("split") != "train":
            raise SkippedRowError("not of the training split")
        return (value,)

    def entry(self, row: Row, dice: Dice, frame: Frame) -> Entry:
        """See Reader."""
        number, thing = row.integer("image_id"), row.integer("ann_id")
        image = find_image(self.images, f"COCO_train2014_{number:012d}.jpg", f"{number:012d}.jpg")
        if thing not in self._boxes:
            raise BadRowError("no box", f"annotation {thing} is not in instances.json")
        sentences = [str(sentence["raw"]) for sentence in row.listing("sentences")]
        if not sentences or not all(map(clean, sentences)):
            raise BadRowError("empty turn", "a sentence is empty")
        turn = self.turn(dice.pick(sentences), self._boxes[thing], image, dice, frame)
        return Entry((turn,), image, row.key("ref_id"))


def _boxes(path: Path) -> dict[int, Box]:
    """COCO's instances: id to (x, y, width, height)."""
    boxes: dict[int, Box] = {}
    for span in JsonFile(path).spans(("annotations",)):
        row = Row(span.value if isinstance(span.value, dict) else {}, str(path), span.at)
        boxes[row.integer("id")] = _box(row.listing("bbox"), row)
    return boxes


def _box(values: Sequence[Any], row: Row) -> Box:
    try:
        x, y, width, height = map(float, values)
    except (TypeError, ValueError):
        raise row.error("bbox", f"four numbers were expected, not {values!r:.60}") from None
    return x, y, width, height


class VisualGenome(Region):
    """region_descriptions.json and image_data.json in one folder, images in VG_100K and VG_100K_2 below `images`."""

    def __init__(self, path: Path, images: Path, *, form: str = "minigptv2", inverse: bool = False) -> None:
        """`path`: the folder."""
        super().__init__(path / "region_descriptions.json", images if images.parts else path, form=form)
        self.inverse = inverse
        self._image_names = _image_names(path / "image_data.json")

    def items(self, value: Any) -> Sequence[Any]:
        """See Reader: the small regions of an image."""
        if not isinstance(value, dict) or not isinstance(value.get("regions"), list):
            raise BadRowError("odd field", "an object with `regions` was expected")
        image = value.get("id", value.get("image_id"))
        return [
            {**region, "image": image} for region in value["regions"] if isinstance(region, dict) and _small(region)
        ]

    def entry(self, row: Row, dice: Dice, frame: Frame) -> Entry:
        """See Reader."""
        number = row.integer("image")
        if number not in self._image_names:
            raise BadRowError("missing image", f"image {number} is not in image_data.json")
        image = find_image(self.images, self._image_names[number])
        box = _box([row.values.get(side) for side in ("x", "y", "width", "height")], row)
        turn = self.turn(row.text("phrase"), box, image, dice, frame)
        return Entry((turn,), image, str(row.values.get("region_id", "")))


def _small(region: dict[str, Any]) -> bool:
    width, height = region.get("width"), region.get("height")
    # What is no number is kept, to be counted as bad.
    return not isinstance(width, int | float) or not isinstance(height, int | float) or width * height < LARGEST


def _image_names(path: Path) -> dict[int, str]:
    """Visual Genome's ids to `VG_100K_2/1.jpg`: the last two parts of each address."""
    names: dict[int, str] = {}
    for span in JsonFile(path).spans():
        row = Row(span.value if isinstance(span.value, dict) else {}, str(path), span.at)
        number = row.integer("id", None)
        name = "/".join(row.text("url").split("/")[-2:])
        names[row.integer("image_id") if number is None else number] = name
    return names
