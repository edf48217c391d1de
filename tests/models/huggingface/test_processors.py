"""Transformers models: what they are asked equals their official processors' work, and batches change no answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.models.huggingface import tiny_hf
from tests.models.huggingface.asking import CHOICES, Answers, ask, check_equal, noisy, questions, system
from vlmbench.base.errors import UnknownNameError, UsageError
from vlmbench.base.samples import Generation, ImageRef, Request
from vlmbench.data.images import decoding as images
from vlmbench.models.huggingface import plain as hf_plain
from vlmbench.models.huggingface.engine import HfEngine
from vlmbench.models.huggingface.plain import Plain, Question
from vlmbench.models.huggingface.system import HfSystem

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # PaliGemma's processor
]
KINDS = tuple(tiny_hf.BUILDERS)
WITHOUT = ("paligemma", "blip2", "blip2_t5", "instructblip")
"""No chat template."""
CHATTING = tuple(kind for kind in KINDS if kind not in WITHOUT)


def opened(request: Request) -> list[Any]:
    return [images.decode(picture.load()) for picture in request.images]


def asked(model: HfSystem, request: Request) -> Question:
    return model.question(request, opened(request))


@pytest.mark.parametrize("kind", CHATTING)
def test_a_question_is_what_the_official_chat_template_makes(kind: str) -> None:
    model = system(kind)
    request = questions(1, 1)[0][0]
    content = [{"type": "image", "image": opened(request)[0]}, {"type": "text", "text": request.prompt}]
    official = model.prompts.processor.apply_chat_template(
        [{"role": "user", "content": content}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )
    question = asked(model, request)
    assert list(question.job.ids) == official["input_ids"][0].tolist()
    for name, value in question.prompt.media.tensors.items():
        assert torch.equal(value, official[name]), name


@pytest.mark.parametrize("kind", ["llava", "idefics3", "qwen2_vl", "mllama", "gemma3"])
def test_a_batch_is_what_the_official_processor_pads(kind: str) -> None:
    model = system(kind)
    wanted = [replace(request, images=(noisy(0),)) for request in questions(1, 3)[0]]
    made = [asked(model, request) for request in wanted]
    assert len({question.kind for question in made}) == 1
    assert len({len(question.job.ids) for question in made}) > 1
    plain = Plain(model.model, model, pad_id=model.pad_id, encoder_decoder=False)
    batch = plain._collate([hf_plain._Row(question, len(question.job.ids)) for question in made])
    official = model.prompts.processor(
        text=[model.prompts.text(request.prompt, 1) for request in wanted],
        images=[opened(request) for request in wanted],
        padding=True,
        padding_side="left",
        return_tensors="pt",
    )
    assert batch.keys() <= official.keys()
    for name, value in batch.items():
        assert torch.equal(value, official[name]), name


@pytest.mark.parametrize("kind", KINDS)
def test_batches_change_no_answer(kind: str) -> None:
    """Batch 1, 4 and auto, pictures of three forms, answers and ranked choices, float32."""
    groups = questions(4, 4, ranked=True)
    simple = ask(system(kind), groups, kind="simple")
    assert len(set(simple.texts.values())) >= 4
    for options in ({"batch": "1"}, {"batch": "4"}, {"batch": "auto"}, {"batch": "4", "kind": "batched"}):
        check_equal(ask(system(kind), groups, **options), simple)


# PaliGemma's prompts see what comes later, InstructBLIP's Q-Former reads it, T5 has it in another row.
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("paligemma", "instructblip", "blip2_t5")])
def test_ranked_scores_are_the_log_probabilities_of_the_whole_text(kind: str) -> None:
    """Against one forward over prompt and answer."""
    model = system(kind)
    request = Request("0", "what is it?", (noisy(1),), CHOICES)
    scores = ask(model, [[request]], kind="simple").responses["0"].choices
    job = asked(model, request).job
    for choice, score in zip(CHOICES, scores, strict=True):
        text = model.prompts.text(request.prompt, 1, answer=choice)
        inputs = model.prompts.processor(text=[text], images=[opened(request)], return_tensors="pt")
        inputs = {name: value for name, value in inputs.items() if name in model.inputs}
        with torch.inference_mode():
            logits = model.model(**inputs).logits[0].float().log_softmax(-1)
        ids = inputs["input_ids"][0]
        places = range(job.answer_start, len(ids))
        assert abs(sum(float(logits[at - 1, ids[at]]) for at in places) - score.logprob) < 1e-4
        assert score.tokens == len(places)


def test_an_encoders_answers_are_ranked_in_the_decoder() -> None:
    model = system("blip2_t5")
    request = Request("0", "what is it?", (noisy(1),), CHOICES)
    said = ask(model, [[request], *questions(2, 2)], batch="4").responses["0"].choices
    question = asked(model, request)
    for choice, score in zip(CHOICES, said, strict=True):
        ids = model.prompts.tokenizer(f" {choice}", add_special_tokens=False)["input_ids"]
        inputs = {"input_ids": torch.tensor([question.job.ids]), **question.prompt.media.tensors}
        with torch.inference_mode():
            logits = model.model(**inputs, decoder_input_ids=torch.tensor([[0, *ids]])).logits[0].log_softmax(-1)
        assert abs(sum(float(logits[at, token]) for at, token in enumerate(ids)) - score.logprob) < 1e-4
        assert score.tokens == len(ids)


@pytest.mark.parametrize("kind", ["llava", "llava_next", "idefics3", "qwen2_vl", "gemma3", "mllama"])
def test_several_pictures_none_and_dialogues(kind: str) -> None:
    two = questions(2, 3, images=2)
    talk = [[replace(request, history=(("what?", "a cat"), ("red?", "no"))) for request in questions(1, 3)[0]]]
    talk = [[replace(request, sample_id=f"talk-{request.sample_id}") for request in group] for group in talk]
    bare = [[Request(f"text-{at}", word, (), (), Generation(4)) for at, word in enumerate(("why?", "is it so?"))]]
    groups = [*two, *talk, *(bare if kind != "mllama" else [])]
    simple = ask(system(kind), groups, kind="simple")
    check_equal(ask(system(kind), groups, batch="4"), simple)
    model = system(kind)
    assert model.supports_multi_turn
    text = model.prompts.text("and now?", 1, (("what?", "a cat"),))
    assert text.index("what?") < text.index("a cat") < text.index("and now?")
    assert text.count(str(model.prompts.image_token)) == 1


@pytest.mark.parametrize(
    ("kind", "text", "way"),
    [
        ("paligemma", "<image>what?", "plain"),
        ("paligemma", "<image>answer en what?", "answer-en"),
        ("blip2", "what?", "plain"),
        ("blip2", "Question: what? Answer:", "question"),
        ("llava", "USER: <image>\nwhat? ASSISTANT:", "user"),
    ],
)
def test_named_ways_of_prompting(kind: str, text: str, way: str) -> None:
    model = system(kind, way=way)
    assert model.prompts.text("what?", 1) == text
    assert not model.supports_multi_turn
    assert model.settings["prompting"] == way
    question = asked(model, Request("0", "what?", (noisy(0),), CHOICES))
    assert question.job.ids.count(model.prompts.image_id) == 4
    assert all(ids[: question.job.answer_start] == question.job.ids for ids in question.job.choice_ids)


def test_a_way_nobody_knows() -> None:
    with pytest.raises(UnknownNameError, match="way of prompting"):
        system("llava", way="chatty")
    model, processor = tiny_hf.build("llava")
    processor.chat_template = None
    assert HfSystem(model, processor).prompts.way == "plain"


def test_a_template_that_takes_words_as_text() -> None:
    model, processor = tiny_hf.build("llava")
    processor.chat_template = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }} {% endfor %}"
    made = HfSystem(model, processor).prompts
    assert made.text("what?", 2) == "user: <image> <image>\nwhat? "
    assert made.text("now?", 0, (("what?", "that"),)) == "user: what? assistant: that user: now? "


def test_a_failing_question_fails_alone() -> None:
    good = questions(2, 3)
    broken = Request("broken", "what?", (ImageRef("x.png", lambda: b"no image"),))
    spoilt = replace(good[0][0], sample_id="spoilt", prompt="what is <image> here?")
    empty = replace(good[1][0], sample_id="empty", choices=("yes", ""))
    said = ask(system("llava"), [[*good[0], broken, spoilt], [empty, *good[1]]], batch="4")
    failed = {name for name, response in said.responses.items() if response.finish == "error"}
    assert failed == {"broken", "spoilt", "empty"}
    assert "x.png" in said.responses["broken"].error
    assert said.engine.facts["engine_failed"] == 3
    plain = ask(system("llava"), good).texts
    assert {name: said.texts[name] for name in plain} == plain


def test_a_network_that_fails_on_one_question_fails_on_that_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = questions(4, 1)
    real = Plain._batch

    def choosy(self: Plain, rows: Any, observe: Any) -> Any:
        if any(row.question.requests[0].sample_id == "2-0" for row in rows):
            raise ValueError("not this one")
        return real(self, rows, observe)

    monkeypatch.setattr(Plain, "_batch", choosy)
    said = ask(system("blip2"), groups, batch="4").responses
    assert [said[name].finish == "error" for name in ("0-0", "1-0", "2-0", "3-0")] == [False, False, True, False]


def test_out_of_memory_halves_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = questions(8, 1)
    plain = ask(system("qwen2_vl"), groups, kind="simple").texts
    real = Plain._batch

    def scarce(self: Plain, rows: Any, observe: Any) -> Any:
        if len(rows) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, rows, observe)

    monkeypatch.setattr(Plain, "_batch", scarce)
    said = ask(system("qwen2_vl"), groups, kind="batched", batch="8")
    assert said.texts == plain
    assert (said.engine.facts["batch"], said.engine.facts["engine_memory_retries"]) == (2, 2)


def test_stops_lengths_and_sampling() -> None:
    groups = questions(2, 6, tokens=8)
    plain = ask(system("llava"), groups)
    name = max(plain.texts, key=lambda name: len(plain.texts[name]))
    stop = plain.texts[name][2:4]
    stopped = [[replace(one, generation=Generation(8, (stop,))) for one in group] for group in groups]
    for options in ({}, {"kind": "simple"}, {"kind": "batched", "batch": "4"}):
        said = ask(system("llava"), stopped, **options)
        assert {name: text.partition(stop)[0].strip() for name, text in plain.texts.items()} == said.texts
        assert said.responses[name].finish == "stop"
    drawn = [[replace(one, generation=Generation(8, temperature=1.0)) for one in group] for group in groups]
    first, second = ask(system("llava"), drawn).texts, ask(system("llava"), drawn).texts
    assert first == second != plain.texts
    beams = [[replace(one, generation=Generation(8, num_beams=3)) for one in groups[0]]]
    assert all(response.finish != "error" for response in ask(system("blip2"), beams).responses.values())
    none = Request("0", "what?", (noisy(0),), (), Generation(max_new_tokens=0))
    response = ask(system("llava"), [[none]]).responses["0"]
    assert (response.text, response.finish) == ("", "length")


def test_equal_questions_are_asked_once_and_fragile_ones_again() -> None:
    groups = questions(1, 4)
    twins = [[*groups[0], *(replace(one, sample_id=f"twin-{one.sample_id}") for one in groups[0])]]
    said: Answers = ask(system("llava"), twins)
    assert said.engine.facts["engine_merged"] == 4
    assert all(said.texts[f"twin-{name}"] == said.texts[name] for name in ask(system("llava"), groups).texts)
    engine = HfEngine(system("llava"), exact=True, fragile=1e9)
    assert {one.sample_id: two.text for one, two in engine.answer(groups)} == ask(system("llava"), groups).texts
    assert (engine.facts["engine_rerun"], engine.facts["engine_changed"]) == (4, 0)


def test_what_an_engine_does_not_know() -> None:
    for options in ({"batch": "many"}, {"batch": "0"}, {"pack_tokens": 0}):
        with pytest.raises(UsageError):
            HfEngine(system("llava"), **options)
    with pytest.raises(UnknownNameError, match="engine"):
        HfEngine(system("llava"), kind="fast")
