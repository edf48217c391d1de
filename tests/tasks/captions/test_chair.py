"""CHAIR: its files, bad ones, and its figures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vlmbench.base.errors import DataError
from vlmbench.base.samples import Response
from vlmbench.data.files import Folder, Hub
from vlmbench.tasks.captions.chair import CHAIR


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The sample's files, without images."""
    shutil.copytree(Folder.sample("chair").root, tmp_path / "chair", ignore=shutil.ignore_patterns("*.jpg"))
    return tmp_path / "chair"


def figures(*texts: str) -> dict[str, float]:
    """Of the first images of the sample."""
    samples = CHAIR.samples(Folder.sample("chair"), "karpathy_test")[: len(texts)]
    scored = [(s, CHAIR.score(s, Response(text), "official")) for s, text in zip(samples, texts, strict=True)]
    return {metric.name: metric.value() for metric in CHAIR.summarise(scored, "official")}


def test_targets_are_what_is_outlined_or_said(root: Path) -> None:
    first = CHAIR.samples(Folder(root), "karpathy_test")[0]
    assert first.target == "arrow, diamond, hourglass, ring, triangle"
    rows = json.loads((root / "dataset_coco.json").read_text())
    rows["images"][0]["sentences"][0]["raw"] = "Two discs and a cottage. A moon."
    (root / "dataset_coco.json").write_text(json.dumps(rows))
    changed = CHAIR.samples(Folder(root), "karpathy_test")[0]
    assert changed.target == "arrow, circle, diamond, hourglass, house, moon, ring, triangle"


def test_figures() -> None:
    """Mentions count, not kinds; several sentences; recall is of kinds."""
    found = figures("An arrow. Two arrows and a star. A hoop!", "")
    assert found["chair_i"] == pytest.approx(100 / 4)
    assert found["chair_s"] == pytest.approx(50)
    samples = CHAIR.samples(Folder.sample("chair"), "karpathy_test")[:2]
    things = sum(len(sample.target.split(", ")) for sample in samples)
    assert found["recall"] == pytest.approx(100 * 2 / things)


def test_scores() -> None:
    sample = CHAIR.samples(Folder.sample("chair"), "karpathy_test")[0]
    right, wrong = (CHAIR.score(sample, Response(text), "official") for text in ("a ring", "a ring, a heart, a ring"))
    assert (right.value, right.parsed_answer) == (1, "ring")
    assert (wrong.value, wrong.parsed_answer) == (0, "ring, heart, ring")


def _without(name: str) -> Callable[[Path], None]:
    return lambda root: (root / name).unlink()


def _instances(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        path = root / "annotations" / "instances_val2014.json"
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return apply


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no synonyms": (_without("synonyms.txt"), "list of synonyms is not there"),
    "no instances": (_without("annotations/instances_val2014.json"), "COCO's instances is not there"),
    "empty synonyms": (lambda root: (root / "synonyms.txt").write_text("\n"), "list is empty"),
    "another list": (lambda root: (root / "synonyms.txt").write_text("dog, puppy\n"), "no object 'circle'"),
    "other images": (_instances(lambda content: content["images"].pop(0)), "no image '900001'"),
    "an image less": (
        _instances(
            lambda content: content.update(
                images=content["images"][1:],
                annotations=[row for row in content["annotations"] if row["image_id"] != 900001],
            )
        ),
        "instances have no image 900001",
    ),
    "a category less": (_instances(lambda content: content["categories"].pop()), "no category"),
    "an image twice": (_instances(lambda content: content["images"].append(content["images"][0])), "there twice"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_bad_files(name: str, root: Path) -> None:
    change, message = BROKEN[name]
    change(root)
    with pytest.raises(DataError, match=message):
        CHAIR.samples(Folder(root), "karpathy_test")


def test_no_hub(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no copy on the hub"):
        CHAIR.samples(Hub(tmp_path), "karpathy_test")
