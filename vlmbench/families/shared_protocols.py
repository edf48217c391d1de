"""Protocols that one repository has for several benchmarks: only the matcher and the note differ.

Those of short answers first; at the end `smolvlm`, which makes a protocol of any family of a benchmark's `vlmevalkit`.
A change here moves every benchmark that uses the protocol: golden data exist per task and protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from vlmbench.base.samples import ImageRef, in_order
from vlmbench.data.images.places import Placed, Placement
from vlmbench.families.base import Prompt, Rules, filled
from vlmbench.families.short_answer import INSTRUCTION, ShortAnswerRules
from vlmbench.parsing import text as answers
from vlmbench.parsing import vqa_accuracy

Matcher = Callable[..., Any]


def lmms_eval(config: str, prompt: Prompt, note: str) -> ShortAnswerRules:
    """lmms-eval where it takes MMF's matcher; `config` is the benchmark's file and settings."""
    repository, _, settings = config.partition(", ")
    source = f"EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/{repository}@75571cfe"
    return ShortAnswerRules(
        f"{source}, {settings}" if settings else source,
        prompt,
        vqa_accuracy.m4c,
        stop=("ASSISTANT:",),
        upload=answers.m4c_normal,
        note=note,
    )


def vlmevalkit(prompt: Prompt, note: str) -> ShortAnswerRules:
    """VLMEvalKit, accuracy over human answers."""
    source = "open-compass/VLMEvalKit vlmeval/dataset/utils/vqa_eval.py@e8e78f05 (vqa_score)"
    matcher, upload = vqa_accuracy.vlmevalkit, answers.vlmevalkit_normal
    return ShortAnswerRules(source, prompt, matcher, upload=upload, note=note)


def minigpt_v2(matcher: Matcher, note: str, prompt: Prompt = INSTRUCTION) -> ShortAnswerRules:
    """MiniGPT-v2."""
    source = "Vision-CAIR/MiniGPT-4 eval_scripts/eval_vqa.py, minigpt4/datasets/datasets/vqa_datasets.py@d94738a7"
    return ShortAnswerRules(source, prompt, matcher, tokens=20, note=note)


def tinygpt_v(matcher: Matcher, note: str, prompt: Prompt = INSTRUCTION) -> ShortAnswerRules:
    """TinyGPT-V."""
    source = "DLYuanGod/TinyGPT-V eval_scripts/eval_vqa.py@83f6189b"
    return ShortAnswerRules(source, prompt, matcher, tokens=20, note=note)


def lavis(files: str, note: str, matcher: Matcher = vqa_accuracy.lavis) -> ShortAnswerRules:
    """BLIP-2 in LAVIS; `files` are those of the benchmark's matcher and settings."""
    source, prompt = f"salesforce/LAVIS {files}@506965b9", "Question: {question} Short answer:"
    return ShortAnswerRules(source, prompt, matcher, tokens=10, beams=5, note=note)


def qwen_vl(
    note: str, matcher: Matcher = vqa_accuracy.lavis, files: str = "evaluate_vqa.py, eval_mm/vqa_eval.py"
) -> ShortAnswerRules:
    """Qwen-VL."""
    source = f"QwenLM/Qwen-VL eval_mm/{files}@aa00ed04"
    return ShortAnswerRules(source, "{question} Answer:", matcher, tokens=10, note=note)


# ------------------------------------------------------------------------------ SmolVLM's own words in VLMEvalKit

Rewrite = Callable[[str], str]
_OPTIONS, _SELECT = ("\nOptions:", "\nChoices:"), "Please select the correct answer from the options above."
_LETTERED = (_OPTIONS, (_SELECT, "Answer with the letter."))
_CHART = """For the question below, follow the following instructions:
-The answer should contain as few words as possible.
-Don't paraphrase or reformat the text you see in the image.
-Answer a binary question with Yes or No.
-When asked to give a numerical value, provide a number like 2 instead of Two.
-If the final answer has two or more items, provide it in the list format like [1, 2].
-When asked to give a ratio, give out the decimal value like 0.25 instead of 1:4.
-When asked to give a percentage, give out the whole value like 17 instead of decimal like 0.17%.
-Don't include any units in the answer.
-Do not include any full stops at the end of the answer.
-Try to include the full label from the graph when asked about an entity.
Question: """
_DOCUMENT = (
    "Give a short and terse answer to the following question. Do not paraphrase or reformat the text you see in the "
    "image. Do not include any full stops. Just give the answer without additional explanation. Question: "
)
_SCENE_TEXT = """Answer the following question about the image using as few words as possible. \
Follow these additional instructions:
-Always answer a binary question with Yes or No.
-When asked what time it is, reply with the time seen in the image.
-Do not put any full stops at the end of the answer.
-Do not put quotation marks around the answer.
-An answer with one or two words is favorable.
-Do not apply common sense knowledge. The answer can be found in the image.
Question: """


