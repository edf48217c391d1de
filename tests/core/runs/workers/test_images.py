"""The images of groups that go to workers: what travels by name, what as bytes, and changed ones."""

from __future__ import annotations

import pickle
from functools import partial
from pathlib import Path

import pytest

from tests.support.toys import keep, png
from vlmbench.base.errors import ImageError
from vlmbench.base.samples import Example, ImageRef, Request
from vlmbench.data.files import ImageFile
from vlmbench.data.images import decoding as images
from vlmbench.data.images.image_sheet import sheet
from vlmbench.data.tables.image_table import CellImage
from vlmbench.perturbations import perturbations
from vlmbench.runs.workers.images import Group, all_travel, read_here, travels, unchanged, with_image_bytes

HASH = images.fingerprint(b"pixels")


def file_ref(root: Path, name: str = "a.png") -> ImageRef:
    return ImageRef(name, ImageFile(root, name, ("",)))


def test_files_and_what_is_made_of_them_travel_by_name(tmp_path: Path) -> None:
    (change,) = perturbations.parse("noise:2", 0)
    ref = file_ref(tmp_path)
    assert travels(ref)
    assert travels(perturbations.perturbed_image(ref, change))
    assert travels(sheet([ref, ref]))
    assert len(pickle.dumps(ref)) < 1_000


def test_datasets_in_memory_and_foreign_code_do_not(tmp_path: Path) -> None:
    foreign = ImageRef("a", partial(keep, b"x"))
    assert not travels(foreign), "the worker may not have that module"
    assert not travels(ImageRef("a", CellImage("x" * 5_000, "row 1")))
    assert not travels(ImageRef("a", partial(png, [1] * 9)))  # type: ignore[arg-type]
    assert not all_travel([Request("1", "?", (file_ref(tmp_path), foreign))])
    shown = Example("e", "?", "yes", (foreign,))
    assert not all_travel([Request("1", "?", (file_ref(tmp_path),), examples=(shown,))])


def test_examples_images_are_sent_and_read_too(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"pixels")
    (tmp_path / "b.png").write_bytes(b"shown")
    shown = Example("e", "?", "yes", (file_ref(tmp_path, "b.png"),))
    request = Request("1", "?", (file_ref(tmp_path),), examples=(shown,))
    group, reason = read_here(Group(0, ("k",), (request,), (HASH,)))
    for one in (group.requests[0], with_image_bytes([request])[0]):
        (tmp_path / "b.png").unlink(missing_ok=True)
        assert (one.images[0].load(), one.examples[0].images[0].load()) == (b"pixels", b"shown")
        (tmp_path / "b.png").write_bytes(b"shown")
    assert reason == ""


def test_an_image_that_has_changed_since_the_run_was_planned_is_an_error() -> None:
    refs = ImageRef("a.png", partial(keep, b"pixels")), ImageRef("b.png", partial(keep, b"other pixels"))
    (request,) = unchanged([Request("1", "?", refs)], (HASH, HASH))
    assert request.images[0].load() == b"pixels"
    with pytest.raises(ImageError, match=r"b\.png is another image than when the run was planned"):
        request.images[1].load()
    assert unchanged([request], None) == [request]
