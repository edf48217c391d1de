"""Images hashed by workers, with a Ray that is none: chunks go round, and what a lost worker had is left over."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.toys import ToyModel
from vlmbench.base.samples import ImageRef
from vlmbench.data.files import ImageFile
from vlmbench.data.images import decoding as images
from vlmbench.runs.execution.image_hashes import ImageHashes
from vlmbench.runs.workers import hashing
from vlmbench.runs.workers.slots import Slot
from vlmbench.runs.workers.worker import Worker


class LostError(Exception):
    """A worker died."""


class Ray:
    """Answers at once, the last chunk first."""

    exceptions = SimpleNamespace(RayError=LostError)

    @staticmethod
    def wait(refs: list[Any], **_: object) -> tuple[list[Any], list[Any]]:
        return refs[-1:], refs[:-1]

    @staticmethod
    def get(ref: Any) -> Any:
        return ref()


def slot(number: int, asked: list[int], dies: bool = False) -> Slot:
    worker = Worker(ToyModel)

    def remote(refs: Sequence[ImageRef]) -> Any:
        asked.append(number)

        def answer() -> list[str]:
            if dies:
                raise LostError
            return worker.hashes(refs)

        return answer

    return Slot(number, SimpleNamespace(hashes=SimpleNamespace(remote=remote)))


@pytest.fixture
def refs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[ImageRef]:
    monkeypatch.setattr(hashing, "CHUNK", 3)
    for number in range(20):
        (tmp_path / f"{number}.png").write_bytes(bytes([number]))
    return [ImageRef(f"{number}.png", ImageFile(tmp_path, f"{number}.png", ("",))) for number in range(21)]


def test_every_image_that_can_be_read_has_its_hash(refs: list[ImageRef]) -> None:
    asked: list[int] = []
    slots = [slot(0, asked), slot(1, asked)]
    found = dict((ref.name, told) for ref, told in hashing.by_workers(Ray, lambda: slots, refs))
    assert found == {f"{number}.png": images.fingerprint(bytes([number])) for number in range(20)} | {"20.png": ""}
    assert {*asked} == {0, 1}


def test_a_lost_worker_is_asked_no_more(refs: list[ImageRef]) -> None:
    asked: list[int] = []
    slots = [slot(0, asked, dies=True), slot(1, asked)]
    found = dict((ref.name, told) for ref, told in hashing.by_workers(Ray, lambda: slots, refs))
    assert len(found) == 21
    assert asked.count(0) <= hashing.IN_HAND
    assert 12 <= sum(map(bool, found.values())) < 20
    assert list(hashing.by_workers(Ray, lambda: [], refs)) == [], "nobody is there"


def test_what_workers_cannot_read_is_read_by_who_plans(refs: list[ImageRef], tmp_path: Path) -> None:
    class Reads:
        def image_hashes(self, refs: Sequence[ImageRef]) -> Any:
            return [(ref, "of a worker" if ref.name == "1.png" else "") for ref in refs]

    known = ImageHashes()
    known.learn(refs, Reads(), "")
    assert known.of(refs[1:3]) == (("of a worker", images.fingerprint(b"\2")), "")
    assert "no image 20.png" in known.of(refs[20:])[1]
    known.learn(refs, ToyModel(), "")
