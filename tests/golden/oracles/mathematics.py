"""Oracles of mathematics: MathVista, MathVision, MathVerse, with the replies that their judges were given."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.golden.oracles.judged import Call, figures, script, sha256, talk
from tests.golden.oracles.reading import Case, Check, Oracle, Readers, write_json, write_lines
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Response, Sample, Score, Status, Verdict
from vlmbench.data.files import Folder
from vlmbench.scoring.verdicts import combine
from vlmbench.tasks.mathematics import mathverse_judge, mathvision_answers, mathvista_answers
from vlmbench.tasks.mathematics.mathvista_judge import FAILED

PRINTED = 0.005 + 1e-9
"""How far a figure printed with two places may be from ours."""
ERROR = "__ERROR__"
"""A call of the judge that fails."""


def given(oracle: Oracle) -> Sequence[tuple[Case, Case]]:
    """The cases, each with what is expected of it."""
    return list(zip(oracle.cases["cases"], oracle.expected["per_case"], strict=True))


def graded(spec: str, sample: Sample, answer: str, replies: Iterator[str]) -> tuple[Score, Sequence[Call]]:
    """The score of an answer, by rule or with the judge's replies; and the calls."""
    choice = choose_task(spec)
    score = choice.task.score(sample, Response(answer), choice.protocol)
    if score.status is not Status.JUDGE_FAILED:
        return score, []
    verdict, calls = talk(choice.task, sample, answer, choice.protocol, replies)
    return combine([verdict]), calls


def said(prediction: str | None, nothing: str = mathvista_answers.NOTHING) -> str:
    """What an official code read, under our names."""
    return nothing if prediction is None else prediction


def read(score: Score) -> str:
    """What an answer was read as."""
    return score.verdicts[0].note.removeprefix("read as ") if score.verdicts else score.parsed_answer


def as_theirs(right: object) -> Score:
    """A score of their verdict, for totals, where a judge that failed is a verdict there and none here."""
    return combine([Verdict(float(bool(right)))])


# ----------------------------------------------------------------------------------------------------------- MathVista

OFFICIAL = {
    "official": ("official", "prediction", "true_false"),
    "official_ignore_empty": ("official", "prediction_ignore_empty", "true_false_ignore_empty"),
    "official_quick": ("official_quick", "prediction", "true_false"),
}
"""By protocol: the case's key, and the names of what was read and of whether it is right."""


def mathvista_samples(oracle: Oracle) -> Mapping[str, Sample]:
    """The cases as testmini.json."""
    problems = {case["pid"]: {**case, "image": "a.png"} for case in oracle.cases["cases"]}
    write_json(oracle.scratch / "testmini.json", problems)
    found = choose_task("mathvista").task.samples(Folder(oracle.scratch), "testmini")
    return {sample.id: sample for sample in found}


def mathvista(oracle: Oracle, protocol: str) -> None:
    """What every response is read as, whether it is right, the judge's prompt, and every figure."""
    samples, scored = mathvista_samples(oracle), []
    key, name, right = OFFICIAL[protocol]
    for case, row in given(oracle):
        theirs, sample = row[key], samples[case["pid"]]
        if theirs["asked"] and case["judge_replies"][0] == ERROR:
            scored.append((sample, as_theirs(theirs[right])))
            continue
        score, calls = graded(f"mathvista@{protocol}", sample, case["response"], script(case["judge_replies"][:1]))
        assert len(calls) == theirs["asked"], case
        assert not calls or theirs["prompt_sha256"] in (None, sha256(calls[0][0])), case
        nothing = "" if protocol == "official_ignore_empty" and sample.choices else mathvista_answers.NOTHING
        assert read(score) == said(theirs[name], nothing), (case, score)
        assert score.value == theirs[right], (case, score)
        scored.append((sample, score))
    values = figures("mathvista", scored, protocol)
    oracle.figures(values, mathvista_totals(oracle.expected, protocol), protocol)
    oracle.count(len(scored))


def mathvista_totals(expected: Mapping[str, Any], protocol: str) -> Mapping[str, float]:
    """The official figures under our names, in percent."""
    if protocol == "official_quick":
        return {"accuracy": 100 * expected["official_quick_correct"] / len(expected["per_case"])}
    scores = expected["official_scores" if protocol == "official" else "official_scores_ignore_empty"]
    bars = {
        f"{tag}_{label}": 100 * row["accuracy"]
        for tag, table in scores.items()
        if tag != "average"
        for label, row in table.items()
    }
    return {"accuracy": 100 * scores["average"]["accuracy"], **bars}


