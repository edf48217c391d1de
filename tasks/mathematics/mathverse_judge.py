"""What judges of MathVerse are asked: first for the answer in a response, then whether it is the right one.

Sources: ZrrSkywalker/MathVerse evaluation/{prompts,extract_answer_s1,score_answer_s2,utils}.py@937b0905; VLMEvalKit
vlmeval/dataset/utils/mathverse.py@e8e78f05; lmms-eval lmms_eval/tasks/mathverse/mathverse_evals.py,
lmms_eval/llm_judge/{prompt,utils}.py@75571cfe, which asks once, about the whole response.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

from vlmbench.base.samples import JudgeRequest, Sample, Status, Verdict
from vlmbench.base.task import JudgeRules
from vlmbench.families.base import Talk, fill
from vlmbench.families.yes_no_judge import TEMPERATURES

from .mathvista_judge import FAILED

EXTRACT = (
    "I am providing you a response from a model to a math problem, termed 'Model Response'. You should extract the "
    "answer from the response as 'Extracted Answer'. Directly output the extracted answer with no explanation."
)
RESPONSES: Sequence[str] = (
    "Model response: 'Rounded to two decimal places, the perimeter of the sector is approximately:\n\n(-2, 1)'\n"
    "Extracted Answer: (-2, 1)",
    "Model response: 'at those points.\n\nTherefore, the correct option that represents the meaning of the "
    "intersection points of the graphs is:\n\nD. They give the solutions to the equation $f(t)=g(t)$.\",'\n"
    "Extracted Answer: D",
    "Model response: ' at 1 (there's a closed circle at y = 1), the range in interval notation is \\((-4, 1]\\).\n\n"
    "Final values:\nDomain: \\((-3, 3]\\)\nRange: \\((-4, 1]\\)'\n"
    "Extracted Answer: Domain: \\((-3, 3]\\)\nRange: \\((-4, 1]\\)",
    "Model response: 'As it stands, I cannot provide the correct option letter because there isn't enough information "
    "to solve for 'y'.'\n"
    "Extracted Answer: null",
    "Model response: 'Given that AB = 17.6 meters, we can now substitute into the equation:\n\nd = 17.6 / cos(38°)\n\n"
    "Therefore, to one decimal place, the distance d between Ned and Bart is approximately 22.3 meters.'\n"
    "Extracted answer: 22.3",
    "Model response:  have all the coefficients for the quadratic function:\n\\( f(x) = ax^2 + bx + c \\)\n"
    "\\( f(x) = -1x^2 - 2x + 1 \\)\n\nTherefore, the equation for the graphed function \\( f \\) is:\n"
    "\\( f(x) = -x^2 - 2x + 1 \\)\"'\n"
    "Extracted answer: f(x) = -x^2 - 2x + 1",
)
"""Solutions with the answers in them."""
SCORE = (
    "Below are two answers to a math question. Question is [Question], [Standard Answer] is the standard answer to the "
    "question, and [Model_answer] is the answer extracted from a model's output to this question.  Determine whether "
    "these two answers are consistent.\n"
    "Please note that only when the [Model_answer] completely matches the [Standard Answer] means they are consistent. "
    "For non-multiple-choice questions, if the meaning is expressed in the same way, it is also considered consistent, "
    "for example, 0.5m and 50cm.\n"
    "If they are consistent, Judement is 1; if they are different, Judement is 0."
)
_CIRCLE = (
    "[Question]: As shown in the figure, circle O has a radius 1.0, if angle BAC = 60.0, then the length of BC is ()\n"
    "Choices:\nA:2\nB:2√{3}\nC:√{3}\nD:2√{2}\n[Standard Answer]: C\n"
)
PAIRS: Sequence[str] = (
    "[Question]: Write the set of numbers represented on the number line in interval notation.\n"
    "[Standard Answer]: (-2,1]\n[Model_answer] : Extracted Answer: \\((-2, 1)\\)\nJudgement: 0",
    f"{_CIRCLE}[Model_answer] : B:2√{{3}}\nJudgement: 0",
    "[Question]: Find the domain and range of the function f using interval notation.\n"
    "[Standard Answer]: domain: [-4, 0) and range: (-3, 1]\n[Model_answer] : Range: \\((-4, 1]\\)\nJudgement: 0",
    f"{_CIRCLE}[Model_answer] : null\nJudgement: 0",
    "[Question]: Given the graph of the ellipse that intersects with x-axis at 9 and -9 and with y-axis at 3 and -3, "
    "determine its equation.A. \\frac{x^2}{81} + \\frac{y^2}{9} = 1 B. Can not determine.\n\n"
    "[Standard Answer]: A\n[Model_answer] : \\frac{x^2}{81} + \\frac{y^2}{9} = 1\nJudgement: 1",
)
"""Questions with the right answer, an answer, and the judgement."""

_RESPONSE = "Model response: '{response}'\nExtracted Answer: "
_PAIR = "[Question]: {question}\n[Standard Answer]: {target}\n[Model_answer] : {found}\nJudgement:"
_NUMBERED = [f"{number}.\n{text}" for number, text in enumerate(RESPONSES, 1)]
EXTRACT_PROMPT = "\n\n".join([EXTRACT, *_NUMBERED, "7.", _RESPONSE])
SCORE_PROMPT = "\n\n".join([SCORE, *PAIRS, _PAIR])
OFFICIAL = JudgeRules("gpt-3.5-turbo", f"{EXTRACT_PROMPT}\n{SCORE_PROMPT}", max_tokens=256)

ENDLESS = 24
"""Asks after which the official loops, which a steady judge may never leave, are left without a verdict."""
_ENDLESS = f"{ENDLESS} replies without {{}}: the protocol asks for ever"

Found = Generator[JudgeRequest, str, str | None]
"""A conversation in which a judge finds an answer; None where it does not."""


def _ask(rules: JudgeRules, words: str, temperature: float = 0.0) -> JudgeRequest:
    return JudgeRequest((("user", words),), rules.max_tokens, temperature)


def last_words(text: str, count: int) -> str:
    """The end of a response, as the option `--trunk_response` takes it."""
    return " ".join(text.split(" ")[-count:])


def extraction(answer: str) -> Found:
    """Asks until a reply is not empty."""
    for _ in range(ENDLESS):
        reply = (yield _ask(OFFICIAL, fill(EXTRACT_PROMPT, {"response": answer}))).strip()
        if reply:
            return reply.replace("Extracted Answer: ", "").strip()
    return None


def official(sample: Sample, answer: str) -> Talk:
    """Extraction, then asks until a reply is 0 or 1, perhaps behind "Judgement:"."""
    found = yield from extraction(answer)
    if found is None:
        return Verdict(None, Status.JUDGE_FAILED, note=_ENDLESS.format("words"))
    words = fill(SCORE_PROMPT, {"question": sample.extra["stated"], "target": sample.target, "found": found})
    for _ in range(ENDLESS):
        judgement = (yield _ask(OFFICIAL, words)).replace("Judgement:", "").strip()
        if judgement in ("0", "1"):
            return Verdict(float(judgement), note=f"read as {found}")
    return Verdict(None, Status.JUDGE_FAILED, note=_ENDLESS.format("a judgement"))


def quick_match(sample: Sample, answer: str) -> Talk:
    """Extraction; right is what equals the right answer."""
    found = yield from extraction(answer)
    if found is None:
        return Verdict(None, Status.JUDGE_FAILED, note=_ENDLESS.format("words"))
    return Verdict(float(found == sample.target), note=f"read as {found}")


# ---------------------------------------------------------------------------------------------------------- VLMEvalKit

_KIT_PAIRS = [pair.replace("{", "{{").replace("}", "}}") for pair in PAIRS[:4]]
"""Its examples have the braces that a template would halve, and lack the last one."""
KIT_EXTRACT = f"\n{EXTRACT}\n\n\n" + "".join(f"\n{text}\n\n\n" for text in _NUMBERED) + f"7.\n{_RESPONSE}"
KIT_SCORE = f"\n{SCORE}\n\n\n" + "".join(f"\n{text}\n\n\n" for text in _KIT_PAIRS)
KIT_SCORE += "\n    " + _PAIR.replace("\n", "\n    ")
VLMEVALKIT = JudgeRules("gpt-4o-mini", KIT_EXTRACT + KIT_SCORE, max_tokens=128)


def kit_extraction(answer: str) -> Found:
    """The first of five replies, each asked for more warmly, that does not say that the service failed."""
    for temperature in TEMPERATURES:
        reply = yield _ask(VLMEVALKIT, fill(KIT_EXTRACT, {"response": answer}), temperature)
        if FAILED not in reply:
            return reply
    return None


def vlmevalkit(sample: Sample, answer: str) -> Talk:
    """Extraction; equality is enough, else up to five asks for a 0 or a 1. Without one the answer is wrong."""
    found = yield from kit_extraction(answer)
    if found is None:
        return Verdict(None, Status.JUDGE_FAILED, note=f"{len(TEMPERATURES)} replies said that the service failed")
    if found.strip() and found.strip() == str(sample.target).strip():
        return Verdict(1.0, note=f"read as {found}")
    words = fill(KIT_SCORE, {"question": sample.extra["for_eval"], "target": sample.target, "found": found})
    for temperature in TEMPERATURES:
        judgement = (yield _ask(VLMEVALKIT, words, temperature)).strip()
        if judgement in ("0", "1"):
            return Verdict(float(judgement), note=f"read as {found}")
    return Verdict(0.0, note=f"read as {found}", unread=True)


# ----------------------------------------------------------------------------------------------------------- lmms-eval

BINARY = (
    "You are a strict evaluator assessing answer correctness. You must output 1 for fully correct answers and 0 for "
    "any other case.\n\n"
    "# Input\nQuestion:\n```\n{question}\n```\nGround Truth Answer:\n```\n{target}\n```\n"
    "Model Prediction:\n```\n{response}\n```\n\n"
    "# Evaluation Rules\n"
    "- The model prediction may contain the reasoning process, you should spot the final answer from it.\n"
    "- For multiple-choice questions: Score 1 if the predicted answer matches the ground truth answer, it can be "
    "directly in option letters or the content of the options.\n"
    "- For open-ended questions:\n"
    "  * Score 1 if the prediction matches the answer semantically, it can be in different format.\n"
    "  * Score 0 for partially correct answers or answers with extra incorrect information, even if the reasoning "
    "process is correct.\n"
    "- Ignore minor differences in formatting, capitalization, or spacing since the model may explain in a different "
    "way.\n"
    "- Treat numerical answers as correct if they match within reasonable precision\n"
    "- For questions requiring units, both value and unit must be correct\n\n"
    "# Strict Output format\n1 or 0"
)
LMMS_EVAL = JudgeRules("gpt-4o-2024-11-20", BINARY, max_tokens=1024)


def lmms_eval(sample: Sample, answer: str) -> Talk:
    """One ask. A reply with a 1 anywhere is a yes, and any other is a no."""
    parts = {"question": sample.extra["for_eval"], "target": sample.target, "response": answer.strip()}
    reply = yield _ask(LMMS_EVAL, fill(BINARY, parts))
    return Verdict(float("1" in reply), unread=reply.strip() not in ("0", "1"))
