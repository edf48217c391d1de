"""What the official scripts of MMBench and RefCOCO returned for adversarial answers, against ours."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.golden.test_oracles import scored_by
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Response, Sample, Score, Verdict
from vlmbench.base.task import Judged
from vlmbench.data.files import Folder
from vlmbench.parsing import boxes
from vlmbench.parsing import options as letters
from vlmbench.stats.metrics import Metric

Oracle = Callable[[str], tuple[Path, Any, Any]]
Counted = Callable[[Path, int], None]

# --------------------------------------------------------------------------------------------------------- MMBench

READERS = {
    "vlmevalkit_head": letters.vlmevalkit_letter,
    "vlmevalkit_aca64dbb": letters.vlmevalkit_letter_2023,
    "lmms_eval": letters.lmms_eval_letter,
}
HEADER = ("index", "question", "hint", *"ABCD", "answer", "category", "image", "l2-category", "split")
ABILITIES = {
    "coarse_perception": "CP",
    "finegrained_perception (instance-level)": "FP-S",
    "finegrained_perception (cross-instance)": "FP-C",
    "logic_reasoning": "LR",
    "relation_reasoning": "RR",
    "attribute_reasoning": "AR",
}


@pytest.mark.parametrize("name", READERS)
def test_mmbench_can_infer(oracle: Oracle, counted: Counted, name: str) -> None:
    folder, cases, expected = oracle("mmbench_can_infer")
    differ = []
    for case, row in zip(cases["cases"], expected["per_case"], strict=True):
        options = {letter: str(option) for letter, option in case["choices"].items()}
        read = READERS[name](case["prediction"], options)
        if read != (row[name] or letters.UNDECIDED):
            differ.append((case, read, row[name]))
    assert not differ, f"{len(differ)} of {len(cases['cases'])}, e.g. {differ[:3]}"
    if name == "vlmevalkit_head":
        counted(folder, len(cases["cases"]))


def mmbench_files(cases: Sequence[Mapping[str, Any]], root: Path) -> tuple[Folder, Path]:
    """The cases as MMBench's table and as the server's sheet."""
    sheet = root / "answers.tsv"
    for path, header in ((root / "MMBench_DEV_EN.tsv", HEADER), (sheet, ("index", "prediction"))):
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, header, delimiter="\t", extrasaction="ignore", restval="")
            writer.writeheader()
            for case in cases:
                turned = case["index"] >= 10**6
                writer.writerow({"image": case["index"] % 10**6 if turned else "A" * 100, **case})
    return Folder(root), sheet


def judged(samples: Sequence[Sample], texts: Mapping[str, str], reply: Callable[[str], str], protocol: str) -> Any:
    """Scores with a scripted judge, and the questions it was asked by sample id."""
    task = choose_task("mmbench").task
    assert isinstance(task, Judged)
    scored: list[tuple[Sample, Score]] = []
    asked: dict[str, str] = {}
    for sample in samples:
        dialogue = task.grade(sample, Response(texts[sample.id]), protocol)
        try:
            ask = next(dialogue)
            asked[sample.id] = ask.messages[0][1]
            while True:
                dialogue.send(reply(sample.id))
        except StopIteration as done:
            verdict: Verdict = done.value
            scored.append((sample, Score(verdict.value, verdict.status)))
    return scored, asked


def hits(scored: Sequence[tuple[Sample, Score]]) -> dict[str, float]:
    """Whether each question is right in all its rotations, from its own circular accuracy."""
    task = choose_task("mmbench").task
    groups: dict[str, list[tuple[Sample, Score]]] = {}
    for sample, score in scored:
        groups.setdefault(str(int(sample.id) % 10**6), []).append((sample, score))
    return {key: value(task.summarise(rows, "official"), "circular_accuracy") / 100 for key, rows in groups.items()}


def value(metrics: Sequence[Metric], name: str) -> float:
    return next(metric.value() for metric in metrics if metric.name == name)


def report(scored: Sequence[tuple[Sample, Score]]) -> dict[str, dict[str, float]]:
    """Circular accuracy by split, whole and by ability, under the names of the official report."""
    task = choose_task("mmbench").task
    found: dict[str, dict[str, float]] = {}
    for split in {sample.tags["split"] for sample, _ in scored}:
        metrics = task.summarise([pair for pair in scored if pair[0].tags["split"] == split], "official")
        bars = {ABILITIES.get(m.label, m.label): m.value() / 100 for m in metrics if m.breakdown in ("ability", "leaf")}
        found[split] = {"Overall": value(metrics, "circular_accuracy") / 100, **bars}
    return found


def same_report(ours: Mapping[str, Mapping[str, float]], theirs: Mapping[str, Mapping[str, float]]) -> None:
    assert ours.keys() == theirs.keys()
    for split in theirs:
        assert ours[split] == pytest.approx(theirs[split], abs=1e-12)


def test_mmbench_circular_exact(oracle: Oracle, counted: Counted, tmp_path: Path) -> None:
    folder, cases, expected = oracle("mmbench_circular")
    data, sheet = mmbench_files(cases["cases"], tmp_path)
    task = choose_task("mmbench").task
    samples = task.samples(data, "dev_en")
    scored, values = scored_by("mmbench", samples, task.read_predictions(sheet, samples))
    right = expected["exact"]
    assert {sample.id: score.value for sample, score in scored} == right["vanilla_hit"]
    first = [hit for key, hit in right["vanilla_hit"].items() if int(key) < 1_000_000]
    assert values["vanilla_accuracy"] == pytest.approx(100 * mean(first))
    assert values["circular_accuracy"] == pytest.approx(100 * mean(right["hit"].values()))
    assert hits(scored) == right["hit"]
    same_report(report(scored), right["report"])
    counted(folder, len(cases["cases"]))


def mean(values: Iterable[float]) -> float:
    """The mean of some numbers."""
    found = list(values)
    return sum(found) / len(found)


def test_mmbench_circular_with_a_judge(oracle: Oracle, tmp_path: Path) -> None:
    _, cases, expected = oracle("mmbench_circular")
    data, sheet = mmbench_files(cases["cases"], tmp_path)
    task = choose_task("mmbench").task
    samples = task.samples(data, "dev_en")
    texts = task.read_predictions(sheet, samples)
    scored, asked = judged(samples, texts, lambda key: str(cases["judge_replies"][key]), "official_judge")
    right = expected["judge"]
    assert {sample.id: score.value for sample, score in scored} == right["vanilla_hit"]
    assert hits(scored) == right["hit"]
    same_report(report(scored), right["report"])
    assert {key: asked[key] for key in right["sample_prompts"]} == right["sample_prompts"]
    assert {str(key) for key in right["judged_indices"]} <= asked.keys()  # theirs skips what is decided by another row


def test_mmbench_lmms_eval_with_a_judge(oracle: Oracle, tmp_path: Path) -> None:
    _, cases, expected = oracle("mmbench_circular")
    data, sheet = mmbench_files(cases["cases"], tmp_path)
    task = choose_task("mmbench").task
    samples = task.samples(data, "dev_en")
    texts = task.read_predictions(sheet, samples)
    scored, _ = judged(samples, texts, lambda key: str(cases["judge_replies"][key]).replace("Z", "E"), "lmms_eval")
    metrics = task.summarise(scored, "lmms_eval")
    right = expected["lmms_eval_judge"]
    assert value(metrics, "circular_accuracy") == pytest.approx(100 * right["overall"])
    for tag, theirs in (("ability", "l2"), ("leaf", "category")):
        bars = {m.label: m.value() / 100 for m in metrics if m.breakdown == tag}
        assert bars == pytest.approx(right[theirs], abs=1e-12)


# --------------------------------------------------------------------------------------------------------- RefCOCO


def refcoco_samples(rows: Sequence[Mapping[str, Any]], root: Path) -> Sequence[Sample]:
    """Rows in the layout of MiniGPT-4's files, read back."""
    (root / "refcoco_val.json").write_text(json.dumps(rows), "utf-8")
    return choose_task("refcoco").task.samples(Folder(root), "refcoco_val")


