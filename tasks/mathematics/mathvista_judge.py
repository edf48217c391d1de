"""What judges are asked to find in a solution: MathVista's official words and lmms-eval's, and VLMEvalKit's.

Sources: lupantech/MathVista evaluation/prompts/ext_ans.py, evaluation/extract_answer.py, models/gpt.py@53d52587;
lmms-eval lmms_eval/tasks/mathvista/mathvista_evals.py@75571cfe; VLMEvalKit
vlmeval/dataset/utils/{mathvista,mathv}.py@e8e78f05, which asks about MathVision's solutions in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from vlmbench.base.samples import JudgeRequest, Sample, Status, Verdict
from vlmbench.base.task import JudgeRules
from vlmbench.families.base import Talk, fill
from vlmbench.families.extraction import Matcher, one_ask
from vlmbench.families.yes_no_judge import TEMPERATURES

from .mathvista_answers import match, match_said, match_stripped, match_vlmevalkit
from .mathvista_queries import HINTS, query

TASK = "Please read the following example. Then extract the answer from the model response and type it at the end of "
TASK += "the prompt."
SHOWN: Sequence[tuple[str, str, str, str]] = (
    ("integer", "Which number is missing?", "The number missing in the sequence is 14.", "14"),
    (
        "float 1",
        "What is the fraction of females facing the camera?",
        "The fraction of females facing the camera is 0.6, which means that six out of ten females in the group are "
        "facing the camera.",
        "0.6",
    ),
    (
        "float 2",
        "How much money does Luca need to buy a sour apple candy and a butterscotch candy? (Unit: $)",
        "Luca needs $1.45 to buy a sour apple candy and a butterscotch candy.",
        "1.45",
    ),
    (
        "list",
        "Between which two years does the line  graph saw its maximum peak?",
        "The line graph saw its maximum peak between 2007 and 2008.",
        "[2007, 2008]",
    ),
    (
        "text",
        "What fraction of the shape is blue?\nChoices:\n(A) 3/11\n(B) 8/11\n(C) 6/11\n(D) 3/5",
        "The correct answer is (B) 8/11.",
        "B",
    ),
)
"""Kind of answer, question, response, answer: the examples that a judge is shown."""
EXAMPLES = "\n\n".join(
    f"{HINTS[kind]}\nQuestion: {question}\n\nModel response: {response}\n\nExtracted answer: {answer}"
    for kind, question, response, answer in SHOWN
)
TEMPLATE = f"{TASK}\n\n{EXAMPLES}\n\n{{query}}\n\n{{response}}\n\nExtracted answer: "
OFFICIAL = JudgeRules("gpt-4-0613", TEMPLATE, max_tokens=1024)
LMMS_EVAL = JudgeRules("gpt-4o-2024-11-20", TEMPLATE, max_tokens=256)
TRIES = 5
"""Asks of lmms-eval for a reply that is not empty."""
FAILED = "Failed to obtain answer via API."
"""VLMEvalKit's reply where its judge gives none."""


def prompt(sample: Sample, answer: str) -> str:
    """The examples, the problem as it is asked, and the response."""
    return fill(TEMPLATE, {"query": query(sample), "response": answer})


official = one_ask(OFFICIAL, prompt, match)
official_said = one_ask(OFFICIAL, prompt, match_said)


def lmms_eval(sample: Sample, answer: str) -> Talk:
    """Up to five asks, until a reply is not empty; then the answer is."""
    messages, reply = (("user", prompt(sample, answer.strip())),), ""
    for _ in range(TRIES):
        reply = (yield JudgeRequest(messages, LMMS_EVAL.max_tokens, LMMS_EVAL.temperature)).strip()
        if reply:
            break
    return match_stripped(sample, reply).verdict()


# ---------------------------------------------------------------------------------------------------------- VLMEvalKit

KIT_TASK = "\nPlease read the following example.\n"
KIT_TASK += "Then extract the answer from the model response and type it at the end of the prompt.\n\n"
WRAPPED: Mapping[str, str] = {
    "final value, e.g.": "final value,\ne.g.",
    "final list, e.g.": "final list,\ne.g.",
    "butterscotch candy? ": "butter-scotch candy? ",
    "line  graph": "line graph",
    "0.6, which": "0.6,\nwhich",
    "\nChoices:\n(A)": "\n\nChoices: (A)",
    "\n(": " (",
}
"""Where its examples have other line breaks and words than the official ones."""


def kit_examples(hints: Mapping[str, str] = HINTS) -> str:
    """The same examples, with a hint for each kind of answer."""
    return "".join(
        _wrapped(
            f"\n{hints[kind]}\n\nQuestion: {question}\n\nModel response: {response}\n\nExtracted answer: {answer}\n\n"
        )
        for kind, question, response, answer in SHOWN
    )


def _wrapped(text: str) -> str:
    for before, after in WRAPPED.items():
        text = text.replace(before, after)
    return text


def kit_rules(hints: Mapping[str, str] = HINTS) -> JudgeRules:
    """Its words are run together as they stand here, with its own spelling."""
    template = f"{KIT_TASK}{kit_examples(hints)}{{query}}\nModel respone: {{response}}Extracted answer:"
    return JudgeRules("gpt-4o-mini", template, max_tokens=128)


def kit_talk(rules: JudgeRules, query: Callable[[Sample], str], compare: Matcher) -> Callable[[Sample, str], Talk]:
    """The first of five replies, each asked for more warmly, that does not say that the service failed."""

    def talk(sample: Sample, answer: str) -> Talk:
        messages = (("user", fill(rules.template, {"query": query(sample), "response": answer})),)
        for temperature in TEMPERATURES:
            reply = yield JudgeRequest(messages, rules.max_tokens, temperature)
            if FAILED not in reply:
                return compare(sample, reply).verdict()
        return Verdict(None, Status.JUDGE_FAILED, note=f"{len(TEMPERATURES)} replies said that the service failed")

    return talk


VLMEVALKIT = kit_rules()
vlmevalkit = kit_talk(VLMEVALKIT, query, match_vlmevalkit)
