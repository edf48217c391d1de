"""Real official files: VQAv2's pair and ScienceQA in LLaVA's format."""

from __future__ import annotations

from pathlib import Path

from tests.training.sources.official import opened
from vlmbench.training.sources import pools


def test_vqav2(shared: Path) -> None:
    folder = shared / "real" / "vqav2"
    questions = str(folder / "questions.json")
    rows = opened("coco_vqa", folder / "annotations.json", folder / "train2014", questions=questions)
    assert len(rows) == 47
    assert dict(rows.bad) == {}
    openings = tuple(text.format("") for text in pools.VQA)
    for at in range(len(rows)):
        ((question, answer),) = rows.entry(at, epoch=at).turns
        assert question.startswith(openings)
        assert answer == pools.clean(answer) != ""
        row = rows.row(at)
        assert row.image is not None
        assert row.image.mode == "RGB"
    dialogues = opened("coco_vqa", folder / "annotations.json", folder / "train2014", questions=questions, form="llava")
    assert len(dialogues) == len({rows.entry(at).image for at in range(47)}) == 31
    assert sum(len(dialogues.entry(at).turns) for at in range(31)) == 47


def test_scienceqa_in_llavas_format(shared: Path) -> None:
    folder = shared / "real" / "scienceqa"
    rows = opened("llava", folder / "llava_test_CQM-A.json", folder / "images" / "test")
    assert len(rows) == 72
    assert sum(rows.has_image(at) for at in range(72)) == 48
    assert all((rows.row(at).image is not None) == rows.has_image(at) for at in range(72))
