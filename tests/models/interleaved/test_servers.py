"""Images between words on their way to a chat server and to vLLM: recorded, and held against the hf adapter."""

from __future__ import annotations

import base64
import functools
import hashlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.models.huggingface import tiny_hf
from tests.models.interleaved.dialogues import MESSAGES, REQUESTS
from tests.support import vllm_stand_in
from tests.support.judge_server import Judging
from tests.support.toys import png_of
from vlmbench.base.errors import ModelError
from vlmbench.base.samples import Generation, ImageRef, Request, Response
from vlmbench.chat.turns import shown_images
from vlmbench.data.images import decoding as images
from vlmbench.models.huggingface import load as hf
from vlmbench.models.servers import openai, vllm
from vlmbench.models.servers.vllm_prompts import Rendered, open_prompts

pytestmark = pytest.mark.slow

FREE = {name: replace(request, choices=()) for name, request in REQUESTS.items()}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def server() -> Iterator[Judging]:
    with Judging(answer=lambda prompt: "yes") as made:
        yield made


def answers(model: Any, *asked: Request) -> dict[str, Response]:
    return {request.sample_id: response for request, response in model.answer([list(asked)])}


def sent(server: Judging, model: Any, request: Request) -> list[dict[str, Any]]:
    """The messages that reached the server, images as their bytes."""
    [response] = answers(model, request).values()
    assert response.text == "yes", response
    return [{**one, "content": [_seen(part) for part in _parts(one)]} for one in server.bodies[-1]["messages"]]


