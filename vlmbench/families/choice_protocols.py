"""Protocols of multiple choice that one repository has for several benchmarks: prompt, reader and note differ.

A change here moves every benchmark that uses the protocol: golden data exist per task and protocol.
"""

from __future__ import annotations

from typing import Any

from vlmbench.families import prompts
from vlmbench.families.base import Prompt
from vlmbench.families.multiple_choice import ChoiceRules, Reader
from vlmbench.parsing import options as readers

KIT = "open-compass/VLMEvalKit vlmeval/dataset/utils/multiple_choice.py, vlmeval/utils/matching_util.py"


def vlmevalkit(note: str = "", prompt: Prompt = prompts.vlmevalkit, **more: Any) -> ChoiceRules:
    """VLMEvalKit without a judge: an answer from which no rule can tell the option is wrong."""
    note = note or "without its judge: an answer from which no rule can tell the option is wrong"
    return ChoiceRules(f"{KIT}@e8e78f05, exact matching", prompt, readers.vlmevalkit_letter, note=note, **more)


def lmms_eval(files: str, prompt: Prompt, reader: Reader, note: str, **more: Any) -> ChoiceRules:
    """lmms-eval; `files` are those below lmms_eval/tasks/."""
    return ChoiceRules(
        f"EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/{files}@75571cfe", prompt, reader, note=note, **more
    )


def cambrian(folder: str, prompt: Prompt, reader: Reader, note: str, tokens: int = 512, **more: Any) -> ChoiceRules:
    """Cambrian-1; `folder` is the one below eval/eval/."""
    source = f"cambrian-mllm/cambrian eval/eval/{folder}/@539ffc32"
    return ChoiceRules(source, prompt, reader, tokens=tokens, note=note, **more)
