"""Oracles of benchmarks that a judge grades, with the replies the official codes were given: MM-Vet and others."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from tests.golden.oracles.reading import CHECKED, EXACT, Case, Check, Oracle, Readers, Scored, write_json, write_lines
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import JudgeRequest, Response, Sample, Verdict
from vlmbench.base.task import Judged
from vlmbench.data.files import Folder
from vlmbench.scoring.verdicts import combine, summary
from vlmbench.tasks.judged import mmhal_judge

Call = tuple[JudgeRequest, str]
BAD_REQUEST = "__BAD_REQUEST__"
"""A call that is refused: 0 for the official script, a failed judge with us."""
RATE_LIMIT = "__RATE_LIMIT__"
"""A call that the official script repeats; the judge's business with us, which no reading of replies sees."""


def talk(
    task: object, sample: Sample, answer: str, protocol: str, replies: Iterator[str]
) -> tuple[Verdict, list[Call]]:
    """One conversation with scripted replies: the verdict and every request with its reply."""
    return conversation(cast(Judged, task).grade(sample, Response(answer), protocol), replies)


def conversation(steps: Generator[JudgeRequest, str, Any], replies: Iterator[str]) -> tuple[Any, list[Call]]:
    """What a conversation with scripted replies comes to, and every request with its reply."""
    calls: list[Call] = []
    try:
        ask = next(steps)
        while True:
            reply = next(replies)
            calls.append((ask, reply))
            ask = steps.send(reply)
    except StopIteration as end:
        return end.value, calls


def script(replies: Sequence[str | None], last: str = "N/A") -> Iterator[str]:
    """Replies in order, and then one that no reader reads."""
    yield from (reply or "" for reply in replies)
    while True:
        yield last


def sha256(ask: JudgeRequest) -> str:
    """The hash of the user's message."""
    return hashlib.sha256(ask.texts[-1].encode()).hexdigest()


def same(ours: float | None, theirs: Any) -> bool:
    """Equal, nan included."""
    return ours is not None and (ours == float(theirs) or (math.isnan(ours) and math.isnan(float(theirs))))


def figures(spec: str, scored: Scored, protocol: str) -> dict[str, float]:
    """The values of a task's metrics."""
    return {metric.name: metric.value() for metric in choose_task(spec).task.summarise(scored, protocol)}


# -------------------------------------------------------------------------------------------------------------- MM-Vet


def mmvet_samples(meta: Mapping[str, Any], root: Path) -> dict[str, Sample]:
    """Samples of a part, read as the official file."""
    write_json(root / "mm-vet.json", meta)
    return {sample.id: sample for sample in choose_task("mmvet").task.samples(Folder(root), "test")}


def mmvet_calls(oracle: Oracle, part: str) -> None:
    """Every call as the official script made it: words, temperature, order; and every grade."""
    case, right = oracle.cases["parts"][part], oracle.expected[part]
    scored: Scored = []
    for key, sample in mmvet_samples(case["meta"], oracle.scratch).items() if oracle.has(right, part) else ():
        grades, answer = right["grades"][key]["score"], case["pred"][key]
        verdicts = [
            graded(sample, answer, right["calls"][key][str(number)], grades[number])
            for number in range(case["num_run"])
        ]
        scored.append((sample, combine(verdicts)))
    if scored:
        check_totals(scored, right["cap"], right["cap_int"], 1)
    oracle.report(CHECKED, len(scored))


def graded(
    sample: Sample, answer: str, theirs: Sequence[Mapping[str, Any]], grade: Any, name: str = "mmvet"
) -> Verdict:
    """One run's verdict on an answer, after comparing its calls and its grade with the official ones."""
    replies = [call["reply"] for call in theirs]
    if RATE_LIMIT in replies[1:] or BAD_REQUEST in replies:  # the official script counts again, or gives 0
        return Verdict(float(grade))
    theirs = [call for call in theirs if call["reply"] != RATE_LIMIT]
    verdict, calls = talk(
        choose_task(name).task, sample, answer, "official", script([call["reply"] for call in theirs])
    )
    assert [(sha256(ask), ask.temperature, ask.max_tokens, reply) for ask, reply in calls] == [
        (call["prompt_sha256"], call["temperature"], call["max_tokens"], call["reply"] or "") for call in theirs
    ], sample.id
    assert same(verdict.value, grade), sample.id
    return verdict


