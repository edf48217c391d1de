"""Hub datasets from local parquet files of the same schemas: no network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vlmbench.base.errors import DataError, ImageError
from vlmbench.base.registry import choose_task
from vlmbench.data.files import Hub

pa = pytest.importorskip("pyarrow")
KINDS = ("adversarial", "popular", "random")
IMAGE = {"bytes": b"encoded image", "path": None}


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the library's cache and bars away."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets.disable_progress_bars()


def write(path: Path, rows: list[dict[str, Any]], image: bool = False) -> None:
    import datasets

    path.parent.mkdir(parents=True, exist_ok=True)
    data = datasets.Dataset.from_list(rows)
    if image:
        data = data.cast_column("image", datasets.Image(decode=False))
    data.to_parquet(str(path))


def pope_rows() -> list[dict[str, Any]]:
    return [
        {
            "id": str(index), "question_id": str(number), "question": f"Is there a thing{number} in the image?",
            "answer": "yes" if number % 2 else "no", "image_source": f"COCO_val2014_{number // 3:012d}",
            "image": {"bytes": f"picture {number // 3}".encode(), "path": None}, "category": kind,
        }
        for index, (kind, number) in enumerate((k, n) for k in KINDS for n in range(1, 6))
    ]  # fmt: skip


@pytest.mark.usefixtures("quiet")
def test_pope(tmp_path: Path) -> None:
    write(tmp_path / "lmms-lab/POPE/data/test-00000-of-00001.parquet", pope_rows(), image=True)
    task = choose_task("pope").task
    samples = task.samples(Hub(tmp_path), "coco")
    assert [sample.id for sample in samples[:2]] == ["adversarial/1", "adversarial/2"]
    assert len(samples) == 15 and {sample.tags["split"] for sample in samples} == set(KINDS)
    assert samples[7].images[0].load() == b"picture 1"
    assert samples[7].images[0].name == samples[7].cluster == "COCO_val2014_000000000001"
    assert samples[0].target == "yes"
    with pytest.raises(DataError, match="split coco only"):
        task.samples(Hub(tmp_path), "aokvqa")


@pytest.mark.usefixtures("quiet")
def test_pope_of_another_shape(tmp_path: Path) -> None:
    task = choose_task("pope").task
    rows = [{key: value for key, value in row.items() if key != "category"} for row in pope_rows()]
    write(tmp_path / "a/lmms-lab-encoder/POPE/data/test-0.parquet", rows, image=True)
    with pytest.raises(DataError, match="no column 'category'"):
        task.samples(Hub(tmp_path / "a"), "coco")
    write(tmp_path / "b/lmms-lab/POPE/data/test-0.parquet", [*pope_rows(), pope_rows()[0]], image=True)
    with pytest.raises(DataError, match="'adversarial/1' is there twice"):
        task.samples(Hub(tmp_path / "b"), "coco")
    with pytest.raises(DataError, match=r"cannot load default, split test: lmms-lab/POPE: .*lmms-lab-encoder/POPE"):
        task.samples(Hub(tmp_path / "nothing"), "coco")


def gqa_row(key: str, **changes: Any) -> dict[str, Any]:
    row = {
        "id": key, "imageId": "n1", "question": "What color is the lamp?", "answer": "red",
        "fullAnswer": "The lamp is red.", "isBalanced": True, "groups": {"global": "color", "local": "10q-lamp_color"},
        "entailed": "['9', '8']", "equivalent": "['1']",
        "types": {"detailed": "weather", "semantic": "attr", "structural": "query"},
        "annotations": {"answer": [], "question": [], "fullAnswer": []},
        "semantic": [
            {"operation": "select", "argument": "lamp (1)", "dependencies": []},
            {"operation": "query", "argument": "color", "dependencies": [0]},
        ],
        "semanticStr": "select: lamp (1)->query: color [0]",
    }  # fmt: skip
    return row | changes


@pytest.mark.usefixtures("quiet")
def test_gqa(tmp_path: Path) -> None:
    base = tmp_path / "lmms-lab/GQA"
    questions = base / "testdev_balanced_instructions/testdev-00000-of-00001.parquet"
    write(questions, [gqa_row("1"), gqa_row("2", imageId="n2", answer="blue")])
    pictures = [
        {"id": "n2", "image": {"bytes": b"two", "path": None}},
        {"id": "n1", "image": {"bytes": b"", "path": None}},
    ]
    write(base / "testdev_balanced_images/testdev-00000-of-00001.parquet", pictures, image=True)
    task = choose_task("gqa").task
    first, second = task.samples(Hub(tmp_path), "testdev_balanced")
    assert second.images[0].load() == b"two" and second.target == "blue" and second.cluster == "n2"
    assert dict(first.tags) == {"structural": "query", "semantic": "attr", "kind": "open", "steps": "2", "words": "5"}
    assert first.extra["group"] == "color" and first.extra["entailed"] == ()
    with pytest.raises(ImageError, match=r"row 2, field 'image': the image is empty"):
        first.images[0].load()


@pytest.mark.usefixtures("quiet")
def test_gqa_without_a_picture(tmp_path: Path) -> None:
    base = tmp_path / "lmms-lab/GQA"
    write(base / "testdev_balanced_instructions/testdev-0.parquet", [gqa_row("1", imageId="n7")])
    write(base / "testdev_balanced_images/testdev-0.parquet", [{"id": "n1", "image": IMAGE}], image=True)
    with pytest.raises(DataError, match="no image 'n7'"):
        choose_task("gqa").task.samples(Hub(tmp_path), "testdev_balanced")
