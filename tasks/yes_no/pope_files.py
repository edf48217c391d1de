"""POPE's question files: three kinds of questions about the images of one of three data sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vlmbench.base.errors import DataError
from vlmbench.base.samples import ImageRef, Sample
from vlmbench.base.task import DataFile
from vlmbench.data.files import Folder, Hub, Row, read_rows
from vlmbench.data.official.files import by_key, coco_images, data_file, hub_questions, mirrored

VERSIONS = ("coco", "aokvqa", "gqa")
KINDS = ("random", "popular", "adversarial")
"""How the absent objects were chosen: POPE's three splits, kept as the tag `split`."""
HUB_FIELDS = ("question_id", "question", "answer", "image_source", "category")
RAW = "https://raw.githubusercontent.com/RUCAIBox/POPE/3df3ba1b110ecce25696989577fad583b67d4239"


def _parts(split: str) -> tuple[str, Sequence[str]]:
    """Which images, and the kinds of questions: the one that the split is named after, or all."""
    version, _, kind = split.partition("_")
    return version, (kind,) if kind else KINDS


def _places(version: str, kind: str) -> list[str]:
    """Where a question file may lie below the data folder, the usual place first."""
    names = [f"{version}_pope_{kind}.json", f"{version}_pope_seem_{kind}.json"]
    if version != "coco":
        names.reverse()
    folders = [f"{version}/", "", f"output/{version}/", f"seem/{version}/", f"output/seem/{version}/"]
    return [folder + name for folder in folders for name in names]


def required_files(split: str) -> list[DataFile]:
    """A question file of each kind, and the images."""
    version, kinds = _parts(split)
    folder = "output/coco" if version == "coco" else f"output/seem/{version}"
    files = []
    for kind in kinds:
        places = _places(version, kind)
        url = f"{RAW}/{folder}/{places[0].rpartition('/')[2]}"
        files.append(data_file(places, f"{kind} questions", url, "MIT", version))
    if version == "gqa":
        url = "https://downloads.cs.stanford.edu/nlp/data/gqa/images.zip"
        return [*files, data_file(("images",), "GQA images", url, "Visual Genome, CC BY 4.0", version)]
    also = (f"{version}/val2014", "images", f"{version}/images")
    return [*files, coco_images("val2014", "COCO val2014 images", version, also=also)]


def samples(data: Folder | Hub, split: str, task: str) -> list[Sample]:
    """All questions of the three kinds, or of one; ids are `random/1`."""
    version, kinds = _parts(split)
    if isinstance(data, Hub):
        return [sample for sample in _from_hub(data, version) if sample.tags["split"] in kinds]
    paths = zip(kinds, _question_files(data, version, kinds), strict=True)
    return [sample for kind, path in paths for sample in _of_kind(data, kind, path)]


def _question_files(data: Folder, version: str, kinds: Sequence[str]) -> list[Path]:
    places = {kind: _places(version, kind) for kind in kinds}
    missing = [kind for kind in kinds if data.find(*places[kind]) is None]
    others = [other for other in VERSIONS if other != version and data.find(*_places(other, KINDS[0]))]
    if len(missing) == len(kinds) and others:
        what = f"no question files of split {version} here, but of {', '.join(others)}"
        raise DataError(what, where=str(data.root), hint=f"name it: --tasks pope:{others[0]}")
    hint = f"missing: {', '.join(places[kind][0] for kind in missing)}; `vlmbench data fetch pope` gets them"
    if alone := [kind for kind in kinds if kind not in missing and missing]:
        hint += f"; or take one kind by itself: {', '.join(f'pope:{version}_{kind}' for kind in alone)}"
    return [data.need(f"POPE's {kind} question file", *places[kind], hint=hint) for kind in kinds]


def _of_kind(data: Folder, kind: str, path: Path) -> list[Sample]:
    here = data.relative(path.parent)
    places = (f"{here}/val2014", f"{here}/images", "val2014", "images", here, ".")
    rows = by_key(read_rows(path), "question_id")
    return [
        _sample(f"{kind}/{key}", row, row.text("text"), "label", data.image(row, row.text("image"), *places))
        for key, row in rows.items()
    ]


def _from_hub(data: Hub, version: str) -> list[Sample]:
    if version != "coco":
        raise DataError(f"the hub has POPE's split coco only, not {version}", hint="use --data DIR for the others")
    rows = hub_questions(
        data,
        mirrored("POPE"),
        "test",
        HUB_FIELDS,
        lambda row: row.text("image_source"),
        lambda row: f"{_kind(row)}/{row.key('question_id')}",
    )
    return [_sample(key, row, row.text("question"), "answer", image) for key, row, image in rows]


def _kind(row: Row) -> str:
    kind = row.text("category")
    if kind not in KINDS:
        raise row.error("category", f"{kind!r} is none of {', '.join(KINDS)}")
    return kind


def _sample(key: str, row: Row, question: str, label: str, image: ImageRef) -> Sample:
    target = row.text(label).strip().lower()
    if target not in ("yes", "no"):
        raise row.error(label, f"yes or no was expected, not {target!r:.40}")
    return Sample(key, question, (image,), target, tags={"split": key.partition("/")[0]}, cluster=image.name)
