"""What BLINK asks its judge about an answer that no rule can read: zeyofu/BLINK_Benchmark eval/multiple_choice.py."""

from __future__ import annotations

from vlmbench.base.samples import JudgeRequest, Sample, Verdict
from vlmbench.base.task import JudgeRules
from vlmbench.data.tables.columns import options_of
from vlmbench.families.base import Talk, fill
from vlmbench.families.prompts import bracketed
from vlmbench.parsing.letters import benchmarks

SELECT = "Select from the following choices"
_POINTS = "(A) Point A\n(B) Point B\n(Z) Failed\n"
_NEARER = f"Question: Which point is closer to the camera?\n{SELECT}.\nOptions: {_POINTS}Answer: "
TEMPLATE = (
    "You are an AI assistant who will help me to match an answer with several options of a single-choice question. "
    "You are provided with a question, several options, and an answer, and you need to find which option is most "
    "similar to the answer. "
    "If the answer says things like refuse to answer, I'm sorry cannot help, etc., output (Z)"
    "If the meaning of all options are significantly different from the answer, or the answer does not select any "
    "option, output (Z)"
    "Your should output one of the choices, (A),(B),(C),(D),(E) (if they are valid options), or (Z)\n"
    f"Example 1: \n{_NEARER}Point B, where the child is sitting, is closer to the camera.\nYour output: (B)\n"
    f"Example 2: \n{_NEARER}I'm sorry, but I can't assist with that request.\nYour output: (Z)\n"
    f"Example 3: \nQuestion: Which point is corresponding to the reference point?\n{SELECT}.\nOptions: {_POINTS}Answer:"
    "The reference point (REF) on the first image is at the tip of the pot, which is the part used to Poke if the pots "
    "were used for that action. Looking at the second image, we need to find the part of the object that would "
    "correspond to poking.\n"
    "(A) Point A is at the tip of the spoon's handle, which is not used for poking.\n"
    "(B) Point B is at the bottom of the spoon, which is not used for poking.\n"
    "(C) Point C is on the side of the pspoonot, which is not used for poking.\n"
    "(D) Point D is at the tip of the spoon, which is not used for poking.\n\n"
    "Therefore, there is no correct answer in the choices\nYour output: (Z)\n"
    "Example 4: \nQuestion: {question}?\nOptions: {options}\n(Z) Failed\nAnswer: {answer}\nYour output: "
)
RULES = JudgeRules("gpt-3.5-turbo", TEMPLATE, max_tokens=1024)
MOST = 5
"""Options that the code can name: an answer to a question with more, that no rule can read, is an error there."""


def talk(sample: Sample, answer: str) -> Talk:
    """The letter by rule where one applies; else the judge's reply, which must be no more than the option."""
    letter = benchmarks.blink(answer, options_of(sample))
    if letter or len(sample.choices) > MOST:
        return Verdict(float(letter == sample.target), note=f"read as {letter}" if letter else "more than five options")
    parts = {"question": f"{sample.question}\n{SELECT}", "options": bracketed(sample), "answer": answer}
    reply = yield JudgeRequest((("user", fill(TEMPLATE, parts)),), RULES.max_tokens, RULES.temperature)
    return Verdict(float(reply == f"({sample.target})"), replies=(reply,), unread=not reply.startswith("("))
