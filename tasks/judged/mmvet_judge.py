"""What MM-Vet's judges are asked, and how their replies are read, by protocol. Each is one conversation.

Sources: MM-Vet mm-vet_evaluator.py@acde843e; VLMEvalKit vlmeval/dataset/utils/mmvet.py@e8e78f05 (the same words,
wrapped where the others have blanks); lmms-eval lmms_eval/tasks/mmvet/utils.py@75571cfe (whose table head says, by a
slip, gpt_query_prompt, and whose last cell has no blank). All three give 0 to an answer whose replies never made a
number; so do we, as their scores have it, and the verdict's note says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from vlmbench.base.samples import JudgeRequest, Sample, Status, Verdict
from vlmbench.base.task import JudgeRules
from vlmbench.data.images.places import MARK
from vlmbench.families.base import Talk
from vlmbench.parsing.numbers import first_word_number, number

_INTRODUCTION = (
    "Compare the ground truth and prediction from AI models, to give a correctness score for the prediction.",
    "<AND> in the ground truth means it is totally right",
    "only when all elements in the ground truth are present in the prediction,",
    "and <OR> means it is totally right when any one element in the ground truth is present in the prediction.",
    "The correctness score is 0.0 (totally wrong), "
    "0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, or 1.0 (totally right).",
    "Just complete the last space of the correctness score.",
)
_HEAD = ("Question | Ground truth | Prediction | Correctness", "--- | --- | --- | ---")
_EQUATION = "What is x in the equation? | -1 <AND> -5 | "
_EQUATIONS = (
    "x = 3 | 0.0",
    "x = -1 | 0.5",
    "x = -5 | 0.5",
    "x = -5 or 5 | 0.5",
    "x = -1 or x = -5 | 1.0",
)
_MEME = (
    "Can you explain this meme? | This meme is poking fun at the fact that the names of the countries",
    "Iceland and Greenland are misleading. Despite its name, Iceland is known for its beautiful green landscapes,",
    "while Greenland is mostly covered in ice and snow. The meme is saying that the person has trust issues",
    "because the names of these countries do not accurately represent their landscapes. |",
)
_MEME_HALF = (
    "The meme talks about Iceland and Greenland. It's pointing out that despite their names,",
    "Iceland is not very icy and Greenland isn't very green. | 0.4",
)
_MEME_RIGHT = (
    "The meme is using humor to point out the misleading nature of Iceland's and Greenland's names.",
    "Iceland, despite its name, has lush green landscapes while Greenland is mostly covered in ice and snow.",
    "The text 'This is why I have trust issues' is a playful way to suggest",
    "that these contradictions can lead to distrust or confusion.",
    "The humor in this meme is derived from the unexpected contrast between the names of the countries",
    "and their actual physical characteristics. | 1.0",
)


def _examples(between: str) -> list[str]:
    """The rows of the table, with `between` where VLMEvalKit wraps its lines."""
    memes = (between.join((*_MEME, *end)) for end in (_MEME_HALF, _MEME_RIGHT))
    return [*(_EQUATION + rest for rest in _EQUATIONS), *memes]


def _few_shot(between: str, head: Sequence[str]) -> str:
    """The whole text."""
    return "\n".join([between.join(_INTRODUCTION), *head, *_examples(between)]) + "\n"


def _few_shot_v2() -> str:
    """MM-Vet v2's: rows begin and end with a bar, and <image> stands where the images are."""
    first, *others = _INTRODUCTION
    told = (first, "<image> in the question indicates where an image is.", *others)
    rows = [row.replace("? |", "?<image> |", 1) for row in _examples(" ")]
    return "\n".join([" ".join(told), "", *(f"| {row} |" for row in (*_HEAD, *rows))]) + "\n"


OFFICIAL = JudgeRules("gpt-4-0613", _few_shot(" ", ("", *_HEAD)), 3)
OFFICIAL_V2 = JudgeRules("gpt-4-0613", _few_shot_v2(), 3)
VLMEVALKIT = JudgeRules("gpt-4-1106-preview", "\n" + _few_shot("\n", ("", *_HEAD)), 2048)
LMMS_EVAL = JudgeRules(
    "gpt-4o-2024-11-20", _few_shot(" ", (_HEAD[0].replace("Question", "gpt_query_prompt"), _HEAD[1])), 128
)

