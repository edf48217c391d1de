"""MM-Vet: open questions that need several abilities at once, graded 0 to 1 by a judge.

Yu et al., MM-Vet: Evaluating Large Multimodal Models for Integrated Capabilities, ICML 2024 (arXiv 2308.02490).
Files: mm-vet.json, images/ and bard_set.json of mm-vet.zip (MM-Vet@acde843e). The judge: mmvet_judge.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from vlmbench.base.samples import Sample
from vlmbench.base.task import Size
from vlmbench.families.base import Scored
from vlmbench.families.judged import Judged, JudgedRules
from vlmbench.stats.judge_runs import mean_of_runs
from vlmbench.stats.metrics import Metric

from . import mmvet_files, mmvet_judge
from .mmvet_files import CAPABILITIES

THINK = "First please perform reasoning, and think step by step to provide best answer to the following question: \n\n"
"""What lmms-eval says to the model under test."""

_rules = partial(JudgedRules, tokens=1024, headline="total")

RULES: Mapping[str, JudgedRules] = {
    "official": _rules(
        "yuweihao/MM-Vet mm-vet_evaluator.py@acde843e; bare question",
        "{question}",
        mmvet_judge.official,
        judge=mmvet_judge.OFFICIAL,
        note="mean over the judge's runs (papers: five by gpt-4-0613); a reply that is never a number counts as 0",
    ),
    "vlmevalkit": _rules(
        "open-compass/VLMEvalKit vlmeval/dataset/utils/mmvet.py@e8e78f05",
        "{question}",
        mmvet_judge.vlmevalkit,
        judge=mmvet_judge.VLMEVALKIT,
        note="the whole reply must be a number; five tries, then 0; integrations by the order in which they are "
        "written",
    ),
    "lmms_eval": _rules(
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/mmvet/utils.py@75571cfe",
        THINK + "{question}",
        mmvet_judge.lmms_eval,
        judge=mmvet_judge.LMMS_EVAL,
        note="asks the model to think step by step; an empty or never readable reply of the judge counts as 0",
    ),
}


def figures(scored: Scored, protocol: str) -> list[Metric]:
    """The total, by capability (a question counts for each of its own) and by exact set of capabilities."""

    def mean(rows: Sequence[int], name: str, *bar: str) -> Metric:
        clusters = [scored[row][0].cluster for row in rows]
        return mean_of_runs(name, [scored[row][1] for row in rows], clusters, *bar)

    found = [mean(range(len(scored)), "total")]
    for breakdown, labels in _breakdowns([sample for sample, _ in scored], protocol).items():
        found += [mean(rows, f"{breakdown}_{label}", breakdown, label) for label, rows in labels.items()]
    return found


def _breakdowns(samples: Sequence[Sample], protocol: str) -> dict[str, dict[str, list[int]]]:
    """Rows by capability and by integration.

    VLMEvalKit keeps both in one table: a question with one capability counts twice for it, and the integration of
    that name is the capability.
    """
    together = protocol == "vlmevalkit"
    integrations: dict[str, list[int]] = {}
    for index, sample in enumerate(samples):
        tag = sample.tags["integration_as_written" if together else "integration"]
        integrations.setdefault(tag, []).append(index)
    capabilities = {
        name: [index for index, sample in enumerate(samples) if name in sample.extra["capabilities"]]
        + (integrations.get(name, []) if together else [])
        for name in CAPABILITIES
    }
    if together:
        integrations |= {name: rows for name, rows in capabilities.items() if name in integrations}
    return {"capability": {name: rows for name, rows in capabilities.items() if rows}, "integration": integrations}


MMVET = Judged(
    name="mmvet",
    title="MM-Vet: integrated capabilities, graded by a judge (Yu et al. 2023)",
    about=__doc__,
    sizes={"test": Size(218, 200), "bard_set": Size(168, note="the questions about images without people")},
    rules=RULES,
    files=mmvet_files,
    answer_files=mmvet_files.ANSWERS,
    verdict_files=mmvet_files.read_grades,
    figures=figures,
)
