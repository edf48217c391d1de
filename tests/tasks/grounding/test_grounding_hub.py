"""MMBench and RefCOCO from local parquet files of the hub's schemas: no network."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from vlmbench.base.errors import DataError
from vlmbench.base.registry import choose_task
from vlmbench.data.files import Hub

pytest.importorskip("pyarrow")


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the library's cache and bars away."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets.disable_progress_bars()


def png(width: int, height: int, shade: int = 0) -> dict[str, Any]:
    """A picture as the hub holds it."""
    file = io.BytesIO()
    Image.new("L", (width, height), shade).save(file, "PNG")
    return {"bytes": file.getvalue(), "path": None}


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    import datasets

    path.parent.mkdir(parents=True, exist_ok=True)
    data = datasets.Dataset.from_list(rows).cast_column("image", datasets.Image(decode=False))
    data.to_parquet(str(path))


def mmbench_rows(index: Any = int) -> list[dict[str, Any]]:
    common = {"question": "What?", "hint": "nan", "C": "nan", "D": None, "category": "ocr", "source": "s"}
    common |= {"L2-category": "logic_reasoning", "comment": "", "split": "dev"}
    pairs = ((7, "x", "y", "A"), (1_000_007, "y", "x", "B"), (8, "p", "q", "B"))
    return [
        {"index": index(number), "A": a, "B": b, "answer": answer, "image": png(8, 8, number % 10**6), **common}
        for number, a, b, answer in pairs
    ]


@pytest.mark.parametrize("index", [int, str])
def test_mmbench(tmp_path: Path, index: Any) -> None:
    write(tmp_path / "lmms-lab/MMBench/cn/dev-00000-of-00001.parquet", mmbench_rows(index))
    samples = choose_task("mmbench").task.samples(Hub(tmp_path), "dev_cn")
    assert [sample.id for sample in samples] == ["7", "1000007", "8"] and samples[1].target == "B"
    assert samples[0].choices == ("x", "y") and samples[0].tags["language"] == "cn" and not samples[0].extra["hint"]
    assert samples[0].tags["ability"] == "logic_reasoning" and samples[0].extra["turns"] == 2
    assert samples[0].images == samples[1].images and samples[2].images[0].name == "8.jpg"
    assert samples[1].images[0].load() == png(8, 8, 7)["bytes"]
    with pytest.raises(DataError, match="cannot load en, split test"):
        choose_task("mmbench").task.samples(Hub(tmp_path), "test_en")


def refcoco_rows() -> list[dict[str, Any]]:
    boxes = ([1.0, 2.0, 10.0, 10.0], [20.0, 5.0, 15.0, 20.0])
    return [
        {
            "question_id": str(number), "image": png(40, 30), "question": "?", "answer": [f"thing {number}", "it"],
            "bbox": box, "file_name": f"COCO_train2014_000000000001_{number}.jpg",
        }
        for number, box in enumerate(boxes)
    ]  # fmt: skip


def test_refcoco(tmp_path: Path) -> None:
    write(tmp_path / "lmms-lab/RefCOCOplus/data/testA-00000-of-00001.parquet", refcoco_rows())
    samples = choose_task("refcoco").task.samples(Hub(tmp_path), "refcoco+_testA")
    assert [sample.id.removeprefix("COCO_train2014_000000000001_") for sample in samples] == [
        "0/1",
        "0/2",
        "1/1",
        "1/2",
    ]
    assert samples[2].question == "thing 1"
    assert samples[2].target == {"bbox": [20, 5, 15, 20], "width": 40, "height": 30}
    assert {sample.images[0].name for sample in samples} == {"COCO_train2014_000000000001.jpg"}


def test_a_picture_of_no_size(tmp_path: Path) -> None:
    rows = [row | {"image": {"bytes": b"no image", "path": None}} for row in refcoco_rows()]
    write(tmp_path / "lmms-lab/RefCOCO/data/testB-00000-of-00001.parquet", rows)
    with pytest.raises(DataError, match="row 1, field 'image': the image's size cannot be read"):
        choose_task("refcoco").task.samples(Hub(tmp_path), "refcoco_testB")