def test_refcoco_minigpt_v2(oracle: Oracle, counted: Counted, tmp_path: Path) -> None:
    folder, cases, expected = oracle("refcoco_minigptv2")
    samples = refcoco_samples([case["row"] for case in cases["cases"]], tmp_path)
    first = {s.id: case["answers"][0] for s, case in zip(samples, cases["cases"], strict=True)}
    for protocol in ("minigpt_v2", "tinygpt_v"):
        scored, values = scored_by(f"refcoco@{protocol}", samples, first)
        for (_, score), row in zip(scored, expected["per_case"], strict=True):
            assert score.value == row["hit_no_resample"], row
        assert values["accuracy"] == pytest.approx(expected["totals"]["no_resample"]["accuracy"], abs=1e-12)
    counted(folder, len(cases["cases"]))


def kept(answers: Sequence[str]) -> tuple[str, int]:
    """The answer that --resample keeps of successive ones (the last repeats), and how often it asked.

    First asking, then up to 20 rounds, of which the fifth takes anything.
    """
    for asked in range(1, 22):
        text = answers[min(asked, len(answers)) - 1]
        if boxes.is_minigpt_box(boxes.minigpt_cleaned(text)) or asked == 6:
            return text, asked
    return "", 21


def test_refcoco_minigpt_v2_resample(oracle: Oracle, tmp_path: Path) -> None:
    _, cases, expected = oracle("refcoco_minigptv2")
    samples = refcoco_samples([case["row"] for case in cases["cases"]], tmp_path)
    given = [kept(case["answers"]) for case in cases["cases"]]
    texts = {sample.id: text for sample, (text, _) in zip(samples, given, strict=True)}
    scored, values = scored_by("refcoco@minigpt_v2_resample", samples, texts)
    for (_, score), (text, asked), row in zip(scored, given, expected["per_case"], strict=True):
        assert (score.value, asked) == (row["hit_resample"], row["n_asked_resample"]), row
        assert [boxes.minigpt_cleaned(text)] == row["kept_resample"]
    assert values["accuracy"] == pytest.approx(expected["totals"]["resample"]["accuracy"], abs=1e-12)


