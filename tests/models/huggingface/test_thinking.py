"""Thoughts of transformers models: prompts that open one, switches of templates, tags that are special tokens."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.models.huggingface import tiny_hf
from vlmbench.base import registry
from vlmbench.base.errors import ModelError, UsageError
from vlmbench.base.samples import Generation, Request
from vlmbench.data.files import Folder
from vlmbench.models.huggingface.engine import HfEngine
from vlmbench.models.huggingface.load import HfModel
from vlmbench.models.huggingface.prompts import Prompts
from vlmbench.models.huggingface.questions import render_request
from vlmbench.models.huggingface.system import HfSystem
from vlmbench.parsing.thinking import apart
from vlmbench.runs.execution import planning

OPENS = "<end><think>\n"
SWITCH = (
    "<end>{% if enable_thinking is defined and enable_thinking is false %}"
    "{{ '<think>\n\n</think>\n\n' }}{% elif enable_thinking is defined %}{{ '<think>\n' }}{% endif %}"
)


def made(end: str = "<end>", *special: str) -> tuple[Any, Any]:
    """A tiny LLaVA whose template ends prompts in this way; `special`: more special tokens."""
    torch.manual_seed(0)
    model, processor = tiny_hf.llava()
    template = tiny_hf.chat("<image>").replace(
        "{% if add_generation_prompt %}<end>", "{% if add_generation_prompt %}" + end
    )
    processor.chat_template = template
    if special:
        processor.tokenizer.add_special_tokens({"additional_special_tokens": [*tiny_hf.SPECIAL[4:], *special]})
        model.resize_token_embeddings(len(processor.tokenizer))
    return model, processor


def prompts(end: str = "<end>", thinking: str = "", *special: str) -> Prompts:
    _, processor = made(end, *special)
    return Prompts(processor, image_id=4, inputs=(), thinking=thinking)


def ids_of(words: Prompts, text: str) -> list[int]:
    return list(words.tokenizer(text, add_special_tokens=False)["input_ids"])


def test_a_model_that_does_not_think_is_asked_as_ever() -> None:
    plain = prompts()
    assert plain.settings == {"prompting": "chat"}
    assert plain.decode(ids_of(plain, " Yes ")) == "Yes"
    assert prompts(thinking="auto").text("Hi?", 1) == plain.text("Hi?", 1)


def test_a_prompt_that_opens_a_thought() -> None:
    opens = prompts(OPENS)
    assert opens.settings == {"prompting": "chat", "thinking": "auto"}
    assert opens.text("Hi?", 1).endswith("<think>\n")
    assert opens.decode(ids_of(opens, "It is.</think>Red")) == "<think>It is.</think>Red"
    assert opens.decode([]) == "<think>"
    with pytest.raises(ModelError, match="opens a thought") as error:
        render_request(opens, Request("1", "Is it?", choices=("yes", "no")), [])
    assert "thinking=off" in str(error.value)


def test_off_closes_the_thought_and_choices_follow_it() -> None:
    off = prompts(OPENS, "off")
    assert off.text("Hi?", 1).endswith("<think>\n\n</think>\n\n") and off.settings["thinking"] == "off"
    assert off.decode(ids_of(off, "Red")) == "Red"
    request = Request("1", "Is it?", choices=("yes", "no"))
    rendered = render_request(off, request, [])
    assert [text.removeprefix(rendered.text) for text in rendered.choice_texts] == ["yes", "no"]
    assert all(ids[: len(rendered.job.ids)] == rendered.job.ids for ids in rendered.job.choice_ids)


def test_a_switch_of_the_template() -> None:
    assert prompts(SWITCH).text("Hi?", 1).endswith("<end>")
    on, off = prompts(SWITCH, "on"), prompts(SWITCH, "off")
    assert on.thinking.opened == "<think>" and on.text("Hi?", 1).endswith("<think>\n")
    assert off.text("Hi?", 1).endswith("<end><think>\n\n</think>\n\n") and not off.thinking.opened
    rendered = render_request(off, Request("1", "Is it?", choices=("yes", "no")), [])
    assert rendered.choice_texts[0] == rendered.text + "yes"


@pytest.mark.parametrize("word", ["on", "off"])
def test_a_word_that_changes_nothing_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="has no switch for thoughts, and opens none"):
        prompts(thinking=word)
    with pytest.raises(UsageError, match="no tag"):
        prompts(thinking="maybe")


def test_tags_that_are_special_tokens_stay_in_the_text() -> None:
    words = prompts("<end>", "", "<think>", "</think>")
    ids = [*ids_of(words, "<think>It is.</think> Red"), words.tokenizer.eos_token_id]
    assert words.decode(ids) == "<think>It is.</think> Red"
    assert words.tokenizer.decode(ids, skip_special_tokens=True) == "It is. Red"
    assert words.settings["thinking"] == "auto"
    assert words.decode([*ids_of(words, "Red"), words.tokenizer.eos_token_id]) == "Red"


def test_tags_that_the_user_names() -> None:
    words = prompts("<end><plan>", "<plan>", "<plan>", "</plan>")
    assert words.thinking.opened == "<plan>" and words.settings["thinking"] == "<plan>"
    text = words.decode(ids_of(words, "It is.</plan>Red"))
    assert text == "<plan>It is.</plan>Red"


def answered(end: str, generation: Generation, kind: str, thinking: str = "") -> list[Any]:
    model, processor = made(end)
    engine = HfEngine(HfSystem(model, processor, thinking=thinking), kind=kind)
    requests = [Request(str(number), f"What is {number}?", generation=generation) for number in range(3)]
    found = {request.sample_id: response for request, response in engine.answer([requests])}
    return [found[str(number)] for number in range(3)]


@pytest.mark.parametrize("kind", ["simple", "batched", "shared"])
def test_a_thought_has_its_own_tokens_in_every_engine(kind: str) -> None:
    """The tiny model never closes its thought: it is cut at the budget, and there is no answer."""
    for response in answered(OPENS, Generation(3, max_reasoning_tokens=9), kind):
        cut = apart(response)
        assert cut.text == "" and cut.finish == "length" and cut.reasoning_tokens == cut.new_tokens <= 9
    plain = answered("<end>", Generation(3), kind)
    more = answered("<end>", Generation(3, max_reasoning_tokens=9), kind)
    assert [(r.text, r.new_tokens, r.finish) for r in more] == [(r.text, r.new_tokens, r.finish) for r in plain]


def test_a_run_that_ranks_is_refused_before_it_begins() -> None:
    model, processor = made(OPENS)
    system = HfSystem(model, processor)
    thinker = HfModel(system, "f", HfEngine(system, kind="simple"))
    choice = registry.choose_task("hateful_memes")
    with pytest.raises(ModelError, match="cannot rank") as error:
        planning.plan([choice], {choice.key: Folder.sample("hateful_memes")}, thinker, limit=1, seed=0)
    assert "thinking=off" in str(error.value)
