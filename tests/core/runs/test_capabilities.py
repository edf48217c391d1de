"""What a model cannot do is refused before a run: system prompts, examples, more images than it takes."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.toys import ToyModel, ToyTask, keep, png
from vlmbench.base.errors import ModelError, UsageError
from vlmbench.base.model import Model
from vlmbench.base.registry import TaskChoice
from vlmbench.base.samples import Example, Generation, ImageRef, Request, Sample
from vlmbench.base.variant import PLAIN, Variant
from vlmbench.data.files import Folder
from vlmbench.models.echo import Echo
from vlmbench.models.servers.openai import OpenAIChat, RequestFormat
from vlmbench.plugins.function_model import FunctionModel
from vlmbench.runs.execution import planning
from vlmbench.runs.execution.capabilities import ignored_generation

RED = ImageRef("red.png", partial(keep, png((200, 0, 0))))
SHOT = Example("s1", "What is this?", "red", (RED,))


class Asking(ToyTask):
    """A toy whose requests have more than a question and an image."""

    more: dict[str, Any]

    def build_request(self, sample: Sample, protocol: str) -> Request:
        return replace(super().build_request(sample, protocol), **self.more)


class Limited(ToyModel):
    """One image, no turns, no system prompt."""

    supports_system_prompt = False
    max_images: int | None = 1


class Able(ToyModel):
    """Takes all of it, three images at most."""

    supports_multi_turn = supports_system_prompt = True
    max_images: int | None = 3


class Reading(Able):
    """Reads a word as an image."""

    image_words = ("<image>",)


def planned(model: Model, variant: Variant = PLAIN, **more: Any) -> int:
    task = Asking()
    task.more = more
    choice = TaskChoice(task, "test", "official", variant)
    return len(planning.plan([choice], {choice.key: Folder(Path(), "toy")}, model, limit=2, seed=0).requests)


REFUSED: dict[str, tuple[type[ToyModel], dict[str, Any], str, str]] = {
    "system": (Limited, {"system": "Be brief."}, "toy has no place for a system prompt, which toy asks", "--system"),
    "not said": (ToyModel, {"system": "Be brief."}, "toy has no place for a system prompt", "--system"),
    "image": (Reading, {"system": "Be <image> brief."}, "toy reads <image> in the system prompt of toy", "--system"),
    "examples": (Limited, {"examples": (SHOT,)}, "toy takes no earlier turns, which the examples of toy", "--shots"),
    "images": (Limited, {"images": (RED, RED)}, "at most 1 image per question, but .* of toy has 2", "more images"),
    "shown": (Able, {"examples": (SHOT, SHOT, SHOT)}, "at most 3 images .* has 4, 3 of them in examples", "--shots"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_refused_before_anything_is_asked(what: str) -> None:
    kind, more, message, hint = REFUSED[what]
    model = kind()
    with pytest.raises(ModelError, match=message) as failure:
        planned(model, **more)
    assert hint in failure.value.hint and not model.asked


def test_what_a_model_takes_is_planned() -> None:
    assert planned(Able(), system="Be brief.", examples=(SHOT, SHOT)) == 2
    assert planned(Echo("yes"), system="Be brief.", examples=(SHOT,) * 9) == 2
    assert planned(ToyModel(), images=(RED,) * 9) == 2, "a model that does not say may take any number"


@pytest.mark.parametrize(
    ("variant", "options"),
    [
        (Variant(temperature=0.7, samples=3), "--temperature"),
        (Variant(temperature=0.7, top_p=0.9), "--temperature, --top-p"),
        (Variant(max_new_tokens=4), "--max-new-tokens"),
        (Variant(thinking=9), "--thinking-budget"),
    ],
)
def test_a_function_cannot_be_told_how_to_generate(variant: Variant, options: str) -> None:
    function = FunctionModel("f", lambda images, question: "yes")
    with pytest.raises(ModelError, match=f"f cannot be told {options}, which toy@official") as failure:
        planned(function, variant)
    assert "an option of the function" in failure.value.hint
    assert planned(function) == 2 and planned(ToyModel(), variant) == 2 * variant.samples


def test_a_server_that_is_sent_no_temperature_is_asked_for_none() -> None:
    queue: Any = None  # nothing is sent
    silent, plain = (OpenAIChat("m", queue, RequestFormat(temperature=sent), in_flight=1) for sent in (False, True))
    assert ignored_generation(silent) == ("temperature", "top_p") and ignored_generation(plain) == ()


def test_a_length_penalty_needs_beams() -> None:
    with pytest.raises(UsageError, match="toy asks for a length penalty, which counts in beam search alone"):
        planned(Able(), generation=Generation(8, length_penalty=2.0))
    assert planned(Able(), generation=Generation(8, num_beams=3, length_penalty=2.0)) == 2
