"""Why HallusionBench's wrong answers are wrong: what the model believes (language), what it sees (vision), or both.

Source: tianyi-lab/HallusionBench utils.py (check_same_by_chatgpt, get_eval_pair_all), evaluation.py@744007c2. An answer
about an edited figure is compared with the model's own answer to the same question without an edit, or without any
figure: is it wrong because the model says the same as before? A judge says whether two answers agree. The script asks
it of every question; here it is asked where the reply can count, of wrong answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from vlmbench.base.samples import JudgeRequest, Sample, Score, Verdict
from vlmbench.families.base import Scored, Talk, fill
from vlmbench.stats.metrics import NEITHER, Metric, share

from .hallusionbench_judge import OFFICIAL, RIGHT, TEMPLATE_OF_TWO, WRONG

NAMES: Mapping[str, tuple[bool, bool]] = {
    "language_hallucination": (True, False),
    "visual_illusion": (False, True),
    "mixed_cause": (True, True),
}
"""What the script prints as LH, VI and Mixed: shares of the wrong answers; (language, vision)."""


def compare(verdict: Verdict, answer: str, other: str) -> Talk:
    """Whether a wrong answer agrees with the model's other one, as a second value of the verdict."""
    if verdict.values != (float(WRONG),):
        return verdict
    asked = fill(TEMPLATE_OF_TWO, {"answer": answer, "other": other})
    reply = yield JudgeRequest((("user", asked),), OFFICIAL.max_tokens, OFFICIAL.temperature)
    return replace(verdict, values=(*verdict.values, float("same" in reply.lower())))


def cause(sample: Sample, verdict: int, original: int | None, same: bool) -> tuple[bool, bool]:
    """(Language, vision). `original` is the verdict on the question before the edit; None: this is that question."""
    tags, wrong = sample.tags, verdict == WRONG
    if verdict == RIGHT:
        return False, False
    if original is None:
        return (False, True) if tags["category"] == "VD" else (wrong, False)
    if tags["category"] == "VD":
        return wrong and original == RIGHT and same, True
    if original == WRONG:
        return True, not (wrong and same)
    believed = original == RIGHT and wrong and tags["visual_input"] == "2" and same
    return believed, not believed


def causes(scored: Scored) -> list[Metric]:
    """The shares of the three causes. None where the split lacks the questions before the edit, or no judge graded."""
    if any(sample.extra["original"] is None for sample, _ in scored):
        return []
    by_id = {sample.id: score for sample, score in scored}
    rows = [(sample, [*_of_runs(sample, score, by_id)]) for sample, score in scored]
    known = [(sample, found) for sample, found in rows if found and None not in found]
    if not any(found for _, found in known):
        return []
    clusters = [sample.cluster for sample, _ in known]
    wholes = [sum(any(one or ()) for one in found) / len(found) for _, found in known]
    left_out = len(rows) - len(known)
    note = f"{left_out} answers left out: a verdict that they need is missing" if left_out else ""
    return [
        replace(
            share(name, [found.count(kind) / len(found) for _, found in known], wholes, clusters),
            better=NEITHER,
            note=note,
        )
        for name, kind in NAMES.items()
    ]


def _of_runs(sample: Sample, score: Score, by_id: Mapping[str, Score]) -> Iterator[tuple[bool, bool] | None]:
    """The cause by each run of the judge; None where it is not known."""
    edited = sample.extra["original"]
    before = by_id.get(edited)
    for run, verdict in enumerate(score.verdicts):
        original = before.verdicts[run] if before and run < len(before.verdicts) else None
        if not verdict.values or (edited and not (original and original.values)):
            yield None
            continue
        first = int(original.values[0]) if original else None
        both = [cause(sample, int(verdict.values[0]), first, same) for same in (False, True)]
        told = len(verdict.values) > 1
        yield both[bool(verdict.values[1])] if told else both[0] if both[0] == both[1] else None
