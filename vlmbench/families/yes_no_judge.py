"""What VLMEvalKit asks a judge about an answer from which its rule can tell neither yes nor no.

Source: VLMEvalKit vlmeval/dataset/utils/yorn.py@e8e78f05 (YOrN_auxeval). Its questions get a second question mark. A
reply is read by the same rule as an answer; after five, each asked for more warmly, the answer is wrong.
"""

from __future__ import annotations

from vlmbench.base.samples import JudgeRequest, Sample, Verdict
from vlmbench.base.task import JudgeRules
from vlmbench.families.base import Talk, fill
from vlmbench.parsing.yes_no import YES_NO, word_yes_no

TEMPLATE = (
    "You are an AI assistant who will help me to match an answer with two options of a question. "
    "The options are only Yes / No. "
    "You are provided with a question and an answer, "
    "and you need to find which option (Yes / No) is most similar to the answer. "
    "If the meaning of all options are significantly different from the answer, output Unknown. "
    "Your should output a single word among the following 3 choices: Yes, No, Unknown.\n"
    "Example 1: \n"
    "Question: Is the word in this image 'Hello'?\nAnswer: The word in this image is 'Hello'.\nYour output: Yes\n"
    "Example 2: \n"
    "Question: Is the word in this image 'Hello'?\n"
    "Answer: The word in this image is not 'Hello'.\nYour output: No\n"
    "Example 3: \n"
    "Question: {question}?\nAnswer: {answer}\nYour output: "
)
RULES = JudgeRules("gpt-3.5-turbo-0125", TEMPLATE, max_tokens=2048)
TEMPERATURES = (0.0, 0.5, 1.0, 1.5, 2.0)


def talk(sample: Sample, answer: str) -> Talk:
    """Up to five asks."""
    messages = (("user", fill(TEMPLATE, {"question": sample.question, "answer": answer})),)
    for temperature in TEMPERATURES:
        read = word_yes_no((yield JudgeRequest(messages, RULES.max_tokens, temperature)))
        if read in YES_NO:
            return Verdict(float(read == sample.target), note=f"read as {read}")
    return Verdict(0.0, note=f"{len(TEMPERATURES)} replies said neither yes nor no: wrong by the protocol", unread=True)
