"""NaN, infinity and overflow: an answer is an error or what the healthy network says, in our own engines."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.models import tiny, tiny_minigpt
from tests.models.engine.test_engine import questions
from tests.models.engine.toy import LETTERS, ToySystem, letter_id, network
from vlmbench.base.samples import ChoiceScore, Generation, Request, Response
from vlmbench.data.encoding import sanitized
from vlmbench.data.images.decoding import decode
from vlmbench.models.engine import engine as engine_module
from vlmbench.models.engine.decoding import check_scores, greedy
from vlmbench.models.engine.engine import Engine
from vlmbench.models.network.finite import bad_weight

SYSTEMS: dict[str, Callable[[Path], Any]] = {
    "tinyllava": lambda folder: tiny.build(folder, tiny.config()),
    "minigpt4": lambda folder: tiny_minigpt.build(folder, "minigpt4"),
    "minigptv2": lambda folder: tiny_minigpt.build(folder, "minigptv2"),
    "tinygptv": lambda folder: tiny_minigpt.build(folder, "tinygptv"),
}
ENGINES = ("shared", "simple")
NAN, INF = float("nan"), float("inf")
EACH = 13
"""Of a network's tensors, every so many-th is spoilt."""


def every_way(pictures: int = 2) -> list[list[Request]]:
    """Greedy answers, ranked choices, sampling and beams about each picture."""
    ways: tuple[dict[str, Any], ...] = ({}, {}, {"choices": ("yes", "no")}, {"generation": Generation(3, (), 1.0)})
    more: list[dict[str, Any]] = [*ways, {"generation": Generation(3, (), 0.0, 1.0, 2)}]
    groups = questions(pictures, len(more), tokens=3)
    return [[replace(request, **way) for request, way in zip(group, more, strict=True)] for group in groups]


def ask(system: Any, groups: list[list[Request]], **options: Any) -> dict[str, Response]:
    """Responses by sample."""
    return {request.sample_id: response for request, response in Engine(system, **options).answer(groups)}


@pytest.fixture
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights are not looked at: it is for the logits to tell."""
    monkeypatch.setattr(engine_module, "bad_weight", lambda network: "")


@contextmanager
def spoilt(weight: Tensor, value: float, *, whole: bool = False) -> Iterator[None]:
    """One number of a tensor (or all) is another for a while."""
    before = weight.detach().clone()
    with torch.no_grad():
        weight.view(-1)[slice(None) if whole else 0] = value
    try:
        yield
    finally:
        with torch.no_grad():
            weight.copy_(before)


def places(system: Any) -> dict[str, Tensor]:
    """A weight matrix that every answer goes through, in each part and in the head."""
    parts = system.parts()
    language = parts["language_model"]
    found = {
        name: next(weight for weight in part.parameters() if weight.dim() > 1)
        for name, part in parts.items()
        if name != "language_model"
    }
    found["language_model"] = next(weight for name, weight in language.named_parameters() if "mlp" in name)
    found["head"] = language.get_output_embeddings().weight[-1]  # a view: one token's logit alone
    return found


@pytest.mark.usefixtures("unseen")
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", SYSTEMS)
def test_no_answer_comes_from_what_is_not_finite(kind: str, engine: str, tmp_path: Path) -> None:
    system = SYSTEMS[kind](tmp_path)
    groups = every_way(1)
    assert not [one.error for one in ask(system, groups, kind=engine).values() if one.error]
    assert len(places(system)) >= 4
    for name, weight in places(system).items():
        for value in (NAN, INF):
            # One infinite weight of the head may be -inf for its token, which is how networks rule tokens out.
            with spoilt(weight, value, whole=name == "head"):
                said = ask(system, groups, kind=engine)
            assert {one.finish for one in said.values()} == {"error"}, (name, value)
            assert all("not finite" in one.error or "NaN" in one.error for one in said.values()), said


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", ["tinyllava", "minigpt4"])
def test_nan_in_any_weight_is_an_error_or_changes_nothing(kind: str, engine: str, tmp_path: Path) -> None:
    system = SYSTEMS[kind](tmp_path)
    groups = every_way(1)
    healthy = ask(system, groups, kind=engine)
    failed = 0
    for weight in list(system.module.parameters())[::EACH]:
        with spoilt(weight, NAN):
            said = ask(system, groups, kind=engine)
        for name, response in said.items():
            failed += response.finish == "error"
            assert response.finish == "error" or response.text == healthy[name].text
    assert failed > 10


def test_float16_that_overflows_is_an_error(tmp_path: Path) -> None:
    groups = every_way(1)
    for dtype, fine in (("float32", True), ("float16", False)):
        system = SYSTEMS["tinyllava"](tmp_path)
        with torch.no_grad():
            next(system.parts()["connector"].parameters()).mul_(1e7)
        said = ask(system, groups, dtype=dtype).values()
        assert [one.finish != "error" for one in said] == [fine] * len(said)
        assert fine or all("--dtype float32" in one.error for one in said)


def test_weights_are_looked_at() -> None:
    """Queries of NaN are taken for masked ones by torch's attention on a CPU: the logits alone would not tell."""
    system = fresh()
    name, weight = next(
        (n, w) for n, w in system.network.named_parameters() if "q_proj.weight" in n and "language" in n
    )
    assert bad_weight(system.module) == ""
    for value, said in ((NAN, "NaN"), (INF, "inf"), (-INF, "inf")):
        with spoilt(weight, value):
            assert f"{said} in the weight {name}" in bad_weight(system.module)
            for engine in ENGINES:
                assert {one.finish for one in ask(system, every_way(1), kind=engine).values()} == {"error"}
    with spoilt(weight, 3e38, whole=True):
        assert bad_weight(system.module) == "", "large, and finite"


