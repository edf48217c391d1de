"""RefCOCO, RefCOCO+ and RefCOCOg: find the one thing in a picture that an expression means, and give its box.

Kazemzadeh et al. 2014 (ReferItGame); Yu et al., Modeling Context in Referring Expressions, ECCV 2016 (arXiv
1608.00272); Mao et al. 2016 (RefCOCOg). RefCOCO+ expressions use no words of place, RefCOCOg's are longer. Files:
MiniGPT-4 eval_scripts/eval_data/*.json@d94738a7, one row an expression; pictures: COCO train2014.
Rules by protocol: vlmbench.parsing.boxes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from vlmbench.base.samples import Generation, Request, Response, Sample, Score
from vlmbench.base.task import DataFile, Size, TaskProtocol
from vlmbench.data.files import Folder, Hub, Row, read_rows
from vlmbench.parsing.boxes import (
    Box,
    any_minigpt_box,
    from_size,
    holds_centre,
    iou,
    iou_inclusive,
    lmms_eval_numbers,
    minigpt_box,
    vlmevalkit_box,
)
from vlmbench.stats.metrics import MORE, RATE, Metric, mean, ratio

from ..families.checksums import checksum
from . import refcoco_answers, refcoco_hub

SPLITS = (
    "refcoco_val", "refcoco_testA", "refcoco_testB",
    "refcoco+_val", "refcoco+_testA", "refcoco+_testB",
    "refcocog_val", "refcocog_test",
)  # fmt: skip
_COUNTS = (
    (10_834, 1_500, 3_811), (5_657, 750, 1_975), (5_095, 750, 1_810),
    (10_758, 1_500, 3_805), (5_726, 750, 1_975), (4_889, 750, 1_798),
    (4_896, 1_300, 2_573), (9_602, 2_600, 5_023),
)  # fmt: skip
SIZES: Mapping[str, Size] = {
    split: Size(expressions, images, note=f"of {things:,} things")
    for split, (expressions, images, things) in zip(SPLITS, _COUNTS, strict=True)
}
STEM = 27
"""Letters of an img_id that name the picture: `COCO_train2014_000000123456` of `COCO_train2014_000000123456_7`."""

Shape = tuple[float, float]
"""Width and height of a picture."""


# -------------------------------------------------------------------------------------------------------- protocols


@dataclass(frozen=True)
class Found:
    """What an answer came to: a box in pixels (if any), and how well it agrees with the right one."""

    box: Box | None
    iou: float = 0.0
    centred: bool = False
    """Whether the box's middle lies in the right one."""

    @property
    def read(self) -> str:
        """The box, as a score keeps it: `[x1, y1, x2, y2]` in pixels."""
        known = self.box is not None and all(map(isfinite, self.box))
        return str([round(side, 2) for side in self.box or ()]) if known else ""

    @property
    def note(self) -> str:
        """The agreement, as a score keeps it."""
        return f"IoU {self.iou!r}{', centred' if self.centred else ''}"

    @classmethod
    def of(cls, score: Score) -> Found:
        """The agreement, back from a score; the box stays in its text."""
        words = score.note.partition(", ")
        return cls(None, float(words[0].removeprefix("IoU ")), words[2] == "centred")


def _minigpt(read: Callable[[str, float, float], Box | None]) -> Callable[[str, Box, Shape], Found]:
    def find(text: str, right: Box, shape: Shape) -> Found:
        box = read(text, *shape)
        return Found(None) if box is None else Found(box, iou_inclusive(box, right), holds_centre(right, box))

    return find


def _lmms_eval(text: str, right: Box, shape: Shape) -> Found:
    """In shares of the picture, as lmms-eval counts; an answer without a box is the box of four zeros."""
    numbers = lmms_eval_numbers(text)
    width, height = shape
    x1, y1, x2, y2 = numbers or (0.0, 0.0, 0.0, 0.0)
    target = (right[0] / width, right[1] / height, right[2] / width, right[3] / height)
    agreed, centred = iou(target, (x1, y1, x2, y2)), holds_centre(target, (x1, y1, x2, y2))
    box = None if numbers is None else (x1 * width, y1 * height, x2 * width, y2 * height)
    return Found(box, agreed, centred)


def _vlmevalkit(text: str, right: Box, shape: Shape) -> Found:
    box = vlmevalkit_box(text, *shape)
    return Found(None) if box is None else Found(box, iou(box, right), holds_centre(right, box))


_SHORT = Generation(max_new_tokens=20)


@dataclass(frozen=True)
class Rules:
    """One protocol's words, reader and generation."""

    source: str
    prompt: str
    """With `{}` where the expression goes."""
    find: Callable[[str, Box, Shape], Found]
    above: bool = False
    """True: IoU must be above 0.5; False: at least 0.5."""
    more: bool = False
    """Whether lmms-eval's other figures are given: several thresholds, mean IoU, centres."""
    generation: Generation = _SHORT
    note: str = ""


