"""What the systems take beside a question and an image: how many images, a system prompt, examples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.models import tiny, tiny_minigpt
from tests.models.engine.test_engine import ask
from tests.models.engine.toy import noise
from vlmbench.base.errors import ModelError
from vlmbench.base.model import SupportsImages, SupportsMultiTurn, SupportsSystemPrompt
from vlmbench.base.registry import TaskChoice
from vlmbench.base.samples import Example, Generation, Request, Sample
from vlmbench.models.engine.adapter import LocalModel
from vlmbench.models.engine.engine import Engine
from vlmbench.models.engine.group_images import turns_of
from vlmbench.models.parts.protocols import IMAGE_TOKEN
from vlmbench.models.systems.tinyllava import TinyLLaVA
from vlmbench.runs.execution.capabilities import Abilities

A, B = noise(1), noise(2)
ASKED = Request("asked", "What is it?", (A,), generation=Generation(max_new_tokens=8))
SHOWN = (Example("x", "What is it?", "a cat", (B,)), Example("y", "And these?", "dogs", (A, B), (3, 9)))


def build(kind: str, folder: Path) -> Any:
    if kind != "tinyllava":
        return tiny_minigpt.build(folder, kind)
    system = tiny.build(folder, tiny.config("phi"))
    tiny_minigpt.spread(system.network)
    return system


def model(system: Any) -> LocalModel:
    return LocalModel(system, "0" * 16, Engine(system))


def words(system: Any, asked: Request) -> str:
    """The prompt as text, without its images."""
    ids = system.encode(turns_of(asked), system=asked.system)
    text: str = system.tokenizer.decode([token for token in ids if token != IMAGE_TOKEN])
    return text


def refuse(asked: Request, system: Any) -> None:
    sample = Sample("s1", "", asked.images, None)
    task: Any = type("Task", (), {"name": "toy", "splits": ("test",), "protocols": ("official",)})()
    Abilities.of(model(system)).refuse(TaskChoice(task, "test", "official"), sample, asked)


@pytest.mark.parametrize(("longest", "most"), [(512, 170), (8, 2), (2, 1), (None, None)])
def test_tinyllava_takes_what_fits_into_a_row(longest: int | None, most: int | None, tmp_path: Path) -> None:
    system = tiny.build(tmp_path, tiny.config("phi", tokenizer_model_max_length=longest))
    assert system.visual_tokens == 3
    assert system.max_images == model(system).max_images == most


@pytest.mark.parametrize("kind", tiny_minigpt.KINDS)
def test_the_minigpt_family_takes_any_number(kind: str, tmp_path: Path) -> None:
    assert model(tiny_minigpt.build(tmp_path, kind)).max_images is None


def test_more_images_than_fit_are_refused_before_the_run_and_by_the_engine(tmp_path: Path) -> None:
    system = tiny.build(tmp_path, tiny.config("phi", tokenizer_model_max_length=10))
    refused = "tinyllava takes at most 3 images per question, but sample 's1' of toy has 4"
    for asked in (replace(ASKED, images=(A, B, A, B)), replace(ASKED, examples=SHOWN)):
        with pytest.raises(ModelError, match=refused):
            refuse(asked, system)
        response = ask(system, [[asked]]).responses["asked"]
        assert (response.finish, "takes at most 3 images per question, not 4" in response.error) == ("error", True)
    refuse(replace(ASKED, images=(A, B, A)), system)


SYSTEM_TEXTS = {"tinyllava": True, "minigpt4": True, "minigpt4-llama2": True, "minigptv2": False, "tinygptv": False}


@pytest.mark.parametrize("kind", SYSTEM_TEXTS)
def test_a_system_prompt_replaces_the_templates_or_is_refused(kind: str, tmp_path: Path) -> None:
    system = build(kind, tmp_path)
    asked = replace(ASKED, system="yes no yes no")
    assert isinstance(model(system), SupportsSystemPrompt)
    assert model(system).supports_system_prompt is SYSTEM_TEXTS[kind]
    said = ask(system, [[asked, replace(ASKED, sample_id="plain")]])
    if SYSTEM_TEXTS[kind]:
        refuse(asked, system)
        text, plain = words(system, asked), words(system, replace(asked, system=""))
        assert text.count(asked.system) == 1
        assert plain.split("What is it?")[1] == text.split("What is it?")[1]
        assert float((said.logits["asked"][0] - said.logits["plain"][0]).abs().max()) > 1e-3
    else:
        with pytest.raises(ModelError, match=f"{system.name} has no place for a system prompt, which toy asks for"):
            refuse(asked, system)
        assert "has no system text" in said.responses["asked"].error
    assert said.responses["plain"].finish != "error"


def test_templates_without_a_system_text_say_so(tmp_path: Path) -> None:
    files = tiny.llama(tmp_path)
    system = TinyLLaVA(tiny.config("llama"), preprocessor=None, tokenizer=files, template="llava_hf")
    assert not system.supports_system_prompt


@pytest.mark.parametrize("kind", ["tinyllava", *tiny_minigpt.KINDS])
def test_examples_are_earlier_turns_with_their_own_images(kind: str, tmp_path: Path) -> None:
    system = build(kind, tmp_path)
    asked = replace(ASKED, examples=SHOWN)
    refuse(asked, system)
    assert isinstance(model(system), SupportsMultiTurn) and isinstance(model(system), SupportsImages)
    ids = system.encode(turns_of(asked))
    assert ids.count(IMAGE_TOKEN) == 4
    written = words(system, asked)
    places = [written.index(word) for word in ("a cat", "And", "dogs")]
    assert places == sorted(places)
    # an example that shows no image is the same as an earlier turn
    bare = Example("x", "Is it?", "yes")
    as_history = replace(ASKED, images=(), history=(("Is it?", "yes"),))
    assert system.encode(turns_of(replace(ASKED, images=(), examples=(bare,)))) == system.encode(turns_of(as_history))
    group = [asked, replace(asked, sample_id="other", examples=SHOWN[::-1]), replace(ASKED, sample_id="plain")]
    said = ask(system, [group])
    assert all(response.finish != "error" for response in said.responses.values())
    one, other, plain = (said.logits[name][0] for name in ("asked", "other", "plain"))
    assert min(float((one - two).abs().max()) for two in (other, plain)) > 1e-3
