"""MM-Vet: open questions that need several abilities at once, graded 0 to 1 by a judge.

Yu et al., MM-Vet: Evaluating Large Multimodal Models for Integrated Capabilities, ICML 2024 (arXiv 2308.02490).
Files: mm-vet.json, images/ and bard_set.json of mm-vet.zip (MM-Vet@acde843e). The judge: mmvet_judge.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from vlmbench.base.samples import Sample
from vlmbench.base.task import Size
from vlmbench.stats.metrics import MORE, RATE, Metric

from ..families.base import Scored
from ..families.judged import Judged, JudgedRules
from . import mmvet_answers, mmvet_files, mmvet_judge
from .mmvet_files import CAPABILITIES

if TYPE_CHECKING:
    from vlmbench.stats.metrics import Floats

THINK = "First please perform reasoning, and think step by step to provide best answer to the following question: \n\n"
"""What lmms-eval says to the model under test."""

RULES: Mapping[str, JudgedRules] = {
    "official": JudgedRules(
        "yuweihao/MM-Vet mm-vet_evaluator.py@acde843e; bare question",
        "{question}",
        mmvet_judge.official,
        1024,
        headline="total",
        judge=mmvet_judge.OFFICIAL,
        note="mean over the judge's runs (papers: five by gpt-4-0613); a reply that is never a number counts as 0",
    ),
    "vlmevalkit": JudgedRules(
        "open-compass/VLMEvalKit vlmeval/dataset/utils/mmvet.py@e8e78f05",
        "{question}",
        mmvet_judge.vlmevalkit,
        1024,
        headline="total",
        judge=mmvet_judge.VLMEVALKIT,
        note="the whole reply must be a number; five tries, then 0; integrations by the order in which they are "
        "written",
    ),
    "lmms_eval": JudgedRules(
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/mmvet/utils.py@75571cfe",
        THINK + "{question}",
        mmvet_judge.lmms_eval,
        1024,
        headline="total",
        judge=mmvet_judge.LMMS_EVAL,
        note="asks the model to think step by step; an empty or never readable reply of the judge counts as 0",
    ),
}


def figures(scored: Scored, protocol: str) -> list[Metric]:
    """The total, by capability (a question counts for each of its own) and by exact set of capabilities."""
    found = [_mean(scored, range(len(scored)), "total")]
    for breakdown, labels in _breakdowns([sample for sample, _ in scored], protocol).items():
        for label, rows in labels.items():
            found.append(replace(_mean(scored, rows, f"{breakdown}_{label}"), breakdown=breakdown, label=label))
    return found


def _mean(scored: Scored, rows: Sequence[int], name: str) -> Metric:
    """The mean over the judge's runs of each run's mean grade, added up as the official script does: sums by run."""
    import numpy as np

    grades = [[verdict.value for verdict in scored[row][1].verdicts] for row in rows]
    items = np.concatenate([np.array(grades, dtype=np.float64), np.ones((len(rows), 1))], axis=1)
    clusters = [scored[row][0].cluster for row in rows]
    binary = bool(np.isin(items, (0.0, 1.0)).all())
    return Metric(name, items, clusters, _mean_of_runs, limits=RATE, proportion=binary, better=MORE)


def _mean_of_runs(sums: Floats) -> Floats:
    import numpy as np

    count = sums[..., -1:]
    runs = np.divide(sums[..., :-1], count, out=np.full(np.shape(sums[..., :-1]), np.nan), where=count != 0) * 100
    value: Floats = np.asarray(runs.mean(axis=-1))
    return value


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
    sizes={"test": Size(218, 200), "bard_set": Size(168, note="the questions about pictures without people")},
    rules=RULES,
    files=mmvet_files,
    answer_files=mmvet_answers.ANSWERS,
    verdict_files=mmvet_answers.read_grades,
    figures=figures,
)
