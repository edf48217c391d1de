"""Oracles of benchmarks answered with a box: RefCOCO."""

from __future__ import annotations

import json
from collections.abc import Sequence
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
    write_json,
)
from vlmbench.base.samples import Score
from vlmbench.parsing import boxes

PROTOCOLS = ("minigpt_v2", "tinygpt_v")
PEERS = {"lmms_eval": "ACC@0.5", "vlmevalkit": "vlmevalkit"}


def refcoco_files(rows: Sequence[Case], texts: Sequence[str], oracle: Oracle) -> Files:
    """Rows in the layout of MiniGPT-4's files, and answers in their order."""
    write_json(oracle.scratch / "refcoco_val.json", rows)
    return Files(oracle.scratch, texts, "refcoco_val")


# ---------------------------------------------------------------------------------------------------------- MiniGPT-v2


def first_answers(oracle: Oracle) -> Files:
    """What was answered first."""
    cases = oracle.cases["cases"]
    return refcoco_files([case["row"] for case in cases], [case["answers"][0] for case in cases], oracle)


def minigpt_totals(oracle: Oracle, outcome: Outcome, protocol: str, column: str) -> None:
    """The accuracy without asking again."""
    right = oracle.expected["totals"]["no_resample"]["accuracy"]
    oracle.figures(outcome.values, {"accuracy": right}, f"totals of {protocol}", 1e-12)


def kept(answers: Sequence[str]) -> tuple[str, int]:
    """The answer that --resample keeps of successive ones (the last repeats), and how often it asked.

    First asking, then up to 20 rounds, of which the fifth takes anything.
    """
    for asked in range(1, 22):
        text = answers[min(asked, len(answers)) - 1]
        if boxes.is_minigpt_box(boxes.minigpt_cleaned(text)) or asked == 6:
            return text, asked
    return "", 21


def resampled(oracle: Oracle, _: str) -> None:
    """With asking again."""
    cases = oracle.cases["cases"]
    given = [kept(case["answers"]) for case in cases]
    files = refcoco_files([case["row"] for case in cases], [text for text, _ in given], oracle)
    outcome = run("refcoco", "minigpt_v2_resample", files)
    for (_sample, score), (text, asked), row in zip(outcome.scored, given, oracle.expected["per_case"], strict=True):
        if oracle.has(row["hit_resample"], "cases asked again"):
            assert (score.value, asked) == (row["hit_resample"], row["n_asked_resample"]), row
            assert [boxes.minigpt_cleaned(text)] == row["kept_resample"]
    right = oracle.expected["totals"]["resample"]["accuracy"]
    oracle.figures(outcome.values, {"accuracy": right}, "totals of asking again", 1e-12)


def overlaps(oracle: Oracle, _: str) -> None:
    """The overlap of two boxes, with borders of one pixel."""
    for case, right in zip(oracle.cases["cases"], oracle.expected["iou"], strict=True):
        if oracle.has(right, "overlaps"):
            assert boxes.iou_inclusive(case["a"], case["b"]) == pytest.approx(float(right), abs=1e-15), case
    oracle.count(len(oracle.cases["cases"]))


# --------------------------------------------------------------------------------------------------------------- peers


def peer_files(oracle: Oracle) -> Files:
    """Boxes as pixels in MiniGPT-4's layout."""
    rows = []
    for case in oracle.cases["cases"]:
        width, height = case["width"], case["height"]
        x1, y1, x2, y2 = (side * size for side, size in zip(case["bbox_norm_xyxy"], (width, height) * 2, strict=True))
        box = [x1, y1, x2 - x1, y2 - y1]
        rows.append({"img_id": f"x_{case['id']}", "sents": "it", "bbox": box, "width": width, "height": height})
    return refcoco_files(rows, [case["prediction"] for case in oracle.cases["cases"]], oracle)


def peer_agrees(score: Score, case: Case, row: Case, column: str) -> bool:
    """The hit; with lmms-eval the overlap, with VLMEvalKit the box that was read."""
    right: Any = row[column]
    if column == "ACC@0.5":
        overlap = float(score.note.split()[1].rstrip(","))
        return score.value == right and overlap == pytest.approx(row["IoU"], abs=1e-12)
    box = right["absolute"] and pytest.approx(right["absolute"], abs=0.006)
    return score.value == right["hit"] and bool(json.loads(score.parsed_answer or "null") == box)


def peer_totals(oracle: Oracle, outcome: Outcome, protocol: str, column: str) -> None:
    """Every figure of the peer."""
    if protocol == "vlmevalkit":
        right = {"accuracy": oracle.expected["vlmevalkit_precision@1"]}
    else:
        names = {"accuracy": "ACC@0.5", "mean_iou": "IoU", "centre_accuracy": "Center_ACC"}
        names |= {f"accuracy_at_{least}": f"ACC@{least}" for least in (0.1, 0.3, 0.7, 0.9)}
        totals = oracle.expected["lmms_totals"] or dict.fromkeys(names.values())
        right = {ours: percent(totals[theirs]) for ours, theirs in names.items()}
    oracle.figures(outcome.values, right, f"totals of {protocol}")


READERS: dict[str, Readers] = {
    "refcoco_minigptv2": (
        Columns(
            "refcoco",
            first_answers,
            dict.fromkeys(PROTOCOLS, "hit_no_resample"),
            totals=minigpt_totals,
        ),
        Check(resampled),
    ),
    "refcoco_iou_minigptv2": (Check(overlaps),),
    "refcoco_peers": (Columns("refcoco", peer_files, PEERS, peer_agrees, peer_totals),),
}
