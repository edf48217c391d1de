"""Oracle of counts: CountBenchQA, TallyQA and PixMo-Count, by every code that reads them."""

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
    percent,
    run,
    write_json,
    write_lines,
)
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Score

COUNTBENCHQA = {
    "lmms_eval": "lmms_countbench",
    "lmms_eval_caption": "lmms_countbenchqa",
    "vlmevalkit": "vlmevalkit_countbench",
    "big_vision": "big_vision",
    "moondream": "moondream",
}
TALLYQA = {"vlmevalkit": "vlmevalkit_tally", "big_vision": "big_vision", "moondream": "moondream"}
PIXMO_COUNT = {"lmms_eval": "lmms_pixmo"}
LARGEST = 15
"""big_vision's evaluator dies of right answers above."""


def countbenchqa_files(oracle: Oracle) -> Files:
    """The hub's rows."""
    rows = (
        {"number": case["answer"], "question": "?", "text": "c", "image": "1.jpg"} for case in oracle.cases["cases"]
    )
    write_lines(oracle.scratch / "test.jsonl", rows)
    return Files(oracle.scratch, [case["prediction"] for case in oracle.cases["cases"]])


def pixmo_count_files(oracle: Oracle) -> Files:
    """The hub's rows, whose numbers are texts."""
    rows = ({"answer": str(case["answer"]), "question": "?", "image": "1.jpg"} for case in oracle.cases["cases"])
    write_lines(oracle.scratch / "test.jsonl", rows)
    return Files(oracle.scratch, [case["prediction"] for case in oracle.cases["cases"]])


def tallyqa_files(oracle: Oracle) -> Files:
    """The official file."""
    rows = [{**case, "question": "?", "image": "VG_100K/1.jpg"} for case in oracle.cases["cases"]]
    write_json(oracle.scratch / "test.json", rows)
    return Files(oracle.scratch, [case["prediction"] for case in oracle.cases["cases"]])


def agrees(score: Score, case: Case, row: Case, column: str) -> bool:
    """The verdict; and what was read, where the set has it."""
    read: Any = row.get(f"{column}_read", ...)
    same = read is ... or score.parsed_answer == ("" if read is None else str(read))
    return same and score.value == float(row[column] is True)


def totals(oracle: Oracle, outcome: Outcome, protocol: str, column: str) -> None:
    """The accuracy; of TallyQA's questions by complexity, too, and under big_vision by number."""
    expected, what = oracle.expected, f"totals of {protocol}"
    oracle.figures(outcome.values, {"accuracy": percent(expected["totals"][column])}, what)
    if not any(name.startswith("complexity_") for name in outcome.values):
        return
    parts = expected["simple_complex"][column]
    oracle.figures(outcome.values, {f"complexity_{name}": percent(part) for name, part in parts.items()}, what)
    if column == "moondream":
        printed = expected["moondream_tally"]
        figures = {"accuracy": printed["full_acc"], "complexity_simple": printed["simple_acc"]}
        oracle.figures(outcome.values, figures, what)
    elif column == "vlmevalkit_tally":
        oracle.figures(outcome.values, {"accuracy": percent(expected["vlmevalkit_tally_total"])}, what)


def tallyqa_run(oracle: Oracle, protocol: str) -> None:
    """What big_vision's evaluator yields over the cases that it does not die of."""
    outcome = run("tallyqa", protocol, tallyqa_files(oracle))
    cases = oracle.cases["cases"]
    known = [pair for pair, case in zip(outcome.scored, cases, strict=True) if case["answer"] <= LARGEST]
    metrics = choose_task("tallyqa").task.summarise(known, protocol)
    values = {metric.name: metric.value() for metric in metrics}
    counts = {metric.name: float(len(metric.items)) for metric in metrics}
    for theirs, figure in oracle.expected["big_vision_run"].items():
        kind, _, part = theirs.partition("/")
        ours = f"{'' if part.startswith('count_') else 'complexity_'}{part}" if part else "accuracy"
        oracle.figures(
            values if kind == "acc" else counts, {ours: percent(figure) if kind == "acc" else figure}, theirs
        )


READERS: dict[str, Readers] = {
    "counting": (
        Columns("countbenchqa", countbenchqa_files, COUNTBENCHQA, agrees, totals),
        Columns("tallyqa", tallyqa_files, TALLYQA, agrees, totals, name="tallyqa"),
        Columns("pixmo_count", pixmo_count_files, PIXMO_COUNT, agrees, totals, name="pixmo_count"),
        Check(tallyqa_run, ("big_vision",)),
    ),
}
