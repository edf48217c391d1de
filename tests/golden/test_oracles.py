"""What the benchmarks' official scripts returned for adversarial answers, against ours, for every protocol.

Each test reads one oracle folder through the same calls as a run: official files, samples, score, summarise.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Response, Sample, Score
from vlmbench.data.files import Folder
from vlmbench.parsing import text as answers
from vlmbench.scoring.score import score_responses

Oracle = Callable[[str], tuple[Path, Any, Any]]
Counted = Callable[[Path, int], None]

NORMALISERS: Mapping[str, Callable[[str], object]] = {
    "official_py3": lambda text: [
        answers.vqa_depunctuated(answers.vqa_cleaned(text)),
        answers.vqa_normal(text),
    ],
    "evalai_m4c": answers.m4c_normal,
    "vlmevalkit": answers.vlmevalkit_normal,
}


def test_vqa_normaliser(oracle: Oracle, counted: Counted) -> None:
    folder, cases, expected = oracle("vqa_normalizer")
    for name, read in NORMALISERS.items():
        differ = [
            (text, read(text), right[name])
            for text, right in zip(cases, expected["per_case"], strict=True)
            if read(text) != right[name]
        ]
        assert not differ, f"{name}: {len(differ)} of {len(cases)}, e.g. {differ[:3]}"
    counted(folder, len(cases))


# ------------------------------------------------------------------------------------------------------------ POPE


def pope_folder(cases: Sequence[Mapping[str, Any]], root: Path) -> Folder:
    """The cases in POPE's own file layout: one file of labels and one of answers a split."""
    for part in ("coco", "answers"):
        (root / part).mkdir()
    for kind in ("random", "popular", "adversarial"):
        rows = [case for case in cases if case["split"] == kind]
        labels = [
            {"question_id": c["question_id"], "image": c["image"], "text": c["question"], "label": c["label"].lower()}
            for c in rows
        ]
        given = [{"question": c["question"], "answer": c["prediction"]} for c in rows]
        for path, lines in ((f"coco/coco_pope_{kind}.json", labels), (f"answers/{kind}.jsonl", given)):
            (root / path).write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return Folder(root)


def scored_by(
    spec: str, samples: Sequence[Sample], texts: Mapping[str, str]
) -> tuple[list[tuple[Sample, Score]], dict[str, float]]:
    """Scores and metric values of answers under a protocol."""
    choice = choose_task(spec)
    scored = score_responses(choice.task, choice.protocol, [(s, Response(texts[s.id])) for s in samples])
    return scored, {metric.name: metric.value() for metric in choice.task.summarise(scored, choice.protocol)}


def said_by(protocol: str, expected: Mapping[str, Any]) -> tuple[str, float | None]:
    """(what the text was read as, whether it is right where the oracle says) of one case."""
    value = expected[protocol]
    if protocol != "lmms_eval":
        return value.lower(), None
    text = value["prediction"]
    return text if text in ("yes", "no") else "unknown", value["score"]


POPE_PROTOCOLS = ("official", "llava", "tinyllava", "lmms_eval", "vlmevalkit")
COUNTS = ("TP", "FP", "TN", "FN")


def pope_totals(protocol: str, totals: Mapping[str, Any]) -> dict[str, float]:
    """The oracle's totals under our names and units."""
    found: dict[str, float] = {}
    if protocol == "vlmevalkit":
        names = {"Overall": "f1", "acc": "accuracy", "precision": "precision", "recall": "recall"}
        for split, row in totals.items():
            prefix = "" if split == "Overall" else f"{split}_"
            found |= {prefix + ours: row[theirs] for theirs, ours in names.items()}
        return found
    for split, row in totals.items():
        prefix = "" if split == "all" else f"{split}_"
        for name, value in row.items():
            if name in COUNTS or (protocol == "lmms_eval" and name == "yes_ratio" and prefix):
                continue
            ours = "yes_ratio_of_targets" if (protocol, name) == ("lmms_eval", "yes_ratio") else name
            found[prefix + ours] = 100 * value
    return found


@pytest.mark.parametrize("protocol", POPE_PROTOCOLS)
def test_pope(oracle: Oracle, counted: Counted, tmp_path: Path, protocol: str) -> None:
    folder, cases, expected = oracle("pope")
    task = choose_task("pope").task
    samples = task.samples(pope_folder(cases["cases"], tmp_path), "coco")
    texts = task.read_predictions(tmp_path / "answers", samples)
    scored, values = scored_by(f"pope@{protocol}", samples, texts)
    by_id = {sample.id: score for sample, score in scored}
    rows = {row["id"]: row for row in expected["per_case"]}
    for case in cases["cases"]:
        score = by_id[f"{case['split']}/{case['question_id']}"]
        read, right = said_by(protocol, rows[case["id"]])
        assert score.parsed_answer == read, case
        assert score.value == (float(read == case["label"].lower()) if right is None else right), case
    totals = pope_totals(protocol, expected["totals"][protocol])
    assert {name: values[name] for name in totals} == pytest.approx(totals, abs=1e-9)
    if protocol == "official":
        assert values["mean_f1"] == pytest.approx(100 * expected["totals"]["avg_f1_3_splits_official"], abs=1e-9)
        assert values["mean_accuracy"] == pytest.approx(100 * expected["totals"]["avg_acc_3_splits_official"], abs=1e-9)
    if protocol == POPE_PROTOCOLS[0]:
        counted(folder, len(cases["cases"]))


