"""The MiniGPT family's forms of asking and learning, piece by piece; whole batches are compared in tests/golden."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.models import tiny
from vlmbench.base.errors import ModelError
from vlmbench.models.parts.language.tokenizer import Tokenizer, read_tokenizer
from vlmbench.models.parts.prompts import minigpt_templates
from vlmbench.models.parts.prompts.minigpt_templates import PROMPT_FORMATS, TRAINING_FORMATS
from vlmbench.models.parts.protocols import IGNORE, IMAGE_TOKEN


@pytest.fixture
def llama(tmp_path: Path) -> Tokenizer:
    tokenizer = read_tokenizer(tiny.llama(tmp_path, legacy=True))
    tokenizer.pad_id = tokenizer.unk_id
    return tokenizer


@pytest.fixture
def codegen(tmp_path: Path) -> Tokenizer:
    tokenizer = read_tokenizer(tiny.codegen(tmp_path))
    tokenizer.pad_id = tokenizer.unk_id
    return tokenizer


def learn(name: str, tokenizer: Tokenizer, *turns: tuple[str, str], image: bool = True) -> tuple[list[int], list[int]]:
    encoded = TRAINING_FORMATS[name].encode_for_training(turns, tokenizer, image=image, max_length=0)
    return [*encoded.ids], [*encoded.labels]


def test_minigptv2_answers_behind_two_begin_tokens(llama: Tokenizer) -> None:
    ids = minigpt_templates.to_ids(PROMPT_FORMATS["minigptv2"].write([("what?", None)], image=True), llama)
    assert ids[:2] == [llama.bos_id, llama.bos_id]
    assert ids.count(IMAGE_TOKEN) == 1
    taught, _ = learn("instruct", llama, ("what?", "a cat"))
    assert taught.count(llama.bos_id or -1) == 1


def test_pieces_around_the_picture_are_tokenised_apart(llama: Tokenizer) -> None:
    text = f"a{minigpt_templates.HERE}b c"
    ids = minigpt_templates.to_ids(text, llama)
    assert ids == [*llama.ids("a"), IMAGE_TOKEN, *llama.ids("b c")[1:]]


def test_a_caption_is_all_that_stage_one_sees(llama: Tokenizer) -> None:
    ids, labels = learn("caption", llama, ("thrown away", "a cat"))
    caption = llama.ids("a cat\n")[1:]
    assert ids == [llama.bos_id, IMAGE_TOKEN, *caption]
    assert labels == [IGNORE, IGNORE, *caption]


def test_long_answers_are_cut_with_their_end(llama: Tokenizer) -> None:
    ids, labels = learn("caption", llama, ("", "yes no " * 60))
    assert len(ids) == 2 + 32
    assert sum(token != IGNORE for token in labels) == 32


def test_long_prompts_are_cut_with_the_picture_counted(llama: Tokenizer) -> None:
    lesson = replace(TRAINING_FORMATS["instruct"], visual=200)
    asked = [("yes no " * 3000, "yes")]
    for image, most in ((True, minigpt_templates.CONTEXT - 199), (False, minigpt_templates.CONTEXT)):
        encoded = lesson.encode_for_training(asked, llama, image=image, max_length=0)
        answer = sum(label != IGNORE for label in encoded.labels)
        assert len(encoded.ids) == 1 + most + answer


def test_only_answers_are_learnt_over_several_turns(llama: Tokenizer) -> None:
    ids, labels = learn("instruct", llama, ("one?", "yes"), ("two?", "no"))
    first, second = llama.ids("yes</s>")[1:], llama.ids("no</s>")[1:]
    assert [token for token in labels if token != IGNORE] == first + second
    assert ids.count(llama.bos_id or -1) == 2
    assert ids[-len(second) :] == second


def test_tinygptv_hides_the_begin_token_of_later_turns(codegen: Tokenizer) -> None:
    encoded = TRAINING_FORMATS["instruct_tinygptv"].encode_for_training(
        [("a?", "yes"), ("b?", "no")], codegen, image=True, max_length=0
    )
    (place,) = encoded.hidden
    assert encoded.ids[place] == codegen.bos_id
    assert place > encoded.ids.index(IMAGE_TOKEN)
    alone = TRAINING_FORMATS["instruct_tinygptv"].encode_for_training(
        [("a?", "yes")], codegen, image=True, max_length=0
    )
    assert alone.hidden == ()


def test_a_sign_for_the_picture_in_words_is_taken_out(llama: Tokenizer) -> None:
    style = PROMPT_FORMATS["vicuna0"]
    text = style.write(
        [(f"see {minigpt_templates.HERE}", f"{minigpt_templates.HERE}yes"), (f"{minigpt_templates.HERE}and?", None)],
        image=True,
    )
    assert text.count(minigpt_templates.HERE) == 1
    assert minigpt_templates.to_ids(text, llama).count(IMAGE_TOKEN) == 1


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (" a cat</s> more", "a cat"),
        ("<s> yes", "yes"),
        ("[INST] what? [/INST] a dog", "a dog"),
        ("Assistant: red###Human: Assistant: blue", "red###Human: Assistant: blue"),
        (" red ", "red"),
    ],
)
def test_answers_are_cleaned_as_the_official_code_does(said: str, answer: str) -> None:
    assert minigpt_templates.cleaned(said) == answer


def test_unknown_names_say_what_there_is() -> None:
    with pytest.raises(ModelError, match=r"no prompt template 'vicuna'\n.*vicuna0"):
        minigpt_templates.find_prompt_format("vicuna")
    with pytest.raises(ModelError, match=r"no prompt template for learning 'teach'\n.*instruct"):
        minigpt_templates.find_training_format("teach")


def test_rows_of_several_images_are_refused(llama: Tokenizer) -> None:
    with pytest.raises(ModelError, match="2 images"):
        TRAINING_FORMATS["caption"].encode_for_training([("", "two")], llama, image=2, max_length=0)