def check_totals(
    scored: Scored, cap: Mapping[str, Any], integration: Mapping[str, Any], places: int, name: str = "mmvet"
) -> None:
    """Every figure of the official tables."""
    values = figures(name, scored, "official")
    judge = summary(choose_task(name), scored)
    ours = {name.removeprefix("capability_"): v for name, v in values.items() if not name.startswith("integration_")}
    theirs = {label: value for label, value in cap.items() if label not in ("std", "runs")}
    assert {label: round(value, places) for label, value in ours.items()} == pytest.approx(theirs)
    assert round(judge["std"], places) == pytest.approx(cap["std"])
    assert [round(value, places) for value in judge["run_values"]] == pytest.approx(numbers(cap["runs"]))
    sets = {name: value for name, value in integration.items() if name not in ("total", "std", "runs")}
    assert {name: round(values[f"integration_{name}"], places) for name in sets} == pytest.approx(sets)
    assert len(sets) == sum(name.startswith("integration_") for name in values)


def numbers(listed: Any) -> list[float]:
    """A list of numbers, or a text with one."""
    return list(json.loads(listed)) if isinstance(listed, str) else listed


def mmvet_grade_files(oracle: Oracle, part: str) -> None:
    """Aggregation from a grade file, to one and to three places; and a grade of nan, which poisons the means."""
    task, right = cast(Judged, choose_task("mmvet").task), oracle.expected[part]
    samples = list(mmvet_samples(oracle.cases["parts"][part]["meta"], oracle.scratch).values())
    if not oracle.has(right, part):
        return
    path = write_json(oracle.scratch / f"model_gpt-4-grade-{part}.json", right["grades"])
    verdicts = task.read_verdicts(path, samples, "official")
    assert verdicts is not None
    scored = [(sample, combine(verdicts[sample.id])) for sample in samples]
    if part == "C":
        check_totals(scored, right["cap_1dp"], right["cap_int_1dp"], 1)
        check_totals(scored, right["cap_3dp"], right["cap_int_3dp"], 3)
    else:
        assert math.isnan(figures("mmvet", scored, "official")["total"]) and right["cap"]["total"] == "nan"
    oracle.report(CHECKED, len(samples))


def mmvet_peer(oracle: Oracle, protocol: str) -> None:
    """Scores, number of requests, temperatures and prompts of a peer."""
    task = choose_task("mmvet").task
    for case, right in zip(oracle.cases["cases"], oracle.expected["per_case"], strict=True):
        line = case.get("line") or case["doc"]
        sample = Sample(str(case["id"]), line["question"], (), line["answer"])
        answer = line.get("prediction", case.get("prediction"))
        verdict, calls = talk(task, sample, answer, protocol, script(case["replies"]))
        if oracle.has(right["score"], "scores"):
            assert same(verdict.value, right["score"]), case
        assert [ask.temperature for ask, _ in calls] == right["temperatures"], case
        assert sha256(calls[0][0]) == right["prompt_sha256"], case
    peer_totals(oracle, protocol)
    oracle.count(len(oracle.cases["cases"]))


def peer_totals(oracle: Oracle, protocol: str) -> None:
    """A peer's tables from rows of capabilities and scores."""
    scored: Scored = []
    for number, row in enumerate(oracle.cases["acc_rows"]):
        names = (row.get("category") or row["capabilities"]).split(",")
        tags = {"integration": "+".join(sorted(names)), "integration_as_written": "_".join(names)}
        extra = {"capabilities": frozenset(names)}
        sample = Sample(str(number), "", (), "", tags=tags, cluster=str(number), extra=extra)
        scored.append((sample, combine([Verdict(row["score"])])))
    values = figures(f"mmvet@{protocol}", scored, protocol)
    if protocol == "lmms_eval":
        oracle.figures(values, {"total": oracle.expected["overall"]}, "totals")
        return
    for name, table in (("capability", "acc"), ("integration", "acc_fine")):
        for row in oracle.expected[table] or ():
            ours = "total" if row["Category"] == "Overall" else f"{name}_{row['Category']}"
            oracle.figures(values, {ours: row["acc"]}, table)


# ----------------------------------------------------------------------------------------------------------- MM-Vet v2


