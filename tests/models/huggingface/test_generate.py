"""What stands between a network's logits and us in `generate`, and whether batches are what one by one is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.models.huggingface import tiny_hf
from tests.models.huggingface.asking import CHOICES, ask, noisy, questions
from tests.models.huggingface.tiny_families import FAMILIES
from vlmbench.base.samples import Generation, Request, Response
from vlmbench.models.huggingface.engine import HfEngine
from vlmbench.models.huggingface.plain import Plain
from vlmbench.models.huggingface.system import HfSystem

pytestmark = pytest.mark.slow

SETTINGS: tuple[dict[str, Any], ...] = (
    {"forced_bos_token_id": 7, "forced_eos_token_id": 2, "no_repeat_ngram_size": 1},
    {"suppress_tokens": list(range(40, 120)), "begin_suppress_tokens": list(range(100, 200)), "bad_words_ids": [[95]]},
    {"min_new_tokens": 3, "repetition_penalty": 3.0, "sequence_bias": [[[97], -50.0]], "renormalize_logits": True},
)
"""What a checkpoint's generation settings may do to scores."""


def system(kind: str, **more: Any) -> HfSystem:
    return HfSystem(*tiny_hf.build(FAMILIES[kind]), **more)


def said(engine: HfEngine, groups: list[list[Request]]) -> dict[str, Response]:
    return {request.sample_id: response for request, response in engine.answer(groups)}


@pytest.mark.parametrize("kind", ["llava", "florence2", "kosmos2", "janus"])
@pytest.mark.filterwarnings("ignore:Unfeasible length constraints:UserWarning")
def test_generation_settings_do_not_touch_ranking(kind: str) -> None:
    """Whatever they are, and wherever they are kept: in the model or in the language model inside it."""
    model = system(kind)
    asked = [[Request("0", "what is red?", (noisy(0),), CHOICES)]]
    plain = said(HfEngine(model, kind="simple"), asked)["0"]
    holders = [module for module in model.model.modules() if getattr(module, "generation_config", None) is not None]
    for settings in SETTINGS:
        for module in holders:
            for name, value in settings.items():
                setattr(module.generation_config, name, value)
        again = said(HfEngine(model, kind="simple"), asked)["0"]
        assert again.choices == plain.choices != (), (settings, again.error)


class Deaf:
    """A mixin: `generate` passes nothing on but inputs and settings."""

    def generate(self, *, generation_config: Any = None, logits_processor: Any = None, stopping_criteria: Any = None,
                 **inputs: Any) -> Any:  # fmt: skip
        return super().generate(generation_config=generation_config, **inputs)  # type: ignore[misc]


class Half(Deaf):
    """It passes the stopping criteria on."""

    def generate(self, *, generation_config: Any = None, logits_processor: Any = None, **inputs: Any) -> Any:
        return super(Deaf, self).generate(generation_config=generation_config, **inputs)  # type: ignore[misc]


class Strict(Deaf):
    """It knows neither."""

    def generate(self, *, generation_config: Any = None, input_ids: Any, attention_mask: Any, pixel_values: Any) -> Any:  # type: ignore[override]
        return super().generate(
            generation_config=generation_config, input_ids=input_ids, attention_mask=attention_mask,
            pixel_values=pixel_values,
        )  # fmt: skip


class Other(Deaf):
    """Its tokens are not those of the common loop."""

    def generate(self, **inputs: Any) -> Any:
        made = super().generate(**inputs)
        given = inputs["input_ids"].shape[1]
        return torch.cat([made[:, :given], made[:, given:].roll(1, dims=1)], dim=1)


def turned(kind: str, mixin: type) -> HfSystem:
    made = system(kind)
    cls = type(made.model)
    made.model.__class__ = type(cls.__name__, (mixin, cls), {})
    return made


