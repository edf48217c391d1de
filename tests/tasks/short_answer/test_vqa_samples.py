"""The embedded samples with ten human answers: made again they are the same, and their answers are sure."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Response
from vlmbench.data.files import Folder, missing_images
from vlmbench.scenes import lettering
from vlmbench.scenes.scene import SIDE, Scene, blurred
from vlmbench.scoring.score import score_responses
from vlmbench.tasks.samples import build, textvqa, vqa

SAMPLES = Path(build.__file__).parent
TASKS: Mapping[str, str] = {
    "vqav2": "e75b05d69f81919bfeb8d417fceb138b52d58aa031ef3d8776cc5e2b34800608",
    "okvqa": "32c5b2b91fb64daefec43ddca42c9bab41b8337724d107de4b4c10950c3ad935",
    "textvqa": "641b75c07445b7bcb0296afc17394477856456ae68842094be6401150ddb9b49",
    "vizwiz": "9690a6290e7e683055d6998c820a4b8e4c9ff5c9f0594bb5f07139d40f836f3b",
}
"""Digests of the JSON files."""


@pytest.mark.parametrize("task", TASKS)
def test_files_are_what_the_builder_writes(tmp_path: Path, task: str) -> None:
    build.BUILDERS[task](tmp_path)
    made = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert made == sorted(path.relative_to(SAMPLES / task) for path in (SAMPLES / task).rglob("*") if path.is_file())
    digest = hashlib.sha256()
    for name in made:
        if name.suffix == ".json":
            assert (SAMPLES / task / name).read_bytes() == (tmp_path / name).read_bytes(), name
            digest.update((tmp_path / name).read_bytes())
    assert digest.hexdigest() == TASKS[task]
    assert sum(path.stat().st_size for path in (SAMPLES / task).rglob("*")) < 400_000


@pytest.mark.parametrize("task", TASKS)
def test_the_answer_of_most_people_scores_everything(task: str) -> None:
    """At least seven of ten say what is right (of OK-VQA's five at least four), so the answer is sure."""
    choice = choose_task(task)
    found = choice.task.samples(Folder.sample(task), choice.split)
    assert len(found) >= 30 and len({s.cluster for s in found}) >= 24 and not missing_images(found)
    best = {s.id: Counter(text.lower() for text in s.target).most_common(1)[0] for s in found}
    assert min(count for _, count in best.values()) >= 7
    for protocol in ("official", "lmms_eval"):
        scored = score_responses(choice.task, protocol, [(s, Response(best[s.id][0])) for s in found])
        assert {score.value for _, score in scored} == {1.0}
    assert any(len(set(s.target)) > 1 for s in found)  # and people do not always agree


def test_no_constant_answer_is_good() -> None:
    for task, most in (("vqav2", 0.35), ("okvqa", 0.2), ("textvqa", 0.1), ("vizwiz", 0.4)):
        choice = choose_task(task)
        found = choice.task.samples(Folder.sample(task), choice.split)
        best = Counter(Counter(text.lower() for text in s.target).most_common(1)[0][0] for s in found)
        assert best.most_common(1)[0][1] / len(found) <= most, (task, best.most_common(2))


def load(task: str, name: str) -> Any:
    return json.loads((SAMPLES / task / name).read_text("utf-8"))


def test_headers_are_complete() -> None:
    for task, start in (("vqav2", "v2_"), ("okvqa", "")):
        questions = load(task, f"{start}OpenEnded_mscoco_val2014_questions.json")
        notes = load(task, f"{start}mscoco_val2014_annotations.json")
        shared = {"info", "license", "data_type", "data_subtype"}
        assert set(questions) == {*shared, "task_type", "questions"} and shared < set(notes)
        assert questions["data_subtype"] == notes["data_subtype"] == "val2014"
    people = load("okvqa", "mscoco_val2014_annotations.json")["annotations"][0]["answers"]
    assert [person["raw_answer"] for person in people[::2]] == [person["raw_answer"] for person in people[1::2]]


def test_hidden_splits_have_no_answers() -> None:
    for spec in ("vqav2:test-dev", "vizwiz:test"):
        choice = choose_task(spec)
        found = choice.task.samples(Folder.sample(choice.task.name), choice.split)
        assert found and not missing_images(found) and all(s.target is None and not s.tags for s in found)


def test_what_okvqa_asks_for_is_there_once() -> None:
    from vlmbench.tasks.samples.common import scenes

    for scene in scenes("okvqa", vqa.IMAGES):
        for _, _, answer in vqa.okvqa_questions(scene):
            assert scene.count(answer) == 1


def test_letters_are_all_different_and_words_can_be_written() -> None:
    assert len(set(lettering.LETTERS.values())) == len(lettering.LETTERS) == 36
    for rows in lettering.LETTERS.values():
        assert len(rows) == lettering.HEIGHT and {len(row) for row in rows} == {lettering.WIDTH}
    assert {letter for word in textvqa.WORDS for letter in word} <= set(lettering.LETTERS)
    scene = Scene(1, (), "black", "plain")
    board = lettering.Board("AB", "white", 2, 10, 10)
    face = lettering.with_boards(scene, (board,))[10 : 10 + board.height, 10 : 10 + board.width]
    ink = face[lettering.MARGIN : -lettering.MARGIN, lettering.MARGIN : -lettering.MARGIN].mean(axis=2) < 100
    assert (ink == lettering.letters("AB", 2)).all()


def test_blurring_keeps_the_mean() -> None:
    grid = np.zeros((SIDE, SIDE, 3), dtype=np.int64)
    grid[40:56, 40:56] = 255
    soft = blurred(grid, 3, 2)
    assert soft.shape == grid.shape and 0 < soft.max() <= 255
    assert abs(soft.mean() - grid.mean()) < 2 and soft[48, 48, 0] > soft[38, 48, 0] > soft[20, 48, 0] == 0
