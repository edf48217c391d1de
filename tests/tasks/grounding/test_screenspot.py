"""ScreenSpot and v2: layouts, readers, figures and what can be wrong with their files."""

from __future__ import annotations

import base64
import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from vlmbench.base.errors import DataError
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Response
from vlmbench.data.files import Folder, Hub
from vlmbench.parsing import points
from vlmbench.tasks.grounding.screenspot import SCREENSPOT, SCREENSPOT_V2
from vlmbench.tasks.grounding.screenspot_files import PLATFORMS

SOURCES = {"mobile": "ios", "desktop": "windows", "web": "shop"}


def png(width: int = 200, height: int = 100) -> bytes:
    file = io.BytesIO()
    Image.new("1", (width, height)).save(file, "PNG")
    return file.getvalue()


def row(platform: str = "mobile", **changes: Any) -> dict[str, Any]:
    """A row of the authors' lists."""
    known = {"img_filename": "a.png", "bbox": [20, 30, 40, 10], "instruction": "open it", "data_type": "icon"}
    return {**known, "data_source": SOURCES[platform], **changes}


def official(root: Path, suffix: str = "", images: str = "screenspot_imgs", **changes: Any) -> Folder:
    """The authors' three lists and one screenshot."""
    (root / images).mkdir()
    (root / images / "a.png").write_bytes(png())
    for platform in PLATFORMS:
        rows = [row(platform), row(platform, data_type="text", instruction="press ok", **changes)]
        (root / f"screenspot_{platform}{suffix}.json").write_text(json.dumps(rows), "utf-8")
    return Folder(root)


def test_lists_of_the_authors(tmp_path: Path) -> None:
    found = SCREENSPOT.samples(official(tmp_path), "test")
    assert [sample.id for sample in found] == [f"{name}/{n}" for name in PLATFORMS for n in (1, 2)]
    assert found[0].target == {"bbox": [20, 30, 40, 10], "width": 200, "height": 100}
    assert found[3].tags == {"platform": "desktop", "type": "text", "source": "windows"}
    assert [sample.id for sample in SCREENSPOT.samples(Folder(tmp_path), "web")] == ["web/1", "web/2"]


def test_second_version(tmp_path: Path) -> None:
    data = official(tmp_path, "_v2", "screenspotv2_image")
    assert len(SCREENSPOT_V2.samples(data, "test")) == 6
    with pytest.raises(DataError, match=r"screenspot_mobile\.json"):
        SCREENSPOT.samples(data, "mobile")


def test_tables_of_vlmevalkit(tmp_path: Path) -> None:
    for platform in PLATFORMS:
        with (tmp_path / f"ScreenSpot_{platform.capitalize()}.tsv").open("w", newline="") as file:
            names = ["index", "image", "question", "bbox", "data_type", "data_source"]
            table = csv.DictWriter(file, names, delimiter="\t")
            table.writeheader()
            cell = base64.b64encode(png()).decode()
            table.writerow(
                dict(zip(names, [7, cell, "open it", "[20, 30, 40, 10]", "icon", SOURCES[platform]], strict=True))
            )
    found = SCREENSPOT.samples(Folder(tmp_path), "test")
    assert [sample.id for sample in found] == ["mobile/7", "desktop/7", "web/7"]
    assert found[2].target == {"bbox": [20, 30, 40, 10], "width": 200, "height": 100}


