"""Oracles of benchmarks whose answers are yes or no: POPE, MME, VSR, Hateful Memes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
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
    accuracy,
    percent,
    run,
    score,
    write_lines,
)
from vlmbench.base.errors import PredictionsError
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Sample, Score
from vlmbench.data.files import Folder
from vlmbench.parsing import yes_no

# ---------------------------------------------------------------------------------------------------------------- POPE

POPE_PROTOCOLS = ("official", "llava", "tinyllava", "lmms_eval", "vlmevalkit")
COUNTS = ("TP", "FP", "TN", "FN")


def pope_files(oracle: Oracle) -> Files:
    """POPE's own layout: one file of labels and one of answers per split."""
    root, cases = oracle.scratch, oracle.cases["cases"]
    for kind in ("random", "popular", "adversarial"):
        rows = [case for case in cases if case["split"] == kind]
        labels = [
            {"question_id": c["question_id"], "image": c["image"], "text": c["question"], "label": c["label"].lower()}
            for c in rows
        ]
        write_lines(root / f"coco/coco_pope_{kind}.json", labels)
        given = [{"question": c["question"], "answer": c["prediction"]} for c in rows]
        write_lines(root / f"answers/{kind}.jsonl", given)
    return Files(root, root / "answers", "coco")


def pope_agrees(score: Score, case: Case, row: Case, column: str) -> bool:
    """What the text was read as, and whether it is right; lmms-eval says the latter of its own."""
    right = row[column]
    if isinstance(right, str):
        return score.parsed_answer == right.lower() and score.value == float(right.lower() == case["label"].lower())
    text = right["prediction"]
    return score.parsed_answer == (text if text in ("yes", "no") else "unknown") and score.value == right["score"]


def pope_figures(protocol: str, totals: Mapping[str, Any]) -> dict[str, float | None]:
    """The oracle's totals under our names and units."""
    found: dict[str, float | None] = {}
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
            found[prefix + ours] = percent(value)
    return found


def pope_totals(oracle: Oracle, outcome: Outcome, protocol: str, column: str) -> None:
    """Every figure of every split, and the official means over splits."""
    totals, what = oracle.expected["totals"], f"totals of {protocol}"
    if oracle.has(totals[column], what):
        given = {split: row for split, row in totals[column].items() if oracle.has(row, what)}
        oracle.figures(outcome.values, pope_figures(protocol, given), what)
    if protocol == "official":
        means = {"mean_f1": "avg_f1_3_splits_official", "mean_accuracy": "avg_acc_3_splits_official"}
        oracle.figures(outcome.values, {ours: percent(totals[theirs]) for ours, theirs in means.items()}, what)


def pope_degenerate(oracle: Oracle, _: str) -> None:
    """Sets on which a ratio is undefined: where the official code raises, ours is nan."""
    protocols = choose_task("pope").task.protocols
    for name, case in oracle.expected["degenerate"].items():
        pairs = {f"random/{i}": pair for i, pair in enumerate(case["prediction_label_pairs"])}
        samples = [
            Sample(key, "", (), label, tags={"split": "random"}, cluster=key) for key, (_, label) in pairs.items()
        ]
        texts = {key: text for key, (text, _) in pairs.items()}
        for protocol, right in case["result"].items():
            if not oracle.has(right, f"degenerate sets under {protocol}"):
                continue
            values = score(f"pope@{protocol}", samples, texts).values
            if "raises" in right:
                assert math.isnan(values[protocols[protocol].headline]), (name, protocol)
                assert math.isnan(values["f1"]), (name, protocol)
            else:
                oracle.figures(values, pope_figures(protocol, {"all": right}), f"degenerate sets under {protocol}")
    oracle.count(len(oracle.expected["degenerate"]))


POPE = Columns(
    "pope",
    pope_files,
    {protocol: protocol for protocol in POPE_PROTOCOLS},
    pope_agrees,
    pope_totals,
    key="id",
    of_sample=lambda sample: sample.id,
    of_case=lambda case: f"{case['split']}/{case['question_id']}",
)

# ----------------------------------------------------------------------------------------------------------------- MME


def mme_files(oracle: Oracle) -> Files:
    """Question folders, and official result files."""
    return write_mme(oracle.cases["cases"], oracle.scratch)


def write_mme(cases: Sequence[Case], root: Path) -> Files:
    """Cases as question folders and official result files; line ends inside a response stay as they are."""
    for case in cases:
        line = f"{case['question']}\t{case['gt']}"
        rows = {
            f"data/{case['subtask']}/{Path(case['image']).stem}.txt": f"{line}\n",
            f"results/{case['subtask']}.txt": f"{case['image']}\t{line}\t{case['prediction']}\n",
        }
        for name, text in rows.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            with (root / name).open("a", encoding="utf-8", newline="") as file:
                file.write(text)
    return Files(root / "data", root / "results", "test")