_REFER = "[refer] give me the location of {}"
_REGION = (
    "Bounding box coordinates are specified in the format (top-left x, top-left y, bottom-right x, bottom-right y). "
    "All values are floating point numbers bounded between 0 and 1. "
    "Please provide the bounding box coordinate of the region this sentence describes: {}"
)
_MINIGPT4 = "Vision-CAIR/MiniGPT-4 eval_scripts/eval_ref.py, minigpt4/common/eval_utils.py@d94738a7"

RULES: Mapping[str, Rules] = {
    "minigpt_v2": Rules(
        f"{_MINIGPT4}, without --resample",
        _REFER,
        _minigpt(minigpt_box),
        above=True,
        note="boxes in hundredths, one pixel added to each side; a further number in the answer is a miss",
    ),
    "minigpt_v2_resample": Rules(
        f"{_MINIGPT4}, the answers that --resample kept",
        _REFER,
        _minigpt(any_minigpt_box),
        above=True,
        note="for answer files of --resample, which asks malformed ones again up to 20 times, in words that change "
        "('... of ['red car']'), and in the fifth round takes any text: any four whole numbers count; a run asks once",
    ),
    "tinygpt_v": Rules(
        "DLYuanGod/TinyGPT-V eval_scripts/eval_ref.py@83f6189b",
        _REFER,
        _minigpt(minigpt_box),
        above=True,
        note="as minigpt_v2; its script looks for refcocog's splits under wrong names",
    ),
    "lmms_eval": Rules(
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/refcoco/utils_rec.py@75571cfe",
        _REGION,
        _lmms_eval,
        more=True,
        generation=Generation(max_new_tokens=1024, stop=("ASSISTANT:",)),
        note="the first [a, b, c, d] in shares of the picture; its val sets of refcoco and refcocog mix in another "
        "split of 5,000 and are not these",
    ),
    "vlmevalkit": Rules(
        "open-compass/VLMEvalKit vlmeval/dataset/refcoco.py@e8e78f05",
        _REGION,
        _vlmevalkit,
        generation=Generation(max_new_tokens=1024),
        note="guesses the scale, so that boxes in hundredths are misread; its own table words the question, here it "
        "is lmms_eval's",
    ),
}

PROTOCOLS: Mapping[str, TaskProtocol] = {
    name: TaskProtocol(name, r.source, "accuracy", r.generation, r.note) for name, r in RULES.items()
}
THRESHOLDS = (0.1, 0.3, 0.7, 0.9)

# ------------------------------------------------------------------------------------------------------------- data

RAW = "https://raw.githubusercontent.com/Vision-CAIR/MiniGPT-4/d94738a7626ec43eba6c2cddf3cd2043f1a9689a"
LICENCE = "BSD-3 (MiniGPT-4's files); RefCOCO annotations: Apache-2.0; pictures: COCO terms of use"
PICTURES = ("train2014", "images", "images/train2014", "coco/train2014")


def _places(split: str) -> list[str]:
    name = f"{split}.json"
    return [folder + name for folder in ("", f"{split.partition('_')[0]}/", "eval_data/", "eval_scripts/eval_data/")]


