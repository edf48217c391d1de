"""Oracles of benchmarks about charts and documents: ChartQA's relaxed accuracy.

Per-case verdicts must be equal, totals to 1e-9: the codes average otherwise.
"""

from __future__ import annotations

from typing import Any

from tests.golden.oracles.reading import (
    Case,
    Check,
    Columns,
    Files,
    Oracle,
    Outcome,
    Readers,
    Scored,
    percent,
    run,
    write_lines,
)
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Score
from vlmbench.parsing.relaxed import relaxed

# ------------------------------------------------------------------------------------------------------------- ChartQA

CHARTQA = {
    "lmms_eval": "lmms_eval",
    "vlmevalkit": "vlmevalkit",
    "internvl": "internvl",
    "qwen_vl": "qwen_vl",
    "big_vision": "big_vision_lower",
}
MOONDREAM = {"relaxed_accuracy": "total_acc", "source_human": "human_acc"}
"""Its figures are percentages."""


def right(verdict: Any) -> bool | None:
    """What a column says of a case: one verdict, one for each right answer, or one among other things."""
    if isinstance(verdict, dict):
        return bool(verdict.get("hit", False))  # the name of an exception is no hit
    return any(one is True for one in verdict) if isinstance(verdict, list) else verdict


def chartqa_rows(oracle: Oracle) -> list[dict[str, Any]]:
    """The hub's rows: a right answer, or a list of several. An empty one is listed: by itself it would be none."""
    answers = [case["answers"] for case in oracle.cases["cases"]]
    return [
        {"type": case["type"], "question": "?", "image": "1.png"}
        | {"answer": given[0] if len(given) == 1 and given[0].strip() else given}
        for case, given in zip(oracle.cases["cases"], answers, strict=True)
    ]


def chartqa_files(oracle: Oracle) -> Files:
    """The hub's rows as lines, and the answers as they are."""
    write_lines(oracle.scratch / "test.jsonl", chartqa_rows(oracle))
    return Files(oracle.scratch, [case["prediction"] for case in oracle.cases["cases"]])


def chartqa_stripped(oracle: Oracle) -> Files:
    """The same with answers as most models of lmms-eval give them, without blanks around."""
    return Files(chartqa_files(oracle).data, [case["prediction"].strip() for case in oracle.cases["cases"]])


def chartqa_agrees(score: Score, case: Case, row: Case, column: str) -> bool:
    """Right or wrong."""
    return score.value == float(bool(right(row[column])))


def chartqa_totals(oracle: Oracle, outcome: Outcome, protocol: str, column: str) -> None:
    """The accuracy over all cases and over those with one right answer, whole and by source."""
    totals, what = oracle.expected["totals"][column], f"totals of {protocol}"
    known = zip(outcome.scored, oracle.cases["cases"], strict=True)
    single = [pair for pair, case in known if len(case["answers"]) == 1]
    for key, scored in (("all_cases_max", outcome.scored), ("single_target_only", single)):
        figures = {
            "relaxed_accuracy": percent(totals[key]["overall"]),
            "source_human": percent(totals[key]["human"]),
            "source_augmented": percent(totals[key]["augmented"]),
        }
        oracle.figures(summary(protocol, scored), figures, what)


def summary(protocol: str, scored: Scored) -> dict[str, float]:
    """ChartQA's figures."""
    return {metric.name: metric.value() for metric in choose_task("chartqa").task.summarise(scored, protocol)}


def chartqa_lists(oracle: Oracle, protocol: str) -> None:
    """moondream, which has no cases with several right answers."""
    files = chartqa_files(oracle)
    outcome = run("chartqa", protocol, files)
    known = zip(outcome.scored, oracle.cases["cases"], oracle.expected["per_case"], strict=True)
    single = [(pair, row[protocol]) for pair, case, row in known if len(case["answers"]) == 1]
    differ = [(pair, row) for pair, row in single if pair[1].value != float(row["ok"])]
    assert not differ, f"{protocol}: {len(differ)} of {len(single)}, e.g. {differ[:2]}"
    totals = oracle.expected["totals"][protocol]
    figures = {ours: totals[theirs] for ours, theirs in MOONDREAM.items()}
    oracle.figures(summary(protocol, [pair for pair, _ in single]), figures, f"totals of {protocol}")


def chartqa_case_kept(oracle: Oracle, _: str) -> None:
    """big_vision without its configuration's lower case: one verdict for each right answer."""
    match = relaxed(str, str)
    for case, row in zip(oracle.cases["cases"], oracle.expected["per_case"], strict=True):
        ours = [match(case["prediction"], answer)[1] == 1.0 for answer in case["answers"]]
        assert ours == row["big_vision"], case


READERS: dict[str, Readers] = {
    "chartqa": (
        Columns("chartqa", chartqa_files, CHARTQA, chartqa_agrees, chartqa_totals),
        Columns(
            "chartqa",
            chartqa_stripped,
            {"lmms_eval": "lmms_eval_stripped"},
            chartqa_agrees,
            chartqa_totals,
            name="stripped",
        ),
        Check(chartqa_lists, ("moondream",)),
        Check(chartqa_case_kept),
    ),
}