def test_pope_degenerate(oracle: Oracle, counted: Counted) -> None:
    folder, _, expected = oracle("pope")
    task = choose_task("pope").task
    for name, case in expected["degenerate"].items():
        samples = [
            Sample(f"random/{i}", "", (), label, tags={"split": "random"}, cluster=str(i))
            for i, (_, label) in enumerate(case["prediction_label_pairs"])
        ]
        texts = {f"random/{i}": text for i, (text, _) in enumerate(case["prediction_label_pairs"])}
        for protocol, right in case["result"].items():
            _, values = scored_by(f"pope@{protocol}", samples, texts)
            if "raises" in right:
                headline = task.protocols[protocol].headline
                assert math.isnan(values[headline]), (name, protocol)
                assert math.isnan(values["f1"]), (name, protocol)
            else:
                totals = pope_totals(protocol, {"all": right})
                assert {key: values[key] for key in totals} == pytest.approx(totals, abs=1e-9), (name, protocol)
    counted(folder, len(expected["degenerate"]))


# ------------------------------------------------------------------------------------------------------------- GQA

GQA_PER_CASE = {
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
SCALARS = ("accuracy", "binary", "open", "validity", "plausibility", "consistency", "grounding", "distribution")
BARS = {
    "accuracyPerStructuralType": "structural",
    "accuracyPerSemanticType": "semantic",
    "accuracyPerLength": "words",
    "accuracyPerSteps": "steps",
}


def number(value: Any) -> float:
    """A number of an oracle file, which stores non-finite ones as text."""
    return float(value)


def gqa_tier(files: Path) -> str:
    """The tier whose official files a folder holds."""
    return next(files.glob("*_all_questions.json")).name.removesuffix("_all_questions.json")


def gqa_texts(path: Path, samples: Sequence[Sample]) -> Mapping[str, str]:
    """Answers of an official prediction file."""
    return choose_task("gqa").task.read_predictions(path, samples)


@pytest.mark.parametrize("protocol", GQA_PER_CASE)
def test_gqa(oracle: Oracle, counted: Counted, protocol: str) -> None:
    folder, cases, expected = oracle("gqa")
    files = folder / "files"
    tier = gqa_tier(files)
    samples = choose_task("gqa").task.samples(Folder(files), tier)
    scored, values = scored_by(f"gqa@{protocol}", samples, gqa_texts(files / f"{tier}_predictions.json", samples))
    by_id = {sample.id: score.value for sample, score in scored}
    name = GQA_PER_CASE[protocol]
    rows = {row["questionId"]: number(row[name]) for row in expected["per_case"]}
    differ = [
        (case, by_id[case["questionId"]]) for case in cases if by_id[case["questionId"]] != rows[case["questionId"]]
    ]
    assert not differ, f"{len(differ)} of {len(cases)}, e.g. {differ[:3]}"
    total = 100 * sum(value or 0.0 for value in by_id.values()) / len(by_id)
    assert total == pytest.approx(number(expected["peer_totals"][name]), abs=1e-9)
    if protocol not in ("official", "llava", "tinyllava"):
        assert values["accuracy"] == pytest.approx(number(expected["peer_totals"][name]), abs=1e-9)
    if protocol == "official":
        counted(folder, len(cases))


@pytest.mark.parametrize(
    ("name", "protocol", "predictions", "extras"),
    [
        ("official_raw", "official", "predictions", True),
        ("official_llava_converted", "official", "predictions_llava", True),
        ("official_llava_converted", "llava", "predictions", True),
        ("official_llava_converted", "tinyllava", "predictions", True),
        ("official_no_choices", "llava", "predictions", False),
    ],
)
def test_gqa_totals(oracle: Oracle, tmp_path: Path, name: str, protocol: str, predictions: str, extras: bool) -> None:
    """Every figure that eval.py prints; without choices and attentions, those it prints as 0 are left out."""
    folder, _, expected = oracle("gqa")
    files, tier = folder / "files", gqa_tier(folder / "files")
    task: Any = choose_task("gqa").task
    data = Folder(files)
    if not extras:
        data = Folder(tmp_path)
        questions = f"{tier}_all_questions.json"
        (tmp_path / questions).write_bytes((files / questions).read_bytes())
    samples = task.samples(data, tier)
    if extras:
        samples = task.with_attentions(samples, files / f"{tier}_attentions.json", data, tier)
    _, values = scored_by(f"gqa@{protocol}", samples, gqa_texts(files / f"{tier}_{predictions}.json", samples))
    right = expected["official_totals"][name]["scores"]
    absent = () if extras else ("validity", "plausibility", "grounding")
    assert not set(absent) & set(values)
    given = [scalar for scalar in SCALARS if scalar not in absent and (extras or scalar != "consistency")]
    assert {scalar: values.get(scalar, 0.0) for scalar in given} == pytest.approx(
        {scalar: number(right[scalar]) for scalar in given}, abs=1e-9
    )
    for theirs, ours in BARS.items():
        bars = {f"{ours}_{label}": number(value) for label, (value, _) in right[theirs].items()}
        assert {key: values[key] for key in values if key.startswith(f"{ours}_")} == pytest.approx(bars, abs=1e-9)
