"""MM-Vet v2: images in the text, the hub's marks, what the judge is asked, and what can be wrong with the files."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from vlmbench.base.errors import DataError
from vlmbench.data.files import Folder, Hub
from vlmbench.tasks.judged.mmvet_v2 import MMVET_V2


def row(**changes: Any) -> dict[str, Any]:
    known = {"question": "Which<IMG>v2_0_0.jpg<IMG>or<IMG>v2_0_1.png", "answer": "a<OR>b", "capability": ["rec", "seq"]}
    return {**known, "added_in": "v2", **changes}


def official(root: Path, **changes: Any) -> Folder:
    (root / "mm-vet-v2.json").write_text(json.dumps({"v2_0": row(**changes)}), "utf-8")
    (root / "images").mkdir()
    for name in ("v2_0_0.jpg", "v2_0_1.png"):
        Image.new("L", (8, 8)).save(root / "images" / name)
    return Folder(root)


def test_images_stand_in_the_text(tmp_path: Path) -> None:
    (sample,) = MMVET_V2.samples(official(tmp_path), "test")
    asked = MMVET_V2.build_request(sample, "official")
    assert asked.prompt == "Whichor" and asked.image_places == (5, 7)
    assert [image.name for image in asked.images] == ["v2_0_0.jpg", "v2_0_1.png"]
    first = MMVET_V2.build_request(sample, "lmms_eval")
    assert first.prompt.endswith("Which<image_0>or<image_1>") and first.image_places == ()
    assert sample.tags["integration"] == "rec+seq"


def test_the_judge_sees_marks_and_breaks(tmp_path: Path) -> None:
    (sample,) = MMVET_V2.samples(official(tmp_path, answer="a\nb"), "test")
    ask = next(MMVET_V2.rules["official"].reader(sample, "two\nlines"))
    assert ask.texts[-1].endswith("\n| Which<image>or<image> | a<br>b | two<br>lines | ")


def test_copy_on_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets.disable_progress_bars()
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "PNG")
    image = {"bytes": file.getvalue(), "path": None}
    rows = [
        {"id": "v2_0", "question": "Which<IMG><image_0><IMG>or<IMG><image_1>", "answer": "a", "capability": ["rec"],
         "image_0": image, "image_1": image},
        {"id": "v2_1", "question": "Only<IMG><image_0>", "answer": "b", "capability": ["ocr", "gen"],
         "image_0": image, "image_1": None},
    ]  # fmt: skip
    path = tmp_path / "whyu/mm-vet-v2/data/test-00000-of-00001.parquet"
    path.parent.mkdir(parents=True)
    data = datasets.Dataset.from_list(rows)
    for name in ("image_0", "image_1"):
        data = data.cast_column(name, datasets.Image(decode=False))
    data.to_parquet(str(path))
    first, second = MMVET_V2.samples(Hub(tmp_path), "test")
    assert first.question == "Which<image 1>or<image 2>" and len(first.images) == 2
    assert second.images[0].load() == image["bytes"] and second.tags["integration"] == "gen+ocr"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [({"capability": ["magic"]}, "'magic' is none of"), ({"capability": []}, "the list is empty")],
)
def test_bad_rows(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        MMVET_V2.samples(official(tmp_path, **changes), "test")


def test_images_outside_the_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"\.\./secret\.jpg"):
        MMVET_V2.samples(official(tmp_path, question="See<IMG>../secret.jpg"), "test")
