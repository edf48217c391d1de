"""AMBER, discriminative part: yes/no questions about what is there, how it is, and what touches what.

Wang et al., AMBER: An LLM-free Multi-dimensional Benchmark for MLLMs Hallucination Evaluation (arXiv 2311.07397).
Files: data/query/query_discriminative.json and data/annotations.json of junyangwang0410/AMBER@534babf6, images by its
README; or VLMEvalKit's table; or the hub's visual-preference/AMBER (its columns are those that public scripts read; it
does not say which kind of attribute a question is about). The answer that precision, recall and F1 are of is No: that
something is a hallucination.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from vlmbench.base.samples import Sample
from vlmbench.base.task import DataFile, Size
from vlmbench.data.files import Folder, Hub
from vlmbench.data.official import amber
from vlmbench.data.tables.columns import Columns
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.data.tables.image_table import ImageTable, table
from vlmbench.data.tables.layouts import Joined
from vlmbench.families.base import OwnFiles, Scored, macro_of, mean_of, metrics_by
from vlmbench.families.yes_no import YesNo, YesNoRules, yes_no_target
from vlmbench.parsing import yes_no
from vlmbench.stats.figures.binary import GUARDS
from vlmbench.stats.judges.judge_runs import rounded
from vlmbench.stats.metrics import MORE, RATE, Metric, ratio

if TYPE_CHECKING:
    from vlmbench.stats.metrics import Floats

RULES: Mapping[str, YesNoRules] = {
    "official": YesNoRules(
        "junyangwang0410/AMBER inference.py@534babf6",
        "{question}",
        lambda text: text if text in ("Yes", "No") else "",
        words=("Yes", "No"),
        headline="f1",
        note="the answer is `Yes` or `No` and no more: `Yes.` is wrong. Counts start at 0.001, and F1 is of precision "
        "and recall rounded to one place, with 0.0001 (existence: 0.001) added below",
    ),
    "vlmevalkit": YesNoRules(
        "open-compass/VLMEvalKit vlmeval/dataset/{image_yorn,utils/yorn}.py@e8e78f05, exact matching",
        "{question}\nPlease answer yes or no.",
        yes_no.word_yes_no,
        headline="mean_accuracy",
        note="the word yes or the word no, not both; the mean of the accuracies of attributes, existence and relations",
    ),
}

# ------------------------------------------------------------------------------------------------------------- figures

PARTS: Mapping[str, str] = {
    "discriminative-hallucination": "existence",
    "discriminative-attribute-state": "state",
    "discriminative-attribute-number": "number",
    "discriminative-attribute-action": "action",
    "discriminative-attribute": "attribute",
}
"""By type of question; the last is what the hub says. All other types are relations, as in the script: "relation" and
"discriminative-relation".
"""
ATTRIBUTES = ("state", "number", "action")
DIMENSIONS: Mapping[str, tuple[str, ...]] = {
    "existence": ("existence",),
    "attribute": (*ATTRIBUTES, "attribute"),
    "relation": ("relation",),
}
BELOW: Mapping[str, float] = {"existence": 0.001}
"""What it adds to the denominator of F1; 0.0001 elsewhere."""
RIGHT, ALL, BOTH_NO, SAID_NO, IS_NO = range(5)
share = partial(ratio, start=amber.START)


def figures(scored: Scored, protocol: str) -> list[Metric]:
    """Of all questions, by dimension, and by kind of attribute."""
    if protocol == "vlmevalkit":
        mean = macro_of("mean_accuracy", scored, ("dimension",))
        return [mean, mean_of("accuracy", scored), *metrics_by("dimension", scored, _accuracy, [*DIMENSIONS])]
    dimensions = metrics_by("dimension", scored, _four, [*DIMENSIONS])
    return [*_four("", scored), *dimensions, *metrics_by("part", scored, _four, ATTRIBUTES)]


def _accuracy(label: str, scored: Scored) -> list[Metric]:
    return [mean_of("accuracy", scored)]


def _four(label: str, scored: Scored) -> list[Metric]:
    import numpy as np

    rows = [
        (score.value or 0.0, 1.0, no * (score.parsed_answer == "No"), score.parsed_answer == "No", no)
        for sample, score in scored
        for no in (float(sample.target == "no"),)
    ]
    items, clusters = np.array(rows, dtype=np.float64).reshape(-1, 5), [sample.cluster for sample, _ in scored]
    measures: Mapping[str, Callable[[Floats], Floats]] = {
        "accuracy": share(RIGHT, ALL),
        "precision": share(BOTH_NO, SAID_NO),
        "recall": share(BOTH_NO, IS_NO),
        "f1": partial(_f1, below=BELOW.get(label, 0.0001)),
    }
    return [
        Metric(name, items, clusters, one, limits=RATE, better=MORE, guard=GUARDS.get(name))
        for name, one in measures.items()
    ]


def _f1(sums: Floats, below: float) -> Floats:
    precision, recall = (rounded(share(BOTH_NO, bottom)(sums), 1) / 100 for bottom in (SAID_NO, IS_NO))
    f1: Floats = 100 * 2 * precision * recall / (precision + recall + below)
    return f1


# ----------------------------------------------------------------------------------------------------------- questions

QUERIES, TSV = "query_discriminative.json", "AMBER.tsv"
KIT = "https://huggingface.co/datasets/yifanzhang114/AMBER_base64/resolve/main"
TABLE = ImageTable(
    {"all": table(TSV, KIT, licence=amber.LICENCE)},
    Columns(id="index", made_from=("category",), target=yes_no_target, tags={"type": "category"}),
)


def hub(dimension: str) -> HubDataset:
    """A dimension on the hub."""
    kind = f"discriminative-{'hallucination' if dimension == 'existence' else dimension}"
    own = Columns(
        id="id", question="query", made={"type": lambda row: kind}, target=yes_no_target, tags={"type": "type"}
    )
    names, splits = ("visual-preference/AMBER",), {dimension: f"query_discriminative_{dimension}"}
    return HubDataset(names, splits, own, shared=True, licence=amber.LICENCE)


HUB = Joined({name: hub(name) for name in DIMENSIONS})


def required_files(split: str) -> list[DataFile]:
    """Questions, annotations and images."""
    return amber.required_files(QUERIES, "14,216 questions")


def samples(data: Folder | Hub, split: str, task: str) -> Sequence[Sample]:
    """The questions of all dimensions, or of the one that the split is named after."""
    if isinstance(data, Folder) and (data.find(*amber.query_places(QUERIES)) or not data.find(TSV)):
        asked, others = amber.annotated(data, QUERIES, f"`vlmbench data fetch {task}` gets it")
        found = [
            _typed(
                Sample(key, row.text("query"), (image,), yes_no_target(note, "truth"), extra=others), note.text("type")
            )
            for key, row, note, image in asked
        ]
    else:
        rows = HUB.samples(data, split, task) if isinstance(data, Hub) else TABLE.samples(data, "all", task)
        found = [_typed(sample, sample.tags.get("type", "")) for sample in rows]
    return [s for s in found if split in ("all", s.tags["dimension"])]


def _typed(sample: Sample, kind: str) -> Sample:
    part = PARTS.get(kind, "relation")
    dimension = next(name for name, parts in DIMENSIONS.items() if part in parts)
    tags = {"type": kind, "part": part, "dimension": dimension}
    return replace(sample, tags=tags, cluster=sample.images[0].name)


AMBER_D = YesNo(
    name="amber_d",
    title="AMBER, discriminative: yes/no questions on what is there, how and where (Wang et al. 2023)",
    about=__doc__,
    sizes={
        "all": Size(14_216, 1_004),
        "existence": Size(4_924, 1_004),
        "attribute": Size(7_628, 1_004),
        "relation": Size(1_664, 1_004),
    },
    needs_image=True,
    rules=RULES,
    files=OwnFiles(required_files, samples),
    figures=figures,
)
