"""What VLMEvalKit asks a judge about an answer from which no rule can tell the option.

Source: VLMEvalKit vlmeval/dataset/utils/multiple_choice.py@e8e78f05. Its questions get a second question mark, and the
Chinese words are used where the question has Chinese characters. After three replies that say no option it throws dice;
here such an answer is left without a verdict.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping

from vlmbench.base.samples import JudgeRequest, Sample, Status, Verdict
from vlmbench.base.task import JudgeRules
from vlmbench.data.tables.columns import options_of

TRIES = 3
_CHINESE = re.compile("[\u4e00-\u9fff]")

ENGLISH = (
    "You are an AI assistant who will help me to match an answer with several options of a single-choice question. "
    "You are provided with a question, several options, and an answer, "
    "and you need to find which option is most similar to the answer. "
    "If the meaning of all options are significantly different from the answer, output Z. "
    "Your should output a single uppercase character in A, B, C, D (if they are valid options), and Z. \n"
    "Example 1: \n"
    "Question: What is the main object in image?\nOptions: A. teddy bear B. rabbit C. cat D. dog\n"
    "Answer: a cute teddy bear\nYour output: A\n"
    "Example 2: \n"
    "Question: What is the main object in image?\nOptions: A. teddy bear B. rabbit C. cat D. dog\n"
    "Answer: Spider\nYour output: Z\n"
    "Example 3: \n"
    "Question: {question}?\nOptions: {options}\nAnswer: {answer}\nYour output: "
)
CHINESE = (
    "你是一个帮助我匹配答案与单选题中多个选项的 AI 助手。"
    "你会被提供：一个问题，多个选项，一个答案。你的任务是找到与答案意义最相近的选项。"
    "如果所有选项的意义都与答案显著不同，则输出 Z。"
    "你应该输出一个单个的大写字母，例如 A, B, C, D（如果它们是有效选项），或 Z。"
    "例 1:"
    "问题: 图中最主要的物体是什么?\n选项: A. 泰迪熊 B. 兔子 C. 猫 D. 狗\n"
    "答案: 一只可爱的泰迪熊\n输出: A\n"
    "例 2: \n"
    "问题: 图中最主要的物体是什么?\n选项: A. 泰迪熊 B. 兔子 C. 猫 D. 狗\n"
    "答案: 蜘蛛\n输出: Z\n"
    "例 3: \n"
    "问题: {question}?\n选项: {options}\n答案: {answer}\n输出: "
)

RULES = JudgeRules("gpt-3.5-turbo-0125", ENGLISH + CHINESE, max_tokens=2048)

Read = Callable[[str, Mapping[str, str]], str]


def prompt(sample: Sample, answer: str) -> str:
    """The judge's question about one answer."""
    template = CHINESE if _CHINESE.search(sample.question) else ENGLISH
    options = "".join(f"{letter}. {option}\n" for letter, option in options_of(sample).items())
    words = {"question": sample.question, "options": f"There are several options: \n{options}", "answer": answer}
    return re.sub(r"\{(question|options|answer)\}", lambda found: words[found[1]], template)


def verdict(sample: Sample, letter: str, *replies: str) -> Verdict:
    """What a letter is worth."""
    return Verdict(float(letter == sample.target), note=f"read as {letter}", replies=replies)


def grade(sample: Sample, answer: str, read: Read) -> Generator[JudgeRequest, str, Verdict]:
    """The letter by rule where one applies, without asking; else what the judge says, read by the same rule."""
    options = options_of(sample)
    if letter := read(answer, options):
        return verdict(sample, letter)
    request = JudgeRequest((("user", prompt(sample, answer)),), RULES.max_tokens, RULES.temperature)
    replies: list[str] = []
    while len(replies) < TRIES:
        replies.append((yield request))
        if letter := read(replies[-1], options):
            return verdict(sample, letter, *replies)
    return Verdict(None, Status.JUDGE_FAILED, note=f"{TRIES} replies named no option", replies=tuple(replies))
