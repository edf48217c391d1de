"""Oracles of multiple choice with a verdict per question: MMStar, CV-Bench, SEED-Bench, A-OKVQA."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

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
    score,
    write_json,
    write_lines,
    write_tsv,
)
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import ChoiceScore, Response, Score
from vlmbench.data.files import Folder

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


# ------------------------------------------------------------------------------------------------------------ CV-Bench

CVBENCH = {"cambrian": "official", "lmms_eval": "lmms_eval_correct", "vlmevalkit": "vlmevalkit_correct"}
CVBENCH_LETTERS = {"lmms_eval_correct": "lmms_eval", "vlmevalkit_correct": "vlmevalkit"}


def cvbench_files(oracle: Oracle) -> Files:
    """The hub's rows as lines."""
    write_lines(oracle.scratch / "test.jsonl", ({**case, "image": "1.jpg"} for case in oracle.cases["cases"]))
    return Files(oracle.scratch, [case["prediction"] for case in oracle.cases["cases"]])


def cvbench_agrees(score: Score, case: Case, row: Case, column: str) -> bool:
    """The verdict, and the letter where the set has it."""
    read = CVBENCH_LETTERS.get(column)
    return verdict(score, case, row, column) and (read is None or letter(score.parsed_answer) == letter(row[read]))


def cvbench_totals(oracle: Oracle, outcome: Outcome, protocol: str, column: str) -> None:
    """Accuracies by source, and what the formula makes of them."""
    right = oracle.expected
    figures: dict[str, Any] = {}
    if protocol == "cambrian":
        figures = {f"source_{name}": part["accuracy"] for name, part in right["official"].items()}
        figures["cv_bench"] = right["official_formula"]
        for source, part in right["official"].items():
            scored = [pair for pair in outcome.scored if pair[0].tags["source"] == source]
            assert len(scored) == part["total_count"]
            metrics = {metric.name: metric for metric in choose_task("cvbench").task.summarise(scored, protocol)}
            for name in part.keys() - {"accuracy", "total_count"}:
                metric = metrics[f"task_{name}"]
                assert len(metric.items) == part[name]["total"]
                oracle.figures({name: metric.value()}, {name: percent(part[name]["accuracy"])}, f"{name} of {source}")
    elif protocol == "lmms_eval":
        figures = {"accuracy": right["lmms_eval"], "cv_bench": right["lmms_eval_formula"]}
    else:
        two, three = right["vlmevalkit_2D"], right["vlmevalkit_3D"]
        figures = {"mean_2d": two["Overall"], "source_COCO": two["COCO"], "source_ADE20K": two["ADE20K"]}
        figures |= {"type_3D": three["Overall"], "task_Depth": three["Depth"], "task_Distance": three["Distance"]}
    oracle.figures(outcome.values, {name: percent(value) for name, value in figures.items()}, f"totals of {protocol}")


# ---------------------------------------------------------------------------------------------------------- SEED-Bench

SEEDBENCH = {
    "llava": "llava_right",
    "lmms_eval": "lmms_eval_right",
    "vlmevalkit": "vlmevalkit_right",
    "cambrian": "cambrian_right",
}


def seedbench_files(oracle: Oracle) -> Files:
    """The official file, with the questions about videos."""
    cases = oracle.cases["cases"]
    write_json(oracle.scratch / "SEED-Bench.json", {"questions": cases, "question_type": {}})
    return Files(oracle.scratch, [case["prediction"] for case in cases], "all")


def seedbench_agrees(score: Score, case: Case, row: Case, column: str) -> bool:
    """The verdict, and what was read where the set has it: of lmms-eval the first character, a letter or not."""
    if not verdict(score, case, row, column):
        return False
    if column == "lmms_eval_right":
        read = row["lmms_eval"].upper()
        return score.parsed_answer == (read if read in ("A", "B", "C", "D") else "")
    return column != "vlmevalkit_right" or letter(score.parsed_answer) == letter(row["vlmevalkit"])


def seedbench_totals(oracle: Oracle, outcome: Outcome, protocol: str, column: str) -> None:
    """By kind of data, and by dimension."""
    right, figures = oracle.expected, {}
    if protocol == "lmms_eval":
        totals = right["lmms_eval"]
        figures = {"accuracy": totals["all"], **{f"data_type_{kind}": totals[kind] for kind in ("image", "video")}}
    elif protocol == "vlmevalkit":
        for kind, report in right["vlmevalkit_report"].items():
            numbers = {f"dimension_{name}": value for name, value in report.items() if value != "nan"}
            figures |= {f"data_type_{kind}": numbers.pop("dimension_Overall"), **numbers}
    oracle.figures(outcome.values, {name: percent(value) for name, value in figures.items()}, f"totals of {protocol}")


def seedbench_ranks(oracle: Oracle, _: str) -> None:
    """The option whose loss is least, and what eval.py would print; a loss that is no number comes last."""
    cases = oracle.cases["cases"]
    files = seedbench_files(oracle)
    task = choose_task("seedbench").task
    samples = task.samples(Folder(files.data), "all")
    scored = []
    for sample, case, row in zip(samples, cases, oracle.expected["per_case"], strict=True):
        losses = [math.inf if value == "nan" else float(value) for value in case["losses"]]
        ranked = tuple(ChoiceScore(text, -loss, 1) for text, loss in zip(sample.choices, losses, strict=True))
        found = task.score(sample, Response(choices=ranked), "official")
        assert (found.parsed_answer, found.value) == (row["official_rank"], float(row["official_rank_right"])), case
        scored.append((sample, found))
    values = {metric.name: metric.value() for metric in task.summarise(scored, "official")}
    printed = {
        "accuracy" if name == "total" else f"dimension_{name}": value
        for name, value in oracle.expected["official_accuracy"].items()
    }
    assert {name: round(values[name], 2) for name in printed} == printed


