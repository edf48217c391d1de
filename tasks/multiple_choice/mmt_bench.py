"""MMT-Bench: 32 meta-tasks with 162 tasks below them, up to nine options; one image a question (the `_MI` files not).

Ying et al., ICML 2024 (arXiv 2404.16006). `val` is a tenth of `all`, whose test part has no right answers: those
questions are asked, exported, and not scored.
"""

from __future__ import annotations

from collections.abc import Sequence

from vlmbench.base.metric import Metric
from vlmbench.base.samples import Sample
from vlmbench.base.task import Size
from vlmbench.data.official.files import mirrored
from vlmbench.data.tables.columns import options_of
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.data.tables.image_table import ImageTable, columns, table
from vlmbench.data.tables.layouts import Layouts
from vlmbench.families import multiple_choice as protocols
from vlmbench.families.base import Scored, bars_of, macro_of, mean_of
from vlmbench.families.multiple_choice import SHEETS, MultipleChoice
from vlmbench.parsing.letters import lmms_eval

SITE = "https://opencompass.openxlab.space/utils/benchmarks/MMT-Bench"
LICENCE = "CC BY 4.0 (dataset card of OpenGVLab/MMT-Bench); images under their own licences"
COLUMNS = columns(
    "ABCDEFGHI", tags={"ability": "l2-category", "task": "category", "split": "split"}, hidden_answers=True
)


def with_colons(sample: Sample) -> str:
    """lmms-eval: the place of the image in words, options behind colons, and its request."""
    options = "\n".join(f"{letter}: {text.strip()}" for letter, text in options_of(sample).items())
    request = "Answer the question using a single character from the given options."
    return f"Question: <image>\n{sample.question.strip()}\n{options}\n{request}"


def figures(scored: Scored, protocol: str) -> Sequence[Metric]:
    """Accuracy over questions; of a meta-task the mean over its tasks, each counting the same."""
    return [
        mean_of("accuracy", scored),
        *bars_of("ability", scored, lambda name, part: macro_of(name, part, ("task",))),
    ]


MMT_BENCH = MultipleChoice(
    name="mmt_bench",
    title="MMT-Bench: multiple choice in 162 tasks (Ying et al. 2024)",
    about=__doc__,
    sizes={"val": Size(3_127), "all": Size(31_325, note="right answers to the 3,127 of val alone")},
    needs_image=True,
    rules={
        "vlmevalkit": protocols.vlmevalkit(
            "the authors' own way, without its judge: an answer from which no rule can tell the option is wrong"
        ),
        "lmms_eval": protocols.lmms_eval(
            "mmt/utils.py",
            with_colons,
            lmms_eval.mmt,
            "where no letter is found theirs draws one at random, unseeded: here it is wrong",
            tokens=8,
        ),
    },
    files=Layouts(
        {
            name: (ImageTable({name: table(f"MMT-Bench_{name.upper()}.tsv", SITE, licence=LICENCE)}, COLUMNS),)
            for name in ("val", "all")
        },
        {
            name: HubDataset(mirrored("MMT-Benchmark"), {name: parts}, COLUMNS, licence=LICENCE)
            for name, parts in (("val", "val"), ("all", "val+test"))
        },
    ),
    answer_files=SHEETS,
    figures=figures,
)
