"""Embedded samples (VSR, IconQA, Hateful Memes, ScienceQA, MME, documents, counts) are what their builders write."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from vlmbench.base.registry import choose_task
from vlmbench.data.files import Folder
from vlmbench.tasks.samples import build

SAMPLES = Path(build.__file__).parent
DOCUMENTS = ("chartqa", "docvqa", "infovqa", "stvqa", "ocrbench")
COUNTS = ("countbenchqa", "pixmo_count", "tallyqa")
NAMES = ("vsr", "iconqa", "hateful_memes", "scienceqa", "mme", *DOCUMENTS, *COUNTS)
MOST_BYTES = 400_000


@pytest.mark.parametrize("name", NAMES)
def test_files_are_what_the_builder_writes(tmp_path: Path, name: str) -> None:
    """Texts to the byte; pictures to the pixel, or to JPEG's own error."""
    import numpy as np
    from PIL import Image

    build.BUILDERS[name](tmp_path)
    made = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    kept = sorted(path.relative_to(SAMPLES / name) for path in (SAMPLES / name).rglob("*") if path.is_file())
    assert made == kept
    for path in made:
        if path.suffix not in (".png", ".jpg"):
            assert (SAMPLES / name / path).read_bytes() == (tmp_path / path).read_bytes(), path
            continue
        with Image.open(SAMPLES / name / path) as old, Image.open(tmp_path / path) as new:
            apart = np.abs(np.asarray(old.convert("RGB")).astype(int) - np.asarray(new.convert("RGB")))
        assert apart.max() == 0 if path.suffix == ".png" else apart.mean() < 6, path
    assert sum((SAMPLES / name / path).stat().st_size for path in made) < MOST_BYTES


def test_no_answer_is_always_the_same() -> None:
    """A model that gives one answer throughout stays near chance."""
    fixed = {"vsr": 0.55, "hateful_memes": 0.55, "mme": 0.5, "scienceqa": 0.55, "iconqa": 0.5}
    for name, most in {**fixed, **dict.fromkeys((*DOCUMENTS, *COUNTS), 0.4)}.items():
        task = choose_task(name).task
        for split in task.splits[:1]:
            targets = Counter(str(sample.target) for sample in task.samples(Folder.sample(name), split))
            assert targets.most_common(1)[0][1] / targets.total() <= most, name


def test_statements_are_true_where_they_say_so() -> None:
    """VSR's statements against the scenes they were made from."""
    from vlmbench.scenes.scene import relation
    from vlmbench.tasks.samples import vsr

    scenes = {f"{900_000 + scene.seed:012d}.jpg": scene for scene in vsr.pictures()}
    words = {short: long for long, short in vsr.NAMES.items()}
    for path in (SAMPLES / "vsr" / "data" / "splits" / "zeroshot").iterdir():
        for row in map(json.loads, path.read_text("utf-8").splitlines()):
            things = {thing.kind: thing for thing in scenes[row["image"]].things}
            a, b = things[row["subj"]], things[row["obj"]]
            assert scenes[row["image"]].count(a.kind) == scenes[row["image"]].count(b.kind) == 1
            if row["relation"] in words:
                assert (relation(a, b) == words[row["relation"]]) == bool(row["label"]), row
            else:
                assert (row["relation"], row["label"]) in (("touching", 0), ("detached from", 1))


def test_memes_speak_of_the_weather_alone() -> None:
    """Nothing hateful: the label follows from a word of praise or blame."""
    from vlmbench.tasks.samples.hateful_memes import FILES, THINGS, WORDS

    for name in FILES:
        for line in (SAMPLES / "hateful_memes" / f"{name}.jsonl").read_text("utf-8").splitlines():
            row = json.loads(line)
            thing, verb, word = row["text"].upper().split()
            assert thing in THINGS and verb == "IS" and WORDS[word] == row["label"]


def test_ccbench_asks_in_chinese_about_scenes_of_its_own() -> None:
    """As MMBench's Chinese split, but of one category, and of no scene of that."""
    from vlmbench.tasks.samples import mmbench_files
    from vlmbench.tasks.samples.common import scenes

    drawn = scenes("ccbench", mmbench_files.CULTURE)
    assert not {scene.seed for scene in drawn} & {scene.seed for scene in scenes("mmbench", mmbench_files.IMAGES)}
    text = mmbench_files.table(mmbench_files.rows(drawn, chinese=True, category="sketch_reasoning"))
    kept = (SAMPLES / "mmbench" / "CCBench.tsv").read_bytes().decode("utf-8")
    pictures = mmbench_files.HEADER.index("image")
    words = [
        [cell for at, cell in enumerate(line.split("\t")) if at != pictures]
        for lines in (text, kept)
        for line in lines.splitlines()
    ]
    half = len(words) // 2
    assert words[:half] == words[half:]
    task = choose_task("mmbench").task
    samples = task.samples(Folder.sample("mmbench"), "ccbench")
    assert len({sample.extra["group"] for sample in samples}) == mmbench_files.CULTURE
    assert {sample.tags["language"] for sample in samples} == {"cn"}
    assert {sample.tags["leaf"] for sample in samples} == {"sketch_reasoning"}
    assert all(any("一" <= letter <= "鿿" for letter in sample.question) for sample in samples)
    assert Counter(sample.target for sample in samples).most_common(1)[0][1] / len(samples) < 0.4
