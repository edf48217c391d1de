"""POPE: does the model see objects that are not there? Yes/no questions about COCO images, in three kinds of "no".

Li et al., Evaluating Object Hallucination in Large Vision-Language Models, EMNLP 2023 (arXiv 2305.10355).
Files: POPE output/coco/*.json and output/seem/{aokvqa,gqa}/*.json@3df3ba1b; the older random file (2,910 questions
instead of 3,000) of @e3e39262 is read just the same. Readers: vlmbench.parsing.yes_no; figures: vlmbench.stats.binary.
"""

from __future__ import annotations

from collections.abc import Mapping

from vlmbench.base.task import Size
from vlmbench.families.base import Scored
from vlmbench.families.short_answer import SHORT
from vlmbench.families.yes_no import YesNo, YesNoRules
from vlmbench.parsing import yes_no
from vlmbench.stats import binary
from vlmbench.stats.binary import Counting
from vlmbench.stats.metrics import Metric

from . import pope_answers, pope_files
from .pope_files import KINDS, VERSIONS

RULES: Mapping[str, YesNoRules] = {
    "official": YesNoRules(
        "RUCAIBox/POPE evaluate.py@3df3ba1b; bare question",
        "{question}",
        yes_no.first_sentence_yes_no,
        headline="mean_f1",
        note="whatever does not say no in its first sentence counts as yes",
    ),
    "llava": YesNoRules(
        "haotian-liu/LLaVA llava/eval/eval_pope.py@c121f043, docs/Evaluation.md",
        "{question}" + SHORT,
        yes_no.first_sentence_yes_no,
        headline="mean_f1",
        note="asks for a single word or phrase; the papers' POPE is the mean of the three splits' F1",
    ),
    "tinyllava": YesNoRules(
        "TinyLLaVA/TinyLLaVA_Factory tinyllava/eval/eval_pope.py@53f12c78; issue #154",
        "{question}" + SHORT,
        yes_no.first_sentence_yes_no,
        headline="mean_accuracy",
        note="as llava, with 1e-6 added to denominators; its table shows the mean accuracy",
    ),
    "lmms_eval": YesNoRules(
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/pope/utils.py@75571cfe",
        "{question}" + SHORT,
        yes_no.bare_yes_no,
        headline="f1",
        note="only a bare yes or no counts; recall leaves other answers out; its own yes ratio is yes_ratio_of_targets",
    ),
    "vlmevalkit": YesNoRules(
        "open-compass/VLMEvalKit vlmeval/dataset/utils/yorn.py@e8e78f05, exact matching",
        "{question}",
        yes_no.word_yes_no,
        headline="f1",
        note="bare question; f1 is what it prints as Overall; an answer with neither or both words is wrong and not a "
        "yes",
    ),
}
COUNTING: Mapping[str, Counting] = {
    "tinyllava": Counting(epsilon=1e-6),
    "lmms_eval": Counting(empty=0.0, misses=binary.SAID_NO),
    "vlmevalkit": Counting(empty=0.0),
}
"""How protocols count, where not as the official script."""


def figures(scored: Scored, protocol: str) -> list[Metric]:
    """Figures over all questions, means over the kinds of questions, and figures by kind."""
    clusters = [sample.cluster for sample, _ in scored]
    kinds = [sample.tags["split"] for sample, _ in scored]
    answers, targets = [score.parsed_answer for _, score in scored], [sample.target for sample, _ in scored]
    items = binary.columns(answers, targets, [score.value or 0.0 for _, score in scored])
    counting, there = COUNTING.get(protocol, Counting()), [kind for kind in KINDS if kind in kinds]
    names = binary.FIGURES if protocol == "lmms_eval" else binary.USUAL
    note = "" if len(there) == len(KINDS) else f"mean over {', '.join(there)} only"
    found = [binary.figure(name, items, clusters, counting) for name in names]
    found += binary.means(("f1", "accuracy"), items, clusters, counting, [there.index(kind) for kind in kinds], note)
    for kind in there:
        rows = [row for row, other in enumerate(kinds) if other == kind]
        inside = [clusters[row] for row in rows]
        found += [binary.figure(name, items[rows], inside, counting, kind) for name in binary.USUAL]
    return found


_SAME = "3,000 of each kind about the same images"

POPE = YesNo(
    name="pope",
    title="POPE: object hallucination by yes/no questions (Li et al. 2023)",
    about=__doc__,
    sizes={
        "coco": Size(9_000, 500, note=f"{_SAME}; 8,910 in the files of August 2023"),
        **{version: Size(9_000, 500, note=_SAME) for version in VERSIONS[1:]},
        **{
            f"{version}_{kind}": Size(3_000, 500, note="one kind by itself, as the official script")
            for version in VERSIONS
            for kind in KINDS
        },
    },
    rules=RULES,
    files=pope_files,
    answer_files=pope_answers.ANSWERS,
    figures=figures,
)
