"""HallusionBench: does the model see what is there, or say what it knows? Questions about figures and edited ones.

Guan et al., HallusionBench: An Advanced Diagnostic Suite for Entangled Language Hallucination and Visual Illusion in
Large Vision-Language Models, CVPR 2024 (arXiv 2310.14566). Files: HallusionBench.json and hallusion_bench.zip of
tianyi-lab/HallusionBench@744007c2, or VLMEvalKit's table of the questions with a figure. Visual dependent questions
(VD) are about a figure and edited ones; visual supplement questions (VS) are asked without any figure too (178).
Judges and figures: hallusionbench_judge.py, hallusionbench_figures.py, hallusionbench_causes.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from vlmbench.base.errors import DataError
from vlmbench.base.samples import Response, Sample, Verdict
from vlmbench.base.task import DataFile, Size
from vlmbench.data.files import Folder, Hub, Row
from vlmbench.data.official.files import data_file, mirrored
from vlmbench.data.tables.columns import Columns
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.data.tables.image_table import SITE, ImageTable, table
from vlmbench.data.tables.layouts import Joined
from vlmbench.data.tables.row_files import RowFiles
from vlmbench.families import yes_no_judge
from vlmbench.families.base import OwnFiles, Scored, Talk
from vlmbench.families.groups import sized
from vlmbench.families.yes_no import YesNoOrJudge, YesNoRules, word_of_digit, yes_no_target
from vlmbench.parsing import yes_no
from vlmbench.stats.metrics import Metric

from . import hallusionbench_causes as causes
from . import hallusionbench_judge as judge
from .hallusionbench_figures import GROUPS, figures

_KIT = "open-compass/VLMEvalKit vlmeval/dataset/{image_yorn,utils/yorn}.py@e8e78f05"
_LMMS = "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/hallusion_bench/evaluate_hb.py@75571cfe"
_rules = partial(YesNoRules, prompt="{question}", headline="average")

RULES: Mapping[str, YesNoRules] = {
    "vlmevalkit": _rules(
        f"{_KIT}, exact matching",
        reader=yes_no.word_yes_no,
        note="the word yes or the word no, not both; else wrong. The leaderboard's figure is the mean of three",
    ),
    "vlmevalkit_judge": _rules(
        f"{_KIT} (YOrN_auxeval)",
        reader=yes_no.word_yes_no,
        talk=yes_no_judge.talk,
        judge=yes_no_judge.RULES,
        note="as vlmevalkit, and a judge reads what says neither",
    ),
    "official": _rules(
        "tianyi-lab/HallusionBench evaluation.py, utils.py@744007c2; bare question",
        reader=yes_no.nothing_read,
        talk=judge.official,
        judge=judge.OFFICIAL,
        headline="q_acc",
        note="a judge compares with an answer in words; without a figure, an unclear answer is right. A wrong answer "
        "about an edited figure is compared with the model's answer before the edit too: language_hallucination, "
        "visual_illusion and mixed_cause are the script's LH, VI and Mixed",
    ),
    "lmms_eval": _rules(
        _LMMS,
        reader=yes_no.nothing_read,
        tokens=128,
        talk=judge.lmms_eval,
        judge=judge.LMMS_EVAL,
        headline="a_acc",
        note="as official, on questions with a figure; there a judge that fails is unclear, so wrong, or gives the "
        "verdict of the question before: here it is no verdict",
    ),
    "lmms_eval_intern": _rules(
        f"{_LMMS} (hb_aggregation_result_intern)",
        reader=yes_no.yes_anywhere,
        tokens=128,
        headline="a_acc",
        note="yes anywhere is yes, all else is no, so that nonsense is right half the time",
    ),
}

# ----------------------------------------------------------------------------------------------------------- questions

PLACE = ("category", "subcategory", "visual_input", "set_id", "figure_id", "question_id")
"""What a question's id is made of, joined by underscores; as VLMEvalKit's index."""
OFFICIAL = Columns(
    id="id",
    made={"id": lambda row: "_".join(map(row.key, PLACE)), "image": lambda row: _image(row)},
    made_from=(*PLACE, "question", "gt_answer", "gt_answer_details"),
    answer="gt_answer",
    target=word_of_digit,
    extra={"details": "gt_answer_details"},
)
ROWS, TSV = "HallusionBench.json", "HallusionBench.tsv"
RAW = "https://raw.githubusercontent.com/tianyi-lab/HallusionBench/744007c232c292942c7f80eb61edb2465482da31"
LICENCE = "BSD-3-Clause"
FIGURES = data_file(("hallusion_bench", "VD"), "figures", licence=LICENCE, how="hallusion_bench.zip, by its README")
FILES = RowFiles(
    {"all": [data_file((ROWS,), "1,129 questions", f"{RAW}/{ROWS}", LICENCE), FIGURES]},
    OFFICIAL,
    folders=("hallusion_bench", "."),
)
TABLE = ImageTable(
    {"image": table(TSV, SITE, (ROWS,), LICENCE)},
    Columns(id="index", answer="answer", target=yes_no_target),
    named=True,
)
HUB_COLUMNS = replace(OFFICIAL, made={"id": OFFICIAL.made["id"]})
HUB = Joined(
    {
        name: HubDataset(mirrored("HallusionBench"), {name: name}, HUB_COLUMNS, shown)
        for name, shown in (("image", ("image",)), ("non_image", ()))
    }
)


def _image(row: Row) -> str | None:
    return row.text("filename").removeprefix("./") if row.has("filename") else None


def required_files(split: str) -> Sequence[DataFile]:
    """The official questions and figures, or the table that has the figures inside."""
    return (TABLE if split == "image" else FILES).required_files(split)


def samples(data: Folder | Hub, split: str, task: str) -> Sequence[Sample]:
    """All questions, or those with a figure."""
    if isinstance(data, Hub):
        found = HUB.samples(data, split, task)
    elif split == "image" and not data.find(ROWS):
        found = TABLE.samples(data, split, task)
    else:
        found = FILES.samples(data, "all", task)
    placed = [_placed(sample) for sample in found]
    asked = [s for s in placed if split == "all" or s.tags["visual_input"] != "0"]
    before = {sample.extra["question"]: sample.id for sample in asked if sample.extra["original"] == ""}
    linked = [
        replace(s, extra={**s.extra, "original": before.get(s.extra["question"])}) if s.extra["original"] is None else s
        for s in asked
    ]
    return sized(linked, GROUPS)


def _placed(sample: Sample) -> Sample:
    """The sample in its groups, which its id names. A set is one cluster: all of its groups are inside it."""
    parts = sample.id.split("_")
    if len(parts) < len(PLACE):
        raise DataError(f"the id {sample.id!r:.60} has fewer than six parts", hint=f"needed: {', '.join(PLACE)}")
    category, subcategory, visual_input, set_id, figure, question = parts[: len(PLACE)]
    name = f"{category}_{subcategory}_{set_id}"
    asked, shown = f"{name}_{question}", visual_input != "0"
    groups = {
        "figure": "" if (category, figure) == ("VS", "0") else f"{name}_{figure}",
        "question": asked,
        "question_with_figures": asked if shown else "",
        "easy": asked if visual_input != "2" else "",
        "hard": asked if visual_input == "2" else "",
        "original": "" if figure == "0" else None,
    }
    tags = {"category": category, "subcategory": f"{category}_{subcategory}", "visual_input": visual_input}
    return replace(sample, tags=tags, cluster=name, extra={"details": "", **sample.extra, **groups})


class HallusionBench(YesNoOrJudge):
    """A judge also compares answers with each other: a vlmbench.base.task.ComparesAnswers."""

    def compared_with(self, sample: Sample, protocol: str) -> str:
        """The question before the edit."""
        return sample.extra["original"] or "" if protocol == "official" else ""

    def compare(self, verdict: Verdict, answer: Response, other: Response, protocol: str) -> Talk:
        """Whether both answers agree."""
        return (yield from causes.compare(verdict, answer.text, other.text))


def _figures(scored: Scored, protocol: str) -> list[Metric]:
    return [*figures(scored), *(causes.causes(scored) if protocol == "official" else ())]


HALLUSIONBENCH = HallusionBench(
    name="hallusionbench",
    title="HallusionBench: yes/no questions on figures and their edited twins (Guan et al. 2024)",
    about=__doc__,
    sizes={"all": Size(1_129, 346, note="178 are asked without a figure"), "image": Size(951, 346)},
    rules=RULES,
    files=OwnFiles(required_files, samples),
    figures=_figures,
)
