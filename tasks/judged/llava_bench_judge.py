"""What LLaVA-Bench's judge is asked, and how its review is read: two numbers in the first line, reference first.

Sources: LLaVA llava/eval/{eval_gpt_review_bench,summarize_gpt_review}.py and llava/eval/table/rule.json@c121f043;
VLMEvalKit vlmeval/dataset/utils/llavabench.py@e8e78f05; lmms-eval lmms_eval/tasks/llava-in-the-wild/utils.py@75571cfe.
The three categories have one and the same rule text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from vlmbench.base.samples import JudgeRequest, Sample, Status, Verdict
from vlmbench.base.task import JudgeRules
from vlmbench.families.judged import Talk
from vlmbench.parsing.numbers import two_numbers, two_words

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

FAILED = (-1.0, -1.0)
"""What the scripts record, and keep in their means, for a review without two numbers."""
_FIELD = re.compile(r"\{(context|question|reference|answer)\}")


def prompt(context: str, question: str, reference: str, answer: str) -> str:
    """The whole text; what stands in braces in one part is not filled from another."""
    parts = {"context": context, "question": question, "reference": reference, "answer": answer}
    return _FIELD.sub(lambda found: parts[found[1]], TEMPLATE)


@dataclass(frozen=True)
class Review:
    """A judge and how its reviews are read."""

    rules: JudgeRules
    read: Callable[[str], tuple[float, float] | None] = two_words
    keeps_failures: bool = True
    """Whether a review that cannot be read stays in the means, as FAILED; else it is missing."""

    def __call__(self, sample: Sample, answer: str) -> Talk:
        """One ask. A review that cannot be read is not asked for again."""
        words = prompt(sample.extra["context"], sample.question, sample.target, answer)
        system = (("system", SYSTEM),) if self.rules.template.startswith(SYSTEM) else ()
        messages = (*system, ("user", words))
        review = yield JudgeRequest(messages, self.rules.max_tokens, self.rules.temperature)
        return self.verdict(review)

    def verdict(self, review: str) -> Verdict:
        """A review as a verdict: the answer's grade, and both grades."""
        pair, note = self.read(review), "the review does not start with two numbers"
        if pair is None and not self.keeps_failures:
            return Verdict(None, Status.JUDGE_FAILED, note=note)
        if pair is None:
            note = f"{note}: counted as -1 and -1 by the protocol's rule"
            return Verdict(FAILED[1], values=FAILED, note=note, unread=True)
        in_scale = all(0 <= number <= 10 for number in pair)  # judges do give 0, though told 1
        if not in_scale and not self.keeps_failures:
            return Verdict(None, Status.JUDGE_FAILED, values=pair, note="a grade is not from 0 to 10")
        return Verdict(pair[1], values=pair, unread=not all(map(math.isfinite, pair)))


REVIEWS = {
    "honest": Review(JudgeRules("gpt-4-0314", SYSTEM + TEMPLATE, 1024, 0.2), keeps_failures=False),
    "official": Review(JudgeRules("gpt-4-0314", SYSTEM + TEMPLATE, 1024, 0.2)),
    "vlmevalkit": Review(JudgeRules("gpt-4-1106-preview", SYSTEM + TEMPLATE, 2048, 0.2)),
    "lmms_eval": Review(JudgeRules("gpt-4o-2024-11-20", TEMPLATE, 1024, 0.2), two_numbers),
}
"""By protocol."""
