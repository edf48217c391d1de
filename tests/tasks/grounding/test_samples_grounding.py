"""The embedded samples of MMBench and RefCOCO: what their builders write, with sure answers, found again apart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Sample
from vlmbench.data.files import Folder, read_json, read_table
from vlmbench.data.images import decoding as images
from vlmbench.scenes.scene import KINDS, Scene, Thing, coverage, pixels, relation
from vlmbench.tasks.samples import mmbench_files, refcoco_files
from vlmbench.tasks.samples.build import BUILDERS
from vlmbench.tasks.samples.common import scenes

MMBENCH, REFCOCO = Folder.sample("mmbench"), Folder.sample("refcoco")


def samples(spec: str) -> Sequence[Sample]:
    choice = choose_task(spec)
    return choice.task.samples(Folder.sample(choice.task.name), choice.split)


@pytest.mark.parametrize("task", ["mmbench", "refcoco"])
def test_size(task: str) -> None:
    files = [path for path in Folder.sample(task).root.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 400_000


# --------------------------------------------------------------------------------------------------------- MMBench


def test_mmbench_is_what_its_builder_writes(tmp_path: Path) -> None:
    """Pictures left out: encoders may differ in their bytes."""
    BUILDERS["mmbench"](tmp_path)
    for name in ("MMBench_DEV_EN.tsv", "MMBench_DEV_CN.tsv"):
        made, kept = (
            [{key: value for key, value in row.values.items() if key != "image"} for row in read_table(root / name)]
            for root in (tmp_path, MMBENCH.root)
        )
        assert made == kept


def test_mmbench_pictures_show_their_scenes() -> None:
    import numpy as np

    firsts = [sample for sample in samples("mmbench") if int(sample.id) < 10**6]
    for sample, scene in zip(firsts, scenes("mmbench", mmbench_files.IMAGES), strict=True):
        seen = np.asarray(images.decode(sample.images[0].load())).astype(int)
        assert abs(seen - pixels(scene).astype(int)).mean() < 6


def test_mmbench_rotations_and_languages() -> None:
    english, chinese = samples("mmbench"), samples("mmbench:dev_cn")
    groups: dict[int, list[Sample]] = {}
    for sample in english:
        groups.setdefault(sample.extra["group"], []).append(sample)
    for group in groups.values():
        assert len(group) == len(group[0].choices) == group[0].extra["turns"]
        assert len({turn.choices[ord(str(turn.target)) - ord("A")] for turn in group}) == 1
        assert len({turn.target for turn in group}) == len(group) and len({turn.images[0] for turn in group}) == 1
        assert len(set(group[0].choices)) == len(group[0].choices)
    assert {len(group) for group in groups.values()} == {2, 3, 4} and len(groups) >= 24
    assert len({sample.tags["ability"] for sample in english}) == 6
    for one, other in zip(english, chinese, strict=True):
        assert (one.id, one.target, one.tags["leaf"]) == (other.id, other.target, other.tags["leaf"])
        assert re.search("[\u4e00-\u9fff]", other.question) and not re.search("[a-z]", other.question)
        translated = [mmbench_files.CHINESE.get(option, option) for option in one.choices]
        assert translated == list(other.choices)


def kinds_in(scene: Scene, text: str) -> list[Thing]:
    """The things a question names, each the only one of its kind, in the order of the text."""
    named = [kind for kind in KINDS if re.search(rf"\b{kind}\b", text)]
    named.sort(key=text.index)
    return [next(thing for thing in scene.unique() if thing.kind == kind) for kind in named]


def falls_on(scene: Scene, below: Thing) -> str:
    (above,) = [thing for thing in scene.things if relation(thing, below) == "above"]
    return above.kind


ANSWERS: Mapping[str, Callable[[Scene, list[Thing], Sample], str]] = {
    "attribute_recognition": lambda scene, named, sample: named[0].color,
    "object_localization": lambda scene, named, sample: f"{named[0].row} {named[0].column}",
    "spatial_relationship": lambda scene, named, sample: f"{relation(*named)} it",
    "attribute_comparison": lambda scene, named, sample: next(t.kind for t in named if t.size == "large"),
    "image_style": lambda scene, named, sample: scene.style,
    "image_scene": lambda scene, named, sample: scene.ground,
    "future_prediction": lambda scene, named, sample: str(len(scene.things) - 1),
    "physical_relation": lambda scene, named, sample: falls_on(scene, named[0]),
    "function_reasoning": lambda scene, named, sample: next(
        kind for kind, (text, _) in mmbench_files.USES.items() if text == sample.question
    ),
}


def test_mmbench_answers_follow_from_the_scenes() -> None:
    firsts = [sample for sample in samples("mmbench") if int(sample.id) < 10**6]
    for sample, scene in zip(firsts, scenes("mmbench", mmbench_files.IMAGES), strict=True):
        leaf = sample.tags["leaf"]
        right = ANSWERS[leaf](scene, kinds_in(scene, sample.question), sample)
        assert sample.choices[ord(str(sample.target)) - ord("A")] == right, sample
        if leaf in ("function_reasoning", "physical_relation"):
            assert set(sample.choices) <= {thing.kind for thing in scene.things}
    assert {sample.tags["leaf"] for sample in firsts} == ANSWERS.keys()


def test_mmbench_letters_are_mixed() -> None:
    counts = Counter(str(sample.target) for sample in samples("mmbench") if int(sample.id) < 10**6)
    assert max(counts.values()) < 14


# --------------------------------------------------------------------------------------------------------- RefCOCO


def test_refcoco_is_what_its_builder_writes(tmp_path: Path) -> None:
    BUILDERS["refcoco"](tmp_path)
    for name in refcoco_files.KINDS:
        assert (tmp_path / f"{name}_val.json").read_bytes() == (REFCOCO.root / f"{name}_val.json").read_bytes()
    made, kept = (sorted(path.name for path in (root / "train2014").iterdir()) for root in (tmp_path, REFCOCO.root))
    assert made == kept and len(kept) == refcoco_files.IMAGES
    row = read_json(REFCOCO.root / "refcoco_val.json")[0]
    assert list(row) == ["img_id", "sents", "bbox", "height", "width"] and len(row["img_id"].rpartition("_")[0]) == 27


RELATED = {f" {words} the ": name for name, words in refcoco_files.SHORTER.items()}
RELATED |= {" above the ": "above", " below the ": "below"}


def meant(scene: Scene, text: str) -> list[Thing]:
    """The things that an expression may mean, read word by word."""
    for words, name in (*RELATED.items(), *((f" {name} a ", name) for name in RELATED.values())):
        text = text.replace(f"{name} an ", f"{name} a ")
        before, found, after = text.partition(words)
        if found:
            others = meant(scene, after)
            return [t for t in meant(scene, before) if any(relation(t, other) == name for other in others)]
    every = re.findall("[a-z]+", re.sub("with stripes", "striped", re.sub("with dots", "dotted", text)))
    solid = "in one color" in text
    said = [word for word in every if word not in ("a", "an", "the", "one", "thing", "in", "color", "at", "on")]
    return [
        thing
        for thing in scene.things
        if (thing.texture == "solid" or not solid)
        and all(word in (thing.kind, thing.color, thing.size, thing.texture, thing.row, thing.column) for word in said)
    ]


@pytest.mark.parametrize("name", refcoco_files.KINDS)
def test_refcoco_expressions_mean_one_thing(name: str) -> None:
    pictures = {refcoco_files.stem(n): scene for n, scene in enumerate(scenes("refcoco", refcoco_files.IMAGES), 1)}
    found = samples(f"refcoco:{name}_val")
    for sample in found:
        stem, _, at = sample.extra["img_id"].rpartition("_")
        scene = pictures[stem]
        assert meant(scene, sample.question) == [scene.things[int(at)]], sample.question
        assert sample.target["bbox"] == refcoco_files.bounds(scene.things[int(at)])
    assert {sample.images[0].name.removesuffix(".jpg") for sample in found} == pictures.keys()
    places = {"left", "right", "top", "bottom", "above", "below"}
    spoken = [sample for sample in found if places & set(sample.question.split())]
    assert bool(spoken) == (name != "refcoco+")


def test_refcoco_boxes_are_tight() -> None:
    for scene in scenes("refcoco", refcoco_files.IMAGES):
        for thing in scene.things:
            x, y, width, height = refcoco_files.bounds(thing)
            bright, dim = coverage(thing.kind, thing.box[2], thing.texture)
            drawn = (bright + dim)[:, :, 0] > 0
            inside = drawn[y - thing.box[1] :, x - thing.box[0] :][:height, :width]
            assert inside.sum() == drawn.sum() and inside[0].any() and inside[-1].any()
            assert inside[:, 0].any() and inside[:, -1].any()
