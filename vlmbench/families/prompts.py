"""Multiple-choice prompts of the common harnesses, each named after the code whose words they are.

A change here moves every benchmark that uses the prompt: golden data exist per task and protocol.
"""

from __future__ import annotations

from vlmbench.base.samples import Sample
from vlmbench.data.tables.columns import options_of

LETTER = "Answer with the option's letter from the given choices directly."


def listed(sample: Sample) -> str:
    """The options, one per line: `A. red`."""
    return "\n".join(f"{letter}. {text}" for letter, text in options_of(sample).items())


def hint(sample: Sample, before: str, after: str = "\n") -> str:
    """A sample's hint between two texts; empty where it has none."""
    text = sample.extra.get("hint", "")
    return f"{before}{text}{after}" if text else ""


def vlmevalkit(sample: Sample) -> str:
    """VLMEvalKit: hint, question, options, and a request in English whatever the language."""
    request = "Please select the correct answer from the options above. \n"
    return f"{hint(sample, 'Hint: ')}Question: {sample.question}\nOptions:\n{listed(sample)}\n{request}"


def llava(sample: Sample) -> str:
    """LLaVA's MMBench: hint, question, options, and a request for the letter."""
    return f"{hint(sample, '')}{sample.question}\n{listed(sample)}\n{LETTER}"


def llava_context(sample: Sample) -> str:
    """LLaVA's ScienceQA: the same, with the word `Context: ` before the hint."""
    return f"{hint(sample, 'Context: ')}{sample.question}\n{listed(sample)}\n{LETTER}"
