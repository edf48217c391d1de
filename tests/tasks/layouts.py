"""Small made-up benchmarks in the official file layouts."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Sample
from vlmbench.data.files import Hub

KINDS = ("random", "popular", "adversarial")
IMAGE = {"bytes": b"encoded image", "path": None}
THINGS = ("cat", "bench", "clock", "tv", "bed", "train")


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]], array: bool = False) -> Path:
    """JSON lines, or a JSON array as POPE's a-okvqa files are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = list(rows)
    text = json.dumps(rows, indent=4) if array else "".join(json.dumps(row) + "\n" for row in rows)
    path.write_text(text, "utf-8")
    return path


def pope_rows(kind: str, images: int = 2) -> list[dict[str, Any]]:
    """Six questions an image; which "no" objects are asked for depends on the kind."""
    rows: list[dict[str, Any]] = []
    for image in range(images):
        for number, thing in enumerate(THINGS):
            absent = number % 2 == 1
            name = f"{kind} {thing}" if absent else thing
            rows.append(
                {
                    "question_id": len(rows) + 1,
                    "image": f"COCO_val2014_{image:012d}.jpg",
                    "text": f"Is there a {name} in the image?",
                    "label": "no" if absent else "yes",
                }
            )
    return rows


def write_pope(root: Path, folder: str = "coco", version: str = "coco", pictures: str | None = "val2014") -> Path:
    """POPE's three files below `folder`, with (empty) pictures beside them."""
    seem = "" if version == "coco" else "seem_"
    for kind in KINDS:
        path = root / folder / f"{version}_pope_{seem}{kind}.json"
        write_lines(path, pope_rows(kind), array=version == "aokvqa")
    if pictures is not None:
        (root / folder / pictures).mkdir(parents=True, exist_ok=True)
        for row in pope_rows("random"):
            (root / folder / pictures / row["image"]).write_bytes(b"a picture")
    return root


def gqa_question(**changes: Any) -> dict[str, Any]:
    """One row of a GQA question file."""
    row = {
        "question": "What color is the lamp?",
        "imageId": "n1",
        "answer": "red",
        "fullAnswer": "The lamp is red.",
        "isBalanced": True,
        "groups": {"global": "color", "local": "10q-lamp_color"},
        "entailed": [],
        "equivalent": [],
        "types": {"detailed": "weather", "semantic": "attr", "structural": "query"},
        "semantic": [
            {"operation": "select", "argument": "lamp (1)", "dependencies": []},
            {"operation": "query", "argument": "color", "dependencies": [0]},
        ],
        "semanticStr": "select: lamp (1)->query: color [0]",
        "annotations": {"answer": {}, "question": {"4": "1"}, "fullAnswer": {"1": "1"}},
    }
    return row | changes


def yes_no(answer: str, **changes: Any) -> dict[str, Any]:
    """A binary GQA row."""
    types = {"detailed": "existC", "semantic": "obj", "structural": "verify"}
    return gqa_question(question="Is there a lamp?", answer=answer, types=types, **changes)


def write_gqa(root: Path, rows: Mapping[str, Mapping[str, Any]], name: str = "testdev_balanced_questions.json") -> Path:
    """A question file, compact as the official ones are."""
    root.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(json.dumps(rows), "utf-8")
    return root


def big_gqa(root: Path) -> tuple[Path, Path]:
    """As many questions, pictures, groups and answers as testdev_balanced has, or more."""
    dice = random.Random(0)
    words = [f"answer{number}" for number in range(400)]
    rows, given = {}, []
    for number in range(12_578):
        image, steps = f"n{number % 398}", [{"operation": "relate", "argument": "x", "dependencies": []}]
        question = " ".join(["word"] * dice.randint(3, 25))
        group = {"global": f"group{dice.randrange(300)}", "local": "x"}
        make = gqa_question if number % 3 else yes_no
        answer = dice.choice(words) if number % 3 else dice.choice(("yes", "no"))
        rows[str(number)] = make(answer=answer, imageId=image, groups=group, semantic=steps * dice.randint(1, 9))
        rows[str(number)]["question"] = question
        given.append({"questionId": str(number), "prediction": answer if dice.random() < 0.6 else dice.choice(words)})
    write_gqa(root, rows)
    (root / "predictions.json").write_text(json.dumps(given))
    return root, root / "predictions.json"


def hub_samples(
    root: Path, spec: str, place: str, rows: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> list[Sample]:
    """The samples of a hub dataset's copy; `place` is OWNER/NAME/FOLDER/SPLIT."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(root / "cache"))
    datasets.disable_progress_bars()
    path = root / f"{place}-00000-of-00001.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    data = datasets.Dataset.from_list([{"image": IMAGE, **row} for row in rows])
    if not isinstance(rows[0].get("image"), list):
        data = data.cast_column("image", datasets.Image(decode=False))
    data.to_parquet(str(path))
    choice = choose_task(spec)
    return list(choice.task.samples(Hub(root), choice.split))
