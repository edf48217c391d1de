"""What judges of HallusionBench are asked, and how their replies are read.

Sources: tianyi-lab/HallusionBench utils.py@744007c2 (evaluate_by_chatgpt, assign_correctness), which asks until the
server answers; lmms-eval lmms_eval/tasks/hallusion_bench/utils.py@75571cfe, the same words with 16 tokens.
"""

from __future__ import annotations

from functools import partial

from vlmbench.base.samples import JudgeRequest, Sample, Status, Verdict
from vlmbench.base.task import JudgeRules
from vlmbench.families.base import Talk, fill

TEMPLATE = (
    "Imagine you are an intelligent teacher. Thoroughly read the question, reference answer and the prediction answer "
    "to ensure a clear understanding of the information provided. Assess the correctness of the predictions. "
    "If the prediction answer does not conflict with the reference answer, please generate “correct”. If the "
    "prediction answer conflict with the reference answer, please generate “incorrect”. If the prediction answer is "
    'unclear about the answer, please generate "unclear". \n\n '
    "Question:{question}\nReference answer: {details}\nPrediction answer:{answer}\nOutput:"
)
TEMPLATE_OF_TWO = (
    "Imagine you are an intelligent teacher. Thoroughly read the two responses to two different questions. Assess the "
    "consistency of the information provided within those two responses. You do not know the specific questions, but "
    "you can asssess the consistency among the two responses by checking for logical conflicts if both responses are "
    "correct. If response1 does not conflict with response2, please generate “same”. Otherwise, generate "
    '"different". \n\n response1:{answer}\nresponse2: {other}\nOutput:'
)
OFFICIAL = JudgeRules("gpt-4", TEMPLATE, max_tokens=1024, temperature=1.0)
LMMS_EVAL = JudgeRules("gpt-4", TEMPLATE, max_tokens=16, temperature=1.0)
"""Neither script names a temperature: the server's own is 1."""

WRONG, RIGHT, UNCLEAR = range(3)
"""The scripts' verdicts."""


def read(reply: str) -> int:
    """A reply as a verdict; `incorrect` is looked for first. A reply with none of the words is unclear."""
    reply = reply.lower()
    return WRONG if "incorrect" in reply else RIGHT if "correct" in reply else UNCLEAR


def verdict_of(sample: Sample, read: int, *, unread: bool = False) -> Verdict:
    """What a verdict is worth. Where no figure is shown that could tell, it is right to be unclear."""
    right = (RIGHT, UNCLEAR) if sample.tags["visual_input"] == "0" else (RIGHT,)
    return Verdict(float(read in right), values=(float(read),), unread=unread)


def _talk(sample: Sample, answer: str, rules: JudgeRules) -> Talk:
    """One ask."""
    if not sample.extra["details"]:
        note = "no right answer in words, with which a judge could compare: HallusionBench.json has them"
        return Verdict(None, Status.JUDGE_FAILED, note=note)
    parts = {"question": sample.question, "details": sample.extra["details"], "answer": answer}
    reply = yield JudgeRequest((("user", fill(TEMPLATE, parts)),), rules.max_tokens, rules.temperature)
    return verdict_of(sample, read(reply), unread=read(reply) == UNCLEAR and "unclear" not in reply.lower())


official, lmms_eval = (partial(_talk, rules=rules) for rules in (OFFICIAL, LMMS_EVAL))
