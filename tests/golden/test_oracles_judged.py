"""MM-Vet and LLaVA-Bench against what the official scripts and their peers made of the same replies."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from vlmbench.base.registry import choose_task
from vlmbench.base.samples import JudgeRequest, Response, Sample, Score, Verdict
from vlmbench.base.task import Judged
from vlmbench.data.files import Folder
from vlmbench.scoring.verdicts import combine, summary

Oracle = Callable[[str], tuple[Path, Any, Any]]
Counted = Callable[[Path, int], None]
Call = tuple[JudgeRequest, str]
RATE_LIMIT = "__RATE_LIMIT__"
"""A call that the official script repeats; the judge's business with us, which no reading of replies sees."""


def talk(
    task: object, sample: Sample, answer: str, protocol: str, replies: Iterator[str]
) -> tuple[Verdict, list[Call]]:
    """One conversation with scripted replies: the verdict and every ask with its reply."""
    steps = cast(Judged, task).grade(sample, Response(answer), protocol)
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
    return hashlib.sha256(ask.messages[-1][1].encode()).hexdigest()


def same(ours: float | None, theirs: Any) -> bool:
    """Equal, nan included."""
    return ours is not None and (ours == float(theirs) or (math.isnan(ours) and math.isnan(float(theirs))))


def mmvet_samples(meta: Mapping[str, Any], root: Path) -> dict[str, Sample]:
    """Samples of a part, read as the official file."""
    root.mkdir(exist_ok=True)
    (root / "mm-vet.json").write_text(json.dumps(meta), "utf-8")
    return {sample.id: sample for sample in choose_task("mmvet").task.samples(Folder(root), "test")}


@pytest.mark.parametrize("part", ["A", "B"])
def test_mmvet_official(oracle: Oracle, counted: Counted, tmp_path: Path, part: str) -> None:
    """Every call as the official script made it: words, temperature, order; and every grade."""
    folder, cases, expected = oracle("mmvet_official")
    case, right = cases["parts"][part], expected[part]
    task = choose_task("mmvet").task
    scored: list[tuple[Sample, Score]] = []
    for key, sample in mmvet_samples(case["meta"], tmp_path).items():
        verdicts = []
        for run in range(case["num_run"]):
            theirs = right["calls"][key][str(run)]
            if RATE_LIMIT in [call["reply"] for call in theirs[1:]]:  # then the official script starts to count anew
                verdicts.append(Verdict(right["grades"][key]["score"][run]))
                continue
            theirs = [call for call in theirs if call["reply"] != RATE_LIMIT]
            replies = script([call["reply"] for call in theirs])
            verdict, calls = talk(task, sample, case["pred"][key], "official", replies)
            assert [(sha256(ask), ask.temperature, ask.max_tokens, reply) for ask, reply in calls] == [
                (call["prompt_sha256"], call["temperature"], call["max_tokens"], call["reply"] or "") for call in theirs
            ], (key, run)
            assert same(verdict.value, right["grades"][key]["score"][run]), (key, run)
            verdicts.append(verdict)
        scored.append((sample, combine(verdicts)))
    check_totals(scored, right["cap"], right["cap_int"], 1)
    counted(folder, len(scored))


def check_totals(
    scored: list[tuple[Sample, Score]], cap: Mapping[str, Any], integration: Mapping[str, Any], places: int
) -> None:
    """Every figure of the official tables."""
    choice = choose_task("mmvet")
    values = {metric.name: metric.value() for metric in choice.task.summarise(scored, "official")}
    judge = summary(choice, scored)
    ours = {name.removeprefix("capability_"): v for name, v in values.items() if not name.startswith("integration_")}
    theirs = {name: value for name, value in cap.items() if name not in ("std", "runs")}
    assert {name: round(value, places) for name, value in ours.items()} == pytest.approx(theirs)
    assert round(judge["std"], places) == pytest.approx(cap["std"])
    assert [round(value, places) for value in judge["run_values"]] == pytest.approx(cap["runs"])
    sets = {name: value for name, value in integration.items() if name not in ("total", "std", "runs")}
    assert {name: round(values[f"integration_{name}"], places) for name in sets} == pytest.approx(sets)
    assert len(sets) == sum(name.startswith("integration_") for name in values)


def test_mmvet_grade_files(oracle: Oracle, counted: Counted, tmp_path: Path) -> None:
    """Aggregation from a grade file, to one and to three places; and a grade of nan, which poisons the means."""
    folder, cases, expected = oracle("mmvet_official")
    task = cast(Judged, choose_task("mmvet").task)
    for part in ("C", "D"):
        right = expected[part]
        samples = list(mmvet_samples(cases["parts"][part]["meta"], tmp_path / part).values())
        path = tmp_path / f"model_gpt-4-grade-{part}.json"
        path.write_text(json.dumps(right["grades"]), "utf-8")
        verdicts = task.read_verdicts(path, samples, "official")
        assert verdicts is not None
        scored = [(sample, combine(verdicts[sample.id])) for sample in samples]
        if part == "C":
            check_totals(scored, right["cap_1dp"], right["cap_int_1dp"], 1)
            check_totals(scored, right["cap_3dp"], right["cap_int_3dp"], 3)
        else:
            values = {metric.name: metric.value() for metric in choose_task("mmvet").task.summarise(scored, "official")}
            assert math.isnan(values["total"]) and right["cap"]["total"] == "nan"
        counted(folder, len(samples))


