"""RefCOCO, RefCOCO+ and RefCOCOg: find the one thing in an image that an expression means, and give its box.

Kazemzadeh et al. 2014 (ReferItGame); Yu et al., Modeling Context in Referring Expressions, ECCV 2016 (arXiv
1608.00272); Mao et al. 2016 (RefCOCOg). RefCOCO+ expressions use no words of place, RefCOCOg's are longer. Files:
MiniGPT-4 eval_scripts/eval_data/*.json@d94738a7, one row per expression; images: COCO train2014.
Rules by protocol: vlmbench.parsing.boxes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from vlmbench.base.errors import DataError, ImageError
from vlmbench.base.samples import ImageRef, Sample
from vlmbench.base.task import DataFile, DataSource, Size
from vlmbench.data.answers.predictions import (
    answer_files,
    answer_text,
    find_column,
    id_and_answer,
    join,
    read_files,
)
from vlmbench.data.answers.unnumbered_answers import Unanswered
from vlmbench.data.files import Folder, Hub, Row, folder_or_hub, read_rows
from vlmbench.data.images.decoding import size_of
from vlmbench.data.official.files import coco_images, data_file, mirrored
from vlmbench.families.answer_files import AnswerFiles, Format
from vlmbench.families.answer_lists import AnswerLists
from vlmbench.families.base import OwnFiles, Scored
from vlmbench.families.grounding import Grounding, GroundingRules, above_half, box_target, centres, overlaps
from vlmbench.parsing import boxes
from vlmbench.stats.metrics import Metric

THRESHOLDS = (0.1, 0.3, 0.7, 0.9)


def _lmms_eval_figures(scored: Scored) -> Sequence[Metric]:
    """lmms-eval's other thresholds, and the centres."""
    return [*overlaps(scored, THRESHOLDS)[1:], centres(scored)]


_REFER = "[refer] give me the location of {question}"
_REGION = (
    "Bounding box coordinates are specified in the format (top-left x, top-left y, bottom-right x, bottom-right y). "
    "All values are floating point numbers bounded between 0 and 1. "
    "Please provide the bounding box coordinate of the region this sentence describes: {question}"
)
_MINIGPT4 = "Vision-CAIR/MiniGPT-4 eval_scripts/eval_ref.py, minigpt4/common/eval_utils.py@d94738a7"

_minigpt = partial(GroundingRules, tokens=20, hit=above_half)

RULES: Mapping[str, GroundingRules] = {
    "minigpt_v2": _minigpt(
        f"{_MINIGPT4}, without --resample",
        _REFER,
        boxes.agreement(boxes.minigpt_box, boxes.iou_inclusive),
        note="boxes in hundredths, one pixel added to each side; a further number in the answer is a miss",
    ),
    "minigpt_v2_resample": _minigpt(
        f"{_MINIGPT4}, the answers that --resample kept",
        _REFER,
        boxes.agreement(boxes.any_minigpt_box, boxes.iou_inclusive),
        note="for answer files of --resample, which asks malformed ones again up to 20 times, in words that change "
        "('... of ['red car']'), and in the fifth round takes any text: any four whole numbers count; a run asks once",
    ),
    "tinygpt_v": _minigpt(
        "DLYuanGod/TinyGPT-V eval_scripts/eval_ref.py@83f6189b",
        _REFER,
        boxes.agreement(boxes.minigpt_box, boxes.iou_inclusive),
        note="as minigpt_v2; its script looks for refcocog's splits under wrong names",
    ),
    "lmms_eval": GroundingRules(
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/refcoco/utils_rec.py@75571cfe",
        _REGION,
        boxes.lmms_eval_agreement,
        1024,
        stop=("ASSISTANT:",),
        beside=_lmms_eval_figures,
        note="the first [a, b, c, d] in shares of the image; its val sets of refcoco and refcocog mix in another "
        "split of 5,000 and are not these",
    ),
    "vlmevalkit": GroundingRules(
        "open-compass/VLMEvalKit vlmeval/dataset/refcoco.py@e8e78f05",
        _REGION,
        boxes.agreement(boxes.vlmevalkit_box, boxes.iou),
        1024,
        note="guesses the scale, so that boxes in hundredths are misread; its own table words the question, here it "
        "is lmms_eval's",
    ),
}


