"""MM-Vet's questions, images, and the list of questions about images without people."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from vlmbench.base.errors import DataError
from vlmbench.base.samples import ImageRef, Sample
from vlmbench.base.task import DataFile
from vlmbench.data.files import Folder, Hub, Row, read_json, read_keyed
from vlmbench.data.official.files import data_file, hub_questions, mirrored, places
from vlmbench.data.predictions import OTHERS, named

CAPABILITIES = ("rec", "ocr", "know", "gen", "spat", "math")
"""Recognition, reading, knowledge, writing, where things are, arithmetic."""
HUB_FIELDS = ("question_id", "question", "answer", "capability")
ZIP = "https://github.com/yuweihao/MM-Vet/releases/download/v1/mm-vet.zip"


def _places(name: str) -> list[str]:
    return places([name], "mm-vet/")


def required_files(split: str) -> list[DataFile]:
    """Questions, images, and for bard_set the ids of the questions without people."""
    file = partial(data_file, url=ZIP, licence="CC BY-NC 4.0")
    files = [
        file(_places("mm-vet.json"), "218 questions (mm-vet.zip, 60 MB)"),
        file(_places("images"), "200 images (mm-vet.zip)"),
    ]
    if split == "bard_set":
        what = "ids of the 168 questions about images without people (in mm-vet.zip)"
        files.append(file(_places("bard_set.json"), what, split=split))
    return files


def samples(data: Folder | Hub, split: str, task: str) -> list[Sample]:
    """All questions; ids are the file's own, `v1_7`."""
    if isinstance(data, Hub):
        return _from_hub(data, split)
    hint = "it is in mm-vet.zip; `vlmbench data fetch mmvet` gets it"
    path = data.need("MM-Vet's question file", *_places("mm-vet.json"), hint=hint)
    here = data.relative(path.parent)
    where = ("images" if here == "." else f"{here}/images", "images", here, "mm-vet/images")
    rows = read_keyed(path, "question")
    kept = _bard_set(data, rows, path) if split == "bard_set" else rows.keys()
    others = frozenset(key for key in rows if key not in kept)
    found = []
    for key in (key for key in rows if key in kept):
        row = rows[key]
        image = data.image(row, row.text("imagename"), *where)
        sample = _sample(key, row, row.texts("capability"), image)
        found.append(replace(sample, extra={**sample.extra, OTHERS: others}) if others else sample)
    if not found:
        hint = "are bard_set.json and mm-vet.json of one zip?"
        raise DataError("no question is left", where=str(path), hint=hint)
    return found


def _bard_set(data: Folder, rows: Mapping[str, Row], path: Path) -> Collection[str]:
    """Refuse a list with an id of no question, unless most of the questions are absent (a part of the file)."""
    file = data.need("MM-Vet's list of questions without people", *_places("bard_set.json"))
    ids = read_json(file)
    if not isinstance(ids, list) or not all(isinstance(key, str) for key in ids):
        raise DataError("a list of ids was expected", where=str(file), hint="get the official file")
    unknown = {key for key in ids if key not in rows}
    if unknown and len(unknown) < len(set(ids)) // 4:
        what = f"bard_set.json names {named(sorted(unknown))}, which are no questions"
        raise DataError(what, where=str(path), hint="are both files of one zip?")
    return set(ids)


def _from_hub(data: Hub, split: str) -> list[Sample]:
    if split != "test":
        raise DataError("the hub has MM-Vet's split test only", hint="use --data DIR with the official files")
    rows = hub_questions(data, mirrored("MMVet"), "test", HUB_FIELDS, lambda row: f"{row.key('question_id')}.png")
    return [_sample(key, row, row.text("capability").split(","), image) for key, row, image in rows]


def _sample(key: str, row: Row, capabilities: Sequence[str], image: ImageRef) -> Sample:
    names = [name.strip() for name in capabilities]
    if unknown := [name for name in names if name not in CAPABILITIES]:
        raise row.error("capability", f"{unknown[0]!r} is none of {', '.join(CAPABILITIES)}")
    if not names:
        raise row.error("capability", "the list is empty")
    tags = {"integration": "+".join(sorted(set(names))), "integration_as_written": "_".join(names)}
    question, target, extra = row.text("question"), row.text("answer"), {"capabilities": frozenset(names)}
    return Sample(key, question, (image,), target, tags=tags, cluster=image.name, extra=extra)
