"""Protocols of short answers that one repository has for several benchmarks: only the matcher and the note differ.

A change here moves every benchmark that uses the protocol: golden data exist per task and protocol.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vlmbench.families.base import Prompt
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
