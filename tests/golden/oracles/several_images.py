"""Oracles of multiple choice about several images: MMMU, MMMU-Pro, BLINK, MuirBench."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tests.golden.oracles.choice_sets import letter
from tests.golden.oracles.reading import (
    CHECKED,
    Case,
    Check,
    Files,
    Oracle,
    Outcome,
    Readers,
    percent,
    run,
    write_lines,
)
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Response, Sample, Score, Status, Verdict
from vlmbench.base.task import Judged
from vlmbench.parsing import open_answers
from vlmbench.parsing.letters import lmms_eval
from vlmbench.parsing.letters import mmmu as letters
from vlmbench.stats.figures.guesses import GUESSED, guess


def with_guesses(outcome: Outcome) -> list[tuple[Sample, Score]]:
    """The scores as the official code has them: with random letters."""
    return guess(outcome.scored)


def compare(outcome: Outcome, rows: Sequence[Case], key: str, *, guessed: str = "") -> None:
    """Letter, verdict and whether it was guessed, of every question with options; the verdict of the others."""
    drawn = with_guesses(outcome)
    for (sample, read), (_, final), row in zip(outcome.scored, drawn, rows, strict=True):
        assert final.value == float(row[f"{key}_correct"]), (sample, final, row)
        if guessed and sample.choices:
            assert (read.note == GUESSED) == row[guessed], (sample, read, row)
            assert final.parsed_answer == row[key], (sample, final, row)


def plain_rows(cases: Iterable[Case], **more: Any) -> Iterable[Mapping[str, Any]]:
    """Cases as rows of the hub, without images."""
    return ({"question": "?", **more, **case} for case in cases)


# ---------------------------------------------------------------------------------------------------------------- MMMU

IMAGES = {f"image_{number}": None for number in range(2, 8)}


def imaged(rows: Iterable[Case], column: str = "image_1", *, several: bool = False) -> Iterator[Case]:
    """Rows with the name of an image each, which no score reads; or with a list of such names."""
    for number, row in enumerate(rows, 1):
        yield {**row, column: [f"{number}.png"] if several else f"{number}.png"}


KEYS = ("official", "lmms_eval", "vlmevalkit")


def mmmu_outcome(oracle: Oracle, protocol: str, answers: Any = None) -> Outcome:
    """The cases as the hub's rows, whose lists are texts."""
    cases = oracle.cases["cases"]
    rows = [{**row, "options": repr(row["options"]), "answer": as_text(row["answer"])} for row in plain_rows(cases)]
    write_lines(oracle.scratch / "val.jsonl", imaged({**IMAGES, **row} for row in rows))
    texts = [case["response"] for case in cases]
    return run("mmmu", protocol, Files(oracle.scratch, texts if answers is None else answers, "val"))


def as_text(answer: Any) -> str:
    """A right answer as the hub has it."""
    return answer if isinstance(answer, str) else repr(answer)


def mmmu(oracle: Oracle, protocol: str) -> None:
    """Every letter, guess and verdict; what was read of open answers; all figures."""
    outcome, rows = mmmu_outcome(oracle, protocol), oracle.expected["per_case"]
    compare(outcome, rows, protocol, guessed="" if protocol == "vlmevalkit" else f"{protocol}_drawn")
    for (sample, score), case, row in zip(outcome.scored, oracle.cases["cases"], rows, strict=True):
        if protocol == "official" and not sample.choices:
            read = open_answers.values(case["response"])
            assert {str(one) for one in read} == {str(float(v)) if v in NOT_FINITE else str(v) for v in row[protocol]}
        if protocol == "vlmevalkit":
            assert letter(score.parsed_answer) == letter(row[protocol]), (case, score, row)
    oracle.figures(outcome.values, mmmu_figures(oracle.expected, protocol), f"totals of {protocol}")
    if protocol == "official":
        counts = right_of(with_guesses(outcome), "subject")
        assert counts == {name: (one["n"], one["correct"]) for name, one in oracle.expected["official_counts"].items()}
        for name, one in oracle.expected["official_main_parse_and_eval"].items():
            assert one["num_example"] == counts[name][0], name
    oracle.count(len(rows))


def right_of(scored: Iterable[tuple[Sample, Score]], tag: str) -> dict[str, tuple[int, int]]:
    """Of all and by the values of a tag: how many questions there are, and how many are right."""
    found: dict[str, list[bool]] = {"Overall": []}
    for sample, score in scored:
        for name in ("Overall", sample.tags[tag]):
            found.setdefault(name, []).append(score.value == 1)
    return {name: (len(rows), sum(rows)) for name, rows in found.items()}


NOT_FINITE = ("nan", "inf", "-inf")


def mmmu_figures(expected: Mapping[str, Any], protocol: str) -> dict[str, float | None]:
    """The figures of each code, under our names."""
    if protocol == "lmms_eval":
        return {}
    if protocol == "official":
        found = {
            f"subject_{name}": percent(one["acc"]) for name, one in expected["official_main_parse_and_eval"].items()
        }
        found.pop("subject_Overall", None)
        return found
    report = expected["vlmevalkit_report"]["validation"]
    overall = {"accuracy": percent(report["Overall"])}
    named = {f"discipline_{name}": percent(value) for name, value in report.items() if " " in name or name in WHOLE}
    return overall | named


