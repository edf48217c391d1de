"""Where the templates put several images, examples and a system prompt: the texts of the official codes."""

from __future__ import annotations

import pytest

from vlmbench.base.errors import ModelError
from vlmbench.models.parts.prompts import templates
from vlmbench.models.parts.prompts.minigpt_templates import PROMPT_FORMATS
from vlmbench.models.parts.prompts.templates import SYSTEM
from vlmbench.models.parts.protocols import Turn

IMG = "<Img><ImageHere></Img>"


@pytest.mark.parametrize(
    ("turns", "written"),
    [
        ([Turn("Which?", images=2)], "USER: <image>\n<image>\nWhich? ASSISTANT:"),
        ([Turn("Which?", images=2, places=(0, 0))], "USER: <image>\n<image>\nWhich? ASSISTANT:"),
        ([Turn("", images=2)], "USER: <image>\n<image> ASSISTANT:"),
        ([Turn("Is it A or B?", images=2, places=(7, 12))], "USER: Is it A<image> or B<image>? ASSISTANT:"),
        ([Turn("As here: which?", images=2, places=(0, 8))], "USER: <image>\nAs here:<image> which? ASSISTANT:"),
        ([Turn("Which one? ", images=1, places=(11,))], "USER: Which one? <image> ASSISTANT:"),
        ([Turn("An <image> or a?", images=1, places=(15,))], "USER: An  or a<image>? ASSISTANT:"),
        (
            [Turn("What?", "a cat", 1), Turn("Is it here?", "no", 2, (2, 5)), Turn("And?", images=1)],
            "USER: <image>\nWhat? ASSISTANT: a cat</s>USER: Is<image> it<image> here? ASSISTANT: no</s>"
            "USER: <image>\nAnd? ASSISTANT:",
        ),
    ],
)
def test_tinyllava(turns: list[Turn], written: str) -> None:
    template = templates.find("llama")
    assert template.dialogue(turns) == SYSTEM + written
    for system in ("Be brief.", "Be brief. ", "Be brief.\n", "<image>Be brief.<image>"):
        assert template.dialogue(turns, system) == "Be brief. " + written


def test_a_caption_template_keeps_the_images_alone() -> None:
    assert (
        templates.find("pretrain").dialogue([Turn("Describe it.", "two dogs", 2, (3, 5))]) == "<image><image>two dogs\n"
    )


@pytest.mark.parametrize(
    ("turns", "vicuna", "llama"),
    [
        (  # two calls of Chat.upload_img, then Chat.ask
            [Turn("Which?", images=2)],
            f"Human: {IMG}###Human: {IMG} Which?###Assistant: ",
            f"<s>[INST] {IMG}<s>[INST] {IMG} Which? [/INST]",
        ),
        (  # Chat.ask with the images' signs in the text
            [Turn("Is it A or B?", images=2, places=(7, 12))],
            f"Human: Is it A{IMG} or B{IMG}?###Assistant: ",
            f"<s>[INST] Is it A{IMG} or B{IMG}? [/INST]",
        ),
        (
            [Turn("As here: which?", images=2, places=(0, 8))],
            f"Human: {IMG} As here:{IMG} which?###Assistant: ",
            f"<s>[INST] {IMG} As here:{IMG} which? [/INST]",
        ),
        (
            [Turn("What?", "a cat", 1), Turn("And?", images=1)],
            f"Human: {IMG} What?###Assistant: a cat###Human: {IMG} And?###Assistant: ",
            f"<s>[INST] {IMG} What? [/INST]a cat<s>[INST] {IMG} And? [/INST]",
        ),
    ],
)
def test_minigpt(turns: list[Turn], vicuna: str, llama: str) -> None:
    announced = PROMPT_FORMATS["vicuna0"].system
    assert PROMPT_FORMATS["vicuna0"].dialogue(turns) == f"{announced}###{vicuna}"
    assert PROMPT_FORMATS["vicuna0"].dialogue(turns, "Be <ImageHere>brief.") == f"Be brief.###{vicuna}"
    assert PROMPT_FORMATS["tinygptv"].dialogue(turns) == f"###{vicuna}"
    assert PROMPT_FORMATS["minigptv2"].dialogue(turns) == llama


@pytest.mark.parametrize(
    "template", [templates.find("llava_hf"), PROMPT_FORMATS["minigptv2"], PROMPT_FORMATS["tinygptv"]]
)
def test_a_system_prompt_without_a_place_is_an_error(template: templates.Template) -> None:
    with pytest.raises(ModelError, match=f"template {template.name} has no system text"):
        template.dialogue([Turn("What?")], "Be brief.")