@pytest.mark.parametrize(
    ("task", "name"), [("screenspot", "rootsautomation/ScreenSpot"), ("screenspot_v2", "HongxinLi/ScreenSpot_v2")]
)
def test_copies_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str, name: str) -> None:
    """Boxes are corners in shares of the image there."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets.disable_progress_bars()
    rows = [
        {"file_name": f"{n}.png", "image": {"bytes": png(), "path": None}, "bbox": [0.1, 0.3, 0.3, 0.4],
         "instruction": "open it", "data_type": "icon", "data_source": source}
        for n, source in enumerate(SOURCES.values())
    ]  # fmt: skip
    path = tmp_path / name / "data" / "test-00000-of-00001.parquet"
    path.parent.mkdir(parents=True)
    datasets.Dataset.from_list(rows).cast_column("image", datasets.Image(decode=False)).to_parquet(str(path))
    found = choose_task(task).task.samples(Hub(tmp_path), "test")
    assert [sample.tags["platform"] for sample in found] == list(PLATFORMS)
    assert found[0].target["bbox"] == pytest.approx([20, 30, 40, 10]) and found[0].target["shares"] == (
        0.1,
        0.3,
        0.3,
        0.4,
    )
    assert len(choose_task(task).task.samples(Hub(tmp_path), "web")) == 1
    score = choose_task(task).task.score(found[0], Response("(0.10,0.40)"), "official")
    assert score.parsed_answer == "[20.0, 40.0]"


def test_figure_is_the_mean_of_the_cells(tmp_path: Path) -> None:
    """Six cells count the same, however many questions they have."""
    official(tmp_path)
    extra = [row("mobile", instruction=f"open {n}") for n in range(8)]
    (tmp_path / "screenspot_mobile.json").write_text(json.dumps([*extra, row("mobile", data_type="text")]), "utf-8")
    found = SCREENSPOT.samples(Folder(tmp_path), "test")
    hit = "(0.15,0.35)"
    texts = [hit if sample.tags["platform"] == "mobile" and sample.tags["type"] == "icon" else "no" for sample in found]
    scored = [
        (sample, SCREENSPOT.score(sample, Response(text), "official"))
        for sample, text in zip(found, texts, strict=True)
    ]
    values = {metric.name: metric.value() for metric in SCREENSPOT.summarise(scored, "official")}
    assert values["screenspot"] == pytest.approx(100 / 6) and values["accuracy"] == pytest.approx(100 * 8 / 13)
    assert values["valid_points"] == pytest.approx(100 * 8 / 13)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"bbox": [1, 2, 3]}, "item 2, field 'bbox': four numbers"),
        ({"bbox": "none"}, "field 'bbox': four numbers"),
        ({"bbox": [1, 2, 0, 3]}, "the box is empty"),
        ({"img_filename": "b.png"}, "size of its screenshot"),
        ({"img_filename": "../b.png"}, "b.png"),
    ],
)
def test_bad_rows(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    data = official(tmp_path, **changes)
    with pytest.raises(DataError, match=problem):
        SCREENSPOT.samples(data, "test")


@pytest.mark.parametrize(
    ("text", "seeclick", "lmms", "kit"),
    [
        ("(0.2,0.3)", (0.2, 0.3), (0.2, 0.3), (0.0, 0.0)),
        ("[0.2, 0.3, 0.4, 0.5]", (0.30000000000000004, 0.4), (0.2, 0.3), (0.0, 0.0)),
        ("<box>(200,300),(400,500)</box>", (0.3, 0.4), (200.0, 300.0), (0.0, 0.0)),
        ("click(x=0.2, y=0.3)", (0.2, 0.3), (0.2, 0.3), (0.2, 0.3)),
        ("x=1.2.3, y=4", None, (1.2, 4.0), None),
        ("20% and 30%", (20.0, 30.0), (0.2, 0.3), (0.0, 0.0)),
        ("the box is at 1", None, None, (0.0, 0.0)),
        (f"<box>({'9' * 400},1),(1,1)</box>", None, (1.0, 1.0), (0.0, 0.0)),
        ("", None, None, (0.0, 0.0)),
    ],
)
def test_readers(text: str, seeclick: Any, lmms: Any, kit: Any) -> None:
    assert points.vlmevalkit(text) == kit
    if "9999" not in text:
        assert points.lmms_eval(text) == lmms
    found = points.seeclick(text)
    assert found == (None if seeclick is None else pytest.approx(seeclick))
