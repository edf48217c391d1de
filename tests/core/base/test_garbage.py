"""Python looks for cycles while a model answers, not while its questions are read and scored."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

import vlmbench
from tests.support.toys import ToyModel, ToyTask
from vlmbench.base.process import garbage
from vlmbench.base.samples import Request, Response, Sample, Score


class Cycle:
    """Refers to itself."""

    alive = 0

    def __init__(self) -> None:
        self.me = self
        Cycle.alive += 1

    def __del__(self) -> None:
        Cycle.alive -= 1


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    assert gc.isenabled() and not gc.get_freeze_count()


def test_a_run_looks_only_while_its_model_answers(tmp_path: Path) -> None:
    states: dict[str, tuple[bool, int]] = {}

    def look(when: str) -> None:
        states[when] = gc.isenabled(), gc.get_freeze_count()

    class Task(ToyTask):
        def build_request(self, sample: Sample, protocol: str) -> Request:
            look("planning")
            return super().build_request(sample, protocol)

        def score(self, sample: Sample, response: Response, protocol: str) -> Score:
            look("scoring")
            return super().score(sample, response, protocol)

    def answer(request: Request) -> str:
        look("answering")
        return "yes"

    vlmbench.evaluate(ToyModel(answer), Task(), data=tmp_path, output=tmp_path / "run")
    assert states["planning"] == states["scoring"] == (False, 0)
    on, left_out = states["answering"]
    assert on and left_out > 0


def test_cycles_of_answering_go_when_it_ends() -> None:
    with garbage.paused():
        before = Cycle()
        with garbage.resumed():
            with garbage.paused():  # an import
                imported = Cycle()
            assert gc.isenabled()
            Cycle()
        assert Cycle.alive == 2 and not gc.isenabled() and not gc.get_freeze_count()
        del before, imported
    gc.collect()
    assert not Cycle.alive


def test_what_the_caller_has_set_stays() -> None:
    with garbage.resumed():
        assert gc.isenabled() and not gc.get_freeze_count()
    gc.disable()
    try:
        with garbage.paused(), garbage.resumed():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()
    gc.freeze()
    try:
        frozen = gc.get_freeze_count()
        with garbage.paused(), garbage.resumed():
            assert gc.get_freeze_count() == frozen and gc.isenabled()
    finally:
        gc.unfreeze()


def test_it_is_as_before_behind_an_error() -> None:
    for stop in (ValueError, KeyboardInterrupt):
        with pytest.raises(stop), garbage.paused(), garbage.resumed():
            raise stop
