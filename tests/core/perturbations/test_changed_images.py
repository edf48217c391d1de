"""Images before and after a perturbation, kept for reports: exact differences, a few of each task."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from tests.support.toys import gone, keep, png_of
from vlmbench.base.process import exit_codes
from vlmbench.base.samples import ImageRef
from vlmbench.cli import main as cli
from vlmbench.reports.site import build
from vlmbench.runs.storage import changed_images
from vlmbench.runs.storage.changed_images import GAP, GREY, TILE, Changed, side_by_side


def picture(value: int, size: tuple[int, int] = (8, 8)) -> Image.Image:
    return Image.new("RGB", size, (value, value, value))


def test_the_difference_is_exact_and_amplified() -> None:
    pixels = np.full((8, 8, 3), 100, np.uint8)
    pixels[0, 0], pixels[7, 7] = 103, 98
    sheet, largest, factor = side_by_side(picture(100), Image.fromarray(pixels))
    assert (largest, factor, sheet.size) == (3, 42, (3 * TILE + 2 * GAP, TILE))
    shown = np.asarray(sheet)[:, 2 * (TILE + GAP) :, 0].astype(int)
    assert (shown[0, 0], shown[TILE // 2, TILE // 2], shown[-1, -1]) == (GREY + 3 * 42, GREY, GREY - 2 * 42)
    left, middle = np.asarray(sheet)[:, :TILE], np.asarray(sheet)[:, TILE + GAP : 2 * TILE + GAP]
    assert (left == 100).all() and (middle[0, 0] == 103).all()


def test_images_of_two_sizes_have_no_difference() -> None:
    sheet, largest, factor = side_by_side(picture(1), picture(2, (4, 8)))
    assert (largest, factor, sheet.width) == (0, 0, 2 * TILE + GAP)


def test_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    whole = ImageRef("a", partial(keep, png_of(picture(1))))
    lost = ImageRef("b", partial(gone, "b"))
    changed_images.keep([Changed("t", "?", whole, lost), Changed("t", "!", whole, whole)], tmp_path / "thumbs")
    (entry,) = json.loads((tmp_path / "thumbs" / "changed.json").read_text())
    assert entry == {"file": "changed-1.png", "task": "t", "question": "!", "largest": 0, "factor": 127}
    assert (tmp_path / "thumbs" / "changed-1.png").is_file() and not (tmp_path / "thumbs" / "changed-0.png").exists()
    changed_images.keep([], tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_report_shows_them(tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = ["--tasks", "pope", "--limit", "60", "--perturb", "noise:1,crop,typographic,paraphrase-suffix"]
    assert cli.main(["run", "--model", "echo,text=yes", "--output", str(run), *words]) == exit_codes.OK
    assert not (run / "thumbs" / "changed.json").exists()
    page = build.write([run], tmp_path / "site")
    sheets = {path.name for path in (tmp_path / "site" / "images").rglob("*.png")}
    for name in ("noise-1", "crop-3", "typographic-3"):
        entries = json.loads((run / "perturbations" / name / "thumbs" / "changed.json").read_text())
        assert 1 < len(entries) <= changed_images.MOST and len({entry["question"] for entry in entries}) > 1
        assert all((entry["factor"] > 0) == (name != "crop-3") for entry in entries)
    assert len(sheets) == 3 * 4
    text = page.read_text("utf-8")
    assert all(name.removesuffix(".png") in text for name in sheets)
    (run / "perturbations" / "noise-1" / "thumbs" / "changed.json").write_text('[{"file": "../../run.json"}, 3]')
    build.write([run], tmp_path / "site")
    assert len(list((tmp_path / "site" / "images").rglob("*.png"))) == 2 * 4  # unused sheets go with the next report
