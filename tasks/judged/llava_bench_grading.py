"""What LLaVA-Bench's judge is asked, and how its review is read: two numbers in the first line, reference first.

Sources: LLaVA llava/eval/{eval_gpt_review_bench,summarize_gpt_review}.py and llava/eval/table/rule.json@c121f043;
VLMEvalKit vlmeval/dataset/utils/llavabench.py@e8e78f05; lmms-eval lmms_eval/tasks/llava-in-the-wild/utils.py@75571cfe.
The three categories have one and the same rule text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Generator, Mapping

from vlmbench.base.samples import JudgeRequest, Status, Verdict
from vlmbench.base.task import JudgeRules

Talk = Generator[JudgeRequest, str, Verdict]
Pair = tuple[float, float]

SYSTEM = "You are a helpful and precise assistant for checking the quality of the answer."
RULE = (
    "We would like to request your feedback on the performance of two AI assistants in response to the user question "
    "displayed above. The user asks the question on observing an image. For your reference, the visual content in the "
    "image is represented with a few sentences describing the image. \n"
    "Please rate the helpfulness, relevance, accuracy, level of details of their responses. Each assistant receives an "
    "overall score on a scale of 1 to 10, where a higher score indicates better overall performance.\n"
    "Please first output a single line containing only two values indicating the scores for Assistant 1 and 2, "
    "respectively. The two scores are separated by a space.\n"
    "In the subsequent line, please provide a comprehensive explanation of your evaluation, avoiding any potential "
    "bias and ensuring that the order in which the responses were presented does not affect your judgment."
)
TEMPLATE = (
    "[Context]\n{context}\n\n[Question]\n{question}\n\n"
    "[Assistant 1]\n{reference}\n\n[End of Assistant 1]\n\n"
    "[Assistant 2]\n{answer}\n\n[End of Assistant 2]\n\n"
    "[System]\n" + RULE + "\n\n"
)

RULES: Mapping[str, JudgeRules] = {
    "honest": JudgeRules("gpt-4-0314", SYSTEM + TEMPLATE, 1024, 0.2),
    "official": JudgeRules("gpt-4-0314", SYSTEM + TEMPLATE, 1024, 0.2),
    "vlmevalkit": JudgeRules("gpt-4-1106-preview", SYSTEM + TEMPLATE, 2048, 0.2),
    "lmms_eval": JudgeRules("gpt-4o-2024-11-20", TEMPLATE, 1024, 0.2),
}
FAILED: Pair = (-1.0, -1.0)
"""What the scripts record, and keep in their means, for a review without two numbers."""
_FIELD = re.compile(r"\{(context|question|reference|answer)\}")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def prompt(context: str, question: str, reference: str, answer: str) -> str:
    """The whole text; what stands in braces in one part is not filled from another."""
    parts = {"context": context, "question": question, "reference": reference, "answer": answer}
    return _FIELD.sub(lambda found: parts[found[1]], TEMPLATE)


def two_words(review: str) -> Pair | None:
    """LLaVA's reading: the first line, commas as blanks, must be two numbers with a single blank between."""
    words = review.split("\n")[0].replace(",", " ").split(" ")
    if len(words) != 2:
        return None
    try:
        return float(words[0]), float(words[1])
    except ValueError:
        return None


def two_numbers(review: str) -> Pair | None:
    """lmms-eval's reading: the first two numbers anywhere in the first line ("Assistant 1: 8" gives 1 and 8)."""
    found = _NUMBER.findall(review.strip().split("\n")[0].replace(",", " ").replace(";", " "))
    return (float(found[0]), float(found[1])) if len(found) >= 2 else None


READERS: Mapping[str, Callable[[str], Pair | None]] = {
    "honest": two_words,
    "official": two_words,
    "vlmevalkit": two_words,
    "lmms_eval": two_numbers,
}


def verdict(review: str, protocol: str) -> Verdict:
    """A review as a verdict. Without two numbers there is none, or the scripts' [-1, -1] where they keep it."""
    pair = READERS[protocol](review)
    note = "the review does not start with two numbers"
    if pair is None and protocol == "honest":
        return Verdict(None, Status.JUDGE_FAILED, note=note)
    if pair is None:
        note = f"{note}: counted as -1 and -1 by the protocol's rule"
        return Verdict(FAILED[1], values=FAILED, note=note, unread=True)
    if protocol == "honest" and not all(0 <= number <= 10 for number in pair):  # judges do give 0, though told 1
        return Verdict(None, Status.JUDGE_FAILED, values=pair, note="a grade is not from 0 to 10")
    return Verdict(pair[1], values=pair, unread=not all(map(math.isfinite, pair)))


def grade(protocol: str, context: str, question: str, reference: str, answer: str) -> Talk:
    """One ask. A review that cannot be read is not asked for again."""
    rules = RULES[protocol]
    user = ("user", prompt(context, question, reference, answer))
    messages = (user,) if protocol == "lmms_eval" else (("system", SYSTEM), user)
    review = yield JudgeRequest(messages, rules.max_tokens, rules.temperature)
    return verdict(review, protocol)