def _parts(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _seen(part: dict[str, Any]) -> Any:
    if part["type"] == "text":
        return part
    head, _, data = part["image_url"]["url"].partition(",")
    assert head == "data:image/png;base64"
    return base64.b64decode(data)


def expected(name: str) -> list[dict[str, Any]]:
    return [{**one, "content": [_bytes(part) for part in one["content"]]} for one in MESSAGES[name]]


def _bytes(part: Any) -> Any:
    return part.load() if isinstance(part, ImageRef) else part


@pytest.mark.parametrize("name", FREE)
def test_a_server_gets_the_parts_in_order(server: Judging, name: str) -> None:
    """With system prompt and examples; messages without images are plain texts."""
    model = openai.load("tiny", base_url=server.url, cache=False)
    assert sent(server, model, FREE[name]) == expected(name)
    for message in server.bodies[-1]["messages"]:
        pictured = any(part["type"] == "image_url" for part in _parts(message))
        assert isinstance(message["content"], list) is pictured
    assert (model.supports_system_prompt, model.max_images) == (True, None)


def test_other_orders_places_and_images_are_other_bodies(server: Judging) -> None:
    model = openai.load("tiny", base_url=server.url, cache=False)
    asked = FREE["between"]
    mutants = (
        replace(asked, images=asked.images[::-1]),
        replace(asked, image_places=(5, 11, 21)),
        replace(asked, images=asked.images[:2], image_places=asked.image_places[:2]),
    )
    for mutant in mutants:
        assert sent(server, model, mutant) != expected("between")


def test_a_least_length_goes_where_a_server_knows_one(server: Judging) -> None:
    asked = Request("a", "What?", generation=Generation(8, min_new_tokens=3))
    [refused] = answers(openai.load("tiny", base_url=server.url, cache=False), asked).values()
    assert refused.finish == "error" and "min_new_tokens=3" in refused.error and "min_tokens_field" in refused.error
    answers(openai.load("tiny", base_url=server.url, cache=False, min_tokens_field="min_new_tokens"), asked)
    assert server.bodies[-1]["min_new_tokens"] == 3
    answers(vllm.load("org/tiny", base_url=server.url), asked)
    assert server.bodies[-1]["min_tokens"] == 3
    answers(vllm.load("org/tiny", base_url=server.url), replace(asked, generation=Generation(8)))
    assert "min_tokens" not in server.bodies[-1]


# ---------------------------------------------------------------------------------------------- vLLM in this process


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_hf.checkpoint("llava", tmp_path_factory.mktemp("llava"))


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> vllm_stand_in.Script:
    made = vllm_stand_in.Script()
    monkeypatch.setitem(sys.modules, "vllm", vllm_stand_in.module(made))
    return made


def test_rendered_ids_have_a_token_at_each_place(folder: Path, script: vllm_stand_in.Script) -> None:
    prompts = Rendered(open_prompts(str(folder), commit="", trusted=False, way=""))
    for name, request in REQUESTS.items():
        shown = [images.decode(image.load()) for image in shown_images(request)]
        made = prompts.made(request, shown)
        text = prompts.prompts.processor.apply_chat_template(
            [{**one, "content": [_marked(part) for part in one["content"]]} for one in MESSAGES[name]],
            add_generation_prompt=True,
        )
        opened = made.open_prompt["prompt_token_ids"]
        assert opened == prompts.tokenizer(text)["input_ids"] and opened.count(4) == len(shown)
        assert made.open_prompt.get("multi_modal_data", {}).get("image", []) == shown
        expanded = vllm_stand_in.module(script).LLM(str(folder))._expanded(opened, len(shown))
        assert tuple(expanded) == made.ids


def _marked(part: Any) -> Any:
    return {"type": "image"} if isinstance(part, ImageRef) else part


@pytest.mark.parametrize("conversations", [False, True])
def test_vllm_answers_as_hf(
    folder: Path, script: vllm_stand_in.Script, monkeypatch: pytest.MonkeyPatch, conversations: bool
) -> None:
    """As ids, and as conversations of vLLM's own; the images arrive in the order in which they are shown."""
    theirs = answers(hf.load(str(folder), engine="simple"), *REQUESTS.values())
    if conversations:
        monkeypatch.setattr(vllm, "open_prompts", _no_processor)
    model = vllm.load(str(folder))
    assert (model.supports_system_prompt, model.supports_multi_turn, model.max_images) == (True, True, None)
    ours = answers(model, *REQUESTS.values())
    for name, response in ours.items():
        other = theirs[name]
        assert (response.text, response.error, response.prompt_tokens) == (other.text, "", other.prompt_tokens), name
        assert [one.logprob for one in response.choices] == pytest.approx(
            [one.logprob for one in other.choices], abs=1e-3
        )
    assert len({response.text for response in ours.values()}) > 5
    wanted = {
        tuple(hashlib.sha256(png_of(images.decode(one.load()))).hexdigest() for one in shown_images(request))
        for request in REQUESTS.values()
    }
    assert set(script.pictures) == wanted


def _no_processor(*_: Any, **__: Any) -> Any:
    raise OSError("no processor")


def test_a_lost_system_prompt_or_image_is_noticed(
    folder: Path, script: vllm_stand_in.Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Conversations whose template drops the system prompt; an engine that reads other image tokens."""
    script.doubled_pictures = True
    for name, response in answers(vllm.load(str(folder)), *REQUESTS.values()).items():
        assert ("vLLM reads another prompt" in response.error) == (name != "text")
    script.doubled_pictures = False
    monkeypatch.setattr(vllm, "open_prompts", _no_processor)
    monkeypatch.setattr(vllm_stand_in.LLM, "chat", _without_system(vllm_stand_in.LLM.chat))
    [response] = answers(vllm.load(str(folder)), REQUESTS["system"]).values()
    assert "the words 'Be brief.' are not in the prompt" in response.error


def _without_system(chat: Any) -> Any:
    @functools.wraps(chat)
    def told(self: Any, messages: Any, *args: Any, **more: Any) -> Any:
        return chat(self, [[one for one in row if one["role"] != "system"] for row in messages], *args, **more)

    return told


def test_limits_of_vllm(folder: Path, script: vllm_stand_in.Script) -> None:
    assert vllm.load(str(folder), images_per_prompt=2).max_images == 2
    model = vllm.load(str(folder), prompting="user")
    assert (model.supports_system_prompt, model.supports_multi_turn) == (False, False)
    asked = replace(FREE["text"], generation=Generation(4, min_new_tokens=2))
    answers(vllm.load(str(folder)), asked, FREE["first"])
    assert sorted(params.min_tokens for params in script.params) == [0, 2]
    with pytest.raises(ModelError, match="fails on every question"):
        script.fail_on = "brief"
        answers(vllm.load(str(folder)), *[replace(REQUESTS["system"], sample_id=str(at)) for at in range(30)])