def mmvet_v2(oracle: Oracle, part: str) -> None:
    """Every call, every grade and, where none is nan, every figure to the printed places; and the file of grades."""
    case, right = oracle.cases["parts"][part], oracle.expected[part]
    if not oracle.has(right, part):
        return
    write_json(oracle.scratch / "mm-vet-v2.json", case["meta"])
    task, scored = choose_task("mmvet_v2").task, cast(Scored, [])
    samples = task.samples(Folder(oracle.scratch), "test")
    for sample in samples if "calls" in right else ():
        grades, calls = right["grades"][sample.id]["score"], right["calls"][sample.id]
        runs = [[call for call in calls if call["run"] == number] for number in range(case["num_run"])]
        answer = case["pred"][sample.id]
        verdicts = [graded(sample, answer, run, grade, "mmvet_v2") for run, grade in zip(runs, grades, strict=True)]
        scored.append((sample, combine(verdicts)))
    path = write_json(oracle.scratch / f"model_gpt-4-grade-{part}.json", right["grades"])
    read = cast(Judged, task).read_verdicts(path, samples, "official")
    assert read is not None
    from_file = [(sample, combine(read[sample.id])) for sample in samples]
    for found in (scored, from_file) if scored else (from_file,):
        for name, places in ("cap", 1), ("cap_1dp", 1), ("cap_3dp", 3):
            if name not in right:
                continue
            if right[name]["total"] == "nan":
                assert math.isnan(figures("mmvet_v2", found, "official")["total"])
            else:
                check_totals(found, right[name], right[name.replace("cap", "cap_int")], places, "mmvet_v2")
    oracle.report(CHECKED, len(samples))


# --------------------------------------------------------------------------------------------------------- LLaVA-Bench

REVIEWS = {"official": "llava", "vlmevalkit": "vlmevalkit", "lmms_eval": "lmms_eval"}
SETS = {"official": "llava_summarize", "vlmevalkit": "vlmevalkit", "lmms_eval": "lmms_eval"}


def llava_task() -> Any:
    """The task, with its own methods."""
    return choose_task("llava_bench").task


def verdict_of(review: str, protocol: str) -> Verdict:
    """What a review is read as, through a conversation."""
    sample = Sample("0", "Q", (), "R", extra={"context": "C"})
    verdict, _ = talk(llava_task(), sample, "A", protocol, script([review], last=review))
    return verdict


def llava_reviews(oracle: Oracle, protocol: str) -> None:
    """The pair of scores that a review is read as."""
    for case, row in zip(oracle.cases["cases"], oracle.expected["per_case"], strict=True):
        right, pair = row[REVIEWS[protocol]], verdict_of(case["review"], protocol).values
        if oracle.has(right, f"reviews under {protocol}"):
            assert len(pair) == 2, case
            assert all(same(ours, theirs) for ours, theirs in zip(pair, right, strict=True)), case
    oracle.count(len(oracle.cases["cases"]))


def llava_totals(oracle: Oracle, protocol: str) -> None:
    """The relative scores of sets of reviews, whole and by category."""
    reviews = {case["id"]: case for case in oracle.cases["cases"]}
    for name, case in oracle.expected["sets"].items():
        right = case and case[SETS[protocol]]
        if not oracle.has(right, f"sets under {protocol}"):
            continue
        scored: Scored = []
        for key in case["ids"]:
            sample = Sample(str(key), "", (), "", tags={"category": reviews[key]["category"]}, cluster=str(key))
            scored.append((sample, combine([verdict_of(reviews[key]["review"], protocol)])))
        ours = {
            label.removeprefix("relative_score_"): value
            for label, value in figures("llava_bench", scored, protocol).items()
            if label.startswith("relative_score")
        }
        ours["all"] = ours.pop("relative_score")
        theirs = {label: value for label, value in relative(right).items() if oracle.has(value, name)}
        assert theirs.keys() <= ours.keys() == relative(right).keys(), name
        assert {label: ours[label] for label in theirs} == pytest.approx(theirs, abs=EXACT), name


def relative(table: Mapping[str, Any]) -> dict[str, Any]:
    """The ratios of a peer's table under our names."""
    names = {name: name.removeprefix("llava_bench_").replace("overall", "all") for name in table}
    return {
        names[name]: row.get("relative", row.get("Relative Score (main)")) if isinstance(row, Mapping) else row
        for name, row in table.items()
    }


