"""Templates of other habits: images put first, no place for a system prompt, plain text; and input that is refused."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from tests.models.huggingface import tiny_hf
from tests.models.huggingface.asking import noisy, system
from tests.models.interleaved.dialogues import REQUESTS, A, B
from tests.support.toys import gone
from vlmbench.base.errors import ModelError
from vlmbench.base.samples import Generation, ImageRef, Request, Response
from vlmbench.data.images import decoding as images
from vlmbench.models.huggingface.engine import HfEngine
from vlmbench.models.huggingface.load import of_objects
from vlmbench.models.huggingface.questions import render_request
from vlmbench.models.huggingface.system import HfSystem

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # PaliGemma's processor
]

IMAGES_FIRST = (
    "{% for m in messages %}{{ m['role'] }}: {% for c in m['content'] %}{% if c['type'] == 'image' %}<image>\n"
    "{% endif %}{% endfor %}{% for c in m['content'] %}{% if c['type'] == 'text' %}{{ c['text'] }}{% endif %}"
    "{% endfor %} {% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"
)
"""Prints all images of a message before its words."""
RAISES = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}" + tiny_hf.chat(
    "<image>"
)
DROPS = (
    "{% for m in messages if m['role'] != 'system' %}{{ m['role'] }}: {% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<image>{% else %}{{ c['text'] }}{% endif %}{% endfor %} {% endfor %}"
)
PLAIN_TEXT = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }} {% endfor %}assistant:"


def with_template(template: str) -> HfSystem:
    model, processor = tiny_hf.build("llava")
    processor.chat_template = template
    return HfSystem(model, processor)


def text_of(model: HfSystem, request: Request) -> str:
    shown = [one for example in request.examples for one in example.images] + list(request.images)
    return render_request(model.prompts, request, [images.decode(one.load()) for one in shown]).text


def test_a_template_that_puts_images_first_is_asked_its_own_way() -> None:
    model = with_template(IMAGES_FIRST)
    assert model.prompts.interleaving == "the template puts images first"
    assert text_of(model, REQUESTS["between"]) == "user: <image>\n<image>\n<image>\nFirst then  and last. assistant:"
    network, processor = tiny_hf.build("llava")
    processor.chat_template = IMAGES_FIRST
    adapter = of_objects(network, processor)
    assert adapter.facts["interleaving"] == "the template puts images first"
    assert (adapter.max_images, adapter.supports_system_prompt, adapter.supports_multi_turn) == (None, True, True)


@pytest.mark.parametrize("template", [RAISES, DROPS])
def test_a_template_without_a_place_for_a_system_prompt(template: str) -> None:
    model = with_template(template)
    assert not model.supports_system_prompt and model.supports_multi_turn
    with pytest.raises(ModelError, match="no place for a system prompt"):
        text_of(model, REQUESTS["system"])
    assert text_of(model, replace(REQUESTS["shots"], system=""))


def test_plain_text_gets_the_token_in_place() -> None:
    model = with_template(PLAIN_TEXT)
    assert model.prompts.interleaving == "in place" and model.supports_system_prompt
    between, ends = text_of(model, REQUESTS["between"]), text_of(model, REQUESTS["ends"])
    assert between == "user: First <image>then <image> and last.<image> assistant:"
    assert ends == "user: <image>\nLook<image> assistant:"
    assert text_of(model, REQUESTS["first"]) == "user: <image> <image>\nWhich? assistant:"
    assert text_of(model, REQUESTS["shots"]).startswith("system: Answer yes or no. user: Is it <image> red? ")


STYLES = {
    ("llava", "user"): "USER: Is <image> or <image> red? ASSISTANT:",
    ("llava", "question"): "Question: Is <image> or <image> red? Answer:",
    ("paligemma", "answer-en"): "answer en Is <image> or <image> red?",
    ("blip2", "question"): "Question: Is  or  red? Answer:",
}


@pytest.mark.parametrize(("kind", "way"), STYLES)
def test_styles_without_a_template(kind: str, way: str) -> None:
    """The token in place where the processor wants tokens in the text, else images first."""
    model = system(kind, way=way)
    asked = replace(REQUESTS["ranked"], system="", examples=(), choices=())
    if kind == "blip2":
        assert (model.max_images, model.prompts.interleaving) == (1, "images first")
        asked = replace(asked, images=(A,), image_places=(3,))
    else:
        assert (model.max_images, model.prompts.interleaving) == (None, "in place")
    assert text_of(model, asked) == STYLES[kind, way]
    assert not model.supports_system_prompt
    for name in ("system", "shots", "dialogue"):
        with pytest.raises(ModelError, match=f"prompting={way} takes one question alone|takes 1 image"):
            text_of(model, REQUESTS[name])


def answered(model: HfSystem, *asked: Request) -> dict[str, Response]:
    engine = HfEngine(model, kind="simple")
    return {request.sample_id: response for request, response in engine.answer([list(asked)])}


BAD: dict[str, tuple[str, dict[str, Any], str]] = {
    "token in the question": (
        "llava",
        {"prompt": "See  <image>!"},
        "holds <image>, which this model reads as an image",
    ),
    "token in the system prompt": ("llava", {"system": "<image>"}, "holds <image>, which this model reads as an image"),
    "what the template writes": ("gemma3", {"prompt": "See <boi>!"}, "holds <boi>, which this model reads as an image"),
    "what the network reads": ("gemma3", {"prompt": "See <image>"}, "holds <image>, which this model reads"),
    "too many": ("blip2", {"images": (A, B), "image_places": (1, 2)}, "takes 1 image per question, not 2"),
    "gone": ("llava", {"images": (A, ImageRef("gone.png", partial(gone, "gone.png")))}, "the picture is not there"),
    "no image": ("llava", {"images": (A, ImageRef("bad.png", partial(bytes, b"no image")))}, "bad.png"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_an_error_of_its_question(what: str) -> None:
    kind, more, message = BAD[what]
    good = Request("good", "What is there?", (noisy(3),), (), Generation(2))
    bad = replace(Request("bad", "What is there?", (A,), (), Generation(2), (), (5,)), **more)
    if len(bad.images) != len(bad.image_places):
        bad = replace(bad, image_places=(5, 6))
    said = answered(system(kind), good, bad)
    assert said["good"].finish != "error"
    assert said["bad"].finish == "error" and message in said["bad"].error
