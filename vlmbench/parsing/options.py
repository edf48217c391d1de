"""Text to the letter of an option, in multiple-choice questions: each reader named after the code whose rule it is.

A reader takes the answer and the options by letter. It gives a letter, a letter that stands for "none of them" (Z, in
lmms-eval E), or "" where the rule cannot decide and the official codes ask a judge.

Sources: VLMEvalKit vlmeval/utils/matching_util.py@e8e78f05 and, before August 2025, @aca64dbb;
lmms-eval lmms_eval/tasks/mmbench/mmbench_evals.py, lmms_eval/tasks/scienceqa/utils.py@75571cfe;
LLaVA llava/eval/eval_science_qa.py@c121f043; ScienceQA models/run_gpt3.py@2cbf8318.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from vlmbench.base.samples import ChoiceScore

UNDECIDED = ""

_FAILED = "Failed to obtain answer via API"
_REFUSALS = (
    "Sorry, I can't help with images of people yet.",
    "I can't process this file.",
    "I'm sorry, but without the image provided",
    "Cannot determine the answer",
)
_MARKS = str.maketrans(dict.fromkeys(".()[],:;!*#{}", " "))
_LAST_WORDS = 4
"""Since 2025 a letter counts only where its first place is among so many last words."""
_STATED = re.compile(r"(?:correct )?answer is\s+\**([A-D])\**", re.IGNORECASE)
_AFFIXES = (
    ("", "."), ("", ","), ("", ":"), ("", ")"), ("", ")."), ("(", ")"), ("(", ")."), (":", ""), (":", ","), (":", "."),
    (":", ")"), (":", ")."),
)  # fmt: skip


def exact_letter(text: str, options: Mapping[str, str]) -> str:
    """The whole answer is the letter."""
    text = text.strip()
    return text if text in options else UNDECIDED


def ranked_option(text: str, options: Mapping[str, str]) -> str:
    """What was ranked, an option's text to the character; or else a letter, as ranked options are exported."""
    return next((letter for letter, option in options.items() if option == text), "") or exact_letter(text, options)


def vlmevalkit_letter(text: str, options: Mapping[str, str]) -> str:
    """VLMEvalKit's can_infer since August 2025 (the stated answer since June 2026)."""
    letter = _refused(text) or _lone_letter(text, options, _LAST_WORDS) or _stated(text, options)
    if letter or len(text.lower()) > 2 * sum(map(len, options.values())):
        return letter
    return _lone_text(text, options)


def vlmevalkit_letter_2023(text: str, options: Mapping[str, str]) -> str:
    """VLMEvalKit's can_infer until August 2025, as behind most published figures: a lone letter anywhere."""
    return _refused(text) or _lone_letter(text, options) or _lone_text(text, options)


def lmms_eval_letter(text: str, options: Mapping[str, str]) -> str:
    """lmms-eval's older port: always five letters, E for none of them; a bare A in a sentence is a word.

    Punctuation does not separate words here: only the forms of a letter in _AFFIXES are known.
    """
    if _FAILED not in text:
        words = set(text.split())
        letters = [letter for letter in "ABCDE" if letter in words]
        if len(letters) == 1 and not ("A" in words and len(text.split()) > 3):
            return letters[0]
        for before, after in _AFFIXES:
            letters = [letter for letter in "ABCDE" if before + letter + after in words]
            if len(letters) == 1:
                return letters[0]
    return _lone_text(text, options)


_THE_ANSWER = re.compile(r"The answer is ([A-Z]).")
"""The full stop stands for any character, as in the scripts."""


def scienceqa_letter(text: str, options: Mapping[str, str]) -> str:
    """ScienceQA's GPT-3 script: "The answer is B." once; or the letter alone, which is how direct answers come."""
    stated = _THE_ANSWER.findall(text)
    letter = text.strip() if text.strip() in options else stated[0] if len(stated) == 1 else UNDECIDED
    return letter if letter in options else UNDECIDED


def llava_letter(text: str, options: Mapping[str, str]) -> str:
    """LLaVA's ScienceQA: "B", "B. ..." or once "The answer is B."; "B.", "(B)" and "b" are no answers."""
    letter = text if text in ("A", "B", "C", "D", "E") else UNDECIDED
    if not letter and text[:1] in ("A", "B", "C", "D", "E") and text[1:3] == ". ":
        letter = text[0]
    if not letter and len(stated := _THE_ANSWER.findall(text)) == 1:
        letter = stated[0]
    return letter if letter in options else UNDECIDED


def llava_seed_letter(text: str, options: Mapping[str, str]) -> str:
    """LLaVA's SEED-Bench (scripts/convert_seed_for_submission.py): the letter to the character, blanks count."""
    return text if text in options else UNDECIDED


def lmms_eval_opening_letter(text: str, options: Mapping[str, str]) -> str:
    """lmms-eval's ScienceQA: the letter in either case, or any capital and a full stop at the start."""
    text = text.strip()
    if text.upper() in options and len(text) == 1:
        return text.upper()
    return text[0] if text[1:2] == "." and text[0] in options else UNDECIDED


def likeliest(scores: Sequence[ChoiceScore], *, per_token: bool = False) -> str:
    """The choice with the highest log-probability, summed or per token; the first of equal ones."""
    return max(scores, key=lambda score: score.logprob / max(score.tokens, 1) if per_token else score.logprob).choice


def share(scores: Sequence[ChoiceScore], choice: str) -> float:
    """The probability of one choice among those ranked, in 0..1."""
    from math import exp

    best = max(score.logprob for score in scores)
    weights = {score.choice: exp(score.logprob - best) for score in scores}
    return weights[choice] / sum(weights.values())


def _refused(text: str) -> str:
    return "Z" if _FAILED not in text and any(phrase in text for phrase in _REFUSALS) else UNDECIDED


def _lone_letter(text: str, options: Iterable[str], last: int | None = None) -> str:
    """The only option whose letter is a word of the text; Z where that is said and no option is."""
    if _FAILED in text:
        return UNDECIDED
    words = text.translate(_MARKS).split()
    letters = [letter for letter in options if letter in words]
    if len(letters) == 1:
        early = last is not None and words.index(letters[0]) < len(words) - last
        return UNDECIDED if early else letters[0]
    return "Z" if not letters and "Z" in words else UNDECIDED


def _stated(text: str, options: Mapping[str, str]) -> str:
    match = _STATED.search(text) if _FAILED not in text else None
    letter = match[1].upper() if match else UNDECIDED
    return letter if letter in options else UNDECIDED


def _lone_text(text: str, options: Mapping[str, str]) -> str:
    """The only option whose text occurs in the answer."""
    text = text.lower()
    letters = [letter for letter, option in options.items() if option.lower() in text]
    return letters[0] if len(letters) == 1 else UNDECIDED