def mme_agrees(score: Score, case: Case, row: Case, column: str) -> bool:
    """What the text was read as, and whether it is right."""
    names, right = {"unknown": "other"}, row[column].lower()
    right, ours = names.get(right, right), names.get(score.parsed_answer, score.parsed_answer)
    return ours == right and score.value == float(right == case["gt"].lower())


def mme_totals(oracle: Oracle, outcome: Outcome, protocol: str, column: str) -> None:
    """The oracle's totals under our names."""
    totals = oracle.expected["totals"][column]
    if not oracle.has(totals, f"totals of {protocol}"):
        return
    names = {"Perception": "perception", "Cognition": "cognition", "reasoning": "cognition"}
    names |= {"mme_perception_score": "perception", "mme_cognition_score": "cognition"}
    found = totals if protocol == "vlmevalkit" else {**totals["totals"], **totals["per_subtask"]}
    made = {names.get(name, name): value for name, value in found.items()}
    for name, row in totals.get("metrics", {}).items():
        made |= {f"{name}_acc": percent(row["acc"]), f"{name}_acc_plus": percent(row["acc_plus"])}
    oracle.figures(outcome.values, made, f"totals of {protocol}")


def mme_degenerate(oracle: Oracle, _: str) -> None:
    """A tab or a line end in a response breaks the official reader; here it is an error that says where."""
    texts = {"tab_in_prediction": "yes\tno", "newline_in_prediction": "yes\nno", "cr_in_prediction": "yes\rno"}
    texts |= {"u2028_in_prediction": "yes\u2028no", "empty_prediction": ""}
    task = choose_task("mme").task
    for name, right in oracle.expected["degenerate"].items():
        if not oracle.has(right, name):
            continue
        rows = [dict(case) for case in oracle.cases["cases"]]
        rows[0]["prediction"] = texts[name]
        files = write_mme(rows, oracle.scratch / name)
        samples = task.samples(Folder(files.data), "test")
        assert isinstance(files.answers, Path)
        if "raises" in right:
            with pytest.raises(PredictionsError, match=r"line 1: 5 cells|line [12]: \d cells"):
                task.read_predictions(files.answers, samples)
        else:
            read = task.read_predictions(files.answers, samples)[samples[0].id]
            assert yes_no.opening_yes_no(read) == right["first_label"]
    oracle.count(len(oracle.expected["degenerate"]))


MME = Columns(
    "mme",
    mme_files,
    {protocol: protocol for protocol in ("official", "lmms_eval", "vlmevalkit")},
    mme_agrees,
    mme_totals,
    of_sample=lambda s: (s.tags["subtask"], s.question, s.images[0].name),
    of_case=lambda c: (c["subtask"], c["question"], f"{c['subtask']}/{c['image']}"),
)

# ----------------------------------------------------------------------------------------------------------------- VSR

VSR_COLUMNS = {
    "minigpt_v2": "minigpt4",
    "tinygpt_v": "tinygptv",
    "tinygpt_v_scripts": "tinygptv_eval_scripts",
    "vlmevalkit": "vlmevalkit",
}


def write_vsr(rows: Sequence[Case], root: Path) -> Path:
    """VSR's file of the zero-shot test."""
    numbered = ({"image": f"{number}.jpg", **row} for number, row in enumerate(rows))
    write_lines(root / "zeroshot" / "test.jsonl", numbered)
    return root


def vsr_files(oracle: Oracle) -> Files:
    """The texts, in the order of the questions."""
    cases = oracle.cases["text_cases"]
    return Files(write_vsr(cases, oracle.scratch), [case["prediction"] for case in cases], "zeroshot")


def vsr_totals(oracle: Oracle, outcome: Outcome, protocol: str, column: str) -> None:
    """The accuracy, and what VLMEvalKit read."""
    if protocol == "vlmevalkit":
        for (_, read), row in zip(outcome.scored, oracle.expected["per_case"], strict=True):
            if oracle.has(row["vlmevalkit_extracted"], "texts that vlmevalkit read"):
                assert read.parsed_answer == row["vlmevalkit_extracted"].lower(), row
    accuracy()(oracle, outcome, protocol, column)


