"""Oracles of benchmarks answered in a few words: VQAv2, OK-VQA, TextVQA, VizWiz, GQA.

Official columns must agree to the last bit; peers that average otherwise (exact fractions, numpy) to 1e-9.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
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
    accuracy,
    equal,
    percent,
    run,
    score,
    write_json,
)
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Score
from vlmbench.data.files import Folder
from vlmbench.families.short_answer import slug
from vlmbench.parsing import text as answers
from vlmbench.tasks.short_answer.textvqa import question_of

NORMALISERS: Mapping[str, Callable[[str], object]] = {
    "official_py3": lambda text: [answers.vqa_depunctuated(answers.vqa_cleaned(text)), answers.vqa_normal(text)],
    "evalai_m4c": answers.m4c_normal,
    "vlmevalkit": answers.vlmevalkit_normal,
}
INEXACT = ("lmms_eval", "vlmevalkit", "vlmevalkit_vqa_score")
"""statistics.mean and numpy's mean may differ from a running sum in the last bit."""
PRINTED = 0.005 + EXACT
"""How far a figure printed with two places may be from ours."""


def vqa_normalizer(oracle: Oracle, name: str) -> None:
    """What a text becomes before it is compared."""
    read = NORMALISERS[name]
    differ = [
        (text, read(text), right[name])
        for text, right in zip(oracle.cases, oracle.expected["per_case"], strict=True)
        if oracle.has(right[name], f"texts under {name}") and read(text) != right[name]
    ]
    assert not differ, f"{name}: {len(differ)} of {len(oracle.cases)}, e.g. {differ[:3]}"
    oracle.count(len(oracle.cases))


def agrees(score: Score, case: Case, row: Case, column: str) -> bool:
    """To the last bit where the column is the official code's."""
    if column not in INEXACT:
        return equal(score, case, row, column)
    return score.value is not None and abs(score.value - float(row[column])) < EXACT


def within(column: str) -> float:
    """Official totals are rounded to two places."""
    return EXACT if column in INEXACT else PRINTED


# --------------------------------------------------------------------------------------------------- VQAv2 and OK-VQA

VQA = {
    "official": "official_py3",
    "lavis": "lavis",
    "qwen_vl": "qwen_vl",
    "lmms_eval": "lmms_eval",
    "vlmevalkit": "vlmevalkit_vqa_score",
}
OKVQA = {
    "official": "official",
    "minigpt_v2": "minigpt4",
    "lavis": "lavis",
    "qwen_vl": "lavis",
    "lmms_eval": "lmms_eval",
}
UNKNOWN = "<unk>"
"""The token that MiniGPT-4's script takes out of a lower-cased answer."""


def write_vqa(cases: Sequence[Case], root: Path, version: str = "") -> Files:
    """Question, annotation and result files of the VQA challenge."""
    questions = [{"image_id": c["image_id"], "question": "?", "question_id": c["question_id"]} for c in cases]
    fields = ("question_type", "answers", "image_id", "answer_type", "question_id")
    notes = [{field: c[field] for field in fields} | {"multiple_choice_answer": ""} for c in cases]
    asked = {"questions": questions, "task_type": "Open-Ended"}
    write_json(root / f"{version}OpenEnded_mscoco_val2014_questions.json", asked)
    write_json(root / f"{version}mscoco_val2014_annotations.json", {"annotations": notes, "data_subtype": "val2014"})
    results = [{"question_id": c["question_id"], "answer": c["prediction"]} for c in reversed(cases)]
    return Files(root, write_json(root / "results.json", results))


def vqav2_files(oracle: Oracle) -> Files:
    """VQAv2's files, which have a version in their names."""
    return write_vqa(oracle.cases, oracle.scratch, "v2_")


def okvqa_files(oracle: Oracle) -> Files:
    """OK-VQA's files."""
    return write_vqa(oracle.cases, oracle.scratch)


def vqa_totals(oracle: Oracle, outcome: Outcome, protocol: str, column: str) -> None:
    """The accuracy, whole and by type of answer and question."""
    what = f"totals of {protocol}"
    totals = oracle.expected["totals"][column]
    if not oracle.has(totals, what):
        return
    oracle.figures(outcome.values, {"accuracy": totals["overall"]}, what, within(column))
    for ours, theirs in (("answer_type", "perAnswerType"), ("question_type", "perQuestionType")):
        right = {f"{ours}_{slug(label)}": figure for label, figure in totals.get(theirs, {}).items()}
        oracle.figures(outcome.values, right, what, within(column))


def where_python_2_and_3_agree(oracle: Oracle, _: str) -> None:
    """The unmodified Python 2 code: equal but for texts whose lower-casing the two languages differ on."""
    scored = run("vqav2", "official", vqav2_files(oracle)).scored
    differ = [
        sample.id
        for (sample, score), row in zip(scored, oracle.expected["per_case"], strict=True)
        if oracle.has(row["official_py27"], "cases under Python 2.7") and score.value != row["official_py27"]
    ]
    if oracle.has(oracle.expected["differs_from_official_py27"]["official_py3"], "cases that Python 2.7 differs on"):
        assert differ == [str(key) for key in oracle.expected["differs_from_official_py27"]["official_py3"]]


