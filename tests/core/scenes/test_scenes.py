"""The drawn scenes and the embedded samples: same pixels everywhere, sure answers, official layouts."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from vlmbench.scenes.gqa_questions import MIX, ask_many
from vlmbench.scenes.questions import article, exists
from vlmbench.scenes.scene import KINDS, SAMPLE_SEEDS, TRAIN_SEEDS, Dice, make_scene, pixels, scene_graph
from vlmbench.tasks.samples import build
from vlmbench.tasks.samples.common import scenes

SAMPLES = Path(build.__file__).parent
PIXELS = "aabd7e19a4852a0efe0de4ca6005e4c99694dde5ecd40f00523c012934fd9c8c"
FILES = "b3d10c67df4a6adf13e3327b340f6c5de733a530265577f3e6887369468b7d86"

Row = dict[str, Any]


def load(name: str) -> dict[str, Row]:
    rows: dict[str, Row] = json.loads((SAMPLES / "gqa" / name).read_text(encoding="utf-8"))
    return rows


def test_pixels_are_the_same_on_every_machine() -> None:
    digest = hashlib.sha256()
    for seed in range(200):
        digest.update(pixels(make_scene(seed)).tobytes())
    assert digest.hexdigest() == PIXELS


def test_sample_files_are_what_the_builder_writes(tmp_path: Path) -> None:
    build.build_pope(tmp_path / "pope")
    build.build_gqa(tmp_path / "gqa")
    made = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.json"))
    digest = hashlib.sha256()
    for name in made:
        assert (SAMPLES / name).read_bytes() == (tmp_path / name).read_bytes(), name
        digest.update((SAMPLES / name).read_bytes())
    assert digest.hexdigest() == FILES


def test_sample_pictures_show_their_scenes() -> None:
    """JPEG files may differ in their bytes between encoders, so pixels are compared, with JPEG's own error."""
    import numpy as np
    from PIL import Image

    for number, scene in enumerate(scenes("pope")[:10], start=1):
        with Image.open(SAMPLES / "pope" / "val2014" / f"scene_{number:06d}.jpg") as picture:
            seen = np.asarray(picture.convert("RGB")).astype(int)
        assert abs(seen - pixels(scene).astype(int)).mean() < 6


def test_seeds_are_disjoint() -> None:
    every = [seed for seeds in SAMPLE_SEEDS.values() for seed in seeds]
    assert len(every) == len(set(every))
    assert not any(seed in TRAIN_SEEDS for seed in every)
    assert not {scene.seed for scene in scenes("pope")} & {scene.seed for scene in scenes("gqa")}


@pytest.mark.parametrize("split", ["random", "popular", "adversarial"])
def test_pope_is_balanced(split: str) -> None:
    text = (SAMPLES / "pope" / f"coco_pope_{split}.json").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    graphs = {f"scene_{n:06d}.jpg": scene for n, scene in enumerate(scenes("pope"), start=1)}
    assert [row["question_id"] for row in rows] == list(range(1, len(rows) + 1))
    assert set(Counter(row["image"] for row in rows).values()) == {6}
    assert len(graphs) >= 60
    assert set(Counter((row["image"], row["label"]) for row in rows).values()) == {3}
    assert len({(row["image"], row["text"]) for row in rows}) == len(rows)
    for row in rows:
        kind = next(kind for kind in KINDS if row["text"] == f"Is there {article(kind)} in the image?")
        assert row["label"] == ("yes" if graphs[row["image"]].count(kind) else "no")


def test_pope_positives_are_shared_and_negatives_differ() -> None:
    splits = build.pope_splits(scenes("pope"))
    yes, no = (
        {name: {(row["image"], row["text"]) for row in rows if row["label"] == label} for name, rows in splits.items()}
        for label in ("yes", "no")
    )
    assert yes["random"] == yes["popular"] == yes["adversarial"]
    assert len({frozenset(rows) for rows in no.values()}) == 3


def test_gqa_files_fit_together() -> None:
    every, balanced, options = load("testdev_all_questions.json"), load("testdev_balanced_questions.json"), {}
    options = load("testdev_choices.json")
    assert balanced == {key: row for key, row in every.items() if row["isBalanced"]}
    assert min(Counter(row["imageId"] for row in balanced.values()).values()) >= 15
    assert len({row["imageId"] for row in balanced.values()}) >= 60
    assert options.keys() == every.keys()
    for key, row in every.items():
        assert row["answer"] in options[key]["valid"]
        assert row["answer"] in options[key]["plausible"]
        assert set(options[key]["plausible"]) <= set(options[key]["valid"])
        assert key in row["equivalent"]
        assert key not in row["entailed"]
        assert {*row["entailed"], *row["equivalent"]} <= every.keys()
    assert sum(bool(row["entailed"]) for row in balanced.values()) > 100
    assert any(not row["isBalanced"] for row in every.values())


def test_gqa_mix_is_near_testdev() -> None:
    rows = load("testdev_balanced_questions.json").values()
    shares = {kind: n / len(rows) for kind, n in Counter(row["types"]["structural"] for row in rows).items()}
    wanted = {"query": 0.5, "verify": 0.2, "logical": 0.14, "choose": 0.1, "compare": 0.05}
    assert shares.keys() == wanted.keys()
    assert all(abs(shares[kind] - share) < 0.06 for kind, share in wanted.items()), shares
    assert {row["types"]["semantic"] for row in rows} == {"attr", "obj", "cat", "rel", "global"}


# ------------------------------------------------------- answers, found again from the scene graph and the programme