def mathvista_replies(oracle: Oracle, _: str) -> None:
    """What the last reply of each case is read as."""
    samples = mathvista_samples(oracle)
    for case, row in given(oracle):
        got = mathvista_answers.match(samples[case["pid"]], case["judge_replies"][-1])
        assert got.read == said(row["reply_prediction"]), (case, got)


def mathvista_lmms_eval(oracle: Oracle, protocol: str) -> None:
    """As the official ones; a call that fails is there one more reply without words."""
    samples, scored = mathvista_samples(oracle), []
    for case, row in given(oracle):
        sample, theirs = samples[case["pid"]], row["lmms_eval"]
        replies = ["" if reply == ERROR else reply for reply in case["judge_replies"]]
        score, calls = graded(f"mathvista@{protocol}", sample, case["response"], script(replies, last=replies[-1]))
        assert len(calls) == theirs["asked"], case
        assert read(score) == said(theirs["prediction"]), (case, score)
        assert score.value == theirs["true_false"], (case, score)
        scored.append((sample, score))
    values = figures("mathvista", scored, protocol)
    oracle.figures({"accuracy": round(values["accuracy"], 2)}, {"accuracy": oracle.expected["lmms_eval_accuracy"]}, "")


def mathvista_vlmevalkit(oracle: Oracle, protocol: str) -> None:
    """Whether the judge is asked, how often and how warmly, every hit, and the table."""
    samples, scored = mathvista_samples(oracle), []
    for case, row in given(oracle):
        sample, theirs = samples[case["pid"]], row["vlmevalkit"]
        replies = [FAILED if reply == ERROR else reply for reply in case["judge_replies"]]
        score, calls = graded(f"mathvista@{protocol}", sample, case["response"], script(replies, last=replies[-1]))
        assert bool(calls) != theirs["prefetched"], case
        assert [ask.temperature for ask, _ in calls] == (theirs["temperatures"] or []), case
        if score.status is Status.JUDGE_FAILED:
            score = as_theirs(theirs["hit"])
        assert score.value == theirs["hit"], (case, score)
        scored.append((sample, score))
    values = figures("mathvista", scored, protocol)
    for table in oracle.expected["vlmevalkit_totals"]:
        name = table["Task&Skill"]
        ours = next(
            key
            for key in ("accuracy", f"task_{name}", f"skills_{name}")
            if key in values and (key == "accuracy") == (name == "Overall")
        )
        oracle.figures(values, {ours: table["acc"]}, name)


# ---------------------------------------------------------------------------------------------------------- MathVision

BEYOND = re.compile(
    r"\\(?:a|arc)?(?:sin|cos|tan|csc|sec|cot)|\\(?:log|ln|exp)|e\^|[<>&|=~]|[a-z]\(|\d{3}!|\^\S*\^|-\S*\^\{?-"
)
"""What is beyond the arithmetic that is evaluated here: functions, relations, calls, bits, what may be too large, and
negative powers behind a sign."""
PARTING: Mapping[int, Sequence[str]] = {20240222: ()}
"""By the seed of the cases, ids of those whose verdict is another than `eval` gives: docs/decisions/0042-arithmetic.md
lists them. Where the seed is another, only cases with texts that are beyond arithmetic may part."""


def parts(oracle: Oracle, key: str, texts: Sequence[object]) -> bool:
    """Whether a verdict may be another than theirs."""
    if (known := PARTING.get(oracle.cases["seed"])) is not None:
        return key in known
    return any(BEYOND.search(str(text).lower()) for text in texts)


def mathvision_samples(oracle: Oracle) -> Sequence[Sample]:
    """The cases as test.jsonl."""
    write_lines(oracle.scratch / "test.jsonl", [{**case, "image": "a.png"} for case in oracle.cases["cases"]])
    return choose_task("mathvision").task.samples(Folder(oracle.scratch), "test")