@dataclass(frozen=True, eq=False, kw_only=True)
class RefCoco(Grounding):
    """Boxes; and official folders side by side, of which one has this benchmark's name."""

    def samples(self, data: DataSource, split: str) -> Sequence[Sample]:
        """All expressions of a split. Their file may lie in DIR/refcoco, or in DIR beside a folder of that name."""
        return self.files.samples(folder_or_hub(data), split, self.name)


SIZES: Mapping[str, Size] = {
    split: Size(expressions, images, note=f"of {things:,} things")
    for split, expressions, images, things in (
        ("refcoco_val", 10_834, 1_500, 3_811),
        ("refcoco_testA", 5_657, 750, 1_975),
        ("refcoco_testB", 5_095, 750, 1_810),
        ("refcoco+_val", 10_758, 1_500, 3_805),
        ("refcoco+_testA", 5_726, 750, 1_975),
        ("refcoco+_testB", 4_889, 750, 1_798),
        ("refcocog_val", 4_896, 1_300, 2_573),
        ("refcocog_test", 9_602, 2_600, 5_023),
    )
}
STEM = 27
"""Letters of an img_id that name the image: `COCO_train2014_000000123456` of `COCO_train2014_000000123456_7`."""
RAW = "https://raw.githubusercontent.com/Vision-CAIR/MiniGPT-4/d94738a7626ec43eba6c2cddf3cd2043f1a9689a"
LICENCE = "BSD-3 (MiniGPT-4's files); RefCOCO annotations: Apache-2.0; images: COCO terms of use"
IMAGES = ("train2014", "images", "images/train2014", "coco/train2014")
HUB_NAMES = {"refcoco": "RefCOCO", "refcoco+": "RefCOCOplus", "refcocog": "RefCOCOg"}
MIXED = ("refcoco_val", "refcocog_val")
"""Splits of the hub that hold 5,000 things more than the official ones."""
HUB_FIELDS = ("question_id", "answer", "bbox", "file_name")
"""As lmms-eval's task code@75571cfe names them."""


def _places(split: str) -> list[str]:
    folders = ("", f"{split.partition('_')[0]}/", "eval_data/", "eval_scripts/eval_data/")
    return [f"{folder}{split}.json" for folder in folders]


def required_files(split: str) -> list[DataFile]:
    """One file of expressions, and the images."""
    url, what = f"{RAW}/eval_scripts/eval_data/{split}.json", "expressions and boxes (1 to 2 MB)"
    images = coco_images("train2014", "COCO train2014 images (13 GB)", split, LICENCE, IMAGES[1:])
    return [data_file(_places(split), what, url, LICENCE, split), images]


def samples(data: Folder | Hub, split: str, task: str) -> list[Sample]:
    """All expressions of a split in the file's order; ids are `IMG_ID/NUMBER`, counted within an img_id."""
    rows = _hub_rows(data, split) if isinstance(data, Hub) else _rows(*_file(data, split, task))
    counts: Counter[str] = Counter()
    found = []
    for row, image in rows:
        key = row.text("img_id")
        counts[key] += 1
        found.append(
            Sample(
                f"{key}/{counts[key]}",
                row.text("sents"),
                (image,),
                box_target(row),
                cluster=image.name,
                extra={"img_id": key},
            )
        )
    return found


def _file(data: Folder, split: str, task: str) -> tuple[Folder, Path]:
    """The split's file and the folder it was found in: DIR, or DIR/refcoco where that holds this benchmark's files.

    The official layout has folders named refcoco, refcoco+ and refcocog side by side.
    """
    inside = data.within(task)
    for folder in (inside, data):
        if path := folder.find(*_places(split)):
            return folder, path
    others = [other for other in SIZES if data.find(*_places(other)) or inside.find(*_places(other))]
    hint = f"there is a file of {', '.join(others)}: name it, refcoco:{others[0]}" if others else ""
    hint = hint or f"`vlmbench data fetch refcoco:{split}` gets it"
    return inside, inside.need(f"the expressions of {split}", *_places(split), hint=hint)


