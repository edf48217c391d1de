"""The words in which MathVista's problems are asked: its own query, and lmms-eval's three orders of the same parts.

Sources: lupantech/MathVista data/query.json@53d52587 (all 6,141 queries are made so); lmms-eval
lmms_eval/tasks/mathvista/mathvista_evals.py@75571cfe (create_one_query).
"""

from __future__ import annotations

from collections.abc import Mapping

from vlmbench.base.samples import Sample
from vlmbench.data.tables.columns import LETTERS

_REQUIRING = "Hint: Please answer the question requiring {}, at the end."
HINTS: Mapping[str, str] = {
    "text": "Hint: Please answer the question and provide the correct option letter, e.g., A, B, C, D, at the end.",
    "integer": _REQUIRING.format("an integer answer and provide the final value, e.g., 1, 2, 3"),
    "float 1": _REQUIRING.format(
        "a floating-point number with one decimal place and provide the final value, e.g., 1.2, 1.3, 1.4"
    ),
    "float 2": _REQUIRING.format(
        "a floating-point number with two decimal places and provide the final value, e.g., 1.23, 1.34, 1.45"
    ),
    "list": _REQUIRING.format(
        "a Python list as an answer and provide the final list, e.g., [1, 2, 3], [1.2, 1.3, 1.4]"
    ),
}
"""By kind of answer; a float's with its decimal places."""
SHORT: Mapping[str, str] = {
    "text": "Answer with the option's letter from the given choices directly.",
    "integer": "Answer the question using a single integer number.",
    "float 1": "Answer the question using a single floating-point number with one decimal place.",
    "float 2": "Answer the question using a single floating-point number with two decimal places.",
    "list": "Answer the question using a Python list.",
}


def _kind(sample: Sample) -> str:
    kind = str(sample.extra["answer_type"])
    return f"float {2 if sample.extra['precision'] == '2' else 1}" if kind == "float" else kind


def _question(sample: Sample) -> str:
    unit = sample.extra["unit"]
    return f"{sample.question} (Unit: {unit})" if unit else sample.question


def _choices(sample: Sample, form: str) -> list[str]:
    return [form.format(letter, text) for letter, text in zip(LETTERS, sample.choices, strict=False)]


def _asked(sample: Sample) -> list[str]:
    """The question and its options, a line each."""
    listed = ["Choices:", *_choices(sample, "({}) {}")] if sample.choices else []
    return [f"Question: {_question(sample)}", *listed]


def query(sample: Sample) -> str:
    """The benchmark's own words; those of the file where it has others."""
    return sample.extra.get("query") or "\n".join([HINTS[_kind(sample)], *_asked(sample)]).strip()


def step_by_step(sample: Sample) -> str:
    """lmms-eval's `cot`: the hint stands last."""
    return "\n".join([*_asked(sample), HINTS[_kind(sample)]]).strip()


def solution(sample: Sample) -> str:
    """lmms-eval's `solution`."""
    return f"{step_by_step(sample)}\nSolution:"


def format_prompt(sample: Sample) -> str:
    """lmms-eval's `format`: a short answer."""
    return "\n".join([_question(sample), *_choices(sample, "{}. {}"), SHORT[_kind(sample)]]).strip()
