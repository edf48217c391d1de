"""Every benchmark of several options or of hallucinations reads each of its file layouts, from copies of few rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tasks.families.schemas.hub_layouts import HUB
from tests.tasks.families.schemas.layouts import Layout, shown_in, write
from tests.tasks.families.schemas.official_layouts import OFFICIAL
from vlmbench.base.errors import UsageError
from vlmbench.base.registry import choose_task
from vlmbench.data.files import Folder, missing_images


@pytest.mark.parametrize("layout", OFFICIAL, ids=[layout.label for layout in OFFICIAL])
def test_files_are_read(layout: Layout, tmp_path: Path) -> None:
    write(layout, tmp_path)
    choice = choose_task(layout.spec)
    samples = choice.task.samples(Folder(tmp_path), choice.split)
    assert [sample.target for sample in samples] == list(layout.targets)
    assert len({sample.id for sample in samples}) == len(samples) and not missing_images(samples)
    drawn = {one.content for row in layout.rows for value in row.values() for one in shown_in(value)}
    assert {image.load() for sample in samples for image in sample.images} == drawn


def test_all_splits_are_here() -> None:
    here = {(choice.task.name, choice.split) for choice in (choose_task(layout.spec) for layout in OFFICIAL)}
    names = {choose_task(layout.spec).task.name for layout in HUB}
    every = {(name, split) for name in names for split in choose_task(name).task.splits}
    assert here == every


def test_letters_would_tell_the_answers_of_vstars_folders(tmp_path: Path) -> None:
    layout = next(one for one in OFFICIAL if one.form == "each")
    write(layout, tmp_path)
    task = choose_task("vstar").task
    first, second = task.samples(Folder(tmp_path), "test")
    assert task.build_request(first, "ranked").choices == ("It is red.", "It is blue.")
    assert (first.id, second.tags) == ("direct_attributes/1", {"category": "direct_attributes"})
    with pytest.raises(UsageError, match="have the right option first"):
        task.build_request(first, "lmms_eval")