AGAIN = "\nPredict the correctness of the answer (digit): "
"""What the official script adds once a reply could not be read."""
UNREAD = "no reply was a number from 0 to 1: 0 by the protocol's rule"
ENDLESS = 24
"""Asks after which lmms-eval's loop, which a steady judge never leaves, counts as without a verdict."""


def prompt(rules: JudgeRules, sample: Sample, answer: str) -> str:
    """The examples, a blank line, and the row whose last cell is to be filled in. Nothing is escaped."""
    marked = sample.target.replace("<AND>", " <AND> ").replace("<OR>", " <OR> ")
    return "\n".join((rules.template, " | ".join((sample.question, marked, answer, ""))))


def official_v2(sample: Sample, answer: str) -> Talk:
    """MM-Vet v2's: line breaks are written as <br>, and images as <image>."""
    target = sample.target.replace("<AND>", " <AND> ").replace("<OR>", " <OR> ")
    cells = [MARK.sub("<image>", sample.question), target, answer]
    row = " | ".join([*(cell.replace("\n", "<br>") for cell in cells), ""])
    return (yield from until_number(OFFICIAL_V2, f"{OFFICIAL_V2.template}| {row}", "\n" + AGAIN))


def is_grade(value: float | None) -> bool:
    """From 0 to 1; nan is neither too small nor too large."""
    return value is not None and not (value < 0 or value > 1)


def _verdict(grade: float | None) -> Verdict:
    """A grade as a verdict. `nan` passes the scripts for a grade, and is none."""
    assert grade is not None
    if math.isnan(grade):
        return Verdict(grade, note='the reply is "nan", which the script takes for a grade', unread=True)
    return Verdict(grade)


def _request(rules: JudgeRules, words: str, temperature: float) -> JudgeRequest:
    return JudgeRequest((("user", words),), rules.max_tokens, temperature)


def official(sample: Sample, answer: str) -> Talk:
    """Up to six asks, of which the last is never read; from the second on with a suffix. Warmer from the third on."""
    return (yield from until_number(OFFICIAL, prompt(OFFICIAL, sample, answer), AGAIN))


def until_number(rules: JudgeRules, words: str, again: str) -> Talk:
    """The official scripts' way to ask; `again` is what they add once a reply could not be read."""
    reply = yield _request(rules, words, 0.0)
    for temperature in (0.0, 0.5, 1.0, 1.5, 2.0):
        grade = first_word_number(reply)
        if is_grade(grade):
            return _verdict(grade)
        reply = yield _request(rules, words + again, temperature)
    return Verdict(0.0, note=UNREAD, unread=True)


def vlmevalkit(sample: Sample, answer: str) -> Talk:
    """Up to five asks, each warmer; the whole reply must be a number."""
    words = prompt(VLMEVALKIT, sample, answer)
    for temperature in (0.0, 0.5, 1.0, 1.5, 2.0):
        grade = number((yield _request(VLMEVALKIT, words, temperature)))
        if is_grade(grade):
            return _verdict(grade)
    return Verdict(0.0, note=UNREAD, unread=True)


def lmms_eval(sample: Sample, answer: str) -> Talk:
    """Asks until the first word is a number from 0 to 1, the reply is empty, or temperature 2 is reached.

    A number out of range is asked for again in the same way. After a reply without a number, one more is fetched at
    the next temperature and thrown away.
    """
    words = prompt(LMMS_EVAL, sample, answer).removesuffix(" ")
    temperature = 0.0
    for _ in range(ENDLESS):
        reply = (yield _request(LMMS_EVAL, words, temperature)).strip()
        if not reply:
            return Verdict(0.0, note="the reply is empty: 0 by the protocol's rule", unread=True)
        grade = first_word_number(reply)
        if grade is not None and 0 <= grade <= 1:
            return Verdict(grade)
        if grade is None:
            temperature += 0.5
            yield _request(LMMS_EVAL, words, temperature)
            if temperature >= 2:
                return Verdict(0.0, note=UNREAD, unread=True)
    return Verdict(None, Status.JUDGE_FAILED, note="numbers out of range without end: the protocol asks for ever")
