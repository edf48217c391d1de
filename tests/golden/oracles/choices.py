"""Oracles of multiple-choice benchmarks: ScienceQA, IconQA, MMBench."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
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
    Scored,
    run,
    write_json,
    write_tsv,
)
from vlmbench.base.errors import PredictionsError
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import ChoiceScore, Response, Sample, Score, Verdict
from vlmbench.base.task import Judged
from vlmbench.data.files import Folder
from vlmbench.parsing import edit_distance
from vlmbench.parsing import options as letters
from vlmbench.stats.metrics import Metric

# ----------------------------------------------------------------------------------------------------------- ScienceQA

SCIENCEQA_COLUMNS = {"llava": "llava_pred_idx", "lmms_eval": "lmms_eval", "vlmevalkit": "vlmevalkit_inferred"}
SCIENCEQA_GROUPS = {
    "acc_natural": "subject_natural",
    "acc_social": "subject_social",
    "acc_language": "subject_language",
    "acc_has_text": "context_has_text",
    "acc_has_image": "context_has_image",
    "acc_no_context": "context_no_context",
    "acc_grade_1_6": "grades_1_6",
    "acc_grade_7_12": "grades_7_12",
    "acc_average": "accuracy",
}


def scienceqa_files(oracle: Oracle) -> Files:
    """The official files; a missing answer is an unreadable one."""
    texts = {case["question_id"]: case["prediction"] or "" for case in oracle.cases}
    return Files(oracle.folder / "files", texts, "test")


def llava_agrees(score: Score, case: Case, row: Case) -> bool:
    """LLaVA's script: the option's index, and whether it is right."""
    return ("ABCDE".find(score.parsed_answer or "?"), score.value) == (row["llava_pred_idx"], row["llava_correct"])


def inferred_agrees(score: Score, case: Case, row: Case) -> bool:
    """VLMEvalKit: the letter, where there is such an option."""
    right = row["vlmevalkit_inferred"]
    known = right is not None and right in "ABCDE"[: len(case["choices"])]
    return score.parsed_answer == (right if known else "")


SCIENCEQA_READ: Mapping[str, Callable[[Score, Case, Case], bool]] = {
    "llava_pred_idx": llava_agrees,
    "lmms_eval": lambda score, case, row: score.value == (row["lmms_eval"] or 0.0),
    "vlmevalkit_inferred": inferred_agrees,
}
"""By column; null is a text that was not read."""


def scienceqa_agrees(score: Score, case: Case, row: Case, column: str) -> bool:
    """Whether a score agrees with a case's row."""
    return SCIENCEQA_READ[column](score, case, row)


def scienceqa_totals(oracle: Oracle, outcome: Outcome, protocol: str, column: str) -> None:
    """What LLaVA's script prints, and the official script's groups."""
    if protocol != "llava":
        return
    totals, values = oracle.expected["totals"], outcome.values
    figures = {"accuracy": totals["llava_acc"], "image_accuracy": totals["img_accuracy_over_all_image_problems"]}
    oracle.figures(values, figures, "totals of llava")
    if oracle.has(totals["official_scores"], "official scores"):
        for name, value in totals["official_scores"].items():
            ours = SCIENCEQA_GROUPS.get(name, name.replace("acc_", "topic_", 1))
            assert f"{values[ours]:.2f}" == value if value != -1 else ours not in values, name
    given = {case["question_id"] for case in oracle.cases if case["prediction"] is not None}
    seen = [score.value or 0 for sample, score in outcome.scored if sample.images and sample.id in given]
    if oracle.has(totals["llava_stdout"], "what llava prints"):
        assert f"IMG-Accuracy: {100 * sum(seen) / len(seen):.2f}%" in totals["llava_stdout"]


def scienceqa_files_joined(oracle: Oracle, _: str) -> None:
    """LLaVA's result file, joined by id; the answer lines lack some, which is an error."""
    files = oracle.folder / "files"
    values = run("scienceqa", "llava", Files(files, files / "_result.json", "test")).values
    oracle.figures(values, {"accuracy": oracle.expected["totals"]["llava_acc"]}, "totals of llava")
    with pytest.raises(PredictionsError, match="questions have no answer"):
        run("scienceqa", "llava", Files(files, files / "answers.jsonl", "test"))


