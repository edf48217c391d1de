"""Every benchmark of several options or of hallucinations reads its datasets on the hub, from copies of few rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tasks.families.schemas.hub_layouts import HUB, IMAGES, NONE_ON_THE_HUB
from tests.tasks.families.schemas.layouts import Layout, shown_in, write
from vlmbench.base.errors import DataError
from vlmbench.base.registry import choose_task, tasks
from vlmbench.base.samples import Response, Status
from vlmbench.data.files import Hub

pytest.importorskip("pyarrow")
FIRST = ("pope", "mme", "vsr", "hateful_memes", "scienceqa", "iconqa", "refcoco", "mmvet", "llava_bench")
"""Benchmarks whose hub datasets have tests of their own."""


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the library's cache and bars away."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets.disable_progress_bars()


@pytest.mark.parametrize("layout", HUB, ids=[layout.label for layout in HUB])
def test_a_copy_of_the_dataset_is_read(layout: Layout, tmp_path: Path) -> None:
    write(layout, tmp_path)
    choice = choose_task(layout.spec)
    samples = choice.task.samples(Hub(tmp_path), choice.split)
    assert [sample.target for sample in samples] == list(layout.targets)
    assert len({sample.id for sample in samples}) == len(samples)
    drawn = {one.content for row in layout.rows for value in row.values() for one in shown_in(value)}
    loaded = {image.load() for sample in samples for image in sample.images}
    assert loaded == (drawn or {one.content for one in IMAGES}), "MME-RealWorld-Lite's images are texts"
    for sample in samples:
        for protocol in choice.task.protocols:
            request = choice.task.build_request(sample, protocol)
            assert len(request.images) == len(sample.images)


def test_all_splits_are_here() -> None:
    """A benchmark that is added later is named here, or in a test of its own."""
    known = {choose_task(layout.spec) for layout in HUB}
    here = {(choice.task.name, choice.split) for choice in known}
    here |= {(choice.task.name, choice.split) for choice in map(choose_task, NONE_ON_THE_HUB)}
    names = {name for name, _ in here}
    every = {(name, split) for name in tasks.builtin if name in names for split in choose_task(name).task.splits}
    assert here == every
    assert names.isdisjoint(FIRST)


@pytest.mark.parametrize("spec", [spec for spec, words in NONE_ON_THE_HUB.items() if words])
def test_splits_that_the_hub_lacks_say_so(spec: str, tmp_path: Path) -> None:
    choice = choose_task(spec)
    with pytest.raises(DataError, match=NONE_ON_THE_HUB[spec]) as caught:
        choice.task.samples(Hub(tmp_path), choice.split)
    assert "--data DIR" in caught.value.hint


def test_images_with_the_same_content_are_one(tmp_path: Path) -> None:
    """AMBER's dataset has an image in every row, and asks about each of them in all three parts."""
    layout = next(one for one in HUB if one.spec == "amber_d")
    write(layout, tmp_path)
    samples = choose_task("amber_d").task.samples(Hub(tmp_path), "all")
    assert len({sample.images[0].name for sample in samples}) == 1 == len({sample.cluster for sample in samples})
    assert [sample.tags["part"] for sample in samples] == ["existence", "attribute", "relation"]


def test_without_a_copy_the_error_names_the_datasets(tmp_path: Path) -> None:
    for name in dict.fromkeys(layout.spec.partition(":")[0] for layout in HUB):
        choice = choose_task(name)
        with pytest.raises(DataError) as caught:
            choice.task.samples(Hub(tmp_path), choice.split)
        assert caught.value.hint, name
    for spec in ("mmhal", "mmvp"):
        with pytest.raises(DataError, match=r"is no table on the hub") as caught:
            choose_task(spec).task.samples(Hub(), choose_task(spec).split)
        assert "hf download" in caught.value.hint


def test_direct_answers_are_a_list_in_a_text(tmp_path: Path) -> None:
    """A-OKVQA's hub dataset writes ten people's answers as one text, in which part of a word is no answer."""
    write(next(one for one in HUB if one.spec == "aokvqa"), tmp_path)
    task = choose_task("aokvqa").task
    first, difficult = task.samples(Hub(tmp_path), "val")
    values = [task.score(first, Response(text), "official_direct").value for text in ("red", "reddish", "re", "")]
    assert values == [1, pytest.approx(1 / 3), 0, 0]
    assert task.score(difficult, Response("grey"), "official_direct").status is Status.UNLABELED


def test_columns_that_others_are_made_of_are_read(tmp_path: Path) -> None:
    """BLINK's own prompts stand in a column that no sample has by itself."""
    layout = next(one for one in HUB if one.spec == "blink")
    write(layout, tmp_path, [{**row, "prompt": "Look.\nWhich?\n(A) red\n(B) blue"} for row in layout.rows])
    task = choose_task("blink").task
    first, *_ = task.samples(Hub(tmp_path), "val")
    assert task.build_request(first, "official").prompt == "Look.\nWhich?\n(A) red\n(B) blue"
