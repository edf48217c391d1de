"""The openai adapter against a server that is not ours: `transformers serve` with a tiny random LLaVA."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from tests.judge_server import FaultProxy, Judging
from tests.toys import png_of
from tests.transformers_server import make_llava, serving
from tests.vision_server import number_of
from vlmbench.models import openai
from vlmbench.nouns import Generation, Picture, Request

QUESTIONS = ("What is it?", "Where?", "Is it blue?")
WORDS = 6


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    folder = tmp_path_factory.mktemp("llava")
    make_llava(folder)
    with serving(folder) as port:
        yield folder, port


def pictures() -> list[Image.Image]:
    """Three that differ in colour and in form."""
    return [Image.new("RGB", (40, 30 + 10 * n), (80 * n, 200 - 60 * n, 9)) for n in range(3)]


def asked(number: int, question: str) -> Request:
    """A question about one of them."""
    picture = Picture(str(number), partial(bytes, png_of(pictures()[number])))
    return Request(f"{number} {question}", question, (picture,), generation=Generation(WORDS))


def directly(folder: Path) -> dict[str, str]:
    """What the model says without a server."""
    from transformers import LlavaForConditionalGeneration, LlavaProcessor

    model, processor = LlavaForConditionalGeneration.from_pretrained(folder), LlavaProcessor.from_pretrained(folder)
    said = {}
    for number, picture in enumerate(pictures()):
        for question in QUESTIONS:
            parts = [{"type": "image", "image": picture}, {"type": "text", "text": question}]
            inputs = processor.apply_chat_template(
                [{"role": "user", "content": parts}],
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
            )
            out = model.generate(**inputs, max_new_tokens=WORDS, do_sample=False)
            new = out[0, inputs["input_ids"].shape[1] :]
            said[f"{number} {question}"] = processor.decode(new, skip_special_tokens=True)
    return said


def test_answers_through_a_real_server_and_faults(
    served: tuple[Path, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each picture gets its own answer, the one the model gives without a server; a second time nothing is asked."""
    folder, port = served
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path))
    groups = [[asked(number, question) for question in QUESTIONS] for number in range(3)]
    upstream = Judging()
    upstream.port = port
    with FaultProxy(upstream, hang=0.1, about=number_of) as proxy:
        options = {"base_url": proxy.url, "attempts": 40, "backoff": 0.01, "in_flight": 4}
        for calls in (True, False):
            model = openai.load(str(folder), **options)
            found = {request.sample_id: response for request, response in model.answer(groups)}
            assert bool(model.facts["calls"]) == calls
    expected = directly(folder)
    assert {name: response.text for name, response in found.items()} == expected and len(set(expected.values())) > 3
    assert all(response.prompt_tokens > 16 and response.new_tokens <= WORDS for response in found.values())
    assert sum(proxy.played.values()) > 1 and set(proxy.delivered.values()) == {1}


def test_what_it_does_not_offer_is_told(served: tuple[Path, int]) -> None:
    """It has no log-probabilities and passes over the wish: each question that ranks fails with that reason."""
    folder, port = served
    model = openai.load(str(folder), base_url=f"http://127.0.0.1:{port}/v1", cache=False)
    [(_, response)] = model.answer([[replace(asked(0, "Is it?"), choices=("yes", "no"))]])
    assert response.finish == "error" and response.error.startswith("the server tells no log-probabilities")
