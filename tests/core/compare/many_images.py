"""Benchmarks with as many images as a test wants, in the official layouts of POPE and VSR: images of a few pixels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

SPLITS = ("random", "popular", "adversarial")
THINGS = ("a cat", "a dog", "a cup", "a bus", "a tree", "a hat")


@cache
def _small_image(number: int) -> bytes:
    """A small image that no other number has."""
    file = BytesIO()
    Image.new("RGB", (4, 4), (number % 256, number // 256 % 256, number // 65536)).save(file, "PNG")
    return file.getvalue()


def pope_files(folder: Path, images: int) -> Mapping[str, str]:
    """POPE with 18 questions per image; returns the right answers by sample id."""
    (folder / "val2014").mkdir(parents=True)
    truth = {}
    for split in SPLITS:
        rows: list[dict[str, object]] = []
        for image in range(images):
            for at, thing in enumerate(THINGS):
                label = "yes" if at % 2 else "no"
                number = len(rows) + 1
                question = f"Is there {thing} in the image ({split})?"
                rows.append({"question_id": number, "image": f"{image}.jpg", "text": question, "label": label})
                truth[f"{split}/{number}"] = label
        (folder / f"coco_pope_{split}.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for image in range(images):
        (folder / "val2014" / f"{image}.jpg").write_bytes(_small_image(image))
    return truth


def vsr_files(folder: Path, images: int) -> Mapping[str, str]:
    """VSR with one question per image; returns the right answers by sample id."""
    (folder / "images").mkdir(parents=True)
    place = folder / "data" / "splits" / "zeroshot"
    place.mkdir(parents=True)
    rows, truth = [], {}
    for image in range(images):
        rows.append(
            {"image": f"{image}.jpg", "caption": "The cat is on the mat.", "label": image % 2, "relation": "on"}
        )
        truth[str(image + 1)] = "True" if image % 2 else "False"
        (folder / "images" / f"{image}.jpg").write_bytes(_small_image(image))
    (place / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return truth


def mme_files(folder: Path, images: int) -> Mapping[str, str]:
    """MME with so many images in each subtask, two questions each; returns the right answers by sample id."""
    from vlmbench.tasks.yes_no.mme import SUBTASKS

    truth: dict[str, str] = {}
    for number, subtask in enumerate(SUBTASKS):
        place = folder / "MME_Benchmark_release_version" / subtask
        place.mkdir(parents=True)
        for image in range(images):
            name = f"{image}.jpg"
            (place / name).write_bytes(_small_image(number * images + image))
            lines = [f"Is this {word}? Please answer yes or no.\t{word.title()}\n" for word in ("yes", "no")]
            (place / f"{image}.txt").write_text("".join(lines))
            truth |= {f"{subtask}/{name}#{at}": word for at, word in ((1, "yes"), (2, "no"))}
    return truth


def turned(
    answers: Mapping[str, str], lost: float, gained: float, truth: Mapping[str, str], seed: int
) -> dict[str, str]:
    """Answers of which a share of the right ones is lost, and a share of the wrong ones gained."""
    other = {"yes": "no", "no": "yes", "True": "False", "False": "True"}
    chance = np.random.default_rng(seed).random(len(answers))
    return {
        key: other[said] if share < (lost if said == truth[key] else gained) else said
        for share, (key, said) in zip(chance, answers.items(), strict=True)
    }
