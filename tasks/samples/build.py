"""Writes the embedded samples in the benchmarks' official file layouts: `python -m vlmbench.tasks.samples.build DIR`.

The files are part of the package; this is how they were made, and a test makes them again.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vlmbench.base.registry import load_object
from vlmbench.scenes.gqa_questions import ask_many
from vlmbench.scenes.questions import Question, exists
from vlmbench.scenes.scene import (
    CATEGORIES,
    COLORS,
    GROUNDS,
    KINDS,
    RELATIONS,
    SIZES,
    STYLES,
    TEXTURES,
    Dice,
    Scene,
    scene_graph,
)

from ..catalog import TASKS
from . import by_family
from .aokvqa import build_aokvqa
from .captions import build_chair, build_coco_captions, build_flickr30k, build_nocaps, build_textcaps
from .charxiv import build_charxiv
from .common import compact, jpeg, scenes, write
from .counting import build_countbenchqa, build_pixmo_count, build_tallyqa
from .documents import build_chartqa, build_docvqa, build_infovqa, build_ocrbench, build_stvqa
from .groups import build_amber_d, build_amber_g, build_hallusionbench, build_mmvp, build_naturalbench, build_sugarcrepe
from .hateful_memes import build_hateful_memes
from .iconqa import build_iconqa
from .judged import build_llava_bench, build_mmhal, build_mmvet
from .mathematics import build_mathverse, build_mathvision, build_mathvista
from .mmbench_files import build_mmbench
from .mme import build_mme
from .mme_realworld import build_mme_realworld_lite
from .mmvet_v2 import build_mmvet_v2
from .refcoco_files import build_coco_detection, build_refcoco, build_refcoco_reg
from .scienceqa import build_scienceqa
from .screenspot import build_screenspot, build_screenspot_v2
from .textvqa import build_textvqa
from .vizwiz import build_vizwiz
from .vqa import build_okvqa, build_vqav2
from .vsr import build_vsr

BALANCED = 15
"""Balanced GQA questions about a picture."""
SPARE = 3
"""Unbalanced GQA questions about a picture, at most."""


# ------------------------------------------------------------------------------------------------------------ POPE


def _kinds(scene: Scene) -> list[str]:
    return sorted({thing.kind for thing in scene.things}, key=KINDS.index)


def _ranked(absent: Iterable[str], weight: Mapping[str, int]) -> list[str]:
    return sorted(absent, key=lambda kind: (-weight[kind], KINDS.index(kind)))


def pope_splits(pictures: Sequence[Scene]) -> dict[str, list[dict[str, Any]]]:
    """Rows by split. Negatives: any absent kind; those most often seen; those most often seen with what is there."""
    frequent = Counter(kind for scene in pictures for kind in _kinds(scene))
    together = {
        kind: Counter(other for scene in pictures if kind in (here := _kinds(scene)) for other in here)
        for kind in KINDS
    }
    splits: dict[str, list[dict[str, Any]]] = {"random": [], "popular": [], "adversarial": []}
    for number, scene in enumerate(pictures, start=1):
        dice, here = Dice(scene.seed), _kinds(scene)
        absent = [kind for kind in KINDS if kind not in here]
        company = Counter({kind: sum(together[other][kind] for other in here) for kind in absent})
        positives = dice.shuffled(here)[:3]
        negatives = {
            "random": dice.shuffled(absent)[:3],
            "popular": _ranked(absent, frequent)[:3],
            "adversarial": _ranked(absent, company)[:3],
        }
        for split, rows in splits.items():
            for pair in zip(positives, negatives[split], strict=True):
                for kind in pair:
                    question = exists(scene, kind)
                    rows.append(
                        {
                            "question_id": len(rows) + 1,
                            "image": f"scene_{number:06d}.jpg",
                            "text": question.text,
                            "label": question.answer,
                        }
                    )
    return splits


def build_pope(folder: Path) -> None:
    """`coco_pope_{split}.json` (JSON lines) and `val2014/`."""
    pictures = scenes("pope")
    for split, rows in pope_splits(pictures).items():
        write(folder / f"coco_pope_{split}.json", "".join(json.dumps(row) + "\n" for row in rows))
    for number, scene in enumerate(pictures, start=1):
        write(folder / "val2014" / f"scene_{number:06d}.jpg", jpeg(scene))


# ------------------------------------------------------------------------------------------------------------- GQA


@dataclass
class _Album:
    """The questions about one picture, while they are being numbered."""

    image: str
    questions: list[Question] = field(default_factory=list)
    balanced: int = 0

    def key(self, at: int) -> str:
        return f"{self.image}{at:03d}"

    def same(self, question: Question) -> list[str]:
        """Ids of the questions with the same programme and answer: the same question in other words."""
        return [
            self.key(at)
            for at, other in enumerate(self.questions)
            if (other.steps, other.answer) == (question.steps, question.answer)
        ]

    def add_spare(self, question: Question) -> None:
        known = {other.text for other in self.questions}
        if question.text not in known and len(self.questions) < self.balanced + SPARE:
            self.questions.append(question)

    def rows(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for at, question in enumerate(self.questions):
            entailed = {key for implied in question.entails for key in self.same(implied)} - {self.key(at)}
            yield self.key(at), gqa_row(question, self.image, at < self.balanced, sorted(entailed), self.same(question))


def image_id(scene: Scene) -> str:
    """A number like those of Visual Genome."""
    return str(2_400_000 + scene.seed)


def album(scene: Scene) -> _Album:
    """Balanced questions first, then some that follow from them and some in other words."""
    dice = Dice(scene.seed)
    made = _Album(image_id(scene), ask_many(scene, dice, BALANCED))
    made.balanced = len(made.questions)
    for question in dice.shuffled(made.questions):
        for implied in dice.shuffled(question.entails)[:1]:
            if not made.same(implied):
                made.add_spare(implied)
        if len(question.texts) > 1 and dice.chance(15):
            made.add_spare(replace(question, texts=question.texts[1:]))
    return made


def _places(text: str, mentions: Iterable[tuple[str, str]]) -> dict[str, str]:
    words = [word.strip("?.,") for word in text.split()]
    return {str(words.index(noun)): mark for noun, mark in mentions if noun in words}


def gqa_row(
    question: Question, image: str, balanced: bool, entailed: list[str], equivalent: list[str]
) -> dict[str, Any]:
    """A question as GQA's files write it."""
    detailed, semantic, structural = question.types
    noun = question.mentions[0][0] if question.mentions else "scene"
    chain = [
        f"{step.operation}: {step.argument}"
        + (f" [{','.join(map(str, step.dependencies))}]" if step.dependencies else "")
        for step in question.steps
    ]
    return {
        "semantic": [
            {"operation": step.operation, "argument": step.argument, "dependencies": list(step.dependencies)}
            for step in question.steps
        ],
        "entailed": entailed,
        "equivalent": equivalent,
        "question": question.text,
        "imageId": image,
        "isBalanced": balanced,
        "groups": {"global": question.group, "local": f"{structural[0]}{len(question.steps)}-{noun}_{detailed}"},
        "answer": question.answer,
        "semanticStr": "->".join(chain),
        "annotations": {
            "answer": dict([("0", mark) for word, mark in question.mentions if word == question.answer]),
            "question": _places(question.text, question.mentions),
            "fullAnswer": _places(question.full, question.mentions),
        },
        "types": {"detailed": detailed, "semantic": semantic, "structural": structural},
        "fullAnswer": question.full,
    }