def mathvision(oracle: Oracle, protocol: str) -> None:
    """What every response is read as, whether it is right, and every figure of the official code."""
    scored = []
    for sample, (case, row) in zip(mathvision_samples(oracle), given(oracle), strict=True):
        score, _ = graded(f"mathvision@{protocol}", sample, case["response"], script([]))
        right = row["official"]["correct"] if protocol == "official" else row["lmms_eval"]
        read_as = row["official"]["model_answer"]
        assert score.parsed_answer == read_as, (case, score)
        if score.value != right and parts(oracle, sample.id, [read_as, sample.target, *sample.choices]):
            score = as_theirs(right)
        assert score.value == right, (case, score)
        scored.append((sample, score))
    values = figures("mathvision", scored, protocol)
    if protocol == "official":
        oracle.figures(values, mathvision_totals(oracle.expected["official_totals"]), protocol, PRINTED)
    else:
        oracle.figures(values, {"accuracy": oracle.expected["lmms_eval_accuracy"]}, protocol, PRINTED)
    oracle.count(len(scored))


def mathvision_totals(printed: Mapping[str, str]) -> Mapping[str, float]:
    """The printed figures under our names, in percent. A subject at a level is there twice, under two names."""
    found = {}
    for name, text in printed.items():
        level = name.removeprefix("-level")
        subject, _, at = name.partition("_level")
        figure = float(text.partition("=")[2].rstrip("%"))
        if name == "-all":
            found["accuracy"] = figure
        elif level != name and "_" not in level:
            found[f"level_{level}"] = figure
        elif level == name:
            found[f"subject_level_{subject}, level {at}" if at else f"subject_{subject}"] = figure
    return found


def mathvision_parts(oracle: Oracle, _: str) -> None:
    """The two functions alone: what is read from a text, and whether two answers are equal."""
    for row in oracle.expected["find_math_answer"]:
        assert mathvision_answers.cleaned(row["text"]) == row["official"] == row["lmms_eval"], row
    for row in oracle.expected["is_equal"]:
        pair = row["a"], row["b"]
        if mathvision_answers.same(*pair) != row["official"] or row["official"] != row["lmms_eval"]:
            assert parts(oracle, " ".join(pair), pair), row
        if mathvision_answers.close(*reversed(pair)) != row["vlmevalkit"]:
            assert parts(oracle, " ".join(pair), pair), row


def mathvision_vlmevalkit(oracle: Oracle, protocol: str) -> None:
    """Whether the judge is asked, every hit, and the table by subject."""
    scored = []
    for sample, (case, row) in zip(mathvision_samples(oracle), given(oracle), strict=True):
        theirs = row["vlmevalkit"]
        score, calls = graded(f"mathvision@{protocol}", sample, case["response"], script(case["judge_replies"]))
        if (bool(calls), score.value) != (not theirs["prefetched"], float(theirs["hit"])):
            assert parts(oracle, sample.id, [case["response"], case["answer"], *case["judge_replies"]]), (case, score)
            score = as_theirs(theirs["hit"])
        scored.append((sample, score))
    values = figures("mathvision", scored, protocol)
    for table in oracle.expected["vlmevalkit_totals"]:
        name = table["Subject"]
        oracle.figures(values, {"accuracy" if name == "Overall" else f"subject_{name}": table["acc"]}, name)


# ----------------------------------------------------------------------------------------------------------- MathVerse

RATE, LONG = "__RATE__", "__LONG__"
"""Calls that the official code repeats, the last one with the end of the prompt: no replies of a judge here."""
JUDGES_BUSINESS = (ERROR, RATE, LONG)
KIT_ROWS = ("Overall", "split")


def mathverse_samples(oracle: Oracle) -> Sequence[Sample]:
    """The cases as testmini.json."""
    rows = [{**case, "image": "a.png", "query_wo": case["question"]} for case in oracle.cases["cases"]]
    write_json(oracle.scratch / "testmini.json", rows)
    return choose_task("mathverse").task.samples(Folder(oracle.scratch), "testmini")


def replied(case: Case, name: str) -> Sequence[str]:
    """A judge's replies, calls that gave none left out."""
    return [reply for reply in case[name] if reply not in JUDGES_BUSINESS]


