"""SmolVLM's own words in VLMEvalKit: what they make of its common prompts, and where MMMU's images stand."""

from __future__ import annotations

import pytest

from tests.support.toys import png
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import ImageRef, Sample
from vlmbench.families.shared_protocols import SMOLVLM
from vlmbench.tasks.suites import SUITES

SELECT = "Please select the correct answer from the options above. \n"
KIT = f"Question: Which?\nOptions:\nA. red\nB. blue\n{SELECT}"


@pytest.mark.parametrize(
    ("form", "text", "words"),
    [
        ("letter", KIT, "Question: Which?\nChoices:\nA. red\nB. blue\nAnswer with the letter."),
        ("letter", f"Hint: Look.\n{KIT}",
         "Hint: Look.\nQuestion: Which?\nChoices:\nA. red\nB. blue\nAnswer with the letter."),
        ("mmbench", KIT, "Question: Which?\nChoices:\nA. red\nB. blue\nAnswer with a letter."),
        ("mmbench", f"Hint: Look.\n{KIT}",
         "Question: Which?\nHint: Look.\nChoices:\nA. red\nB. blue\nAnswer with a letter."),
        ("mathvista", "Hint: Provide the letter.\nQuestion: Which?\nChoices:\n(A) red\n(B) blue",
         "Provide the letter.\nQuestion: Which?\nChoices:\nA. red\nB. blue"),
        ("brief", " What is written? ", "What is written?\nGive a very brief answer."),
        ("yes_no", "Is it red?", "Is it red?\nAnswer yes or no."),
    ],
)  # fmt: skip
def test_common_prompts_are_rewritten(form: str, text: str, words: str) -> None:
    assert SMOLVLM[form](text) == words


@pytest.mark.parametrize("form", ["chartqa", "docvqa", "textvqa"])
def test_instructions_stand_before_the_question(form: str) -> None:
    text = SMOLVLM[form]("How many?\nAnswer briefly. ")
    assert text.endswith("Question: How many?\nAnswer briefly.") and len(text) > 150


def test_the_images_of_mmmu_come_first_with_their_numbers() -> None:
    images = tuple(ImageRef(f"{n}.png", lambda n=n: png((n, 0, 0))) for n in (1, 2))  # type: ignore[misc]
    sample = Sample("validation_Art_1", "Is <image 2> like <image 1>?", images, "A", ("yes", "<image 1>"))
    request = choose_task("mmmu").task.build_request(sample, "smolvlm")
    assert request.prompt == (
        "Question: <image 1>:\n<image 2>:\n<image 3>:\nIs <image 1> like <image 2> ?\nChoices:\nA. yes\nB. <image 3> "
        "Answer with the letter."
    )
    assert [request.prompt[:place][-10:] for place in request.image_places] == [f"<image {n}>:" for n in (1, 2, 3)]
    assert [image.name for image in request.images] == ["2.png", "1.png", "1.png"]
    (plain,) = [choose_task("mmmu").task.build_request(Sample("a", "Which?", images[:1], "4"), "smolvlm")]
    assert plain.prompt == "Question: <image 1>:\n <image 1> Which?" and plain.image_places == (20,)


def test_the_suite_asks_in_these_words() -> None:
    members = [one for one in SUITES["smolvlm9"].members if one.task]
    assert len(members) > 5 and all(one.task.endswith("@smolvlm") for one in members)
    for one in members:
        rules = choose_task(one.task).task.protocols["smolvlm"]
        assert rules.generation.max_new_tokens == 2048 and "smolvlm.py" in rules.source