def llava_requests(oracle: Oracle, _: str) -> None:
    """The request to the judge, word for word, from the official files."""
    given = oracle.cases["prompt_inputs"]
    files = {"questions": "questions", "context": "context", "reference_answers": "answers_gpt4"}
    for key, name in files.items():
        write_lines(oracle.scratch / f"{name}.jsonl", given[key])
    samples = {sample.id: sample for sample in llava_task().samples(Folder(oracle.scratch), "test")}
    answers = {str(row["question_id"]): row["text"] for row in given["model_answers"]}
    for case in oracle.expected["prompts"]:
        key = str(case["question_id"])
        check_request(case, samples[key], answers[key], given["canned_reply"])
    oracle.count(len(oracle.expected["prompts"]))


def check_request(case: Case, sample: Sample, answer: str, reply: str) -> None:
    """One request, and what its reply is read as."""
    request = case["request"]
    verdict, calls = talk(llava_task(), sample, answer, "official", script([reply]))
    (ask, _), rules = calls[0], llava_task().protocols["official"].judge
    assert [{"role": role, "content": text} for role, text in ask.messages] == request["messages"]
    assert (ask.temperature, ask.max_tokens, rules.model) == (
        request["temperature"], request["max_tokens"], request["model"]
    )  # fmt: skip
    assert list(verdict.values) == case["review_row"]["tuple"]
    assert f"llava_bench_{sample.tags['category']}" == case["review_row"]["category"]


# --------------------------------------------------------------------------------------------------------- MMHal-Bench

MMHAL_TYPES = ("attribute", "adversarial", "comparison", "counting", "relation", "environment", "holistic", "other")


def mmhal(oracle: Oracle, _: str) -> None:
    """Every request to the judge, every rating, and the printed figures of each set."""
    task, count = choose_task("mmhal").task, 0
    for number, (case, right) in enumerate(zip(oracle.cases["sets"], oracle.expected["sets"], strict=True)):
        root = oracle.scratch / str(number)
        rows = [{**record, "image_src": f"{n}.jpg"} for n, record in enumerate(case["records"])]
        write_json(root / "response_template.json", rows)
        samples, scored = task.samples(Folder(root), "test"), []
        for at, (sample, record) in enumerate(zip(samples, case["records"], strict=True)):
            script_of = script([case["replies"][at]])
            verdict, ((ask, _),) = talk(task, sample, record["model_answer"], "official", script_of)
            assert (sha256(ask), ask.temperature) == (right["prompt_sha256"][at], right["temperature"]), record
            assert verdict.value == right["scores"][at], case["replies"][at]
            assert (right["scores"][at] < mmhal_judge.HONEST) == right["hallucination"][at], case["replies"][at]
            scored.append((sample, combine([verdict])))
        values = figures("mmhal", scored, "official")
        oracle.figures(values, {"score": right["average"]}, "average")
        oracle.figures(values, {"hallucination_rate": 100 * right["hallucination_rate"]}, "hallucination rate")
        by_type = dict(zip((f"{name}_score" for name in MMHAL_TYPES), right["by_type"], strict=True))
        oracle.figures(values, by_type, "by type")
        printed = [[float(value) for value in line.rpartition(": ")[2].split(",")] for line in right["printed"]]
        ours = [values["score"], values["hallucination_rate"] / 100, *(values[name] for name in by_type)]
        assert [round(value, 2) for value in ours] == [value for line in printed for value in line]
        replies = write_json(root / "replies.json", case["replies"])
        verdicts = cast(Judged, task).read_verdicts(replies, samples, "official")
        assert verdicts is not None and [verdicts[s.id][0].value for s in samples] == right["scores"]
        count += len(samples)
    oracle.report(CHECKED, count)


READERS: dict[str, Readers] = {
    "mmvet_official": (Check(mmvet_calls, ("A", "B")), Check(mmvet_grade_files, ("C", "D"))),
    "mmvet_v2": (Check(mmvet_v2, ("A", "B", "C", "D")),),
    "mmvet_vlmevalkit": (Check(mmvet_peer, ("vlmevalkit",)),),
    "mmvet_lmms_eval": (Check(mmvet_peer, ("lmms_eval",)),),
    "mmhal": (Check(mmhal),),
    "llavaw": (
        Check(llava_reviews, tuple(REVIEWS)),
        Check(llava_totals, tuple(SETS)),
        Check(llava_requests),
    ),
}