WHOLE = ("Business", "Science")
"""Disciplines whose names are one word."""


def mmmu_files(oracle: Oracle, _: str) -> None:
    """The official result file, of letters with the guesses in it; figures with three places."""
    outcome = mmmu_outcome(oracle, "official", oracle.folder / "files" / "total_val_output.json")
    for name, figures in oracle.expected["official_main_eval_only"].items():
        ours = "accuracy" if name == "Overall" else f"discipline_{name.removeprefix('Overall-')}"
        ours = ours if name.startswith("Overall") else f"subject_{name}"
        assert round(outcome.values[ours] / 100, 3) == figures["acc"], name
        asked = [
            sample for sample, _ in outcome.scored if ours in (f"{tag}_{value}" for tag, value in sample.tags.items())
        ]
        assert len(asked if name != "Overall" else outcome.scored) == figures["num"], name


def mmmu_rounded(oracle: Oracle, protocol: str) -> None:
    """lmms-eval's figure of all, to five places."""
    assert round(mmmu_outcome(oracle, protocol).values["accuracy"] / 100, 5) == oracle.expected["lmms_eval_overall"]


# --------------------------------------------------------------------------------------------------------------- BLINK

BLINK_KEYS = ("lmms_eval", "vlmevalkit", "cambrian")


def blink_outcome(oracle: Oracle, protocol: str) -> Outcome:
    """The cases as the hub's rows."""
    images = dict.fromkeys(f"image_{n}" for n in (2, 3, 4))
    cases = oracle.cases["cases"]
    write_lines(oracle.scratch / "val.jsonl", imaged({**images, **row} for row in plain_rows(cases)))
    return run("blink", protocol, Files(oracle.scratch, [case["response"] for case in cases], "val"))


def blink(oracle: Oracle, protocol: str) -> None:
    """Every verdict and letter, and the figures by task and over all."""
    outcome, expected = blink_outcome(oracle, protocol), oracle.expected
    for (_, score), row in zip(outcome.scored, expected["per_case"], strict=True):
        right = row["cambrian"] if protocol == "cambrian" else row[f"{protocol}_correct"]
        assert score.value == float(right), (score, row)
        assert protocol == "cambrian" or letter(score.parsed_answer) == letter(row[protocol]), (score, row)
    by_task = {"lmms_eval": expected["lmms_eval_by_task"], "vlmevalkit": dict(expected["vlmevalkit_report"]["val"])}
    figures = {f"task_{name}": percent(value) for name, value in by_task.get(protocol, {}).items()}
    whole = {"lmms_eval": expected["lmms_eval"], "vlmevalkit": figures.pop("task_Overall", 0.0)}
    if protocol in whole:
        figures["accuracy"] = percent(whole[protocol]) if protocol == "lmms_eval" else whole[protocol]
    oracle.figures(outcome.values, figures, f"totals of {protocol}")
    oracle.count(len(outcome.scored))


def blink_scored(oracle: Oracle, key: str) -> Sequence[tuple[Sample, Score]]:
    """Official verdicts: with the judge's replies, without some predictions, or without a judge."""
    outcome = blink_outcome(oracle, "official")
    task = choose_task("blink").task
    assert isinstance(task, Judged)
    found = []
    rows = zip(outcome.scored, oracle.cases["cases"], oracle.expected["per_case"], strict=True)
    for place, ((sample, score), case, row) in enumerate(rows):
        dialogue, asked = task.grade(sample, Response(case["response"]), "official"), False
        try:
            next(dialogue)
            asked = True
            dialogue.send(case["judge_reply"])
        except StopIteration as done:
            verdict: Verdict = done.value
        assert asked == row["official_asked_judge"], (case, row)
        assert verdict.value == float(row["official_correct"]), (case, row)
        if oracle.has(row["official"], "predictions where the official reader dies"):
            assert row["official"] == (case["judge_reply"] if asked else f"({letter(score.parsed_answer)})"), (
                case,
                row,
            )
        lost = {"official_missing": place % 7 == 0, "official_no_judge": asked}.get(key, False)
        found.append((sample, replace(score, status=Status.OK, value=0.0 if lost else verdict.value)))
    return found


def blink_official(oracle: Oracle, key: str) -> None:
    """The mean of 14 tasks; without a judge also under the protocol that has none."""
    task, scored = choose_task("blink").task, blink_scored(oracle, key)
    figures = {f"task_{name}": percent(value) for name, value in oracle.expected[key].items()}
    figures["average"] = figures.pop("task_Total")
    values = {metric.name: metric.value() for metric in task.summarise(scored, "official")}
    oracle.figures(values, figures, key)
    if key == "official":
        oracle.figures(values, {"accuracy": percent(oracle.expected["official_micro"])}, "micro")
        printed = oracle.expected["official_line"].split()[-1]
        assert round(values["average"], 2) == float(printed.removesuffix("%"))
    if key == "official_no_judge":
        oracle.figures(blink_outcome(oracle, "official_rule").values, figures, key)


