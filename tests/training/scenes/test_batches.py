"""What training reads: the same rows for the same step, never a sample's scene, and files in LLaVA's format."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.support.paths import ROOT
from tests.training.toy import ready, toy
from vlmbench.base import registry
from vlmbench.base.errors import DataError
from vlmbench.families.short_answer import Capitalised
from vlmbench.scenes import captions as scene_text
from vlmbench.scenes.scene import KINDS, SAMPLE_SEEDS, TRAIN_SEEDS, make_scene
from vlmbench.tasks.short_answer import textvqa, vizwiz
from vlmbench.training.loop import patches
from vlmbench.training.loop.objectives import IGNORE, SceneObjective
from vlmbench.training.recipe.recipe import Feed, Stage
from vlmbench.training.recipes.nano import nano
from vlmbench.training.scenes import batches as data
from vlmbench.training.scenes import questions, vocabulary
from vlmbench.training.scenes.photos import Photo


def filed(path: Path, images: Path, rows: int = 2) -> tuple[data.FileRows, Feed]:
    return data.FileRows(path, images, seed=1), Feed("rows", rows)


@pytest.fixture
def llava(tmp_path: Path) -> Path:
    """Five rows in a file, four with a picture."""
    rows = []
    for number in range(5):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / f"{number}.png")
        row = scene_text.llava_row(str(number), f"{number}.png", [("What?", f"answer {number}")])
        rows.append(row if number else {key: value for key, value in row.items() if key != "image"})
    (tmp_path / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
    return tmp_path


def test_a_step_always_gets_the_same_rows() -> None:
    for stage in nano().stages:
        for feed in stage.feeds:
            one, two = (data.source(stage, 3).batch_share(feed, 5, 5) for _ in range(2))
            assert [row.turns for row in one.rows] == [row.turns for row in two.rows]
            assert [photo.scene for photo in one.photos] == [photo.scene for photo in two.photos]
            assert data.source(stage, 3).batch_share(feed, 6, 6).rows[0].turns != one.rows[0].turns
            assert data.source(stage, 4).batch_share(feed, 5, 5).rows[0].turns != one.rows[0].turns


def test_training_never_sees_a_sample() -> None:
    samples = {seed for seeds in SAMPLE_SEEDS.values() for seed in seeds}
    assert not samples & {TRAIN_SEEDS.start, TRAIN_SEEDS.stop - 1}
    assert max(samples) < TRAIN_SEEDS.start
    for stage in nano().stages:
        for moment in range(5):
            for feed in stage.feeds:
                photos = data.source(stage, 0).batch_share(feed, moment, moment).photos
                assert all(photo.scene.seed in TRAIN_SEEDS and photo.scene.seed not in samples for photo in photos)


def test_scenes_grow_with_the_stage() -> None:
    stage = replace(nano().stages[-1], steps=100, things=((0.0, 1, 1), (0.5, 4, 4)))
    for step, things in ((0, 1), (49, 1), (50, 4), (99, 4)):
        photos = data.source(stage, 0).batch_share(stage.feeds[0], step, step).photos
        assert {len(photo.scene.things) for photo in photos} == {things}


def test_files_are_read_in_a_new_order_each_epoch(llava: Path) -> None:
    source, feed = filed(llava / "rows.json", llava)
    seen = [row for moment in range(5) for row in source.batch_share(feed, moment, moment).rows]
    first, second = ([row.id for row in part] for part in (seen[:5], seen[5:]))
    assert sorted(first) == sorted(second) == list("01234")
    assert first != second
    for row in seen:
        assert row.turns == (("<image>\nWhat?", f"answer {row.id}"),)
        assert (row.image is None) == (row.id == "0")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "Expecting"),
        ("[]", "no list of rows"),
        ('[{"id": "a", "conversations": []}]', "must alternate"),
        ('[{"id": "a", "conversations": [{"from": "gpt", "value": "x"}, {"from": "gpt", "value": "x"}]}]', "alternate"),
        ('[{"id": "a", "image": "no.png", "conversations": [{}, {}]}]', "cannot read the image"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "rows.json").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=says):
        source, feed = filed(tmp_path / "rows.json", tmp_path, rows=1)
        source.batch_share(feed, 0, 0)


def test_a_missing_file_says_how_to_name_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--set stages"):
        filed(tmp_path / "rows.json", tmp_path)


def test_patches_show_what_covers_them() -> None:
    """Each thing owns some patches of its own cell, and none outside."""
    for seed in range(100):
        scene = make_scene(seed, 1, 6)
        grid = patches.owners(scene, 16).reshape(6, 6)
        for index, thing in enumerate(scene.things):
            rows, columns = (grid == index).nonzero()
            assert len(rows)
            assert {(row // 2, column // 2) for row, column in zip(rows, columns, strict=True)} == {thing.cell}
        dense = patches.targets([Photo(scene)], 16)[0]
        kinds = {KINDS[kind - 1] for kind in dense[0].tolist() if kind}
        assert kinds == {thing.kind for thing in scene.things}
        assert ((dense[0] > 0) == torch.from_numpy(grid.reshape(-1) >= 0)).all()


def test_words_have_a_token_each_and_lists_learn_only_what_can_be_known(tmp_path: Path) -> None:
    folder = ready(tmp_path) / vocabulary.FOLDER
    ids = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    assert all(f"Ġ{word}" in ids for word in vocabulary.SCENE_WORDS)
    assert len(ids) <= nano().vocabulary
    recipe = toy()
    model = registry.load_object(recipe.build)(recipe.config, preprocessor=None, tokenizer=folder)
    stage = Stage("x", ("language_model",), (Feed("list", 6, template="pretrain", see="words"),), 10, 1e-3)
    objective = SceneObjective(model, stage, data.source(stage, 0), 16, folder / "vocab.json")
    (batch,) = objective.prepare(4)
    portion = data.source(stage, 0).batch_share(stage.feeds[0], 4, 4)
    names = {number: token.removeprefix("Ġ") for token, number in ids.items()}
    for labels, known, row in zip(batch["labels"], portion.known, portion.rows, strict=True):
        words = row.turns[0][1].split()
        learnt = [names[label] for label in labels.tolist() if label != IGNORE]
        assert learnt == [word for word, answer in zip(words, known, strict=True) if answer]
    assert batch["words"].shape == (6, 36, patches.SLOTS)
    assert "images" not in batch


@pytest.mark.slow
def test_the_shipped_tokenizer_is_learnt_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the prompts of its time: LLaVA's protocols of TextVQA and VizWiz did not capitalise questions then, and
    SmolVLM's were not there.
    """
    for rules, names in (
        (textvqa.TEXTVQA.rules, ("llava", "tinyllava", "llava_no_ocr")),
        (vizwiz.VIZWIZ.rules, ("llava", "unanswerability")),
    ):
        for name in names:
            capitalised = rules[name].prompt
            assert isinstance(capitalised, Capitalised)
            monkeypatch.setitem(rules, name, replace(rules[name], prompt=capitalised.prompt))
    for kind in questions.BENCHMARK_QUESTIONS.values():
        task = registry.choose_task(kind.task).task
        known = {name: rules for name, rules in task.protocols.items() if name != "smolvlm"}
        monkeypatch.setitem(vars(task), "protocols", known)
    shipped = ROOT / "models" / "weights" / "tinyllava-nano"
    vocabulary.train_tokenizer(tmp_path / "tokenizer", nano().vocabulary)
    for name in ("vocab.json", "merges.txt"):
        assert (tmp_path / "tokenizer" / name).read_bytes() == (shipped / name).read_bytes()
