"""Text to yes or no (or true or false): the readers that benchmarks share, each named after the code whose rule it is.

A reader gives what an answer says, as a score keeps it: a word, or "" (`unknown`, `other`: the scripts' own words)
where it finds none. A probability may follow the word, where answers are ranked.

Sources:
- POPE evaluate.py@3df3ba1b, LLaVA llava/eval/eval_pope.py@c121f043, TinyLLaVA tinyllava/eval/eval_pope.py@53f12c78
- VLMEvalKit vlmeval/dataset/utils/yorn.py@e8e78f05; lmms-eval lmms_eval/tasks/{pope,mme}/utils.py@75571cfe
- MME eval_tool.zip calculation.py@dd295090; MiniGPT-4 eval_scripts/eval_vqa.py@d94738a7
- TinyGPT-V eval_vqa.py, eval_scripts/eval_vqa.py@83f6189b; VSR src/eval.py@b27a0af0
- NaturalBench naturalbench_vqa.py@99676059; lmms-eval lmms_eval/tasks/hallusion_bench/evaluate_hb.py@75571cfe
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from vlmbench.base.samples import ChoiceScore
from vlmbench.parsing.numbers import number
from vlmbench.parsing.options import likeliest, share
from vlmbench.parsing.text import vlmevalkit_depunctuated

YES_NO, TRUE_FALSE = ("yes", "no"), ("true", "false")


def first_sentence_yes_no(text: str) -> str:
    """POPE's rule: `no` if the text before the first full stop has the word No, not or no; else `yes`.

    Words are separated by single spaces: "No!", "NO", "maybe" and an empty answer are all `yes`.
    """
    words = text.partition(".")[0].replace(",", "").split(" ")
    return "no" if any(word in words for word in ("No", "not", "no")) else "yes"


def yes_anywhere(text: str) -> str:
    """InternVL's rule, as in lmms-eval: `yes` where these letters occur anywhere ("eyes"); all else is `no`."""
    return "yes" if "yes" in text.lower() else "no"


GUESSING = frozenset({first_sentence_yes_no, yes_anywhere})
"""Readers that take a text with neither word for an answer."""


def nothing_read(text: str) -> str:
    """Of a protocol in which a judge reads every answer."""
    return ""


_SAID = re.compile(r"\b(yes|no|not)\b", re.IGNORECASE)


def says_yes_or_no(text: str) -> bool:
    """Whether a text has any of the words yes, no and not; without one, POPE's rule counts it as `yes`."""
    return _SAID.search(text) is not None


def word_yes_no(text: str) -> str:
    """VLMEvalKit's rule: the word yes without the word no is `yes`, and the other way round; else `unknown`."""
    words = vlmevalkit_depunctuated(text.lower()).split()
    answers = [word for word in YES_NO if word in words]
    return answers[0] if len(answers) == 1 else "unknown"


def bare_yes_no(text: str) -> str:
    """lmms-eval's reading: the whole answer, lower-cased and stripped, is yes or no; else `unknown`."""
    word = text.lower().strip()
    return word if word in YES_NO else "unknown"


def opening_yes_no(text: str) -> str:
    """MME's rule: yes, else no, within the first four characters, leading spaces counted; else `other`.

    So "know", "none" and "note" are `no`, "eyes" is `yes`, and "The answer is yes" is `other`.
    """
    opening = text.lower()[:4]
    return next((word for word in YES_NO if word in opening), "other")


def opening_yes_no_stripped(text: str) -> str:
    """lmms-eval's MME: stripped, full stops deleted; a lone y or n counts too."""
    text = text.lower().strip().replace(".", "")
    return {"y": "yes", "n": "no"}.get(text) or opening_yes_no(text)


def exact_yes_no(text: str) -> str:
    """MiniGPT-v2's memes: yes or no alone, in any case; nothing else is either."""
    word = text.lower().strip()
    return word if word in YES_NO else ""


def inside_reply_yes_no(text: str) -> str:
    """TinyGPT-V's memes: what is before ### and after "Assistant:"; yes anywhere in it, else no anywhere in it.

    So "yesterday" is yes, and "not sure" and "I don't know" are no.
    """
    reply = text.split("###")[0].split("Assistant:")[-1].strip().lower()
    return next((word for word in YES_NO if word in reply), "")


def earliest_word(text: str, words: Sequence[str]) -> str:
    """NaturalBench's rule: of some words, the one that occurs first as a whole word, in any case."""
    found = ((match.start(), word) for word in words if (match := re.search(rf"\b{word}\b", text, re.IGNORECASE)))
    return min(found, default=(0, ""))[1]


# --------------------------------------------------------------------------------------------------- true or false


def inside_true_false(text: str) -> str:
    """TinyGPT-V's VSR: the words true and false, where they occur: "untrue" says true. Several joined by ` and `."""
    return " and ".join(word for word in TRUE_FALSE if word in text.lower())


def inside_true_false_yes_no(text: str) -> str:
    """The copy in TinyGPT-V's eval_scripts: yes and no count besides true and false."""
    return " and ".join(word for word in ("true", "yes", "false", "no") if word in text.lower())


_SHARE = re.compile(r"0\.\d+(e-\d+)?|1\.0+|\d(\.\d+)?e-\d+")


def is_share(text: str) -> bool:
    """Whether a text is a probability as a score keeps it: a decimal fraction up to 1."""
    return _SHARE.fullmatch(text) is not None


def digit_true_false(text: str) -> str:
    """What VSR's own prediction files hold, 1 and 0; or the word, which P(true) may follow."""
    word, _, chance = text.strip().partition(" ")  # "true 1.7" is no probability: unread
    read = {"1": "true", "0": "false"}.get(word, word.lower().rstrip("."))
    if read not in TRUE_FALSE or (chance and not is_share(chance)):
        return ""
    return f"{read} {chance}".strip()


def ranked_true_false(choices: Sequence[ChoiceScore]) -> str:
    """The likelier word and P(true), as `true 0.8`; the first choice is the true one."""
    return f"{likeliest(choices).lower()} {share(choices, choices[0].choice)!r}"


# --------------------------------------------------------------------------------------------------- probabilities


def chance_of_yes(text: str) -> str:
    """Hateful Memes' prediction files: `proba`, a number from 0 to 1, and its `label` behind it where there is one."""
    chance, _, label = text.strip().partition(" ")
    value = number(chance)
    if value is None or not 0 <= value <= 1 or label not in ("", "0", "1"):
        return ""
    return f"{value!r} {label}".strip()


def decided_yes_no(chance: str) -> str:
    """What a chance of yes decides: the label behind it, or else yes above one half."""
    share_of_yes, _, label = chance.partition(" ")
    return "yes" if (label == "1" if label else float(share_of_yes) > 0.5) else "no"
