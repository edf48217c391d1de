"""Oracles of short answers beyond VQA accuracy: relaxed (ChartQA), ANLS (DocVQA, InfographicVQA), containment
(OCRBench), counts (CountBenchQA, TallyQA, PixMo-Count).

Per-case verdicts must be equal, totals to 1e-9: the codes average otherwise.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.golden.oracles.reading import (
    EXACT,
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
    write_json,
    write_lines,
)
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Score
from vlmbench.families.short_answer import slug
from vlmbench.parsing.edit_distance import anls_above_half
from vlmbench.parsing.relaxed import lmms_eval, relaxed

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
    differ = [(pair, row) for pair, row in single if pair[1].value != float(row.get("ok", False))]
    assert not differ, f"{protocol}: {len(differ)} of {len(single)}, e.g. {differ[:2]}"
    totals = oracle.expected["totals"][protocol]
    figures = {ours: totals[theirs] for ours, theirs in MOONDREAM.items()}
    oracle.figures(summary(protocol, [pair for pair, _ in single]), figures, f"totals of {protocol}")


def chartqa_case_kept(oracle: Oracle, _: str) -> None:
    """big_vision without its configuration's lower case, and Molmo: one verdict for each right answer."""
    for column, match in (("big_vision", relaxed(str, str)), ("molmo", lmms_eval)):
        for case, row in zip(oracle.cases["cases"], oracle.expected["per_case"], strict=True):
            ours = [match(case["prediction"], answer)[1] == 1.0 for answer in case["answers"]]
            assert ours == row[column], (column, case)


# ---------------------------------------------------------------------------------------------------------------- ANLS

INFOVQA = {
    "official": "internvl",
    "lmms_eval": "lmms_eval",
    "vlmevalkit": "vlmevalkit",
    "internvl": "internvl",
    "qwen_vl": "qwen_vl",
    "big_vision": "big_vision_lower",
}
DOCVQA = {"official": "internvl", "moondream": "moondream"}
TYPES = {"answer_type": "answer_types", "evidence": "evidence_types", "operation": "operation_types"}
PRINTED = {
    "image span": "Image-Span",
    "question span": "Question-Span",
    "multiple spans": "Multi-Span",
    "non span": "None span",
    "table/list": "Table/list",
    "textual": "Text",
    "photo/pciture/visual_objects": "Visual/Layout",
    "figure": "Figure",
    "map": "Map",
    "comparison": "Sorting",
    "arithmetic": "Arithmetic",
    "counting": "Counting",
}
"""What the official script calls the types of its files."""


def anls_rows(oracle: Oracle, image: str) -> dict[str, Any]:
    """The official file with a name for the image, which the set leaves out."""
    content: dict[str, Any] = oracle.part("files/gt")
    return {**content, "data": [{**row, image: "1.png"} for row in content["data"]]}


def infovqa_files(oracle: Oracle) -> Files:
    """The official file and a submission."""
    write_json(oracle.scratch / "infographicsVQA_val_v1.0_withQT.json", anls_rows(oracle, "image_local_name"))
    return Files(oracle.scratch, oracle.folder / "files" / "submission.json")


def docvqa_files(oracle: Oracle) -> Files:
    """The same as DocVQA's file."""
    write_json(oracle.scratch / "val_v1.0.json", anls_rows(oracle, "image"))
    return Files(oracle.scratch, oracle.folder / "files" / "submission.json")


def anls_agrees(score: Score, case: Case, row: Case, column: str) -> bool:
    """The similarity; 0 where the code dies of two empty texts."""
    theirs = 0.0 if isinstance(row[column], dict) else float(row[column])
    return score.value is not None and abs(score.value - theirs) < EXACT


def anls_totals(oracle: Oracle, outcome: Outcome, protocol: str, column: str) -> None:
    """The mean; of the official script by type, too."""
    totals, what = oracle.expected["totals"][column], f"totals of {protocol}"
    oracle.figures(
        outcome.values, {"anls": percent(totals["result"]["score"] if "result" in totals else totals["mean"])}, what
    )
    if "scores_by_types" in totals and any(name.startswith("evidence_") for name in outcome.values):
        figures = {
            f"{ours}_{slug(label)}": percent(totals["scores_by_types"][theirs][name])
            for ours, theirs in TYPES.items()
            for label, name in PRINTED.items()
            if name in totals["scores_by_types"][theirs]
        }
        oracle.figures(outcome.values, figures, what)