def find(graph: Row, argument: str) -> list[str]:
    mark = argument[argument.rindex("(") + 1 : argument.rindex(")")]
    return [mark] if mark in graph["objects"] else []


def attribute(graph: Row, mark: str, name: str) -> str:
    thing = graph["objects"][mark]
    middle = thing["x"] + thing["w"] / 2, thing["y"] + thing["h"] / 2
    places = {
        "hposition": ("left", "center", "right")[int(middle[0] // 32)],
        "vposition": ("top", "middle", "bottom")[int(middle[1] // 32)],
        "name": thing["name"],
    }
    return str(places.get(name) or thing["attributes"][("color", "size", "pattern").index(name)])


def relations(graph: Row, mark: str) -> set[tuple[str, str]]:
    return {(link["name"], link["object"]) for link in graph["objects"][mark]["relations"]}


def scenery(graph: Row, name: str) -> str:
    return str(graph["location"] if name == "color" else graph["weather"])


def choose(graph: Row, word: str, before: list[Any], argument: str) -> str:
    if word in ("larger", "smaller"):
        size = {mark: attribute(graph, mark, "size") for (mark,) in before}
        return attribute(graph, next(m for m in size if (size[m] == "large") == (word == "larger")), "name")
    if word == "rel":
        subject, either, tail = argument.split(",")
        (mark,), ((landmark,),) = find(graph, tail), before
        assert attribute(graph, mark, "name") == subject
        (name,) = [name for name in either.split("|") if (name, landmark) in relations(graph, mark)]
        return name.split()[-2] if name.endswith(" of") else name
    (where,) = before
    found = scenery(graph, word) if where == "scene" else attribute(graph, where[0], word)
    assert found in argument.split("|")
    return found


def run(graph: Row, steps: list[Row]) -> str:
    """A small interpreter of GQA's programmes: lists of object ids, truth values and words."""
    results: list[Any] = []
    for step in steps:
        operation, argument = step["operation"], step["argument"]
        verb, _, word = operation.partition(" ")
        before = [results[at] for at in step["dependencies"]]

        def select(argument: str = argument) -> Any:
            return "scene" if argument == "scene" else find(graph, argument)

        def keep(word: str = word, argument: str = argument, before: list[Any] = before) -> Any:
            return [mark for mark in before[0] if attribute(graph, mark, word) == argument]

        def relate(argument: str = argument, before: list[Any] = before) -> Any:
            _, name, tail = argument.split(",")
            return [mark for mark in find(graph, tail) if (name, before[0][0]) in relations(graph, mark)]

        def query(word: str = argument, before: list[Any] = before) -> Any:
            return scenery(graph, word) if before[0] == "scene" else attribute(graph, before[0][0], word)

        def alike(word: str = word, before: list[Any] = before) -> bool:
            return attribute(graph, before[0][0], word) == attribute(graph, before[1][0], word)

        verbs: dict[str, Any] = {
            "select": select,
            "filter": keep,
            "relate": relate,
            "exist": lambda before=before: bool(before[0]),
            "query": query,
            "verify": lambda word=word, before=before, argument=argument: query(word, before) == argument,
            "choose": lambda word=word, before=before, argument=argument: choose(graph, word, before, argument),
            "and": lambda before=before: all(before),
            "or": lambda before=before: any(before),
            "same": alike,
            "different": lambda word=word, before=before: not alike(word, before),
        }
        results.append(verbs[verb]())
    last = results[-1]
    return last if isinstance(last, str) else "yes" if last else "no"


def test_every_answer_follows_from_the_scene_graph() -> None:
    graphs = load("testdev_sceneGraphs.json")
    for key, row in load("testdev_all_questions.json").items():
        assert run(graphs[row["imageId"]], row["semantic"]) == row["answer"], (key, row["question"])


def test_a_kind_that_a_programme_does_not_find_is_really_absent() -> None:
    graphs = load("testdev_sceneGraphs.json")
    for row in load("testdev_all_questions.json").values():
        names = Counter(thing["name"] for thing in graphs[row["imageId"]]["objects"].values())
        for step in row["semantic"]:
            if step["argument"].endswith("(-)") and step["operation"] == "select":
                kind = step["argument"].split()[0]
                attributes = [s["argument"] for s in row["semantic"] if s["operation"].startswith("filter")]
                objects = graphs[row["imageId"]]["objects"].values()
                assert not any(t["name"] == kind and {*attributes} <= {*t["attributes"]} for t in objects)
            elif step["operation"] == "select" and row["types"]["detailed"] not in ("exist", "existAnd", "existOr"):
                kind = step["argument"].split()[0]
                assert names.get(kind, 1) == 1 or row["types"]["detailed"] == "existAttr", row["question"]


def test_answers_cannot_be_guessed_from_the_question() -> None:
    """The best constant answer of every question type stays near chance."""
    answers: dict[tuple[str, str | None], Counter[str]] = {}
    dice = Dice(3)
    for seed in range(10_000_000, 10_000_600):
        for question in ask_many(make_scene(seed), dice, 12):
            answers.setdefault((question.types[0], question.group), Counter())[question.answer] += 1
    total = sum(sum(counts.values()) for counts in answers.values())
    best = sum(counts.most_common(1)[0][1] for counts in answers.values())
    assert best / total < 0.5


def test_makers_are_stable() -> None:
    scene = make_scene(1_003)
    assert scene_graph(scene) == scene_graph(make_scene(1_003))
    assert [q.text for q in ask_many(scene, Dice(1), 9)] == [q.text for q in ask_many(scene, Dice(1), 9)]
    assert len({maker for maker, _ in MIX}) == len(MIX)
    assert exists(scene, scene.things[0].kind).answer == "yes"