def minigpt_v2_copy(oracle: Oracle, _: str) -> None:
    """MiniGPT-4's copy of the VQA code, on cases that are not OK-VQA's: its script's lower-casing done first.

    Texts that the script changes further, by taking `<unk>` out of what it has lower-cased, are not the copy's.
    """
    cases = [dict(case, prediction=case["prediction"].lower()) for case in oracle.cases]
    scored = run("okvqa", "minigpt_v2", write_vqa(cases, oracle.scratch)).scored
    differ = [
        (case, score)
        for (_, score), case, given, row in zip(scored, cases, oracle.cases, oracle.expected["per_case"], strict=True)
        if given["prediction"].isascii() and UNKNOWN not in case["prediction"]
        if oracle.has(row["minigpt4_okvqa"], "cases of MiniGPT-4's copy")
        if not agrees(score, case, row, "minigpt4_okvqa")
    ]
    assert not differ, f"{len(differ)}, e.g. {differ[:3]}"


def tinygpt_v_as_minigpt_v2(oracle: Oracle, _: str) -> None:
    """TinyGPT-V's script gives what MiniGPT-4's gives wherever nothing is cut."""
    ours, same = (run("okvqa", protocol, okvqa_files(oracle)).scored for protocol in ("tinygpt_v", "minigpt_v2"))
    plain = [number for number, case in enumerate(oracle.cases) if "###" not in case["prediction"]]
    assert [ours[number][1] for number in plain] == [same[number][1] for number in plain]


# ------------------------------------------------------------------------------------------------------------- TextVQA

TEXTVQA = {
    "official": "m4c",
    "llava": "m4c",
    "llava_no_ocr": "m4c",
    "lmms_eval": "lmms_eval",
    "vlmevalkit": "vlmevalkit",
}


def textvqa_files(oracle: Oracle) -> Files:
    """TextVQA's file, and results by question."""
    fields = ("question_id", "image_id", "question", "answers")
    rows = [{field: case[field] for field in fields} for case in oracle.cases]
    write_json(oracle.scratch / "TextVQA_0.5.1_val.json", {"data": rows})
    results = [{"question_id": case["question_id"], "answer": case["prediction"]} for case in oracle.cases]
    return Files(oracle.scratch, write_json(oracle.scratch / "results.json", results))


def textvqa_prompts(oracle: Oracle, _: str) -> None:
    """The question inside LLaVA's prompts."""
    for prompt, question in oracle.expected["llava_prompt_processor"]:
        found = question_of(prompt)
        assert found == question if isinstance(question, str) and not question.startswith("raises") else found is None


# -------------------------------------------------------------------------------------------------------------- VizWiz

VIZWIZ = {
    "official": "official",
    "lmms_eval": "lmms_eval",
    "vlmevalkit": "vlmevalkit",
    "minigpt_v2": "minigpt4",
    "tinygpt_v": "tinygptv_eval_scripts",
}


def write_vizwiz(oracle: Oracle, ours: str, theirs: str) -> Files:
    """val.json, and an upload with one field per image."""
    fields = ("image", "question", "answers", "answer_type", "answerable")
    write_json(oracle.scratch / "val.json", [{field: case[field] for field in fields} for case in oracle.cases])
    results = [{"image": case["image"], ours: case[theirs]} for case in oracle.cases]
    return Files(oracle.scratch, write_json(oracle.scratch / "results.json", results))


def vizwiz_files(oracle: Oracle) -> Files:
    """Task 1: answers."""
    return write_vizwiz(oracle, "answer", "prediction")


def vizwiz_totals(oracle: Oracle, outcome: Outcome, protocol: str, column: str) -> None:
    """The accuracy; the official script's by type of answer, and TRI's unanswerability from the texts."""
    totals, what = oracle.expected["totals"], f"totals of {protocol}"
    oracle.figures(outcome.values, {"accuracy": totals[column]}, what)
    if protocol != "official":
        return
    if oracle.has(totals["official_printed"], what):
        printed = totals["official_printed"]["perAnswerType"]
        right = {f"answer_type_{slug(label)}": figure for label, figure in printed.items()}
        oracle.figures(outcome.values, right, what, PRINTED)
    unanswerability(oracle, outcome.values, "tri_unanswerability_from_answer_text")


def unanswerability(oracle: Oracle, values: Mapping[str, float], total: str) -> None:
    """Average precision and F1, as printed."""
    official = oracle.expected["totals"][total]
    if oracle.has(official, total):
        right = {"average_precision": official["average_precision"], "f1": official["f1_score"]}
        oracle.figures(values, right, total, PRINTED)


def vizwiz_unanswerability(oracle: Oracle, _: str) -> None:
    """Task 2, from upload rows with a number."""
    outcome = run("vizwiz", "unanswerability", write_vizwiz(oracle, "answerable", "answerable_score"))
    unanswerability(oracle, outcome.values, "official_unanswerability")