@pytest.mark.parametrize("mixin", [Deaf, Half, Strict])
@pytest.mark.parametrize("options", [{"kind": "simple"}, {"kind": "batched", "batch": "4"}, {"kind": "shared"}])
def test_a_class_that_drops_processors_is_measured_all_the_same(
    mixin: type, options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    groups = questions(2, 3, ranked=True)
    groups.append([replace(questions(1, 1)[0][0], sample_id="beams", generation=Generation(3, num_beams=2))])
    plain, engine = said(HfEngine(system("llava"), kind="simple"), groups), HfEngine(turned("llava", mixin), **options)
    again = said(engine, groups)
    for name, response in plain.items():
        assert (again[name].text, again[name].finish) == (response.text, response.finish)
        for one, other in zip(again[name].choices, response.choices, strict=True):
            assert one.logprob == pytest.approx(other.logprob, abs=1e-4)
    assert engine.plain.generating.way == "common"
    assert "the common loop is used" in caplog.text
    if options["kind"] == "shared":
        assert engine.sharing == "yes"


def test_a_class_with_a_loop_of_its_own_answers_and_does_not_rank(caplog: pytest.LogCaptureFixture) -> None:
    groups = questions(2, 3, ranked=True)
    model = turned("llava", Other)
    made = said(HfEngine(model), groups)
    assert "cannot rank" in caplog.text
    for group in groups:
        for request in group:
            response = made[request.sample_id]
            if request.choices:
                assert "cannot be ranked" in response.error
                continue
            (row,) = [model.question(request, [_opened(request)])]
            batch = Plain(model.model, model, pad_id=0, encoder_decoder=False)._collate([_row(row)])
            own = model.model.generate(**batch, max_new_tokens=4, do_sample=False)[0, len(row.job.ids) :]
            assert response.text == model.prompts.tokenizer.decode(own, skip_special_tokens=True).strip()
            assert (response.margin, response.error) == (None, "")
    with torch.no_grad():  # a table of embeddings: what is noticed is the logits
        model.model.get_input_embeddings().weight.fill_(float("nan"))
    broken = said(HfEngine(model, kind="simple"), groups)
    assert {response.finish for response in broken.values()} == {"error"}


def _opened(request: Request) -> Any:
    from vlmbench.data.images import decoding as images

    return images.decode(request.images[0].load())


def _row(question: Any) -> Any:
    from vlmbench.models.huggingface.plain import _Row

    return _Row(question, len(question.job.ids))


def test_batches_are_tried_once_and_only_before_they_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[int] = []
    real = Plain._batch

    def count(self: Plain, batch: Any, observe: Any) -> Any:
        rows.append(len(batch))
        return real(self, batch, observe)

    monkeypatch.setattr(Plain, "_batch", count)
    alone = ask(system("llava"), questions(1, 3), batch="1", kind="batched")
    assert (rows, alone.engine.facts["batching"]) == ([1] * 3, "not tried")
    rows.clear()
    engine = HfEngine(system("llava"), kind="batched", batch="2")
    list(engine.answer(questions(1, 1)))
    assert rows == [1], "one question is no batch"
    list(engine.answer(questions(2, 4)))
    assert rows[1:7] == [1, 1, 2, 1, 1, 2], "the trial: two questions, then a choice of each, one by one and together"
    assert engine.facts["batching"] == "yes"
    assert rows[7:] and sum(rows[7:]) == 8


def test_batches_that_change_answers_are_refused_and_said_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A mutant: padding that is seen."""
    groups = questions(2, 4, ranked=True)
    plain = said(HfEngine(system("llava"), kind="simple"), groups)
    real = Plain._collate

    def seen(self: Plain, rows: Any) -> Any:
        made = real(self, rows)
        return {**made, "attention_mask": torch.ones_like(made["attention_mask"])}

    monkeypatch.setattr(Plain, "_collate", seen)
    engine = HfEngine(system("llava"), kind="batched", batch="4")
    again = said(engine, groups)
    assert str(engine.facts["batching"]).startswith("refused: batched logits part by")
    assert "cannot go in batches" in caplog.text
    assert engine.facts["batch"] == 1
    assert {name: one.text for name, one in again.items()} == {name: one.text for name, one in plain.items()}


def test_a_trial_that_fails_means_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = questions(2, 4)
    plain = said(HfEngine(system("llava"), kind="simple"), groups)
    real, broken = Plain._collate, [ValueError("no two at once"), torch.OutOfMemoryError("CUDA out of memory")]
    for error, told in zip(
        broken, ["the trial fails (ValueError: no two at once)", "do not fit into memory"], strict=True
    ):

        def fail(self: Plain, rows: Any, error: Exception = error) -> Any:
            if len(rows) > 1:
                raise error
            return real(self, rows)

        monkeypatch.setattr(Plain, "_collate", fail)
        engine = HfEngine(system("llava"), kind="batched", batch="4")
        again = said(engine, groups)
        assert told in str(engine.facts["batching"])
        assert {name: one.text for name, one in again.items()} == {name: one.text for name, one in plain.items()}


def test_the_reason_against_sharing_is_the_true_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise ValueError("broken")

    monkeypatch.setattr(Plain, "answer", fail)
    assert "it fails by itself (ValueError: broken)" in HfEngine(system("llava")).sharing