def _rows(folder: Folder, path: Path) -> Iterator[tuple[Row, ImageRef]]:
    """(Row, its image), each image made once."""
    here = folder.relative(path.parent)
    where = (*IMAGES, *(f"{here}/{name}" for name in IMAGES), here)
    known: dict[str, ImageRef] = {}
    for row in read_rows(path):
        stem = row.text("img_id")[:STEM]
        if stem not in known:
            known[stem] = folder.image(row, f"{stem}.jpg", *where, field="img_id")
        yield row, known[stem]


def _hub_rows(hub: Hub, split: str) -> Iterator[tuple[Row, ImageRef]]:
    """(Row in the layout of MiniGPT-4's files, its image)."""
    if split in MIXED:
        what = f"the hub's {split} mixes in 5,000 things of another split: its scores are nobody's {split}"
        raise DataError(what, hint="use --data DIR with MiniGPT-4's file (`vlmbench data fetch refcoco`)")
    name, _, part = split.partition("_")
    table = hub.table(mirrored(HUB_NAMES[name]), "default", part, (*HUB_FIELDS, "image"))
    images: dict[str, tuple[ImageRef, tuple[int, int]]] = {}
    for index, row in enumerate(table.rows(HUB_FIELDS)):
        key = PurePosixPath(row.text("file_name")).stem
        stem = key.rpartition("_")[0]
        if stem not in images:
            image = table.image(index, "image", f"{stem}.jpg")
            images[stem] = image, _size(image, row)
        image, (width, height) = images[stem]
        for expression in row.texts("answer"):
            values = {"img_id": key, "sents": expression, "bbox": row.values["bbox"], "width": width, "height": height}
            yield Row(values, row.file, row.at), image


def _size(image: ImageRef, row: Row) -> tuple[int, int]:
    try:
        return size_of(image)
    except ImageError as error:
        raise row.error("image", f"the image's size cannot be read: {error.what}") from None


# --------------------------------------------------------------------------------------------------------- answers


LISTS = AnswerLists("img_id", "expression")
"""All expressions of an img_id mean the same box."""


def _read(path: Path, samples: Sequence[Sample], protocol: str) -> Mapping[str, str]:
    files = answer_files(path)
    if len(files) == 1 and (listed := LISTS.read(files[0], samples)) is not None:
        return listed
    answers = [answer for rows in read_files(path) for answer in _answers(rows, samples)]
    return join(answers, samples, path)


def _answers(rows: Sequence[Row], samples: Sequence[Sample]) -> Iterator[tuple[str, str, Row]]:
    """Rows of id and text, or of img_id, expression and answer; equal expressions in the file's order."""
    if not find_column(rows, "img_id") or find_column(rows, "id"):
        yield from id_and_answer(rows, ("id",), samples)
        return
    waiting = Unanswered(samples, lambda sample: (sample.extra["img_id"], sample.question))
    for thing, text, row in id_and_answer(rows, ("img_id",), samples):
        expression = answer_text(row, "sents")
        sample = waiting.take((thing, expression))
        yield sample.id if sample else f"{thing} {expression!r}", text, row


ANSWERS = AnswerFiles(
    _read,
    "MiniGPT-4's object of answers by img_id; rows of img_id, expression and answer; rows of id and text.",
    {"minigpt4": Format(".json", LISTS.write)},
    "The object of answers by img_id that MiniGPT-4's script saves.",
)


REFCOCO = RefCoco(
    name="refcoco",
    title="RefCOCO/+/g: the box of what an expression means (Yu et al. 2016, Mao et al. 2016)",
    about=__doc__,
    sizes=SIZES,
    rules=RULES,
    files=OwnFiles(required_files, samples),
    answer_files=ANSWERS,
)
