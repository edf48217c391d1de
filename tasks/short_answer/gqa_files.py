"""GQA's files: questions by id, the answers that each allows, scene graphs, images; the hub's two tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from vlmbench.base.samples import ImageRef, Sample
from vlmbench.base.task import DataFile
from vlmbench.data.files import Folder, Hub, Row, read_keyed
from vlmbench.data.official.files import by_key, data_file, mirrored

SPLITS = ("testdev_balanced", "val_balanced", "testdev", "val", "train_balanced")
HUB_FIELDS = ("id", "imageId", "question", "answer", "isBalanced", "groups", "entailed", "types", "semantic")
SITE = "https://downloads.cs.stanford.edu/nlp/data/gqa"
LICENCE = "CC BY 4.0 (images: Visual Genome)"
IMAGES = ("images", "allImages/images", "data/images", ".")
FOLDERS = ("", "questions/", "questions1.2/", "questions1.3/")
NOT_STEPS = ("exist", "query: name", "choose name")
COMMON = ("color", "material", "shape")


def _tier(split: str) -> str:
    return split.removesuffix("_balanced")


def _question_places(split: str) -> list[str]:
    """LLaVA's docs put the official files into gqa/data."""
    balanced = split.endswith("_balanced")
    names = [f"{split}_questions.json"] if balanced else [f"{split}_all_questions.json", f"{split}_questions.json"]
    return [inside + folder + name for inside in ("", "data/") for folder in FOLDERS for name in names]


def _beside(name: str, *folders: str) -> list[str]:
    own = ("", *folders, *FOLDERS[1:3])
    return [inside + folder + name for inside in ("", "data/") for folder in own]


def scene_places(split: str) -> list[str]:
    """Where the scene graphs may lie, which only grounding needs."""
    return _beside(f"{_tier(split)}_sceneGraphs.json", "sceneGraphs/")


def _choice_places(split: str) -> list[str]:
    return _beside(f"{_tier(split)}_choices.json", "eval/", "choices/")


def required_files(split: str) -> list[DataFile]:
    """The question file and the images; for val also choices and scene graphs."""
    file = partial(data_file, licence=LICENCE, split=split)
    files = [
        file(_question_places(split), "questions", f"{SITE}/questions1.2.zip"),
        file(IMAGES, "images", f"{SITE}/images.zip"),
    ]
    if _tier(split) != "testdev":
        choices, scenes = "choices (validity, plausibility)", "scene graphs (grounding)"
        files.append(file(_choice_places(split), choices, f"{SITE}/eval.zip", optional=True))
        files.append(file(scene_places(split), scenes, f"{SITE}/sceneGraphs.zip", optional=True))
    return files


def samples(data: Folder | Hub, split: str, task: str) -> list[Sample]:
    """All questions of a split, in the file's order."""
    if isinstance(data, Hub):
        return list(_from_hub(data, split))
    rows, path = questions(data, split), data.find(*_choice_places(split))
    allowed = None if path is None else read_keyed(path, "valid")
    closed = _closed(rows)
    found = []
    for key, row in rows.items():
        image = data.image(row, f"{row.key('imageId')}.jpg", *IMAGES, field="imageId")
        found.append(_sample(key, row, image, _allowed(allowed, key, row), closed))
    return found


def questions(data: Folder, split: str) -> dict[str, Row]:
    """The rows of the question file, by id."""
    others = [other for other in SPLITS if other != split and data.find(*_question_places(other))]
    hint = f"there is one of {', '.join(others)}: name it, gqa:{others[0]}" if others else ""
    hint = hint or "`vlmbench data fetch gqa` gets it"
    return read_keyed(data.need(f"GQA's question file of {split}", *_question_places(split), hint=hint), "imageId")


def _from_hub(data: Hub, split: str) -> Iterator[Sample]:
    config = split if split.endswith("_balanced") else f"{split}_all"
    table = data.table(mirrored("GQA"), f"{config}_instructions", _tier(split), HUB_FIELDS)
    images = data.table(mirrored("GQA"), f"{config}_images", _tier(split), ("id", "image"))
    place = {row.key("id"): index for index, row in enumerate(images.rows(("id",)))}
    rows = by_key(table.rows(HUB_FIELDS), "id")
    closed = _closed(rows)
    for key, row in rows.items():
        image = row.key("imageId")
        if image not in place:
            raise row.error("imageId", f"no image {image!r} in {images.where}")
        yield _sample(key, row, images.image(place[image], "image", f"{image}.jpg"), None, closed)


def _sample(key: str, row: Row, image: ImageRef, choices: Mapping[str, Any] | None, closed: bool) -> Sample:
    types = row.inner("types")
    structural, question = types.text("structural"), row.text("question")
    tags = {
        "structural": structural,
        "semantic": types.text("semantic"),
        "kind": "open" if structural == "query" else "binary",
        "steps": str(_steps(row)),
        "words": str(len(question.split())),
    }
    extra = {
        "balanced": row.flag("isBalanced"),
        "group": row.inner("groups").text("global", None) if row.has("groups") else None,
        "entailed": tuple(other for other in _entailed(row) if other != key) if closed else (),
        "choices": choices,
    }
    target, cluster = row.text("answer"), row.key("imageId")
    return Sample(key, question, (image,), target, tags=tags, cluster=cluster, extra=extra)


def _steps(row: Row) -> int:
    """Reasoning steps: operations that do more than ask the final question."""
    found: Any = row.values.get("semantic")
    if isinstance(found, dict):  # the hub's columns: an object of lists
        found = [dict(zip(found, values, strict=True)) for values in zip(*found.values(), strict=True)]
    if not isinstance(found, list) or not all(isinstance(step, dict) for step in found):
        raise row.error("semantic", "a list of objects was expected")
    texts = [f"{step.get('operation')}: {step.get('argument')}" for step in found]
    return sum(not any(word in text for word in NOT_STEPS) for text in texts)


def _entailed(row: Row) -> list[str]:
    """Ids of entailed questions; the hub may hold the list as text."""
    found = row.values.get("entailed")
    if isinstance(found, str):
        return re.findall(r"\w+", found)
    return row.texts("entailed") if row.has("entailed") else []


def _closed(rows: Mapping[str, Row]) -> bool:
    """Whether the file holds every question that its balanced questions entail: then consistency can be told."""
    return all(other in rows for row in rows.values() if row.values.get("isBalanced") for other in _entailed(row))


def _allowed(choices: Mapping[str, Row] | None, key: str, row: Row) -> Mapping[str, Any] | None:
    """Answers the question allows; None where there is no choices file."""
    if choices is None or not row.flag("isBalanced"):
        return None if choices is None else {"valid": (), "plausible": ()}
    if "Common" in row.inner("types").text("detailed", ""):
        return {"valid": COMMON, "plausible": COMMON}
    if key not in choices:
        raise row.error("question id", f"no choices for question {key}", "get the choices file of the same version")
    return {name: frozenset(choices[key].texts(name)) for name in ("valid", "plausible")}
