"""RefCOCO's expressions: MiniGPT-4's files, and the hub's rows of one thing with several expressions.

The hub's `val` of RefCOCO and of RefCOCOg hold 5,000 things more than the official ones (another split, mixed in): they
are refused. lmms-eval's task code@75571cfe names the columns.

Answers: MiniGPT-4's script saves one object, img_id to the answers about that thing, in the order of its expressions;
malformed answers are dropped and count as misses. All expressions of an img_id mean the same box, so which answer
belongs to which of them does not matter to the score; those without one get an empty text, which is a miss.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from vlmbench.base.errors import DataError, ImageError, PredictionsError
from vlmbench.base.samples import ImageRef, Sample
from vlmbench.base.task import DataFile, Size
from vlmbench.data.answers.predictions import (
    answer_files,
    answer_text,
    find_column,
    id_and_answer,
    join,
    named,
    read_files,
)
from vlmbench.data.answers.unnumbered_answers import Unanswered
from vlmbench.data.files import Folder, Hub, Row, read_json, read_rows
from vlmbench.data.official.files import coco_images, data_file, mirrored
from vlmbench.families.answer_files import Answer, AnswerFiles, Format

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
HUB_FIELDS = ("question_id", "answer", "bbox", "file_name")


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
                _target(row),
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
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(image.load())) as opened:
            return opened.size
    except (ImageError, OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise row.error("image", f"the image's size cannot be read: {error}") from None


def _target(row: Row) -> dict[str, Any]:
    """The right box as the files have it, and the image's size."""
    sides = row.listing("bbox")
    width, height = row.number("width"), row.number("height")
    if len(sides) != 4 or not all(isinstance(side, int | float) and abs(side) < 1e6 for side in sides):
        raise row.error("bbox", f"four numbers (x, y, width, height) were expected, not {sides!r:.60}")
    if not (0 < width < 1e6 and 0 < height < 1e6):
        raise row.error("width", f"the image's size is {width:g} x {height:g}")
    if not (sides[2] > 0 and sides[3] > 0):
        raise row.error("bbox", f"the box is empty: {sides!r:.60}")
    return {"bbox": sides, "width": width, "height": height}


# --------------------------------------------------------------------------------------------------------- answers


def _read(path: Path, samples: Sequence[Sample], protocol: str) -> Mapping[str, str]:
    files = answer_files(path)
    if len(files) == 1 and files[0].suffix == ".json":
        try:
            content = read_json(files[0])
        except DataError:
            content = None  # lines of JSON: told apart, or told broken, by answer_rows
        if isinstance(content, dict) and not {"id", "img_id"} & set(content):
            return _by_thing(content, samples, files[0])
    answers = [answer for rows in read_files(path) for answer in _answers(rows, samples)]
    return join(answers, samples, path)


def _by_thing(content: Mapping[str, Any], samples: Sequence[Sample], path: Path) -> dict[str, str]:
    ids: dict[str, list[str]] = {}
    for sample in samples:
        ids.setdefault(sample.extra["img_id"], []).append(sample.id)
    if extra := [key for key in content if key not in ids]:
        what = f"{len(extra)} img_ids are not in this split: {named(extra)}"
        raise PredictionsError(what, where=str(path), hint="is it the same split? refcoco:SPLIT names another")
    if not content:
        raise PredictionsError("there is no answer in it", where=str(path), hint="check --predictions")
    found: dict[str, str] = {}
    for key, of_thing in ids.items():
        texts = content.get(key, [])
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise PredictionsError("a list of texts was expected", where=f"{path}, key {key}", hint="see MiniGPT-4's")
        if len(texts) > len(of_thing):
            what = f"{len(texts)} answers to {len(of_thing)} expressions"
            raise PredictionsError(what, where=f"{path}, key {key}", hint="give one answer an expression")
        found.update(zip(of_thing, [*texts, *[""] * len(of_thing)], strict=False))
    return found


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


def _write(path: Path, answers: Sequence[Answer]) -> None:
    """Malformed answers too: they are misses either way."""
    found: dict[str, list[str]] = {}
    for answer in answers:
        found.setdefault(answer.sample.extra["img_id"], []).append(answer.text)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")


ANSWERS = AnswerFiles(
    _read,
    "MiniGPT-4's object of answers by img_id; rows of img_id, expression and answer; rows of id and text.",
    {"minigpt4": Format(".json", _write)},
    "The object of answers by img_id that MiniGPT-4's script saves.",
)