def _with(*pairs: tuple[str, str], before: str = "", after: str = "") -> Rewrite:
    """Other words for some, and more around them."""

    def rewrite(text: str) -> str:
        text = text.strip()
        for old, new in pairs:
            text = text.replace(old, new)
        return f"{before}{text}{after}"

    return rewrite


def _hint_behind(text: str) -> str:
    """MMBench: the hint behind the question."""
    text = _with(_OPTIONS, (_SELECT, "Answer with a letter."))(text)
    hint, hinted, rest = text.partition("\nQuestion:")
    question, _, options = rest.partition("\nChoices:")
    return f"Question:{question}\n{hint}\nChoices:{options}" if hinted and text.startswith("Hint:") else text


SMOLVLM: Mapping[str, Rewrite] = {
    "letter": _with(*_LETTERED),
    "mmbench": _hint_behind,
    "mathvista": lambda text: _with(*((f"({c}) ", f"{c}. ") for c in "ABCDEFGH"), _OPTIONS, ("Hint: ", ""))(
        text
    ).strip(),
    "chartqa": _with(before=_CHART),
    "docvqa": _with(before=_DOCUMENT),
    "textvqa": _with(before=_SCENE_TEXT),
    "brief": _with(after="\nGive a very brief answer."),
    "yes_no": _with(after="\nAnswer yes or no."),
}
"""What its class makes of VLMEvalKit's common prompts, by the name of the benchmark or of the form of answer.

`letter`: MMStar, AI2D, ScienceQA, SEED-Bench. `mmbench`: all its splits, CCBench. `brief`: MME, MM-Vet, OCRBench,
InfoVQA, OCR-VQA. `yes_no`: HallusionBench.
"""
_SOURCE = "open-compass/VLMEvalKit vlmeval/vlm/smolvlm.py@e8e78f05"


def with_smolvlm(rules: Mapping[str, Rules], form: str) -> dict[str, Rules]:
    """A benchmark's protocols with `smolvlm`, made of `vlmevalkit`."""
    return {**rules, "smolvlm": smolvlm(rules["vlmevalkit"], form)}


def smolvlm(rules: Rules, form: str) -> Rules:
    """VLMEvalKit's protocol of a benchmark in the words of its class SmolVLM2; `form` is a key of SMOLVLM.

    Those of its class SmolVLM are the same, but for the apostrophes in ChartQA's.
    """
    rewrite = SMOLVLM[form]
    return _smolvlm(replace(rules, prompt=lambda sample: rewrite(filled(rules.prompt, sample))), form)


def smolvlm_mmmu(rules: Rules) -> Rules:
    """The same for text with images in it: they come first, with their numbers, which stay in the text."""
    return _smolvlm(replace(rules, images=_Listed(at_marks=True, mark="", unmarked="first")), "letter")


def _smolvlm(rules: Rules, form: str) -> Rules:
    begun = "; theirs begins the reply with `Answer:`, which is left to the model here"
    note = f"vlmevalkit in the words of SmolVLM's cards{begun if form in ('letter', 'mmbench', 'mathvista') else ''}"
    return replace(rules, source=f"{_SOURCE}; answers: {rules.source}", tokens=2048, note=note)


class _Listed(Placement):
    """All images before the text, each behind its number, and the numbers in the text."""

    def place(self, prompt: str, images: Sequence[ImageRef], written: str, where: str) -> Placed:
        """As in the base class; of an image that the text has twice there are two."""
        placed = super().place(prompt, images, written, where)
        head, places, body = "Question: ", [], ""
        for number in range(1, len(placed.images) + 1):
            head += f"<image {number}>:"
            places.append(len(head))
            head += "\n"
        number = 0
        for part in in_order(placed.prompt, placed.images, placed.places):
            number += not isinstance(part, str)
            body += (
                _with(("Question:", ""), *_LETTERED[::-1])(part).strip()
                if isinstance(part, str)
                else f" <image {number}> "
            )
        return Placed(head + body, placed.images, tuple(places))