_GROUPS: Mapping[str, tuple[str, ...]] = {
    "color": tuple(COLORS),
    "size": tuple(SIZES),
    "pattern": TEXTURES,
    "hposition": ("left", "right"),
    "vposition": ("top", "bottom"),
    "rel": ("left", "right", *RELATIONS[2:]),
    "background color": tuple(GROUNDS),
    "background pattern": STYLES,
    "thing": KINDS,
    **CATEGORIES,
}


def choices(question: Question, seen: Mapping[str, set[str]]) -> dict[str, list[str]]:
    """Answers that make sense (valid) and that really occur for such a thing in these pictures (plausible)."""
    if question.group is None:
        comparative = question.steps[-1].operation.startswith("choose")
        valid = [noun for noun, _ in question.mentions] if comparative else ["yes", "no"]
        return {"valid": valid, "plausible": valid}
    valid = list(_GROUPS[question.group])
    if question.types[2] == "choose":
        options = question.steps[-1].argument.split(",")[question.group == "rel"].split("|")
        valid = [word.split()[-2] if word.endswith(" of") else word for word in options]
    noun = question.mentions[0][0] if question.mentions else ""
    shown = [word for word in valid if word in seen.get(noun, set())]
    return {"valid": valid, "plausible": shown if question.answer in shown else valid}