def anls_case_kept(oracle: Oracle, _: str) -> None:
    """big_vision without its configuration's lower case; and Molmo, which dies of two empty texts."""
    for case, row in zip(oracle.cases["cases"], oracle.expected["per_case"], strict=True):
        assert anls_above_half(case["prediction"], case["answers"], str) == pytest.approx(row["big_vision"], abs=EXACT)
        if not isinstance(row["molmo"], dict):
            assert anls_above_half(case["prediction"], case["answers"]) == pytest.approx(row["molmo"], abs=EXACT)


# ------------------------------------------------------------------------------------------------------------ OCRBench

OCRBENCH = {"official": "official", "lmms_eval": "lmms_eval", "vlmevalkit": "vlmevalkit"}
OCRBENCH_GROUPS = {
    "score": "Final Score",
    "text_recognition": "Text Recognition",
    "scene_text_centric_vqa": "Scene Text-centric VQA",
    "doc_oriented_vqa": "Doc-oriented VQA",
    "key_information_extraction": "Key Information Extraction",
    "handwritten_mathematical_expression_recognition": "Handwritten Mathematical Expression Recognition",
}
"""What VLMEvalKit calls the groups."""


def ocrbench_files(oracle: Oracle, cases: str = "cases") -> Files:
    """The official file; a question that has no answer, which the script passes over, gets an empty one."""
    rows = [
        {**case, "answers": case["answers"] or [""], "image_path": f"{at}.jpg"}
        for at, case in enumerate(oracle.cases[cases])
    ]
    write_json(oracle.scratch / "OCRBench.json", rows)
    return Files(oracle.scratch, [case.get("predict") or "" for case in oracle.cases[cases]])


def ocrbench_other_set(oracle: Oracle, protocol: str) -> None:
    """The script's other branch, for sets that are not the thousand: how many are right by dataset."""
    known = oracle.expected["other_set"]
    outcome = run("ocrbench", protocol, ocrbench_files(oracle, "other_set"))
    hits: Counter[str] = Counter()
    for (sample, score), verdict in zip(outcome.scored, known["per_case"], strict=True):
        if verdict is not None:
            assert score.value == verdict, (sample, score)
            hits[sample.tags["dataset"]] += verdict
    assert {name: hits[name] for name in known["hits"]} == known["hits"]


def ocrbench_totals(oracle: Oracle, outcome: Outcome, protocol: str, column: str) -> None:
    """What is printed: points, of which those of questions without an answer are none."""
    expected, what = oracle.expected, f"totals of {protocol}"
    given = [
        (sample, score if row["official"] is not None else Score(0.0))
        for (sample, score), row in zip(outcome.scored, expected["per_case"], strict=True)
    ]
    metrics = choose_task("ocrbench").task.summarise(given, protocol)
    values = {metric.name: metric.value() for metric in metrics}
    if protocol == "lmms_eval":
        figures = {"score": 1000 * expected["lmms_eval_totals"]["first"]}
    elif protocol == "vlmevalkit":
        figures = {ours: expected["vlmevalkit_totals"][theirs] for ours, theirs in OCRBENCH_GROUPS.items()}
        assert expected["vlmevalkit_totals"]["Final Score Norm"] == pytest.approx(values["score"] / 10)
    else:
        figures = {slug(kind).lower(): points for kind, points in expected["official_by_type"].items()}
        figures |= {"score": expected["official_final"], "text_recognition": expected["official_recognition"]}
    oracle.figures(values, figures, what, within=1e-6)


# -------------------------------------------------------------------------------------------------------------- counts

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


def count_agrees(score: Score, case: Case, row: Case, column: str) -> bool:
    """The verdict; and what was read, where the set has it."""
    read: Any = row.get(f"{column}_read", ...)
    same = read is ... or score.parsed_answer == ("" if read is None else str(read))
    return same and score.value == float(row[column] is True)


def count_totals(oracle: Oracle, outcome: Outcome, protocol: str, column: str) -> None:
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
        Columns("countbenchqa", countbenchqa_files, COUNTBENCHQA, count_agrees, count_totals),
        Columns("tallyqa", tallyqa_files, TALLYQA, count_agrees, count_totals, name="tallyqa"),
        Columns("pixmo_count", pixmo_count_files, PIXMO_COUNT, count_agrees, count_totals, name="pixmo_count"),
        Check(tallyqa_run, ("big_vision",)),
    ),
    "ocrbench": (
        Columns("ocrbench", ocrbench_files, OCRBENCH, totals=ocrbench_totals),
        Check(ocrbench_other_set, ("official",)),
    ),
    "anls": (
        Columns("infovqa", infovqa_files, INFOVQA, anls_agrees, anls_totals),
        Columns("docvqa", docvqa_files, DOCVQA, anls_agrees, anls_totals, name="docvqa"),
        Check(anls_case_kept),
    ),
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