@pytest.mark.parametrize("protocol", ["vlmevalkit", "lmms_eval"])
def test_mmvet_peers(oracle: Oracle, counted: Counted, protocol: str) -> None:
    """Scores, number of asks, temperatures and prompts of the peers."""
    folder, cases, expected = oracle(f"mmvet_{protocol}")
    task = choose_task("mmvet").task
    for case, right in zip(cases["cases"], expected["per_case"], strict=True):
        line = case.get("line") or case["doc"]
        sample = Sample(str(case["id"]), line["question"], (), line["answer"])
        answer = line.get("prediction", case.get("prediction"))
        verdict, calls = talk(task, sample, answer, protocol, script(case["replies"]))
        assert same(verdict.value, right["score"]), case
        assert [ask.temperature for ask, _ in calls] == right["temperatures"], case
        assert sha256(calls[0][0]) == right["prompt_sha256"], case
    counted(folder, len(cases["cases"]))
    check_peer_totals(protocol, cases["acc_rows"], expected)


def check_peer_totals(protocol: str, rows: Sequence[Mapping[str, Any]], expected: Mapping[str, Any]) -> None:
    """The peers' tables from rows of capabilities and scores."""
    scored = []
    for number, row in enumerate(rows):
        names = (row.get("category") or row["capabilities"]).split(",")
        tags = {"integration": "+".join(sorted(names)), "integration_as_written": "_".join(names)}
        sample = Sample(
            str(number), "", (), "", tags=tags, cluster=str(number), extra={"capabilities": frozenset(names)}
        )
        scored.append((sample, combine([Verdict(row["score"])])))
    values = {m.name: m.value() for m in choose_task(f"mmvet@{protocol}").task.summarise(scored, protocol)}
    if protocol == "lmms_eval":
        assert values["total"] == pytest.approx(expected["overall"])
        return
    for name, table in (("capability", "acc"), ("integration", "acc_fine")):
        for row in expected[table]:
            ours = "total" if row["Category"] == "Overall" else f"{name}_{row['Category']}"
            assert values[ours] == pytest.approx(row["acc"]), row


# ---------------------------------------------------------------------------------------------------- LLaVA-Bench

READERS = {"official": "llava", "vlmevalkit": "vlmevalkit", "lmms_eval": "lmms_eval"}
SETS = {"official": "llava_summarize", "vlmevalkit": "vlmevalkit", "lmms_eval": "lmms_eval"}


def llava_task() -> Any:
    """The task, with its own methods."""
    return choose_task("llava_bench").task


def verdict_of(review: str, protocol: str) -> Verdict:
    """What a review is read as, through a conversation."""
    sample = Sample("0", "Q", (), "R", extra={"context": "C"})
    verdict, _ = talk(llava_task(), sample, "A", protocol, script([review], last=review))
    return verdict


@pytest.mark.parametrize("protocol", READERS)
def test_llava_reviews(oracle: Oracle, counted: Counted, protocol: str) -> None:
    folder, cases, expected = oracle("llavaw")
    for case, right in zip(cases["cases"], expected["per_case"], strict=True):
        pair = verdict_of(case["review"], protocol).values
        assert len(pair) == 2, case
        assert all(same(ours, theirs) for ours, theirs in zip(pair, right[READERS[protocol]], strict=True)), case
    if protocol == "official":
        counted(folder, len(cases["cases"]))


@pytest.mark.parametrize("protocol", SETS)
def test_llava_totals(oracle: Oracle, protocol: str) -> None:
    _, cases, expected = oracle("llavaw")
    reviews = {case["id"]: case for case in cases["cases"]}
    for name, case in expected["sets"].items():
        scored = []
        for key in case["ids"]:
            sample = Sample(str(key), "", (), "", tags={"category": reviews[key]["category"]}, cluster=str(key))
            scored.append((sample, combine([verdict_of(reviews[key]["review"], protocol)])))
        values = {m.name: m.value() for m in choose_task("llava_bench").task.summarise(scored, protocol)}
        ours = {
            label.removeprefix("relative_score_"): value
            for label, value in values.items()
            if label.startswith("relative_score")
        }
        ours["all"] = ours.pop("relative_score")
        assert ours == pytest.approx(relative(case[SETS[protocol]]), abs=1e-9), name


def relative(table: Mapping[str, Any]) -> dict[str, float]:
    """The ratios of a peer's table under our names."""
    names = {name: name.removeprefix("llava_bench_").replace("overall", "all") for name in table}
    return {
        names[name]: row if isinstance(row, float) else row.get("relative", row.get("Relative Score (main)"))
        for name, row in table.items()
    }


def test_llava_requests(oracle: Oracle, counted: Counted, tmp_path: Path) -> None:
    """The request to the judge, word for word, from the official files."""
    folder, cases, expected = oracle("llavaw")
    given = cases["prompt_inputs"]
    files = {"questions": "questions", "context": "context", "reference_answers": "answers_gpt4"}
    for key, name in files.items():
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in given[key]), "utf-8")
    samples = {sample.id: sample for sample in llava_task().samples(Folder(tmp_path), "test")}
    answers = {str(row["question_id"]): row["text"] for row in given["model_answers"]}
    for case in expected["prompts"]:
        key, request = str(case["question_id"]), case["request"]
        verdict, calls = talk(llava_task(), samples[key], answers[key], "official", script([given["canned_reply"]]))
        (ask, _), rules = calls[0], llava_task().protocols["official"].judge
        assert [{"role": role, "content": text} for role, text in ask.messages] == request["messages"]
        assert (ask.temperature, ask.max_tokens, rules.model) == (
            request["temperature"], request["max_tokens"], request["model"]
        )  # fmt: skip
        assert list(verdict.values) == case["review_row"]["tuple"]
        assert f"llava_bench_{samples[key].tags['category']}" == case["review_row"]["category"]
    counted(folder, len(expected["prompts"]))
