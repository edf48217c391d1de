"""A model around a function: one call a question, errors kept apart, a fingerprint of its source."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support.toys import gone, keep, png
from vlmbench import FunctionModel
from vlmbench.base.errors import ModelError, PluginError
from vlmbench.base.samples import ImageRef, Request, Response
from vlmbench.plugins.function_model import fingerprint

RED = ImageRef("red.png", partial(keep, png((200, 0, 0))))


def answers(function: Callable[..., Any], *pictures: ImageRef, questions: int = 1, **options: Any) -> list[Response]:
    model = FunctionModel("f", function, options=options)
    group = [Request(str(number), f"Q{number}?", pictures) for number in range(questions)]
    return [response for _, response in model.answer([group])]


def test_it_is_given_pictures_and_the_prompt() -> None:
    def look(images: list[Image.Image], question: str) -> str:
        return f"{question} {images[0].mode} {images[0].getpixel((0, 0))}"

    assert answers(look, RED)[0].text == "Q0? RGB (200, 0, 0)"
    assert answers(lambda images, question: str(len(images)))[0].text == "0"


def test_pictures_are_its_own() -> None:
    def spoil(images: list[Image.Image], question: str) -> str:
        before = images[0].getpixel((0, 0))
        images.pop().putpixel((0, 0), (0, 0, 0))
        return str(before)

    assert [response.text for response in answers(spoil, RED, questions=2)] == ["(200, 0, 0)"] * 2


def test_failures_are_errors_of_their_question() -> None:
    def fail(images: Any, question: str) -> Any:
        return {"Q0?": 1, "Q1?": "fine"}[question]

    found = answers(fail, questions=3)
    assert [response.finish for response in found] == ["error", "stop", "error"]
    assert found[0].error == "the function returned int, not text" and found[2].error == "KeyError: 'Q2?'"
    gone_picture = ImageRef("x.png", partial(gone, "x.png"))
    assert "not there" in answers(fail, gone_picture)[0].error


def test_options_are_settings() -> None:
    def say(images: Any, question: str, *, word: str = "yes", times: int = 1) -> str:
        return word * times

    model = FunctionModel("f", say, options={"times": 2})
    assert dict(model.settings) == {"word": "yes", "times": 2}
    assert answers(say, times=2)[0].text == "yesyes"


def test_fingerprints_tell_functions_apart() -> None:
    class Says:
        def __init__(self, word: str) -> None:
            self.word = word

        def __call__(self, images: Any, question: str) -> str:
            return self.word

        def loud(self, images: Any, question: str) -> str:
            return self.word.upper()

    def closed(word: str) -> Callable[..., str]:
        return lambda images, question: word

    one, two = (lambda images, question: "a"), (lambda images, question: "b")
    made: list[Callable[..., str]] = [
        one,
        two,
        closed("a"),
        closed("b"),
        Says("a"),
        Says("b"),
        Says("a").loud,
        Says("b").loud,
    ]
    assert len({fingerprint(function) for function in made}) == len(made)
    assert fingerprint(closed("a")) == fingerprint(closed("a"))
    assert FunctionModel("f", one, version="1").fingerprint == FunctionModel("f", two, version="1").fingerprint
    with pytest.raises(ModelError, match="no source"):
        fingerprint(functools.partial(one))


def test_fingerprints_are_the_same_in_every_process(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from vlmbench.plugins.function_model import fingerprint\n"
        "print(fingerprint(lambda images, question: 'x' if question in {'a', 'b', 'c'} else 'y'))\n"
    )
    root = str(Path(__file__).resolve().parents[3])
    found = {
        subprocess.run(
            [sys.executable, *words], env={"PYTHONPATH": root, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2", "3")
        for words in ([str(script)],)
    }
    assert len(found) == 1


def test_other_signatures_are_refused() -> None:
    for function in (lambda image: "", lambda images, question, *, needed: "", 7):
        with pytest.raises(PluginError, match="cannot be called as"):
            FunctionModel("f", function)  # type: ignore[arg-type]


def test_images_inside_the_question_are_marked() -> None:
    """The same picture twice, too; a question whose images come first stays as it is."""

    def look(images: list[Image.Image], question: str) -> str:
        return f"{question} {[image.getpixel((0, 0))[0] for image in images]}"  # type: ignore[index]

    blue = ImageRef("blue.png", partial(keep, png((0, 0, 200))))
    placed = Request("a", "Is  the same as ?", (RED, RED), image_places=(3, 16))
    first = Request("b", "Which?", (RED, blue))
    said = {request.sample_id: r.text for request, r in FunctionModel("f", look).answer([[placed, first]])}
    assert said == {"a": "Is <image 1> the same as <image 2>? [200, 200]", "b": "Which? [200, 0]"}