def fresh() -> ToySystem:
    return ToySystem(network.__wrapped__("phi"))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_spoilt_picture_costs_its_own_questions(engine: str) -> None:
    groups = every_way(3)
    healthy = ask(fresh(), groups, kind=engine)
    system, pixels = fresh(), ToySystem.pixels
    bad = pixels(system, decode(groups[1][0].images[0].load()))

    def broken(image: Any) -> Tensor:
        made = pixels(system, image)
        return made * NAN if torch.equal(made, bad) else made

    system.pixels = broken  # type: ignore[method-assign]
    said = ask(system, groups, kind=engine)
    failed = {name for name, response in said.items() if response.finish == "error"}
    assert failed == {request.sample_id for request in groups[1]}
    assert all(replace(said[name], seconds=0) == replace(healthy[name], seconds=0) for name in set(said) - failed)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_spoilt_question_costs_no_other(engine: str) -> None:
    """In a packed row, too: there NaN spreads to the others' attention, who are asked again."""
    groups = every_way(2)
    healthy = ask(fresh(), groups, kind=engine)
    rare = next(letter for letter in reversed(LETTERS) if not any(letter in one.text for one in healthy.values()))
    first = groups[0][0]
    bad = replace(first, sample_id="bad", prompt=f"is {rare} there?")
    ranked = replace(first, sample_id="also", prompt="or what?", choices=("ab", f"{rare}c"))
    system = fresh()
    with torch.no_grad():
        system.network.language_model.get_input_embeddings().weight[letter_id(rare)] = NAN
    said = ask(system, [[bad, *groups[0], ranked], groups[1]], kind=engine)
    failed = {name for name, response in said.items() if response.finish == "error"}
    assert failed == {"bad", "also"}
    for name, response in healthy.items():
        assert (said[name].text, said[name].finish) == (response.text, response.finish)
        for one, other in zip(said[name].choices, response.choices, strict=True):
            assert one.logprob == pytest.approx(other.logprob, abs=1e-4)


@pytest.mark.parametrize("engine", ENGINES)
def test_tokens_ruled_out_are_no_fault(engine: str) -> None:
    """-inf for part of the vocabulary is how a network never says some tokens; ranking one of them is an error."""
    system, never = fresh(), letter_id("~")
    head = system.network.language_model.lm_head
    hook = head.register_forward_hook(lambda _m, _i, out: out.index_fill(-1, torch.tensor([0, never]), -INF))
    groups = every_way(2)
    said = ask(system, groups, kind=engine)
    assert not [response.error for response in said.values() if response.error]
    ranked = replace(groups[0][2], choices=("yes", "~"))
    response = ask(system, [[ranked, groups[0][0]]], kind=engine)[ranked.sample_id]
    assert response.finish == "error" and "'~' no probability at all" in response.error
    hook.remove()


@pytest.mark.usefixtures("unseen")
@pytest.mark.parametrize("engine", ENGINES)
def test_without_the_check_answers_would_come(engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: it is this check alone that makes errors of them."""
    system = SYSTEMS["tinyllava"](tmp_path)
    monkeypatch.setattr("vlmbench.models.engine.decoding.math.isfinite", lambda number: True)
    with spoilt(places(system)["connector"], NAN):
        said = ask(system, every_way(1), kind=engine)
    assert any(response.finish != "error" for response in said.values())


@pytest.mark.parametrize(("row", "fine"), [
    ([1.0, 2.0], True), ([1.0, -INF], True), ([NAN, 2.0], False), ([1.0, INF], False), ([-INF, -INF], False),
    ([2.0, NAN], False), ([INF, NAN], False),
])  # fmt: skip
def test_what_a_prediction_is(row: list[float], fine: bool) -> None:
    rows = torch.tensor([row, [0.0, 1.0]])
    assert [math.isfinite(best.logit) for best in greedy(rows)] == [fine, True]
    if fine:
        assert check_scores(rows, rows) is rows
    else:
        with pytest.raises(Exception, match="not finite"):
            check_scores(rows, rows)


@pytest.mark.parametrize("number", [NAN, INF, -INF])
def test_no_adapters_scores_may_be_infinite(number: float) -> None:
    """Whoever gives them: servers, plugins, functions."""
    response = Response(choices=(ChoiceScore("yes", -1.0, 1), ChoiceScore("no", number, 1)))
    kept = sanitized(response)
    assert kept.finish == "error" and "'no'" in kept.error and not kept.choices
    assert sanitized(Response("yes", margin=NAN)).finish == "error"
    fine = Response("yes", (ChoiceScore("yes", -1.0, 1),), margin=INF)
    assert sanitized(fine) is fine
