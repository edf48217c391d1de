"""Steps of decoding as a compiled program: equal answers, one shape, and clear errors where it cannot be had."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from tests.models.engine.test_engine import ask, check_equal, questions
from tests.models.engine.toy import toy
from tests.models.huggingface import asking
from vlmbench.base.errors import ModelError, UnknownNameError, UsageError
from vlmbench.models.engine.engine import Engine
from vlmbench.models.engine.lanes import static
from vlmbench.models.engine.lanes.static import Part, StaticRow
from vlmbench.models.engine.together import TOGETHER
from vlmbench.models.huggingface.engine import HfEngine

COMPILER = any(map(shutil.which, ("g++", "clang++", "c++")))


@pytest.fixture
def uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The step in one shape, run as it is: a compiler takes seconds."""
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)


@pytest.mark.slow
@pytest.mark.skipif(not COMPILER, reason="torch.compile needs a C++ compiler")
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")  # of the compiler's own
def test_answers_are_those_of_one_by_one() -> None:
    from torch._inductor import config

    groups = questions(4, 2, tokens=8)
    with config.patch(compile_threads=1):
        compiled = ask(toy(), groups, batch=8, compile="decode")
    check_equal(compiled, ask(toy(), groups, kind="simple"))


def test_many_images_and_all_sizes(uncompiled: None) -> None:
    """More images than have room, groups of several packs, ranked choices and drawn answers beside them."""
    groups = questions(9, 3, tokens=7)
    engine = Engine(toy("llama"), batch=8, compile="decode")
    said = {request.sample_id: response.text for request, response in engine.answer(groups)}
    assert said == ask(toy("llama"), groups, kind="simple").texts
    assert engine.facts["decoding"] == TOGETHER
    assert engine.settings["compile"] == "decode"


def test_transformers_models_too(uncompiled: None) -> None:
    groups = asking.questions(4, 3, tokens=5, ranked=True)
    said = asking.ask(asking.system("llava"), groups, batch="8", compile="decode")
    asking.check_equal(said, asking.ask(asking.system("llava"), groups, kind="simple"))
    assert said.engine.settings["compile"] == "decode"


@pytest.mark.parametrize(("family", "words"), [("mllama", "of their own"), ("paligemma", "sharing is refused")])
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # PaliGemma's processor
def test_families_whose_steps_have_no_one_shape_are_refused(family: str, words: str, uncompiled: None) -> None:
    with pytest.raises(ModelError, match=words):
        HfEngine(asking.system(family), batch="8", compile="decode")


def test_a_step_has_one_shape(uncompiled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[Any] = set()
    forward = StaticRow._forward

    def note(self: StaticRow, tokens: Any, mask: Any, positions: Any) -> Any:
        seen.add((tokens.shape, mask.shape, positions.shape))
        return forward(self, tokens, mask, positions)

    monkeypatch.setattr(StaticRow, "_forward", note)
    ask(toy(), questions(7, 2, tokens=6), batch=8, compile="decode")
    assert len(seen) == 1


def test_parts_are_used_again_and_nothing_stays_in_them(uncompiled: None) -> None:
    row = StaticRow(Engine(toy(), batch=8).shared, 2, 0, torch.device("cpu"))
    assert row.columns == 1 + static.FIRST
    first, second = row.free(600, []), row.free(400, [])
    assert first == Part(1, 600)
    row.take("a", first)
    assert row.free(600, ["a"]) is None
    assert row.free(400, ["a"]) == Part(601, 400) != second
    for layer in row.cache.layers:
        layer.wide = (torch.full((1, 1, row.columns, 2), torch.nan),) * 2
    assert row.free(600, []) == first
    assert all(bool(layer.wide[0][:, :, 1:601].eq(0).all()) for layer in row.cache.layers)


MUTANTS = {
    "columns one too late": ("advance", lambda self, count: None),
    "parts on top of each other": ("free", lambda self, columns, lanes: Part(1, columns)),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_trial_refuses_mutants(mutant: str, uncompiled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    name, change = MUTANTS[mutant]
    owner: Any = StaticRow if hasattr(StaticRow, name) else static.PartLayer
    monkeypatch.setattr(owner, name, change)
    with pytest.raises((ModelError, AssertionError)):
        check_equal(
            ask(toy(), questions(4, 2, tokens=8), batch=8, compile="decode"),
            ask(toy(), questions(4, 2, tokens=8), kind="simple"),
        )


def refusals() -> Iterator[tuple[dict[str, Any], type[Exception], str]]:
    yield {"compile": "everything"}, UnknownNameError, "part to compile"
    yield {"compile": "decode", "kind": "simple"}, UsageError, "decoded together"


@pytest.mark.parametrize(("options", "error", "words"), list(refusals()))
def test_what_cannot_be_asked_for(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Engine(toy(), **options)


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(ModelError, match=r"no C\+\+ compiler"):
        Engine(toy(), compile="decode")


def test_an_error_of_the_compiler_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("inductor broke")

    monkeypatch.setattr(torch, "compile", lambda function, **_: fail)
    with pytest.raises(ModelError, match="inductor broke"):
        Engine(toy(), compile="decode")


def test_attention_that_takes_no_bool_mask_is_refused(uncompiled: None) -> None:
    with pytest.raises(ModelError, match="no bool mask"):
        Engine(toy("llama", attention="eager"), compile="decode")


def test_nothing_is_recorded_unless_asked_for() -> None:
    assert "compile" not in Engine(toy()).settings