# ------------------------------------------------------------------------------------------------------------ MMMU-Pro

SETTINGS = ("standard_10", "standard_4", "vision")
COT = "vlmevalkit_cot_text"
"""What VLMEvalKit leaves of an answer with reasons before it reads it; null is the answer as it is."""
PRO = tuple(f"{setting}-{protocol}{mode}" for setting in SETTINGS for protocol in KEYS for mode in ("", "_cot"))


def mmmu_pro(oracle: Oracle, variant: str) -> None:
    """One of the six sets under one of three codes: every letter, guess and verdict, and the figure."""
    setting, protocol = variant.split("-")
    mode, code = ("cot" if protocol.endswith("_cot") else "direct"), protocol.removesuffix("_cot")
    pairs = zip(oracle.cases["cases"], oracle.expected["per_case"], strict=True)
    chosen = [(case, row) for case, row in pairs if (case["setting"], case["mode"]) == (setting, mode)]
    images: Case = {} if setting == "vision" else IMAGES
    asked = {} if setting == "vision" else {"question": "?"}
    rows = ({**images, **asked, **case, "options": repr(case["options"]), "response": None} for case, _ in chosen)
    write_lines(oracle.scratch / f"{setting}.jsonl", imaged(rows, "image" if setting == "vision" else "image_1"))
    answers = write_lines(
        oracle.scratch / "answers.jsonl", ({"id": c["id"], "response": c["response"]} for c, _ in chosen)
    )
    outcome = run("mmmu_pro", protocol, Files(oracle.scratch, answers, setting))
    read = [row for _, row in chosen]
    compare(outcome, read, code, guessed=f"{code}_drawn" if code == "official" or is_lmms(code, setting) else "")
    if code == "vlmevalkit":
        for (sample, score), row in zip(outcome.scored, read, strict=True):
            assert letter(score.parsed_answer) == letter(row[code]), (score, row)
            if mode == "cot":
                text = outcome.texts[sample.id]
                assert letters.answer_line(text) == (text if row[COT] is None else row[COT]), row
    totals = oracle.expected["totals"][f"{setting}_{mode}"]
    total = totals[code]
    if code == "official":
        right = sum(score.value == 1 for _, score in with_guesses(outcome))
        assert (len(chosen), right) == (totals["n"], totals["official_correct"])
    if code == "lmms_eval":
        assert round(outcome.values["accuracy"] / 100, 5) == total
    else:
        oracle.figures(outcome.values, {"accuracy": total if code == "official" else percent(total)}, variant)
    if code == "official":
        oracle.report(CHECKED, len(chosen))


def is_lmms(code: str, setting: str) -> bool:
    """Whether lmms-eval reads letters here: of screenshots it compares the text."""
    return code == "lmms_eval" and setting != "vision"


# ----------------------------------------------------------------------------------------------------------- MuirBench


def muirbench(oracle: Oracle, protocol: str) -> None:
    """Every letter, guess and verdict, and the figures."""
    cases, expected = oracle.cases["cases"], oracle.expected
    write_lines(
        oracle.scratch / "test.jsonl", imaged(plain_rows(cases, image_relation="?"), "image_list", several=True)
    )
    outcome = run("muirbench", protocol, Files(oracle.scratch, [case["response"] for case in cases], "test"))
    compare(outcome, expected["per_case"], protocol, guessed="official_drawn" if protocol == "official" else "")
    if protocol == "vlmevalkit":
        for (_, score), row in zip(outcome.scored, expected["per_case"], strict=True):
            assert letter(score.parsed_answer) == letter(row[protocol]), (score, row)
    if protocol == "lmms_eval":
        for case, row in zip(cases, expected["per_case"], strict=True):
            assert lmms_eval.filtered(case["response"]) == row[protocol], row
    report = {f"task_{name}": value for name, value in expected["vlmevalkit_report"]["test"].items()}
    shares = {
        "official": {f"task_{k}": v["correct"] / v["n"] for k, v in expected["official_by_task"].items()}
        | {"accuracy": expected["official"]},
        "lmms_eval": {"accuracy": expected["lmms_eval"]},
        "vlmevalkit": {"accuracy" if name == "task_Overall" else name: value for name, value in report.items()},
    }
    figures = {name: percent(value) for name, value in shares[protocol].items()}
    oracle.figures(outcome.values, figures, f"totals of {protocol}")
    oracle.count(len(cases))


READERS: dict[str, Readers] = {
    "mmmu": (Check(mmmu, KEYS), Check(mmmu_files), Check(mmmu_rounded, ("lmms_eval",))),
    "mmmu_pro": (Check(mmmu_pro, PRO),),
    "muirbench": (Check(muirbench, KEYS),),
    "blink": (Check(blink, BLINK_KEYS), Check(blink_official, ("official", "official_missing", "official_no_judge"))),
}
