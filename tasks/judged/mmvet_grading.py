"""How MM-Vet's replies are asked for and read, by protocol. Each is one conversation with the judge.

Sources: MM-Vet mm-vet_evaluator.py@acde843e; VLMEvalKit vlmeval/dataset/utils/mmvet.py@e8e78f05; lmms-eval
lmms_eval/tasks/mmvet/utils.py@75571cfe. All three give 0 to an answer whose replies never made a number; so do we, as
their scores have it, and the verdict's note says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping

from vlmbench.base.samples import JudgeRequest, Status, Verdict
from vlmbench.base.task import JudgeRules

from . import mmvet_prompts

Talk = Generator[JudgeRequest, str, Verdict]

RULES: Mapping[str, JudgeRules] = {
    "official": JudgeRules("gpt-4-0613", mmvet_prompts.OFFICIAL, 3),
    "vlmevalkit": JudgeRules("gpt-4-1106-preview", mmvet_prompts.VLMEVALKIT, 2048),
    "lmms_eval": JudgeRules("gpt-4o-2024-11-20", mmvet_prompts.LMMS_EVAL, 128),
}
UNREAD = "no reply was a number from 0 to 1: 0 by the protocol's rule"
ENDLESS = 24
"""Asks after which lmms-eval's loop, which a steady judge never leaves, counts as without a verdict."""


def number(text: str) -> float | None:
    """A text as Python's float() reads it; None if it does not. "nan" is read, and passes for a grade."""
    try:
        return float(text)
    except ValueError:
        return None


def first_word(reply: str) -> float | None:
    """The number before the first blank. A reply that starts with a blank has nothing before it."""
    return number(reply.split(" ")[0].strip())


def allowed(grade: float | None) -> bool:
    """From 0 to 1; nan is neither too small nor too large."""
    return grade is not None and not (grade < 0 or grade > 1)


def verdict(grade: float | None) -> Verdict:
    """An allowed grade as a verdict. `nan` passes the scripts for a grade, and is none."""
    assert grade is not None
    if math.isnan(grade):
        return Verdict(grade, note='the reply is "nan", which the script takes for a grade', unread=True)
    return Verdict(grade)


def _ask(protocol: str, prompt: str, temperature: float) -> JudgeRequest:
    return JudgeRequest((("user", prompt),), RULES[protocol].max_tokens, temperature)


def official(question: str, target: str, answer: str) -> Talk:
    """Up to six asks, of which the last is never read; from the second on with a suffix. Warmer from the third on."""
    prompt = mmvet_prompts.official(question, target, answer)
    reply = yield _ask("official", prompt, 0.0)
    for temperature in (0.0, 0.5, 1.0, 1.5, 2.0):
        grade = first_word(reply)
        if allowed(grade):
            return verdict(grade)
        reply = yield _ask("official", prompt + mmvet_prompts.AGAIN, temperature)
    return Verdict(0.0, note=UNREAD, unread=True)


def vlmevalkit(question: str, target: str, answer: str) -> Talk:
    """Up to five asks, each warmer; the whole reply must be a number."""
    prompt = mmvet_prompts.vlmevalkit(question, target, answer)
    for temperature in (0.0, 0.5, 1.0, 1.5, 2.0):
        grade = number((yield _ask("vlmevalkit", prompt, temperature)))
        if allowed(grade):
            return verdict(grade)
    return Verdict(0.0, note=UNREAD, unread=True)


def lmms_eval(question: str, target: str, answer: str) -> Talk:
    """Asks until the first word is a number from 0 to 1, the reply is empty, or temperature 2 is reached.

    A number out of range is asked for again in the same way. After a reply without a number, one more is fetched at
    the next temperature and thrown away.
    """
    prompt = mmvet_prompts.lmms_eval(question, target, answer)
    temperature = 0.0
    for _ in range(ENDLESS):
        reply = (yield _ask("lmms_eval", prompt, temperature)).strip()
        if not reply:
            return Verdict(0.0, note="the reply is empty: 0 by the protocol's rule", unread=True)
        grade = first_word(reply)
        if grade is not None and 0 <= grade <= 1:
            return Verdict(grade)
        if grade is None:
            temperature += 0.5
            yield _ask("lmms_eval", prompt, temperature)
            if temperature >= 2:
                return Verdict(0.0, note=UNREAD, unread=True)
    return Verdict(None, Status.JUDGE_FAILED, note="numbers out of range without end: the protocol asks for ever")


TALKS: Mapping[str, Callable[[str, str, str], Talk]] = {
    "official": official,
    "vlmevalkit": vlmevalkit,
    "lmms_eval": lmms_eval,
}
