"""LLaVA-Bench (in the wild): open questions about 24 images; a judge compares each answer with a reference.

Liu et al., Visual Instruction Tuning, NeurIPS 2023 (arXiv 2304.08485). Files of the hub's dataset
liuhaotian/llava-bench-in-the-wild: questions.jsonl, context.jsonl, answers_gpt4.jsonl, images/. The scripts join them
by the number of the line; we join them by id. The judge: llava_bench_judge.py; the score: vlmbench.stats.judge_runs.
"""

from __future__ import annotations

from collections.abc import Mapping

from vlmbench.base.samples import Verdict
from vlmbench.base.task import Size
from vlmbench.families.base import Scored
from vlmbench.families.judged import Judged, JudgedRules
from vlmbench.stats import judge_runs
from vlmbench.stats.metrics import MORE, NEITHER, Metric

from . import llava_bench_files
from .llava_bench_files import CATEGORIES
from .llava_bench_judge import REVIEWS

_LLAVA = "haotian-liu/LLaVA llava/eval/{eval_gpt_review_bench,summarize_gpt_review}.py@c121f043"


def _rules(protocol: str, source: str, note: str, tokens: int = 1024, stop: tuple[str, ...] = ()) -> JudgedRules:
    review = REVIEWS[protocol]
    return JudgedRules(
        source, "{question}", review, tokens, stop=stop, headline="relative_score", judge=review.rules, note=note
    )


RULES: Mapping[str, JudgedRules] = {
    "honest": _rules(
        "honest",
        f"{_LLAVA}, without what it makes of failures",
        "a review without two grades up to 10 is missing, not -1; nothing is rounded on the way",
    ),
    "official": _rules(
        "official",
        _LLAVA,
        "unreadable reviews stay in both means as -1, which lifts a score towards 100; rounded as the script does",
    ),
    "vlmevalkit": _rules(
        "vlmevalkit",
        "open-compass/VLMEvalKit vlmeval/dataset/utils/llavabench.py@e8e78f05",
        "as official, without rounding the means",
    ),
    "lmms_eval": _rules(
        "lmms_eval",
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/llava-in-the-wild/utils.py@75571cfe",
        "reads the first two numbers of the first line, whatever they are; failures stay in as -1",
        4096,
        ("ASSISTANT:",),
    ),
}

PLACES: Mapping[str, tuple[int | None, int | None]] = {
    "official": (3, 1),
    "lmms_eval": (3, 1),
    "vlmevalkit": (None, 1),
}
"""Decimal places of the means and of the ratio, where the scripts round."""


def figures(scored: Scored, protocol: str) -> list[Metric]:
    """Relative score (the answers' mean grade over the references'), whole and by category; both sides' grades."""
    pairs = judge_runs.pairs_of_grades([score for _, score in scored])
    clusters, places = [sample.cluster for sample, _ in scored], PLACES.get(protocol, (None, None))
    found = [judge_runs.relative_grade("relative_score", pairs, clusters, places)]
    for side, (name, better) in enumerate((("reference_score", NEITHER), ("answer_score", MORE))):
        found.append(judge_runs.mean_grade(name, pairs, clusters, side, better, 10))
    for name in CATEGORIES:
        rows = [row for row, (sample, _) in enumerate(scored) if sample.tags["category"] == name]
        if rows:
            inside, bar = [clusters[row] for row in rows], ("category", name)
            found.append(judge_runs.relative_grade(f"relative_score_{name}", pairs[rows], inside, places, *bar))
    return found


LLAVA_BENCH = Judged(
    name="llava_bench",
    title="LLaVA-Bench (in the wild): answers compared with references by a judge (Liu et al. 2023)",
    about=__doc__,
    sizes={"test": Size(60, 24, note="17 of conversation, 15 of detail, 28 of complex reasoning")},
    rules=RULES,
    files=llava_bench_files,
    answer_files=llava_bench_files.ANSWERS,
    verdict_files=llava_bench_files.read_reviews,
    scale=(Verdict(1.0, values=(10.0, 1.0)), Verdict(10.0, values=(1.0, 10.0))),
    figures=figures,
)
