"""Oracles of multiple choice with a verdict per question: MMStar."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.golden.oracles.reading import (
    Case,
    Columns,
    Files,
    Oracle,
    Outcome,
    Readers,
    percent,
    write_tsv,
)
from vlmbench.base.samples import Score

PIXELS = "A" * 100
"""Stands for an image in a table: longer than the index of another row, and never decoded here."""


def verdict(score: Score, case: Case, row: Case, column: str) -> bool:
    """Right or wrong; the name of an exception is a run that died of the answer, here read as nothing."""
    return score.value == float(row[column] is True or row[column] == 1)


def letter(text: str | None) -> str:
    """A letter of VLMEvalKit's: Z is what it says where it cannot tell."""
    return "" if text in (None, "Z") else str(text)


# -------------------------------------------------------------------------------------------------------------- MMStar

MMSTAR_HEADER = ("index", "question", *"ABCD", "answer", "category", "l2_category", "bench", "image")
MMSTAR = {"official": "official", "lmms_eval": "lmms_eval", "vlmevalkit": "vlmevalkit", "cambrian": "cambrian"}
MMSTAR_LETTERS = {"lmms_eval": "lmms_eval_letter", "vlmevalkit": "vlmevalkit_letter"}


def mmstar_files(oracle: Oracle) -> Files:
    """VLMEvalKit's table."""
    cases = oracle.cases["cases"]
    write_tsv(oracle.scratch / "MMStar.tsv", MMSTAR_HEADER, ({"image": PIXELS, **case} for case in cases))
    return Files(oracle.scratch, [case["prediction"] for case in cases])


def mmstar_official(totals: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Our names of the official figures: `math(geometry)` is an ability, `math` a category."""
    for name, value in totals.items():
        category, _, ability = name.partition("(")
        ours = f"ability_{ability.removesuffix(')')}" if ability else f"category_{category}"
        yield "accuracy" if name == "final score" else ours, value


def mmstar_lmms_eval(totals: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """lmms-eval's figures."""
    return ((name if name == "average" else f"category_{name}", value) for name, value in totals.items())


def mmstar_vlmevalkit(totals: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """VLMEvalKit's report mixes categories and abilities."""
    categories = {"coarse perception", "fine-grained perception", "instance reasoning", "logical reasoning"}
    categories |= {"math", "science & technology"}
    for name, value in totals["val"].items():
        tag = "category" if name in categories else "ability"
        yield "accuracy" if name == "Overall" else f"{tag}_{name}", value


MMSTAR_TOTALS: Mapping[str, tuple[str, Callable[[Mapping[str, Any]], Iterator[tuple[str, Any]]]]] = {
    "official": ("official_totals", mmstar_official),
    "lmms_eval": ("lmms_eval_totals", mmstar_lmms_eval),
    "vlmevalkit": ("vlmevalkit_report", mmstar_vlmevalkit),
}


def mmstar_agrees(score: Score, case: Case, row: Case, column: str) -> bool:
    """The verdict, and the letter where the set has it."""
    read = MMSTAR_LETTERS.get(column)
    return verdict(score, case, row, column) and (read is None or letter(score.parsed_answer) == letter(row[read]))


def mmstar_totals(oracle: Oracle, outcome: Outcome, protocol: str, column: str) -> None:
    """Every figure of the protocol's own report."""
    if protocol in MMSTAR_TOTALS:
        key, ours = MMSTAR_TOTALS[protocol]
        figures = {name: percent(value) for name, value in ours(oracle.expected[key])}
        oracle.figures(outcome.values, figures, f"totals of {protocol}")


READERS: dict[str, Readers] = {
    "mmstar": (Columns("mmstar", mmstar_files, MMSTAR, mmstar_agrees, mmstar_totals, key="index"),),
}
