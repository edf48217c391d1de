"""Multiple-choice prompts of the common harnesses, each named after the code whose words they are.

A change here moves every benchmark that uses the prompt: golden data exist per task and protocol.
"""

from __future__ import annotations

from vlmbench.base.samples import Sample
from vlmbench.data.tables.columns import options_of
from vlmbench.data.tables.option_texts import ASKED

LETTER = "Answer with the option's letter from the given choices directly."
SHORT = "Answer the question using a single word or phrase."


def listed(sample: Sample) -> str:
    """The options, one per line: `A. red`."""
    return "\n".join(f"{letter}. {text}" for letter, text in options_of(sample).items())


def hint(sample: Sample, before: str, after: str = "\n") -> str:
    """A sample's hint between two texts; empty where it has none."""
    text = sample.extra.get("hint", "")
    return f"{before}{text}{after}" if text else ""


def vlmevalkit(sample: Sample) -> str:
    """VLMEvalKit: hint, question, options, and a request in English whatever the language; open questions lack both."""
    request = "Please select the correct answer from the options above. \n"
    options = f"Options:\n{listed(sample)}\n{request}" if sample.choices else ""
    return f"{hint(sample, 'Hint: ')}Question: {sample.question}\n{options}"


def in_language(sample: Sample, english: str, chinese: str) -> str:
    """A text in the sample's language: that of its tag `language`, English where it has none."""
    return chinese if sample.tags.get("language") == "cn" else english


def llava(sample: Sample) -> str:
    """LLaVA's MMBench: hint, question, options, and a request for the letter in the sample's language."""
    request = in_language(sample, LETTER, "请直接回答选项字母。")
    return f"{hint(sample, '')}{sample.question}\n{listed(sample)}\n{request}"


def lmms_eval_mmbench(sample: Sample) -> str:
    """lmms-eval's MMBench: hint, question and the words before the options on one line; a blank line, the request."""
    before = in_language(sample, "There are several options:", "有如下几个选项：")
    request = in_language(sample, LETTER, "请直接使用所提供的选项字母作为答案回答。")
    return f"{hint(sample, '', ' ')}{sample.question} {before}\n{listed(sample)}\n\n{request}"


def llava_context(sample: Sample) -> str:
    """LLaVA's ScienceQA: the same, with the word `Context: ` before the hint."""
    return f"{hint(sample, 'Context: ')}{sample.question}\n{listed(sample)}\n{LETTER}"


def bracketed(sample: Sample) -> str:
    """The options, one per line: `(A) red`."""
    return "\n".join(f"({letter}) {text}" for letter, text in options_of(sample).items())


def cambrian(sample: Sample) -> str:
    """Cambrian-1's MMVP and SEED-Bench: the word `Options:` behind the question."""
    return f"{sample.question} Options:\n{listed(sample)}\n{LETTER}"


def lmms_eval_letters(sample: Sample) -> str:
    """lmms-eval's note before the prompts of BLINK and CV-Bench: the letters that may be said."""
    letters = ", ".join(options_of(sample))
    return f"Note: You only need to respond with {letters} without providing any additional information."


def mmmu(sample: Sample) -> str:
    """MMMU's configuration for LLaVA: `(A) red`, a blank line, the request; for a short answer where it is open."""
    return f"{sample.question}\n{bracketed(sample)}\n\n{LETTER}" if sample.choices else f"{sample.question}\n{SHORT}"


def lmms_eval_mmmu(sample: Sample) -> str:
    """lmms-eval's MMMU: question, options, a blank line, the request."""
    options = f"\n{listed(sample)}" if sample.choices else ""
    return f"{sample.question}{options}\n\n{LETTER if options else SHORT}"


def in_question(sample: Sample) -> str:
    """The question with its options as the benchmark's own file has it; options stand as MMStar's do where it had none.

    MMStar: `Options: A: red, B: blue` on a line of its own.
    """
    options = ", ".join(f"{letter}: {text}" for letter, text in options_of(sample).items())
    asked: str = sample.extra.get(ASKED) or f"{sample.question}\nOptions: {options}"
    return asked