def mathverse(oracle: Oracle, protocol: str) -> None:
    """Every prompt, extraction and judgement, and the printed figures."""
    scored, right = [], "judgement" if protocol == "official" else "quick_match"
    for sample, (case, row) in zip(mathverse_samples(oracle), given(oracle), strict=True):
        said = [*replied(case, "extract_replies"), *replied(case, "judge_replies")]
        score, calls = graded(f"mathverse@{protocol}", sample, case.get("model_answer", ""), script(said))
        assert sha256(calls[0][0]) == row["extract_prompt_sha256"], case
        assert read(score) == row["extraction"], (case, score)
        assert score.value == row[right], (case, score)
        if protocol == "official" and LONG not in case["judge_replies"]:
            assert {sha256(ask) for ask, _ in calls[len(replied(case, "extract_replies")) :]} == {
                *row["score_prompt_sha256"]
            }, case
        scored.append((sample, score))
    values = figures("mathverse", scored, protocol)
    printed = oracle.expected["printed" if protocol == "official" else "printed_quick"]
    oracle.figures(values, mathverse_printed(printed), protocol, 0.05 + 1e-9)
    oracle.count(len(scored))


def mathverse_printed(lines: Sequence[str]) -> Mapping[str, float]:
    """The printed lines under our names, in percent; lines with a count are left out."""
    named = [line.rpartition(" Acc: ") for line in lines if " Acc: " in line]
    versions = {"Text Dominant", "Text Lite", "Text Only", "Vision Intensive", "Vision Dominant", "Vision Only"}
    found = {}
    for name, _, figure in named:
        kind = "problem_version" if name in versions else "subject_subfield" if "-" in name else "subject"
        found["total" if name == "Total" else f"{kind}_{name}"] = 100 * float(figure)
    return found


def mathverse_last_words(oracle: Oracle, _: str) -> None:
    """The prompt about the last ten words of a response."""
    for case, row in given(oracle):
        asked = next(mathverse_judge.extraction(mathverse_judge.last_words(case.get("model_answer", ""), 10)))
        assert sha256(asked) == row["trunk10_prompt_sha256"], case


def mathverse_vlmevalkit(oracle: Oracle, protocol: str) -> None:
    """Every extraction and score, how often the judge is asked for a score, and the table."""
    scored: list[tuple[Sample, Score]] = []
    for sample, (case, row) in zip(mathverse_samples(oracle), given(oracle), strict=True):
        theirs = row["vlmevalkit"]
        extracts, judgements = (
            [FAILED if reply in JUDGES_BUSINESS else reply for reply in case[name]][:5]
            for name in ("extract_replies", "judge_replies")
        )
        used = next((place for place, reply in enumerate(extracts) if reply != FAILED), len(extracts) - 1)
        said = script([*extracts[: used + 1], *judgements], last=judgements[-1])
        score, calls = graded(f"mathverse@{protocol}", sample, case.get("model_answer", ""), said)
        if extracts[used] == FAILED:  # no answer was found: an empty one there, no verdict here
            assert score.status is Status.JUDGE_FAILED and theirs["extract"] == "", case
            score = as_theirs(theirs["score"])
        else:
            assert read(score) == theirs["extract"], (case, score)
            assert len(calls) - used - 1 == theirs["calls"], case
        assert score.value == theirs["score"], (case, score)
        scored.append((sample, score))
    for table in oracle.expected["vlmevalkit_acc"]:
        part = [pair for pair in scored if pair[0].tags["problem_version"] == table["split"]]
        values, right = figures("mathverse", part, protocol), {"total": table["Overall"]}
        for name in set(table) - {*KIT_ROWS}:
            right[next(key for key in (f"subject_{name}", f"subfield_{name}") if key in values)] = table[name]
        oracle.figures(values, right, table["split"])


READERS: dict[str, Readers] = {
    "mathvista": (
        Check(mathvista, tuple(OFFICIAL)),
        Check(mathvista_replies),
        Check(mathvista_lmms_eval, ("lmms_eval",)),
        Check(mathvista_vlmevalkit, ("vlmevalkit",)),
    ),
    "mathvision": (
        Check(mathvision, ("official", "lmms_eval")),
        Check(mathvision_parts),
        Check(mathvision_vlmevalkit, ("vlmevalkit",)),
    ),
    "mathverse": (
        Check(mathverse, ("official", "official_quick_match")),
        Check(mathverse_last_words),
        Check(mathverse_vlmevalkit, ("vlmevalkit",)),
    ),
}