def vsr_predictions(oracle: Oracle, _: str) -> None:
    """The official prediction file, and both official tables."""
    lines = (oracle.folder / "files" / "test.jsonl").read_text("utf-8").splitlines()
    data = write_vsr([json.loads(line) for line in lines], oracle.scratch)
    values = run("vsr", "", Files(data, oracle.folder / "files" / "preds.txt", "zeroshot")).values
    oracle.figures(values, {"accuracy": oracle.expected["official_int_accuracy"]}, "accuracy of the prediction file")
    for name, table in (("relation", "official_by_relation_stdout"), ("category", "official_by_meta_category_stdout")):
        rows = [line.split("\t") for line in oracle.expected[table].splitlines() if "\t" in line]
        assert rows
        for label, share, _count in rows:
            assert f"{values[f'{name}_{label}'] / 100:.4f}" == share, label
    oracle.count(len(oracle.cases["int_preds"]))


# ------------------------------------------------------------------------------------------------------- Hateful Memes

MEMES_COLUMNS = {"minigpt_v2": "minigpt4", "tinygpt_v": "tinygptv"}
AREAS = {
    "auroc": "auroc",
    "average_precision": "average_precision",
    "f1": "f1_at_gt_half",
    "accuracy": "accuracy_at_gt_half",
}


def write_memes(rows: Sequence[Case], root: Path) -> Path:
    """The challenge's dev_seen.jsonl, without images."""
    named = (
        {**{name: row[name] for name in ("id", "label", "text")}, "img": f"img/{row['id']:05}.png"} for row in rows
    )
    write_lines(root / "dev_seen.jsonl", named)
    return root


def memes_files(oracle: Oracle) -> Files:
    """The texts, by id."""
    cases = oracle.cases["text_cases"]
    texts = {str(case["id"]): case["prediction"] for case in cases}
    return Files(write_memes(cases, oracle.scratch), texts, "dev_seen")


def memes_totals(oracle: Oracle, outcome: Outcome, protocol: str, column: str) -> None:
    """The accuracy, and what each text was read as."""
    for (_, read), row in zip(outcome.scored, oracle.expected["per_case"], strict=True):
        prediction = row[f"{column}_pred"]
        if oracle.has(prediction, f"texts read under {protocol}"):
            assert read.parsed_answer == ({1: "yes", 0: "no"}[prediction] if isinstance(prediction, int) else ""), row
    accuracy()(oracle, outcome, protocol, column)


def memes_areas(oracle: Oracle, _: str) -> None:
    """Probabilities as the challenge's csv has them, ties and all."""
    task = choose_task("hateful_memes").task
    sets = zip(oracle.cases["score_sets"], oracle.expected["score_sets"], strict=True)
    for number, (case, right) in enumerate(sets):
        root = oracle.scratch / str(number)
        rows = [{"id": i, "label": label, "text": "?"} for i, label in enumerate(case["labels"])]
        samples = task.samples(Folder(write_memes(rows, root)), "dev_seen")
        scores = case["scores"]
        decided = [int(score > 0.5) for score in scores]
        low, high = min(scores), max(scores)
        if low < 0 or high > 1:  # no probabilities: refused; the same order from 0 to 1 has the same areas
            with pytest.raises(PredictionsError, match="a probability is a number from 0 to 1"):
                task.read_predictions(write_memes_csv(root, scores, decided), samples)
            scores = [(score - low) / (high - low) for score in scores]
        given = task.read_predictions(write_memes_csv(root, scores, decided), samples)
        values = score("hateful_memes", samples, given).values
        for ours, theirs in AREAS.items() if oracle.has(right, "sets of probabilities") else ():
            if math.isnan(values[ours]):  # undefined: the library raises, or says 0 with a warning
                assert right[theirs] in (None, "nan", 0), (number, ours)
            else:
                oracle.figures(values, {ours: percent(right[theirs])}, "sets of probabilities")
    oracle.count(len(oracle.cases["score_sets"]))


def write_memes_csv(root: Path, scores: Sequence[float], decided: Sequence[int]) -> Path:
    """The challenge's upload: id, probability, label."""
    lines = [f"{i},{score!r},{label}" for i, (score, label) in enumerate(zip(scores, decided, strict=True))]
    path = root / "answers.csv"
    path.write_text("\n".join(["id,proba,label", *lines]), "utf-8")
    return path


READERS: dict[str, Readers] = {
    "pope": (POPE, Check(pope_degenerate)),
    "mme": (MME, Check(mme_degenerate)),
    "vsr": (
        Columns("vsr", vsr_files, VSR_COLUMNS, totals=vsr_totals, cases="text_cases"),
        Check(vsr_predictions),
    ),
    "hateful_memes": (
        Columns("hateful_memes", memes_files, MEMES_COLUMNS, totals=memes_totals, cases="text_cases"),
        Check(memes_areas),
    ),
}
