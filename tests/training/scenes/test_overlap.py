"""Training never draws what an embedded sample shows: neither its seeds nor its pictures, of any benchmark.

Pictures are compared before they are encoded: those that the samples' builders save, with those that training draws.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from vlmbench.data.images import decoding
from vlmbench.scenes import scene as scenes
from vlmbench.scenes.scene import FURTHER_SEEDS, TRAIN_SEEDS, sample_seeds
from vlmbench.tasks.catalog import TASKS
from vlmbench.tasks.samples.build import build
from vlmbench.training.recipe.recipe import Stage
from vlmbench.training.recipes import nano, tinygptv_nano
from vlmbench.training.scenes import batches, photos
from vlmbench.training.scenes.dataset import Scenes

pytestmark = pytest.mark.slow

STEPS = (0, 1, 400)
NOISE = 1 << 40
"""What `scene.pixels` adds to a scene's seed for the dice of its noise: how a scene is told from other dice."""
STAGES = [*nano.nano().stages, *tinygptv_nano.nano().stages]


def printed(picture: Image.Image) -> str:
    """A hash of a picture's pixels."""
    return hashlib.sha256(f"{picture.size}".encode() + picture.convert("RGB").tobytes()).hexdigest()


@dataclass(frozen=True)
class Drawn:
    """What was drawn."""

    seeds: frozenset[int]
    pictures: frozenset[str]

    def __and__(self, other: Drawn) -> Drawn:
        return Drawn(self.seeds & other.seeds, self.pictures & other.pictures)

    def __bool__(self) -> bool:
        return bool(self.seeds or self.pictures)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    """The seeds of all scenes that the samples' builders draw, and the pictures that they save."""
    seeds, pictures = set(), set()
    save, start = Image.Image.save, scenes.Dice.__init__

    def saved(picture: Image.Image, *words: Any, **more: Any) -> None:
        pictures.add(printed(picture))
        save(picture, *words, **more)

    def started(dice: scenes.Dice, seed: int) -> None:
        seeds.add(seed - NOISE)
        start(dice, seed)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Image.Image, "save", saved)
        patch.setattr(scenes.Dice, "__init__", started)
        for name in TASKS:
            build(name, tmp_path_factory.mktemp("samples") / name)
    return Drawn(frozenset(seed for seed in seeds if seed >= 0), frozenset(pictures))


def trained(stages: Iterable[Stage]) -> Drawn:
    """What the feeds of stages draw in a few steps."""
    seeds, pictures = set(), set()
    for stage in stages:
        for feed in stage.feeds:
            for step in STEPS:
                for photo in batches.source(stage, 0).batch_share(feed, step, step).photos:
                    seeds.add(photo.scene.seed)
                    pictures.add(printed(photo.image()))
    return Drawn(frozenset(seeds), frozenset(pictures))


def test_there_is_something_to_compare(samples: Drawn) -> None:
    assert len(samples.pictures) > 1000
    for task in ("pope", "refcoco", "coco_detection", "mmbench", "textvqa"):
        assert samples.seeds & {*sample_seeds(task)}, task


def test_seeds_of_samples_are_none_of_trainings(samples: Drawn) -> None:
    assert not [seed for seed in samples.seeds if seed in TRAIN_SEEDS]
    assert FURTHER_SEEDS.stop <= TRAIN_SEEDS.start
    assert all(sample_seeds(task).stop <= TRAIN_SEEDS.start for task in TASKS)


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: str(stage.name))
def test_no_stage_draws_a_sample(samples: Drawn, stage: Stage) -> None:
    drawn = trained([stage])
    assert all(seed in TRAIN_SEEDS for seed in drawn.seeds)
    assert not drawn & samples


def test_rows_of_scenes_draw_no_sample(samples: Drawn) -> None:
    """The rows that other recipes train on where no files are named."""
    assert not samples.pictures & {*rows_of_scenes()}


def rows_of_scenes() -> Iterator[str]:
    for say in ("caption", "short"):
        rows = Scenes("mine", 1, say, 30)
        for entry in map(rows.entry, range(len(rows))):
            if entry.image is not None:
                yield printed(decoding.decode(entry.image.load()))


@pytest.mark.parametrize("task", ["pope", "refcoco", "coco_captions"])
def test_a_training_that_draws_a_sample_is_found(samples: Drawn, task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: training seeds that reach into a sample's block."""
    monkeypatch.setattr(photos, "TRAIN_SEEDS", sample_seeds(task)[:24])
    stage = nano.nano().stages[-1]
    found = trained([replace(stage, things=((0.0, 3, 5),))]) & samples
    assert found.seeds and found.pictures


def test_the_samples_are_the_embedded_ones(tmp_path: Path) -> None:
    """What the builders save is what the package has: one of them, to the last byte of its questions."""
    from vlmbench.data.files import Folder

    build("refcoco", tmp_path)
    for path in Folder.sample("refcoco").root.glob("*.json"):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()