def test_refcoco_iou(oracle: Oracle, counted: Counted) -> None:
    folder, cases, expected = oracle("refcoco_iou_minigptv2")
    for case, right in zip(cases["cases"], expected["iou"], strict=True):
        assert boxes.iou_inclusive(case["a"], case["b"]) == pytest.approx(float(right), abs=1e-15), case
    counted(folder, len(cases["cases"]))


def test_refcoco_peers(oracle: Oracle, counted: Counted, tmp_path: Path) -> None:
    folder, cases, expected = oracle("refcoco_peers")
    rows = []
    for case in cases["cases"]:
        width, height = case["width"], case["height"]
        x1, y1, x2, y2 = (side * size for side, size in zip(case["bbox_norm_xyxy"], (width, height) * 2, strict=True))
        box = [x1, y1, x2 - x1, y2 - y1]
        rows.append({"img_id": f"x_{case['id']}", "sents": "it", "bbox": box, "width": width, "height": height})
    samples = refcoco_samples(rows, tmp_path)
    texts = {sample.id: case["prediction"] for sample, case in zip(samples, cases["cases"], strict=True)}
    scored, values = scored_by("refcoco@lmms_eval", samples, texts)
    for (_, score), row in zip(scored, expected["per_case"], strict=True):
        assert score.value == row["ACC@0.5"], row
        assert float(score.note.split()[1].rstrip(",")) == pytest.approx(row["IoU"], abs=1e-12)
    totals = {"accuracy": "ACC@0.5", "mean_iou": "IoU", "centre_accuracy": "Center_ACC"}
    totals |= {f"accuracy_at_{least}": f"ACC@{least}" for least in (0.1, 0.3, 0.7, 0.9)}
    for ours, theirs in totals.items():
        assert values[ours] == pytest.approx(100 * expected["lmms_totals"][theirs], abs=1e-9), ours
    scored, values = scored_by("refcoco@vlmevalkit", samples, texts)
    for (_, score), row in zip(scored, expected["per_case"], strict=True):
        right = row["vlmevalkit"]
        assert score.value == right["hit"], row
        assert json.loads(score.parsed_answer or "null") == (
            right["absolute"] and pytest.approx(right["absolute"], abs=0.006)
        )
    assert values["accuracy"] == pytest.approx(expected["vlmevalkit_precision@1"], abs=1e-9)
    counted(folder, len(cases["cases"]))
