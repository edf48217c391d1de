"""MMMU's readers of option letters, and those made from them: a letter in brackets, alone, or an option's text.

An answer in which none is found is "" here; the codes then take a letter at random (vlmbench.stats.figures.guesses).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import ascii_uppercase

from vlmbench.parsing.options import UNDECIDED, vlmevalkit_letter

_MARKS = ",.!?;:'"
"""Stripped from both ends one after another, so that a full stop behind an apostrophe stays."""
_BRACKETS, _ALONE, _BEFORE_BLANK, _BEFORE_STOP = "({})", " {} ", "{} ", "{}."
_WORDS = 5
"""Only in an answer of more words are the options' texts looked for."""
_ANSWER = "Answer:"


def official(text: str, options: Mapping[str, str]) -> str:
    """MMMU mmmu/utils/eval_utils.py@bb0b95a9, MuirBench eval/utils/postprocess.py@840b85fe.

    Of several letters, or of several texts, the one whose last place is furthest right.
    """
    return _read(text, options, (_BRACKETS, _ALONE))


def lmms_eval(text: str, options: Mapping[str, str]) -> str:
    """lmms-eval lmms_eval/tasks/_task_utils/mmmu_mcq_utils.py@75571cfe: a letter at the end of a word counts, too.

    "The DNA is shown" reads as A.
    """
    return _read(text, options, (_BRACKETS, _BEFORE_BLANK, _BEFORE_STOP))


def mmmu_pro(text: str, options: Mapping[str, str]) -> str:
    """MMMU-Pro mmmu-pro/evaluate.py@bb0b95a9: the only letter behind the last "Answer:", or else as lmms-eval reads.

    Any capital behind it counts, inside words too.
    """
    _, found, tail = text.rpartition(_ANSWER)
    named = [letter for letter in options if letter in tail] if found else []
    return named[0] if len(named) == 1 else lmms_eval(text, options)


def vlmevalkit_cot(text: str, options: Mapping[str, str]) -> str:
    """VLMEvalKit: what `answer_line` leaves is read by the usual rule."""
    return vlmevalkit_letter(answer_line(text), options)


def answer_line(text: str) -> str:
    """VLMEvalKit vlmeval/dataset/image_mcq.py@e8e78f05 (cot_postproc): the last line that begins with "Answer:".

    Of what follows there, its only capital, however often it occurs, or else all of it. Without such a line the text.
    """
    lines = [line.strip() for line in text.strip().split("\n")]
    tails = [line.removeprefix(_ANSWER) for line in lines if line.startswith(_ANSWER)]
    if not tails:
        return text
    capitals = {character for character in tails[-1] if character in ascii_uppercase}
    return min(capitals) if len(capitals) == 1 else tails[-1]


def _read(text: str, options: Mapping[str, str], forms: Sequence[str]) -> str:
    for mark in _MARKS:
        text = text.strip(mark)
    text = f" {text} "
    for form in forms:
        if found := [letter for letter in options if form.format(letter) in text]:
            ranked = _BRACKETS if form == _BRACKETS else _ALONE
            return max(found, key=lambda letter: text.rfind(ranked.format(letter)))
    if len(text.split()) <= _WORDS:
        return UNDECIDED
    lower = text.lower()
    named = {letter: lower.rfind(option.lower()) for letter, option in options.items() if option.lower() in lower}
    return max(named, key=lambda letter: named[letter], default=UNDECIDED)
