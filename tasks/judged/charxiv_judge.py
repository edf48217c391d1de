"""What CharXiv's models and judge are asked, and how the judge's JSON is read.

Sources: CharXiv src/{constants,reasoning_utils,descriptive_utils,get_stats}.py@7ebe88f7; charxiv_prompts.json has the
words (Apache-2.0). A reply that is no such object is asked for again, ten times at most; one that was cut inside a text
with twice the tokens, up to 1,024. What is never read, and any score but 0 and 1, counts as wrong.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from vlmbench.base.samples import JudgeRequest, Sample, Verdict
from vlmbench.base.task import JudgeRules
from vlmbench.families.base import Talk

PROMPTS = Path(__file__).with_name("charxiv_prompts.json")
JUDGE = JudgeRules("gpt-4o-2024-05-13", PROMPTS.read_text("utf-8"), 256)
TRIES, LONGEST, SEED = 10, 1024, 42
CUT = "Unterminated string starting at"
"""How json says that a reply ends inside a text."""
UNREAD = "no reply was an object with a score of 0 or 1: wrong by the protocol's rule"
TITLE, LAYOUT, SUBPLOTS = 1, 18, 19
RUBRICS: Mapping[str, tuple[int, ...]] = {
    "title": (TITLE,),
    "ocr": (2, 3, 4, 5, 6, 7),
    "quant": (8, 9, 10, 12, 14, 15, 17, SUBPLOTS),
    "bool": (11,),
    "enum": (13,),
    "trend": (16,),
    "layout": (LAYOUT,),
}
"""By rubric: the templates of questions that it is for."""


@cache
def words() -> Mapping[str, Any]:
    """The prompts by name."""
    known: Mapping[str, Any] = json.loads(JUDGE.template)
    return known


# ---------------------------------------------------------------------------------------------- what the model is asked


def reasoning_question(sample: Sample) -> str:
    """The question with the rules of its kind of answer; for numbers with so many places as the right one has."""
    kind, places = sample.extra["kind"], ""
    if kind == 4 and sample.target is not None:
        decimals = str(sample.target).split(".")[1:2]
        places = f"a number with {len(decimals[0])} decimal places" if decimals else "an exact integer"
        places = f"* Your final answer must be {places}."
    return str(words()["reasoning_questions"][str(kind)]).format(sample.question, places)


def descriptive_question(template: int, place: Sequence[int] | str) -> str:
    """A question about the subplot at (row, column), at a place in words, or about the only one (0, 0)."""
    if template in (LAYOUT, SUBPLOTS):
        return str(words()["descriptive_questions"][str(template)])
    if isinstance(place, str):
        where = f"For {place}, "
    else:
        where = f"For the subplot at row {place[0]} and column {place[1]}, " if place[0] else "For the current plot, "
    return str(words()["descriptive_questions"][str(template)]).format(where)


# ---------------------------------------------------------------------------------------------- what the judge is asked


def _ask(text: str, read: Callable[[Any], Any]) -> Generator[JudgeRequest, str, Any]:
    """What `read` makes of the first reply that it takes; None where there is none."""
    tokens = JUDGE.max_tokens
    for _ in range(TRIES):
        reply = yield JudgeRequest((("user", text),), tokens, 0.0, json_object=True, seed=SEED)
        try:
            return read(json.loads(reply))
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            if CUT in str(error):
                if tokens >= LONGEST:
                    return None
                tokens = min(LONGEST, 2 * tokens)
    return None


def verdict(extracted: Any, score: Any) -> Verdict:
    """A score as the statistics count it."""
    if isinstance(score, int | float) and score in (0, 1):
        return Verdict(float(score), note=f"extracted: {extracted}")
    return Verdict(0.0, note=UNREAD, unread=True)


def _pair(content: Any) -> tuple[Any, Any]:
    return content["extracted_answer"], content["score"]


def reasoning(sample: Sample, answer: str) -> Talk:
    """One answer."""
    rules = words()["reasoning_rules"][str(sample.extra["kind"])]
    for mark, text in (("question", sample.question), ("ground_truth", str(sample.target)), ("response", answer)):
        rules = rules.replace(f"<|{mark}|>", text)
    found = yield from _ask(words()["reasoning_grading"] + rules, _pair)
    return verdict(*(found or (None, None)))


def descriptive(template: int, answers: Sequence[tuple[str, str]]) -> Generator[JudgeRequest, str, tuple[Verdict, ...]]:
    """(Answer, right answer) of up to five questions of one template."""
    numbers = range(1, len(answers) + 1)
    keys = [f"{name}_T{number}" for number in numbers for name in ("extract_answer", "score")]
    parts = {"NUM_TRIPLETS": len(answers), "JSON_KEYS": keys}
    parts["OVERARCHING_QUESTION"] = words()["descriptive_grading_questions"][str(template)]
    text = words()["descriptive_grading"]
    for mark in ("NUM_TRIPLETS", "OVERARCHING_QUESTION", "JSON_KEYS"):
        text = text.replace(f"<|{mark}|>", str(parts[mark]))
    text += words()["descriptive_rubrics"][next(name for name, ones in RUBRICS.items() if template in ones)]
    for number, (answer, right) in zip(numbers, answers, strict=True):
        text += f"T{number}:\nResponse {number}: {answer}\nGround Truth {number}: {right}\n\n"

    def read(content: Any) -> list[tuple[Any, Any]]:
        pairs = [(content[f"extract_answer_T{number}"], content[f"score_T{number}"]) for number in numbers]
        if any(score not in [0, 1] for _, score in pairs):
            raise ValueError("a score is neither 0 nor 1")
        return pairs

    found = yield from _ask(text, read)
    return tuple(verdict(*pair) for pair in found or [(None, None)] * len(answers))
