"""GQA: compositional questions about real images, with short answers.

Hudson & Manning, GQA: A New Dataset for Real-World Visual Reasoning, CVPR 2019 (arXiv 1902.09506). Questions and
images from gqadataset.org; testdev_balanced (12,578 questions on 398 images) is what papers report.
Rules by protocol: vlmbench.parsing.text and gqa_metrics.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from vlmbench.base.errors import DataError
from vlmbench.base.samples import ImageRef, Sample
from vlmbench.base.task import DataFile, Size
from vlmbench.data.answers.predictions import write_rows
from vlmbench.data.files import Folder, Hub, Row, read_keyed
from vlmbench.data.official.files import by_key, data_file, mirrored
from vlmbench.families import shared_protocols as protocols
from vlmbench.families.answer_files import Answer, AnswerFiles, Format, PlainRows
from vlmbench.families.base import OwnFiles, Scored
from vlmbench.families.short_answer import SHORT, ShortAnswer, ShortAnswerRules
from vlmbench.parsing import text as answers
from vlmbench.parsing.matchers import contains, exact
from vlmbench.stats.metrics import Metric

from . import gqa_metrics

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


def _plain(text: str) -> str:
    return text.strip().lower()


RULES: Mapping[str, ShortAnswerRules] = {
    "official": ShortAnswerRules(
        "gqadataset.org eval.py v1.2 (SHI-Labs/VCoder playground/data/eval/gqa/data/eval@4e85acef); bare question",
        "{question}",
        exact(str),
        note="exact equality with the lower-case answer: 'Yes' and 'yes.' are wrong",
    ),
    "llava": ShortAnswerRules(
        "haotian-liu/LLaVA scripts/convert_gqa_for_eval.py@c121f043, then eval.py",
        "{question}" + SHORT,
        exact(answers.converted),
    ),
    "tinyllava": ShortAnswerRules(
        "TinyLLaVA/TinyLLaVA_Factory scripts/convert_gqa_for_eval.py@53f12c78, then eval.py",
        "{question}" + SHORT,
        exact(answers.converted),
        note="as llava",
    ),
    "lmms_eval": ShortAnswerRules(
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/gqa/gqa.yaml, api/metrics.py@75571cfe",
        "{question}" + SHORT,
        exact(answers.unpunctuated, answers.unpunctuated),
        16,
        note="lower-case, all ASCII punctuation deleted on both sides",
    ),
    "vlmevalkit": ShortAnswerRules(
        "open-compass/VLMEvalKit vlmeval/dataset/utils/vqa_eval.py@e8e78f05 (accuracy)",
        "{question}" + SHORT,
        exact(_plain, _plain),
        note="stripped and lower-case on both sides",
    ),
    "minigpt_v2": protocols.minigpt_v2(exact(str.lower), "lower-case, not stripped"),
    "tinygpt_v": protocols.tinygpt_v(
        contains(str.lower),
        "right if the answer occurs anywhere in the text: 'no' is right in 'not' and in 'know'",
    ),
    "lavis": protocols.lavis(
        "lavis/tasks/vqa.py, projects/blip2/eval/gqa_zeroshot_flant5xl_eval.yaml",
        "VQA normalisation on both sides; five beams",
        exact(answers.lavis_normal, answers.lavis_normal),
    ),
    "qwen_vl": protocols.qwen_vl(
        "cuts the text at . , ! and after words such as 'is ', which it finds inside words too",
        exact(answers.qwen_vl_cut, _plain),
        "evaluate_vqa.py",
    ),
}
OFFICIAL = ("official", "llava", "tinyllava")
"""Protocols whose scores are those of GQA's eval.py: balanced questions only, all its figures."""


def _figures(scored: Scored, protocol: str) -> Sequence[Metric]:
    return gqa_metrics.metrics(scored, official=protocol in OFFICIAL)


def _write_official(path: Path, answers: Sequence[Answer]) -> None:
    """What eval.py takes, converted first where the protocol's scripts convert."""
    parsed = {answer.id: answer.parsed if answer.protocol in OFFICIAL else answer.text for answer in answers}
    write_rows(path, ({"questionId": key, "prediction": text} for key, text in parsed.items()))


def _write_llava(path: Path, answers: Sequence[Answer]) -> None:
    write_rows(path, ({"question_id": a.id, "prompt": a.sample.question, "text": a.text} for a in answers))


@dataclass(frozen=True, eq=False, kw_only=True)
class Gqa(ShortAnswer):
    """Short answers; and attention maps, which eval.py scores too."""

    def with_attentions(
        self, samples: Sequence[Sample], path: Path, data: Folder | Hub, split: str
    ) -> Sequence[Sample]:
        """Samples with the grounding of a model's attention maps: [{"questionId", "attention": 7x7}]."""
        if isinstance(data, Hub):
            raise DataError("the hub has no scene graphs", hint="use --data DIR with sceneGraphs.zip unpacked")
        data = data.within(self.name)
        scenes = data.need("GQA's scene graph file", *scene_places(split), hint="grounding needs it")
        return gqa_metrics.with_grounding(samples, path, questions(data, split), read_keyed(scenes, "objects"))


GQA = Gqa(
    name="gqa",
    title="GQA: compositional questions about real images (Hudson & Manning 2019)",
    about=__doc__,
    sizes={"testdev_balanced": Size(12_578, 398), "val_balanced": Size(132_062)},
    unsized=("testdev", "val", "train_balanced"),
    rules=RULES,
    files=OwnFiles(required_files, samples),
    answer_files=AnswerFiles(
        PlainRows(
            ("questionId", "id"), hint="give answers to exactly the questions of this split (gqa:SPLIT names another)"
        ),
        'The official [{"questionId", "prediction"}], LLaVA\'s answer lines, or rows of id and text.',
        {"official": Format(".json", _write_official), "llava": Format(".jsonl", _write_llava)},
        'What eval.py takes: [{"questionId", "prediction"}], converted first where the protocol\'s scripts convert.',
    ),
    figures=_figures,
)
