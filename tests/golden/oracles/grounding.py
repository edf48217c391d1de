"""Oracles of benchmarks answered with a box or a point: RefCOCO, ScreenSpot."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pytest
from PIL import Image

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
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Score
from vlmbench.data.files import Folder
from vlmbench.parsing import boxes
from vlmbench.tasks.grounding.screenspot import SCREENSPOT_V2
from vlmbench.tasks.grounding.screenspot_files import PLATFORMS

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


# ---------------------------------------------------------------------------------------------------------- ScreenSpot

KIT_PARTS = {"text_accuracy": "Text_Accuracy", "icon_accuracy": "Icon_Accuracy"} | {
    f"{name}_accuracy": f"{name}_Accuracy" for name in ("mobile", "desktop", "web")
}


def screens(oracle: Oracle, suffix: str = "") -> Files:
    """SeeClick's files: a list per platform, and an empty screenshot of each size."""
    cases: Sequence[Case] = oracle.cases["cases"]
    folder = "screenspotv2_image" if suffix else "screenspot_imgs"
    for width, height in {tuple(case["image_size"]) for case in cases}:
        path = oracle.scratch / folder / f"{width}x{height}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("1", (width, height)).save(path)
    fields = ("instruction", "bbox", "data_type", "data_source")
    for platform in PLATFORMS:
        rows = [
            {"img_filename": "{}x{}.png".format(*case["image_size"]), **{field: case[field] for field in fields}}
            for case in cases
            if case["task"] == platform
        ]
        write_json(oracle.scratch / f"screenspot_{platform}{suffix}.json", rows)
    return Files(oracle.scratch, [case["prediction"] for case in by_platform(cases)])


def by_platform(cases: Sequence[Case]) -> list[Case]:
    """Cases in the order of a run's samples."""
    return [case for platform in PLATFORMS for case in cases if case["task"] == platform]


def screens_agree(score: Score, case: Case, row: Case, column: str) -> bool:
    """Hit and, where there is one, the point; for boxes the overlap and whether the middle is in the box."""
    right, (width, height) = row[column], case["image_size"]
    if column == "lmms_rec":
        return score.note == f"IoU {right['iou']!r}{', centred' if right['center'] else ''}"
    if column == "official":
        point, hit = row["official_point"], bool(right)
    elif column == "vlmevalkit":
        point, hit = None if right["wrong_format"] else right["point"], right["hit"]
        return score.value == hit and bool(score.parsed_answer) is not right["wrong_format"]
    else:
        return score.value == right["correct"] and bool(score.parsed_answer) is (right["point"] is not None)
    pixels = point and [round(point[0] * width, 2), round(point[1] * height, 2)]
    return score.value == hit and json.loads(score.parsed_answer or "null") == (
        pixels and pytest.approx(pixels, abs=0.02)
    )


def screens_totals(oracle: Oracle, outcome: Outcome, protocol: str, column: str) -> None:
    """Every figure that is printed."""
    expected = oracle.expected
    right: dict[str, float | None] = {}
    if column == "official":
        right = {"screenspot": percent(expected["official_average_of_six"])}
        right |= {
            f"accuracy_{platform}_{kind}": percent(share)
            for platform, pair in zip(PLATFORMS, expected["official_tasks_result"], strict=True)
            for kind, share in zip(("text", "icon"), pair, strict=True)
        }
        values = {**outcome.values, **cells_of(outcome)}
    elif column == "lmms_rec":
        names = {"mean_iou": "IoU", "centre_accuracy": "Center_ACC"}
        names |= {f"accuracy_at_{least}": f"ACC@{least}" for least in (0.1, 0.3, 0.5, 0.7, 0.9)}
        right = {ours: percent(expected["lmms_rec_totals"][theirs]) for ours, theirs in names.items()}
        values = dict(outcome.values)
    elif column == "lmms_v2":
        right = {"accuracy": percent(expected["lmms_v2_totals"]["None"])}
        right |= {f"type_{kind}": percent(expected["lmms_v2_totals"][kind]) for kind in ("text", "icon")}
        values = dict(outcome.values)
    else:
        whole, parts = expected["vlmevalkit_totals"]["without"], expected["vlmevalkit_totals"]["with_category_column"]
        right = {"accuracy": whole["Overall_Accuracy"], "valid_points": 100 - whole["Format_Err_Rate"]}
        right |= {ours: parts[theirs] for ours, theirs in KIT_PARTS.items()}
        right |= {f"type_{kind}": whole[f"{kind.capitalize()}_Accuracy"] for kind in ("text", "icon")}
        values = dict(outcome.values)
    oracle.figures(values, right, f"totals of {protocol}")


def cells_of(outcome: Outcome) -> dict[str, float]:
    """Accuracies by platform and kind."""
    cells: dict[str, list[float]] = {}
    for sample, score in outcome.scored:
        name = f"accuracy_{sample.tags['platform']}_{sample.tags['type']}"
        cells.setdefault(name, []).append(float(score.value or 0))
    return {name: 100 * sum(values) / len(values) for name, values in cells.items()}


def screen_prompts(oracle: Oracle, _: str) -> None:
    """The question's text, and lmms-eval's point with boxes in shares of the image, whose size it is not told."""
    files = screens(oracle)
    choice = choose_task("screenspot@official")
    samples = choice.task.samples(Folder(files.data), choice.split)
    rows = {row["id"]: row for row in oracle.expected["per_case"]}
    cases = by_platform(oracle.cases["cases"])
    for sample, case in zip(samples, cases, strict=True):
        row = rows[case["id"]]
        text = choice.task.build_request(sample, "official").prompt
        assert hashlib.sha256(text.encode()).hexdigest() == row["prompt_sha256"], case
        x, y, width, height = case["bbox"]
        across, down = case["image_size"]
        shares = (x / across, y / down, (x + width) / across, (y + height) / down)
        target = {**sample.target, "shares": shares}
        found = SCREENSPOT_V2.read(case["prediction"], target, SCREENSPOT_V2.rules["lmms_eval"])
        assert found.centred == row["lmms_v2_normalised_box"], case


def _screens(task: str, columns: Mapping[str, str]) -> Columns:
    return Columns(
        task,
        partial(screens, suffix="_v2" if task == "screenspot_v2" else ""),
        columns,
        screens_agree,
        screens_totals,
        of_sample=lambda sample: sample.question,
        of_case=lambda case: case["instruction"],
        null_is_a_value=True,
        name=task if task == "screenspot_v2" else "",
    )


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
    "screenspot": (
        _screens("screenspot", {"official": "official", "lmms_eval": "lmms_rec", "vlmevalkit": "vlmevalkit"}),
        _screens("screenspot_v2", {"lmms_eval": "lmms_v2"}),
        Check(screen_prompts),
    ),
    "refcoco_peers": (Columns("refcoco", peer_files, PEERS, peer_agrees, peer_totals),),
}