class RefCOCO:
    """The three benchmarks in all their splits, for all protocols."""

    name = "refcoco"
    title = "RefCOCO/+/g: the box of what an expression means (Yu et al. 2016, Mao et al. 2016)"
    version = 1
    splits: tuple[str, ...] = SPLITS
    sizes: Mapping[str, Size] = SIZES
    protocols = PROTOCOLS
    formats: Mapping[str, str] = {"minigpt4": ".json"}
    """What `export` writes, by name: the suffix of its path."""

    def required_files(self, split: str) -> Sequence[DataFile]:
        """One file of expressions, and the pictures."""
        first, *also = _places(split)
        url = f"{RAW}/eval_scripts/eval_data/{first}"
        pictures = "http://images.cocodataset.org/zips/train2014.zip"
        return [
            DataFile(
                first,
                "expressions and boxes (1 to 2 MB)",
                url,
                licence=LICENCE,
                split=split,
                also=tuple(also),
                checksum=checksum(url),
            ),
            DataFile(
                "train2014",
                "COCO train2014 pictures (13 GB)",
                pictures,
                licence=LICENCE,
                split=split,
                also=PICTURES[1:],
            ),
        ]

    def samples(self, data: Folder | Hub, split: str) -> Sequence[Sample]:
        """All expressions of a split in the file's order; ids are `IMG_ID/NUMBER`, counted within an img_id."""
        if isinstance(data, Hub):
            return list(_samples(refcoco_hub.rows(data, split), split))
        folder, path = self._file(data, split)
        return list(_samples(_with_pictures(folder, path), split))

    def _file(self, data: Folder, split: str) -> tuple[Folder, Path]:
        """The split's file and the folder it was found in: DIR, or DIR/refcoco where that holds this benchmark's files.

        The official layout has folders named refcoco, refcoco+ and refcocog side by side.
        """
        inside = data.within(self.name)
        for folder in (inside, data):
            if path := folder.find(*_places(split)):
                return folder, path
        others = [other for other in self.splits if data.find(*_places(other)) or inside.find(*_places(other))]
        hint = f"there is a file of {', '.join(others)}: name it, refcoco:{others[0]}" if others else ""
        hint = hint or f"`vlmbench data fetch refcoco:{split}` gets it"
        return inside, inside.need(f"the expressions of {split}", *_places(split), hint=hint)

    def build_request(self, sample: Sample, protocol: str) -> Request:
        """The expression in the protocol's words."""
        rules = RULES[protocol]
        prompt = rules.prompt.replace("{}", sample.question)
        return Request(sample.id, prompt, sample.images, generation=rules.generation)

    def score(self, sample: Sample, response: Response, protocol: str) -> Score:
        """1 where the box agrees with the right one; an answer without a box is a miss. The note tells the IoU."""
        rules = RULES[protocol]
        target = sample.target
        found = rules.find(response.text, from_size(target["bbox"]), (target["width"], target["height"]))
        hit = found.iou > 0.5 if rules.above else found.iou >= 0.5
        return Score(float(hit), parsed_answer=found.read, note=found.note, unread="" if found.read else "box")

    def extremes(self, sample: Sample, protocol: str, runs: int) -> tuple[Score, Score]:
        """A miss, and the very box."""
        box = str([round(side, 2) for side in from_size(sample.target["bbox"])])
        return Score(0.0, note=Found(None).note), Score(1.0, parsed_answer=box, note=Found(None, 1.0, True).note)

    def summarise(self, scored: Sequence[tuple[Sample, Score]], protocol: str) -> Sequence[Metric]:
        """Accuracy at IoU 0.5 and the mean IoU; for lmms_eval also its other thresholds and the centres."""
        clusters = [sample.cluster for sample, _ in scored]
        found = [Found.of(score) for _, score in scored]
        made = [mean("accuracy", [score.value or 0.0 for _, score in scored], clusters)]
        made.append(mean("valid_boxes", [float(bool(score.parsed_answer)) for _, score in scored], clusters))
        agreed = mean("mean_iou", [one.iou for one in found], clusters)
        made.append(Metric("mean_iou", agreed.items, clusters, ratio(), limits=RATE, better=MORE))
        if RULES[protocol].more:
            for least in THRESHOLDS:
                name = f"accuracy_at_{least}"
                made.append(mean(name, [float(one.iou >= least) for one in found], clusters))
            made.append(mean("centre_accuracy", [float(one.centred) for one in found], clusters))
        return made

    def read_predictions(self, path: Path, samples: Sequence[Sample]) -> Mapping[str, str]:
        """MiniGPT-4's object of answers by img_id; rows of img_id, expression and answer; rows of id and text."""
        return refcoco_answers.read(path, samples)

    def export(self, answers: Mapping[str, str], samples: Sequence[Sample], protocol: str, path: Path) -> None:
        """The object of answers by img_id that MiniGPT-4's script saves."""
        refcoco_answers.write(path, answers, samples)


def _with_pictures(folder: Folder, path: Path) -> Iterator[tuple[Row, Any]]:
    """(row, its picture), each picture made once."""
    here = folder.relative(path.parent)
    places = (*PICTURES, *(f"{here}/{name}" for name in PICTURES), here)
    known: dict[str, Any] = {}
    for row in read_rows(path):
        stem = row.text("img_id")[:STEM]
        if stem not in known:
            known[stem] = folder.picture(row, f"{stem}.jpg", *places, field="img_id")
        yield row, known[stem]


def _samples(rows: Iterator[tuple[Row, Any]], split: str) -> Iterator[Sample]:
    counts: dict[str, int] = {}
    for row, picture in rows:
        key = row.text("img_id")
        counts[key] = number = counts.get(key, 0) + 1
        yield Sample(
            id=f"{key}/{number}",
            question=row.text("sents"),
            images=(picture,),
            target=_target(row),
            cluster=picture.name,
            extra={"img_id": key},
        )


def _target(row: Row) -> dict[str, Any]:
    """The right box as the files have it, and the picture's size."""
    sides = row.listing("bbox")
    width, height = row.number("width"), row.number("height")
    if len(sides) != 4 or not all(isinstance(side, int | float) and abs(side) < 1e6 for side in sides):
        raise row.error("bbox", f"four numbers (x, y, width, height) were expected, not {sides!r:.60}")
    if not (0 < width < 1e6 and 0 < height < 1e6):
        raise row.error("width", f"the picture's size is {width:g} x {height:g}")
    if not (sides[2] > 0 and sides[3] > 0):
        raise row.error("bbox", f"the box is empty: {sides!r:.60}")
    return {"bbox": sides, "width": width, "height": height}


REFCOCO = RefCOCO()