SCIENCEQA = Columns(
    "scienceqa",
    scienceqa_files,
    SCIENCEQA_COLUMNS,
    scienceqa_agrees,
    scienceqa_totals,
    key="question_id",
    of_sample=lambda sample: sample.id,
    of_case=lambda case: case["question_id"],
    null_is_a_value=True,
)

# -------------------------------------------------------------------------------------------------------------- IconQA


def iconqa_accuracy(oracle: Oracle, _: str) -> None:
    """The official files of iconqa_data.zip without images, and a result file: every answer, kind and skill."""
    given, right = oracle.cases["sub_acc"], oracle.expected["sub_acc"]
    splits: dict[str, list[str]] = {"choose_txt_test": [], "choose_img_test": [], "fill_in_blank_test": []}
    for pid, problem in given["problems"].items():
        splits[f"{problem['ques_type']}_test"].append(pid)
    data = oracle.scratch / "data"
    for name, content in (("problems", given["problems"]), ("pid_splits", splits), ("pid2skills", given["pid2skills"])):
        write_json(data / f"{name}.json", content)
    results = write_json(oracle.scratch / "results.json", {"results": given["results"]})
    outcome = run("iconqa", "", Files(data, results, "test"))
    for sample, score in outcome.scored:
        if oracle.has(right["per_case"][sample.id], "cases"):
            assert score.value == float(right["per_case"][sample.id]), (sample, given["results"][sample.id])
    assert right["stdout"].startswith(f"[TotalAcc] \t{outcome.values['accuracy']:.2f}")
    for prefix, name in (("", "task"), ("skill_", "skill")):
        correct = right[f"{name}_correct"]
        shares = {f"{prefix}{k}": 100 * correct.get(k, 0) / total for k, total in right[f"{name}_total"].items()}
        oracle.figures(outcome.values, shares, name)
    oracle.count(len(given["results"]))


def iconqa_anls(oracle: Oracle, _: str) -> None:
    """ANLS of texts and references."""
    for case, right in zip(oracle.cases["anls"], oracle.expected["anls"], strict=True):
        if oracle.has(right, "ANLS"):
            assert edit_distance.anls(case["prediction"], case["references"]) == pytest.approx(right, abs=1e-12), case
    oracle.count(len(oracle.cases["anls"]))


def iconqa_ranks(oracle: Oracle, _: str) -> None:
    """Options by rank; the counting loops compare the first with the right one."""
    task = choose_task("iconqa").task
    for case, right in zip(oracle.cases["ranks"], oracle.expected["ranks"], strict=True):
        options = tuple(f"option {place}" for place in range(len(case["answer_ranks"])))
        sample = Sample("1", "?", (), "ABCDE"[case["answer"]], options, {"kind": "choose_txt"})
        ranked = [ChoiceScore(options[place], -float(at), 1) for at, place in enumerate(case["answer_ranks"])]
        response = Response(choices=tuple(sorted(ranked, key=lambda one: one.choice)))
        for protocol, name in (("minigpt_v2", "minigpt4"), ("tinygpt_v", "tinygptv_eval_scripts")):
            if oracle.has(right[name], f"ranks under {protocol}"):
                assert task.score(sample, response, protocol).value == right[name], case
    oracle.count(len(oracle.cases["ranks"]))


def iconqa_prompts(oracle: Oracle, _: str) -> None:
    """lmms-eval's prompts, from the hub's column of options."""
    task = choose_task("iconqa").task
    for row, prompt in oracle.expected["lmms_prompts"]:
        sample = Sample("1", row["question"], (), "A", tuple(row["choices"].split(",")), {"kind": row["ques_type"]})
        assert task.build_request(sample, "lmms_eval").prompt == prompt


# ------------------------------------------------------------------------------------------------------------- MMBench