# ----------------------------------------------------------------------------------------------------------------- GQA

GQA = {
    "official": "official",
    "llava": "llava_converted",
    "tinyllava": "llava_converted",
    "lmms_eval": "lmms_eval",
    "vlmevalkit": "vlmevalkit",
    "minigpt_v2": "minigpt4",
    "tinygpt_v": "tinygptv",
    "lavis": "lavis",
    "qwen_vl": "qwen_vl",
}
GQA_OFFICIAL = ("official", "llava", "tinyllava")
"""Their accuracy is over balanced questions alone."""
SCALARS = ("accuracy", "binary", "open", "validity", "plausibility", "consistency", "grounding", "distribution")
BARS = {
    "accuracyPerStructuralType": "structural",
    "accuracyPerSemanticType": "semantic",
    "accuracyPerLength": "words",
    "accuracyPerSteps": "steps",
}
TOTALS = {
    "raw official": ("official_raw", "predictions", True),
    "converted official": ("official_llava_converted", "predictions_llava", True),
    "converted llava": ("official_llava_converted", "predictions", True),
    "converted tinyllava": ("official_llava_converted", "predictions", True),
    "no_choices llava": ("official_no_choices", "predictions", False),
}
"""By name and protocol: eval.py's figures, from which answers, and whether with choices and attentions."""


def gqa_tier(files: Path) -> str:
    """The tier whose official files a folder holds."""
    return next(files.glob("*_all_questions.json")).name.removesuffix("_all_questions.json")


def gqa_files(oracle: Oracle) -> Files:
    """The official files and answers."""
    files = oracle.folder / "files"
    tier = gqa_tier(files)
    return Files(files, files / f"{tier}_predictions.json", tier)


def gqa_totals(oracle: Oracle, outcome: Outcome, protocol: str, column: str) -> None:
    """The mean over all questions."""
    what, right = f"totals of {protocol}", oracle.expected["peer_totals"][column]
    every = [score.value or 0.0 for _, score in outcome.scored]
    oracle.figures({"mean": 100 * sum(every) / len(every)}, {"mean": right}, what)
    if protocol not in GQA_OFFICIAL:
        oracle.figures(outcome.values, {"accuracy": right}, what)


def gqa_figures(oracle: Oracle, variant: str) -> None:
    """Every figure that eval.py prints; without choices and attentions, those it prints as 0 are left out."""
    name, predictions, extras = TOTALS[variant]
    files, tier = oracle.folder / "files", gqa_tier(oracle.folder / "files")
    task: Any = choose_task("gqa").task
    data = Folder(files)
    if not extras:
        data = Folder(oracle.scratch)
        questions = f"{tier}_all_questions.json"
        (oracle.scratch / questions).write_bytes((files / questions).read_bytes())
    samples = task.samples(data, tier)
    if extras:
        samples = task.with_attentions(samples, files / f"{tier}_attentions.json", data, tier)
    texts = task.read_predictions(files / f"{tier}_{predictions}.json", samples)
    values = score(f"gqa@{variant.split()[1]}", samples, texts).values
    absent = () if extras else ("validity", "plausibility", "grounding")
    assert not set(absent) & set(values)
    if not oracle.has(oracle.expected["official_totals"][name], name):
        return
    right = oracle.expected["official_totals"][name]["scores"]
    given = [scalar for scalar in SCALARS if scalar not in absent and (extras or scalar != "consistency")]
    ours = {scalar: values.get(scalar, 0.0) for scalar in given}
    oracle.figures(ours, {scalar: right[scalar] for scalar in given}, name)
    for theirs, prefix in BARS.items():
        bars = {f"{prefix}_{label}": float(share) for label, (share, _count) in right[theirs].items()}
        found = {key: figure for key, figure in values.items() if key.startswith(f"{prefix}_")}
        assert found == pytest.approx(bars, abs=EXACT)


READERS: dict[str, Readers] = {
    "vqa_normalizer": (Check(vqa_normalizer, tuple(NORMALISERS)),),
    "vqa": (
        Columns("vqav2", vqav2_files, VQA, agrees, vqa_totals),
        Check(where_python_2_and_3_agree),
        Check(minigpt_v2_copy),
    ),
    "okvqa": (Columns("okvqa", okvqa_files, OKVQA, agrees, accuracy(within=within)), Check(tinygpt_v_as_minigpt_v2)),
    "textvqa": (Columns("textvqa", textvqa_files, TEXTVQA, agrees, accuracy(percent)), Check(textvqa_prompts)),
    "vizwiz": (Columns("vizwiz", vizwiz_files, VIZWIZ, agrees, vizwiz_totals), Check(vizwiz_unanswerability)),
    "gqa": (
        Columns(
            "gqa",
            gqa_files,
            GQA,
            totals=gqa_totals,
            key="questionId",
            of_sample=lambda sample: sample.id,
            of_case=lambda case: case["questionId"],
        ),
        Check(gqa_figures, tuple(TOTALS)),
    ),
}