def build_gqa(folder: Path) -> None:
    """`testdev_{balanced,all}_questions.json`, `testdev_choices.json`, `testdev_sceneGraphs.json` and `images/`."""
    pictures = scenes("gqa")
    albums = [album(scene) for scene in pictures]
    rows = {key: row for one in albums for key, row in one.rows()}
    seen: dict[str, set[str]] = {kind: set() for kind in KINDS}
    for scene in pictures:
        for thing in scene.things:
            seen[thing.kind] |= {thing.color, thing.size, thing.texture, thing.row, thing.column}
    options = {one.key(at): choices(question, seen) for one in albums for at, question in enumerate(one.questions)}
    balanced = {key: row for key, row in rows.items() if row["isBalanced"]}
    write(folder / "testdev_balanced_questions.json", compact(balanced))
    write(folder / "testdev_all_questions.json", compact(rows))
    write(folder / "testdev_choices.json", compact(options))
    write(folder / "testdev_sceneGraphs.json", compact({image_id(scene): scene_graph(scene) for scene in pictures}))
    for scene in pictures:
        write(folder / "images" / f"{image_id(scene)}.jpg", jpeg(scene))


BUILDERS: Mapping[str, Callable[[Path], None]] = {
    "pope": build_pope,
    "gqa": build_gqa,
    "vqav2": build_vqav2,
    "okvqa": build_okvqa,
    "textvqa": build_textvqa,
    "vizwiz": build_vizwiz,
    "vsr": build_vsr,
    "iconqa": build_iconqa,
    "hateful_memes": build_hateful_memes,
    "scienceqa": build_scienceqa,
    "mme": build_mme,
    "hallusionbench": build_hallusionbench,
    "naturalbench": build_naturalbench,
    "sugarcrepe": build_sugarcrepe,
    "amber_d": build_amber_d,
    "amber_g": build_amber_g,
    "mmbench": build_mmbench,
    "mmvp": build_mmvp,
    "refcoco": build_refcoco,
    "refcoco_reg": build_refcoco_reg,
    "coco_detection": build_coco_detection,
    "screenspot": build_screenspot,
    "screenspot_v2": build_screenspot_v2,
    "mmvet": build_mmvet,
    "mmvet_v2": build_mmvet_v2,
    "charxiv": build_charxiv,
    "mmhal": build_mmhal,
    "llava_bench": build_llava_bench,
    "chair": build_chair,
    "coco_captions": build_coco_captions,
    "nocaps": build_nocaps,
    "flickr30k": build_flickr30k,
    "textcaps": build_textcaps,
    "aokvqa": build_aokvqa,
    "mme_realworld_lite": build_mme_realworld_lite,
    "mathvista": build_mathvista,
    "mathvision": build_mathvision,
    "mathverse": build_mathverse,
    "chartqa": build_chartqa,
    "docvqa": build_docvqa,
    "infovqa": build_infovqa,
    "stvqa": build_stvqa,
    "ocrbench": build_ocrbench,
    "countbenchqa": build_countbenchqa,
    "pixmo_count": build_pixmo_count,
    "tallyqa": build_tallyqa,
}
"""Of the benchmarks whose files have a layout of their own. All others: `by_family.build`."""


def build(name: str, folder: Path) -> None:
    """Write the embedded sample of a built-in benchmark into a folder."""
    if name in BUILDERS:
        BUILDERS[name](folder)
    else:
        by_family.build(load_object(TASKS[name]), folder)


if __name__ == "__main__":
    for task in TASKS:
        build(task, Path(sys.argv[1]) / task)