LETTERS = {
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


def mmbench_letters(oracle: Oracle, name: str) -> None:
    """The option that a text is read as; false says that none was."""
    differ = []
    for case, row in zip(oracle.cases["cases"], oracle.expected["per_case"], strict=True):
        options = {letter: str(option) for letter, option in case["choices"].items()}
        read = LETTERS[name](case["prediction"], options)
        if oracle.has(row[name], f"letters under {name}") and read != (row[name] or letters.UNDECIDED):
            differ.append((case, read, row[name]))
    assert not differ, f"{len(differ)} of {len(oracle.cases['cases'])}, e.g. {differ[:3]}"
    oracle.count(len(oracle.cases["cases"]))


def mmbench_files(oracle: Oracle) -> Files:
    """MMBench's table, and the server's sheet; a turned row names the row that has its image."""
    cases = oracle.cases["cases"]
    images = ({"image": c["index"] % 10**6 if c["index"] >= 10**6 else "A" * 100, **c} for c in cases)
    write_tsv(oracle.scratch / "MMBench_DEV_EN.tsv", HEADER, images)
    sheet = write_tsv(oracle.scratch / "answers.tsv", ("index", "prediction"), cases)
    return Files(oracle.scratch, sheet, "dev_en")


def judged(files: Files, reply: Callable[[str], str], protocol: str) -> tuple[Scored, Mapping[str, str]]:
    """Scores with a scripted judge, and the questions it was asked by sample id."""
    task = choose_task("mmbench").task
    assert isinstance(task, Judged) and isinstance(files.answers, Path)
    samples = task.samples(Folder(files.data), files.split)
    texts = task.read_predictions(files.answers, samples)
    scored: Scored = []
    asked: dict[str, str] = {}
    for sample in samples:
        dialogue = task.grade(sample, Response(texts[sample.id]), protocol)
        try:
            ask = next(dialogue)
            asked[sample.id] = ask.texts[0]
            while True:
                dialogue.send(reply(sample.id))
        except StopIteration as done:
            verdict: Verdict = done.value
            scored.append((sample, Score(verdict.value, verdict.status)))
    return scored, asked


def hits(scored: Scored) -> dict[str, float]:
    """Whether each question is right in all its rotations, from its own circular accuracy."""
    task = choose_task("mmbench").task
    groups: dict[str, Scored] = {}
    for sample, score in scored:
        groups.setdefault(str(int(sample.id) % 10**6), []).append((sample, score))
    return {key: value(task.summarise(rows, "official"), "circular_accuracy") / 100 for key, rows in groups.items()}


def value(metrics: Sequence[Metric], name: str) -> float:
    """The value of a metric."""
    return next(metric.value() for metric in metrics if metric.name == name)


def report(scored: Scored) -> dict[str, dict[str, float]]:
    """Circular accuracy by split, whole and by ability, under the names of the official report."""
    task = choose_task("mmbench").task
    found: dict[str, dict[str, float]] = {}
    for split in {sample.tags["split"] for sample, _ in scored}:
        metrics = task.summarise([pair for pair in scored if pair[0].tags["split"] == split], "official")
        bars = {ABILITIES.get(m.label, m.label): m.value() / 100 for m in metrics if m.breakdown in ("ability", "leaf")}
        found[split] = {"Overall": value(metrics, "circular_accuracy") / 100, **bars}
    return found


def row_report(scored: Scored) -> dict[str, dict[str, float]]:
    """The share of right rows, each rotation one, by split, whole and by ability: eval_vanilla's report."""
    found: dict[str, dict[str, list[float]]] = {}
    for sample, score in scored:
        bars = found.setdefault(sample.tags["split"], {})
        for tag in ("Overall", sample.tags["ability"], sample.tags["leaf"]):
            bars.setdefault(ABILITIES.get(tag, tag), []).append(score.value or 0.0)
    return {split: {name: mean(values) for name, values in bars.items()} for split, bars in found.items()}


def same_report(ours: Mapping[str, Mapping[str, float]], theirs: Mapping[str, Mapping[str, float]]) -> None:
    """Every figure of every split."""
    assert ours.keys() == theirs.keys()
    for split in theirs:
        assert ours[split] == pytest.approx(theirs[split], abs=1e-12)


def mean(values: Iterable[float]) -> float:
    """The mean of some numbers."""
    found = list(values)
    return sum(found) / len(found)


def circular_exact(oracle: Oracle, right: Mapping[str, Any]) -> None:
    """Letters read without a judge."""
    outcome = run("mmbench", "", mmbench_files(oracle))
    assert {sample.id: score.value for sample, score in outcome.scored} == right["vanilla_hit"]
    first = [hit for key, hit in right["vanilla_hit"].items() if int(key) < 10**6]
    assert outcome.values["vanilla_accuracy"] == pytest.approx(100 * mean(first))
    assert outcome.values["circular_accuracy"] == pytest.approx(100 * mean(right["hit"].values()))
    assert hits(outcome.scored) == right["hit"]
    same_report(report(outcome.scored), right["report"])


def circular_judge(oracle: Oracle, right: Mapping[str, Any]) -> None:
    """A judge reads what the rules do not."""
    replies = oracle.cases["judge_replies"]
    scored, asked = judged(mmbench_files(oracle), lambda key: str(replies[key]), "official_judge")
    assert {sample.id: score.value for sample, score in scored} == right["vanilla_hit"]
    assert hits(scored) == right["hit"]
    same_report(report(scored), right["report"])
    assert {key: asked[key] for key in right["sample_prompts"]} == right["sample_prompts"]
    assert {str(key) for key in right["judged_indices"]} <= asked.keys()  # theirs skips what is decided by another row


def circular_lmms_eval(oracle: Oracle, right: Mapping[str, Any]) -> None:
    """lmms-eval's judge, which says E where the other says Z."""
    replies = oracle.cases["judge_replies"]
    scored, _ = judged(mmbench_files(oracle), lambda key: str(replies[key]).replace("Z", "E"), "lmms_eval")
    metrics = choose_task("mmbench").task.summarise(scored, "lmms_eval")
    assert value(metrics, "circular_accuracy") == pytest.approx(100 * right["overall"])
    for tag, theirs in (("ability", "l2"), ("leaf", "category")):
        bars = {m.label: m.value() / 100 for m in metrics if m.breakdown == tag}
        assert bars == pytest.approx(right[theirs], abs=1e-12)


CIRCULAR: Mapping[str, Callable[[Oracle, Mapping[str, Any]], None]] = {
    "exact": circular_exact,
    "judge": circular_judge,
    "lmms_eval_judge": circular_lmms_eval,
}


def mmbench_circular(oracle: Oracle, name: str) -> None:
    """Every rotation of every question."""
    if oracle.has(oracle.expected[name], name):
        CIRCULAR[name](oracle, oracle.expected[name])
    oracle.count(len(oracle.cases["cases"]))


SCHEMES = ("g_index", "modulo")
V11_HEADER = (*HEADER, "g_index")


def mmbench_v11(oracle: Oracle, scheme: str) -> None:
    """Version 1.1: rotations known by a column, or by their index."""
    rows = [case for case in oracle.cases["cases"] if case["scheme"] == scheme]
    header = V11_HEADER if scheme == "g_index" else HEADER
    write_tsv(oracle.scratch / "MMBench_DEV_EN_V11.tsv", header, ({"image": "A" * 100, **row} for row in rows))
    outcome = run("mmbench", "", Files(oracle.scratch, [row["prediction"] for row in rows], "dev_en_v11"))
    task = choose_task("mmbench").task
    groups: dict[int, Scored] = {}
    for sample, score in outcome.scored:
        groups.setdefault(sample.extra["group"], []).append((sample, score))
    ours = {key: value(task.summarise(part, "official"), "circular_accuracy") / 100 for key, part in groups.items()}
    theirs = {one["group"]: one["hit"] for one in oracle.expected["per_group"] if one["scheme"] == scheme}
    assert ours == theirs
    totals = oracle.expected["totals"][scheme]
    counts = len(ours), len(outcome.scored), sum(hit == 1 for hit in ours.values())
    assert counts == (totals["groups"], totals["rows"], totals["right"])
    same_report(report(outcome.scored), totals["report"])
    same_report(row_report(outcome.scored), totals["vanilla_report"])
    if scheme == SCHEMES[0]:
        oracle.count(len(oracle.cases["cases"]))


READERS: dict[str, Readers] = {
    "mmbench_v11_circular": (Check(mmbench_v11, SCHEMES),),
    "scienceqa": (SCIENCEQA, Check(scienceqa_files_joined)),
    "iconqa": tuple(map(Check, (iconqa_accuracy, iconqa_anls, iconqa_ranks, iconqa_prompts))),
    "mmbench_can_infer": (Check(mmbench_letters, tuple(LETTERS)),),
    "mmbench_circular": (Check(mmbench_circular, tuple(CIRCULAR)),),
}
