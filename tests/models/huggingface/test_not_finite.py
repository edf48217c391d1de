"""NaN, infinity and overflow in transformers models: an answer is an error or what the healthy network says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch
from torch import Tensor

from tests.models.engine.test_not_finite import INF, NAN, spoilt
from tests.models.huggingface import tiny_hf
from tests.models.huggingface.asking import CHOICES, questions
from tests.models.huggingface.tiny_families import FAMILIES
from vlmbench.base.samples import Generation, Request, Response
from vlmbench.cli import main as cli
from vlmbench.models.huggingface import engine as hf_engine
from vlmbench.models.huggingface.engine import HfEngine
from vlmbench.models.huggingface.system import HfSystem

pytestmark = pytest.mark.slow

ENGINES: dict[str, dict[str, Any]] = {
    "simple": {"kind": "simple"},
    "batched": {"kind": "batched", "batch": "4"},
    "shared": {"kind": "shared"},
}
TENSORS = 8
"""So many of a network's tensors are spoilt, one after the other."""


@pytest.fixture
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights are not looked at: it is for the logits to tell."""
    monkeypatch.setattr(hf_engine, "bad_weight", lambda network: "")


def system(kind: str) -> HfSystem:
    return HfSystem(*tiny_hf.build(FAMILIES[kind]))


def ask(model: HfSystem, groups: list[list[Request]], engine: str) -> dict[str, Response]:
    return {request.sample_id: response for request, response in HfEngine(model, **ENGINES[engine]).answer(groups)}


def every_way(pictures: int = 1) -> list[list[Request]]:
    """Greedy answers, ranked choices, sampling and beams about each picture."""
    ways: list[dict[str, Any]] = [
        {}, {}, {"choices": CHOICES[:2]}, {"generation": Generation(3, (), 1.0)},
        {"generation": Generation(3, (), 0.0, 1.0, 2)},
    ]  # fmt: skip
    groups = questions(pictures, len(ways), tokens=3)
    return [[replace(request, **way) for request, way in zip(group, ways, strict=True)] for group in groups]


def failed(said: dict[str, Response]) -> set[str]:
    return {name for name, response in said.items() if response.finish == "error"}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", ["llava", "qwen2_vl", "janus", "kosmos2", "florence2"])
def test_nan_in_any_weight_is_an_error_or_changes_nothing(kind: str, engine: str) -> None:
    model = system(kind)
    groups = every_way()
    healthy = ask(model, groups, engine)
    assert not failed(healthy)
    weights = [weight for weight in model.model.parameters() if weight.dim() > 1]
    errors, texts = 0, {name: one.text for name, one in healthy.items()}
    for weight in weights[:: len(weights) // TENSORS]:
        with spoilt(weight, NAN):
            said = ask(model, groups, engine)
        errors += len(failed(said))
        for name in set(said) - failed(said):
            assert said[name].text == texts[name]
    assert errors > len(healthy)


@pytest.mark.usefixtures("unseen")
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("value", [NAN, INF])
def test_every_part_can_spoil_every_answer(value: float, engine: str) -> None:
    model = system("llava")
    names = ("vision_tower", "multi_modal_projector", "layers.0.mlp", "lm_head")
    for place in names:
        weight = next(w for name, w in model.model.named_parameters() if place in name and w.dim() > 1)
        with spoilt(weight, value, whole=place == "lm_head"):
            said = ask(model, every_way(), engine)
        assert failed(said) == set(said), place
        assert all("not finite" in response.error for response in said.values()), said


@pytest.mark.parametrize("engine", ENGINES)
def test_a_spoilt_picture_or_question_costs_no_other(engine: str) -> None:
    model = system("llava")
    groups = every_way(2)
    healthy = ask(model, groups, engine)
    rare = "#"
    bad = replace(groups[0][0], sample_id="bad", prompt=f"is {rare} there?")
    (token,) = model.prompts.tokenizer(rare, add_special_tokens=False)["input_ids"]
    real, seen = model.question, groups[1][0].images

    def question(request: Request, images: Any) -> Any:
        made = real(request, images)
        if request.images != seen:
            return made
        tensors = {name: value * NAN for name, value in made.prompt.media.tensors.items()}
        return replace_media(made, tensors)

    model.question = question  # type: ignore[method-assign]
    with torch.no_grad():
        model.model.get_input_embeddings().weight[token] = NAN
    said = ask(model, [[bad, *groups[0]], groups[1]], engine)
    assert failed(said) == {"bad", *(request.sample_id for request in groups[1])}
    for request in groups[0]:
        one, other = said[request.sample_id], healthy[request.sample_id]
        assert (one.text, one.finish) == (other.text, other.finish)
        for score, again in zip(one.choices, other.choices, strict=True):
            assert score.logprob == pytest.approx(again.logprob, abs=1e-4)


def replace_media(question: Any, tensors: dict[str, Tensor]) -> Any:
    question.prompt = replace(question.prompt, media=type(question.prompt.media)(tensors))
    return question


@pytest.mark.usefixtures("unseen")
@pytest.mark.parametrize("engine", ENGINES)
def test_without_the_check_answers_would_come(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant."""
    model = system("llava")
    monkeypatch.setattr("vlmbench.models.engine.decoding.math.isfinite", lambda number: True)
    with torch.no_grad():
        model.model.get_decoder().norm.weight.fill_(NAN)
    assert len(failed(ask(model, every_way(), engine))) < 5


def test_a_run_of_such_errors_is_no_score(tmp_path: Path) -> None:
    """Finite float32 weights that overflow in float16: coverage 0, exit code 1, and the same run in float32 is fine."""
    model, processor = tiny_hf.build("llava")
    with torch.no_grad():
        next(w for name, w in model.named_parameters() if "projector" in name and w.dim() > 1).mul_(1e7)
    model.save_pretrained(tmp_path / "model")
    processor.save_pretrained(tmp_path / "model")
    for dtype, code, status in (("float16", 1, "error"), ("float32", 0, "ok")):
        words = ["run", "--model", f"hf:{tmp_path / 'model'}", "--tasks", "pope,vsr", "--limit", "4", "--dtype", dtype]
        assert cli.main([*words, "--output", str(tmp_path / dtype)]) == code
        rows = pq.read_table(tmp_path / dtype / "records.parquet").to_pylist()
        assert {row["status"] for row in rows} == {status}
