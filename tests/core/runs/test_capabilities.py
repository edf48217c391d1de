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
from vlmbench.data.files import Folder
from vlmbench.models.echo import Echo
from vlmbench.runs.execution import planning

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


def planned(model: Model, **more: Any) -> int:
    task = Asking()
    task.more = more
    choice = TaskChoice(task, "test", "official")
    return len(planning.plan([choice], {"toy": Folder(Path(), "toy")}, model, limit=2, seed=0).requests)


REFUSED: dict[str, tuple[type[ToyModel], dict[str, Any], str, str]] = {
    "system": (Limited, {"system": "Be brief."}, "toy has no place for a system prompt, which toy asks", "--system"),
    "not said": (ToyModel, {"system": "Be brief."}, "toy has no place for a system prompt", "--system"),
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


def test_a_length_penalty_needs_beams() -> None:
    with pytest.raises(UsageError, match="toy asks for a length penalty, which counts in beam search alone"):
        planned(Able(), generation=Generation(8, length_penalty=2.0))
    assert planned(Able(), generation=Generation(8, num_beams=3, length_penalty=2.0)) == 2
