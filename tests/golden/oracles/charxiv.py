"""The oracle of CharXiv: questions, requests to the judge, and printed figures."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from tests.golden.oracles.judged import conversation, figures, script, sha256, talk
from tests.golden.oracles.reading import CHECKED, Case, Check, Oracle, Readers, Scored, write_json
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Response, Sample
from vlmbench.data.files import Folder
from vlmbench.scoring.verdicts import combine

SUBJECTS = {
    "Computer Science": "cs", "Economics": "econ", "Electrical Engineering and Systems Science": "eess",
    "Mathematics": "math", "Physics": "physics", "Quantitative Biology": "q-bio", "Quantitative Finance": "q-fin",
    "Statistics": "stat",
}  # fmt: skip
BARS = {
    "By Answer Type": "answer_type", "By Source": "source", "By Question": "question", "By Category": "category",
    "By Subject": "subject", "By Year": "year", "By Subplot": "subplots",
}  # fmt: skip


def charxiv(oracle: Oracle, kind: str) -> None:
    """Every question's words, every request to the judge, every score, and the printed figures."""
    for name in ("reasoning", "descriptive", "image_metadata"):
        write_json(oracle.scratch / f"{name}_val.json", oracle.cases[name])
    task = choose_task("charxiv").task
    samples = {sample.id: sample for sample in task.samples(Folder(oracle.scratch), f"{kind}_val")}
    for key, right in oracle.expected["question_prompt_sha256"][kind].items():
        words = task.build_request(samples[key], "official").prompt
        assert hashlib.sha256(words.encode()).hexdigest() == right, key
    scored = (charxiv_reasoning if kind == "reasoning" else charxiv_descriptive)(oracle, task, samples)
    values, stats = figures("charxiv", scored, "official"), oracle.expected[f"{kind}_stats"]
    right = {"accuracy": stats["Overall Score"]}
    for table, tag in BARS.items():
        for label, value in stats.get(table, {}).items():
            name = f"{tag}_{SUBJECTS.get(label, label.removesuffix(' Subplots').removesuffix(' Subplot'))}"
            right |= {name: value} if name in values else {}
            assert name in values or value == 0, (name, value)
    oracle.figures({name: round(value, 2) for name, value in values.items()}, right, f"figures of {kind}")
    assert stats["N_valid"] == len(scored)
    assert stats["N_invalid"] == sum(score.verdicts[0].unread for _, score in scored)
    oracle.report(CHECKED, len(scored))


def charxiv_reasoning(oracle: Oracle, task: Any, samples: Mapping[str, Sample]) -> Scored:
    """One conversation per answer."""
    scored: Scored = []
    for (key, right), replies in zip(
        oracle.expected["reasoning"].items(), oracle.cases["judge_replies"]["reasoning"], strict=True
    ):
        answer = oracle.cases["responses_reasoning"][key]["response"]
        verdict, calls = talk(task, samples[key], answer, "official", script(replies, last=replies[-1]))
        assert [(sha256(ask), ask.max_tokens) for ask, _ in calls] == sent(right), key
        assert verdict.unread is (right["score"] not in [0, 1]), key
        assert verdict.value == (0 if verdict.unread else float(right["score"])), key
        scored.append((samples[key], combine([verdict])))
    return scored


def charxiv_descriptive(oracle: Oracle, task: Any, samples: Mapping[str, Sample]) -> Scored:
    """One conversation per batch."""
    answers = oracle.cases["responses_descriptive"]
    pairs = [(sample, Response(answers[key]["response"])) for key, sample in samples.items()]
    scored: Scored = []
    rights, scripts = oracle.expected["descriptive"], oracle.cases["judge_replies"]["descriptive"]
    for batch, right, replies in zip(task.batches(pairs[::-1], "official"), rights, scripts, strict=True):
        assert [sample.id for sample, _ in batch] == right["resp_keys"]
        verdicts, calls = conversation(task.grade_batch(batch, "official"), script(replies, last=replies[-1]))
        assert [(sha256(ask), ask.max_tokens) for ask, _ in calls] == sent(right), right
        for (sample, _), verdict in zip(batch, verdicts, strict=True):
            score = oracle.expected["descriptive_scores"][sample.id]["score"]
            assert (verdict.value, verdict.unread) == ((0, True) if score == -1 else (float(score), False)), sample.id
            scored.append((sample, combine([verdict])))
    return scored


def sent(right: Case) -> list[tuple[str, int]]:
    """The hash and the limit of each official request."""
    return [(call["prompt_sha256"], call["max_tokens"]) for call in right["calls"]]


READERS: dict[str, Readers] = {"charxiv": (Check(charxiv, ("reasoning", "descriptive")),)}