def seedbench_totals_of_llava(oracle: Oracle, _: str) -> None:
    """What LLaVA's script prints with a right row added to each dimension; without, it divides by what is not there.

    It looks up as a number each id that Python's int() takes, `20230730_0` among them; its results have texts. So none
    of the cases is found, and what is not found is wrong. Every eleventh case was left out of the results besides.
    """
    cases = {case["question_type_id"]: case for case in oracle.cases["cases"]}
    added = [
        {**case, "question_id": f"add{kind}", "prediction": case["answer"]} for kind, case in sorted(cases.items())
    ]
    rows = [
        {**case, "prediction": ""} if is_number(case["question_id"]) or place % 11 == 0 else case
        for place, case in enumerate(oracle.cases["cases"])
    ]
    write_json(oracle.scratch / "SEED-Bench.json", {"questions": [*rows, *added], "question_type": {}})
    texts = [row["prediction"] for row in (*rows, *added)]
    values = run("seedbench", "llava", Files(oracle.scratch, texts, "all")).values
    names = {"Total accuracy": "accuracy", "image accuracy": "data_type_image", "video accuracy": "data_type_video"}
    for name, printed in oracle.expected["llava_totals"].items():
        assert f"{values[names.get(name, f'dimension_{name}')]:.2f}%" == printed, name


def is_number(text: str) -> bool:
    """Whether Python's int() takes it."""
    try:
        return int(text) is not None
    except ValueError:
        return False


# ------------------------------------------------------------------------------------------------------------- A-OKVQA


def aokvqa(oracle: Oracle, protocol: str) -> None:
    """Both kinds of answers, from the official files; a question that is left out is wrong."""
    cases, right = oracle.cases["cases"], oracle.expected
    rows = [{"image_id": 1, **case} for case in cases]
    write_json(oracle.scratch / "aokvqa_v1p0_val.json", rows)
    given = {
        case["question_id"]: {
            field: case[field] for field in ("multiple_choice", "direct_answer") if case[field] is not None
        }
        for case in cases
    }
    answers = write_json(oracle.scratch / "predictions.json", given)
    task: Any = choose_task("aokvqa").task
    samples = task.samples(Folder(oracle.scratch), "val")
    outcome = score(f"aokvqa@{protocol}", samples, task.read_protocol_predictions(answers, samples, protocol))
    column = AOKVQA[protocol]
    for (_, one), row in zip(outcome.scored, right["per_case"], strict=True):
        theirs = row[column]
        assert protocol != "vlmevalkit" or letter(one.parsed_answer) == letter(row["vlmevalkit_mc"]), row
        if column == "official_da" and theirs is None:
            assert one.value is None, row
        else:
            assert one.value == pytest.approx(float(theirs) / (1 if column == "vlmevalkit_mc_right" else 100)), row
    counted = [pair for pair in outcome.scored if pair[1].value is not None]
    values = {metric.name: metric.value() for metric in task.summarise(counted, protocol)}
    total = percent(right["vlmevalkit"]) if protocol == "vlmevalkit" else right["official"][column[-2:]]
    oracle.figures(values, {"accuracy": total}, f"totals of {protocol}")
    if protocol != "vlmevalkit":
        counted_of_official(oracle, outcome, column)
    oracle.count(len(cases))


def counted_of_official(oracle: Oracle, outcome: Outcome, column: str) -> None:
    """How many direct answers count, what no answers at all are worth, and what counts where the script is strict.

    It then refuses what is no option.
    """
    totals, task = oracle.expected["official"], choose_task("aokvqa").task
    protocol = {"official_mc": "official", "official_da": "official_direct"}[column]
    kind = column[-2:]
    none = [(sample, task.score(sample, Response(""), protocol)) for sample, _ in outcome.scored]
    values = {m.name: m.value() for m in task.summarise([p for p in none if p[1].value is not None], protocol)}
    assert values["accuracy"] == totals[f"{kind}_none_predicted"]
    if kind == "da":
        assert sum(score.value is not None for _, score in outcome.scored) == totals["da_n"]
        return
    valid = []
    for pair, row in zip(outcome.scored, oracle.expected["per_case"], strict=True):
        refused = row["official_mc_strict"] == "AssertionError"
        assert refused == (not pair[1].parsed_answer), row
        assert refused or pair[1].value == row["official_mc_strict"] / 100, row
        valid += [] if refused else [pair]
    values = {metric.name: metric.value() for metric in task.summarise(valid, protocol)}
    assert len(valid) == totals["mc_strict_n"]
    oracle.figures(values, {"accuracy": totals["mc_strict_on_valid_subset"]}, "strict")


AOKVQA = {"official": "official_mc", "official_direct": "official_da", "vlmevalkit": "vlmevalkit_mc_right"}


READERS: dict[str, Readers] = {
    "mmstar": (Columns("mmstar", mmstar_files, MMSTAR, mmstar_agrees, mmstar_totals, key="index"),),
    "cvbench": (Columns("cvbench", cvbench_files, CVBENCH, cvbench_agrees, cvbench_totals),),
    "aokvqa": (Check(aokvqa, tuple(AOKVQA)),),
    "seedbench": (
        Columns("seedbench", seedbench_files, SEEDBENCH, seedbench_agrees, seedbench_totals, key="question_id"),
        Check(seedbench_ranks),
        Check(seedbench_totals_of_llava),
    ),
}
