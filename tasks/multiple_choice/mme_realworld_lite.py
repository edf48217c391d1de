"""MME-RealWorld-Lite: 1,919 questions about large images of real scenes, five options each, E being "not in the image".

Zhang et al., ICLR 2025 (arXiv 2408.13257). Images have up to 7,000 pixels a side.
"""

from __future__ import annotations

import ast
import re

from vlmbench.base.samples import Sample
from vlmbench.base.task import Size
from vlmbench.data.official.files import data_file
from vlmbench.data.rows import Row
from vlmbench.data.tables.columns import Columns
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.data.tables.image_table import ImageTable, table
from vlmbench.data.tables.layouts import Layouts
from vlmbench.data.tables.row_files import RowFiles
from vlmbench.families import multiple_choice as protocols
from vlmbench.families import prompts
from vlmbench.families.multiple_choice import SHEETS, ChoiceRules, MultipleChoice
from vlmbench.parsing.letters import benchmarks, lmms_eval

HF = "https://huggingface.co/datasets/yifanzhang114/MME-RealWorld-Base64/resolve/main"
REPOSITORY = "yifanzhang114/MME-RealWorld-Lite"
LICENCE = "academic research only (README; the dataset card of MME-RealWorld says Apache-2.0)"
REQUEST = "Respond with only the letter (A, B, C, D, or E) of the correct option."
BASED = "Select the best answer to the above multiple-choice question based on the image."
LINE = "\n"
_MARK = re.compile(r"\([A-E]\) ?")


def listed(sample: Sample, before: str = LINE) -> str:
    """The question and its options: a line each, the letters in brackets."""
    options = prompts.bracketed(sample)
    return f"{sample.question} The choices are listed below:{before}{options}\n{BASED} {REQUEST}"


def options(row: Row, column: str) -> list[str]:
    """The options without their letters. In VLMEvalKit's table the cell is a list in Python's notation."""
    cell = row.values.get(column)
    try:
        found = ast.literal_eval(cell) if isinstance(cell, str) else cell
    except (SyntaxError, ValueError):
        found = None
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise row.error(column, f"a list of options was expected, not {cell!r:.60}")
    return [_MARK.sub("", text, count=1) for text in found]


OFFICIAL = Columns(
    id="Question_id",
    made={"options": lambda row: options(row, "Answer choices")},
    made_from=("Answer choices",),
    question="Text",
    options="options",
    answer="Ground truth",
    tags={"task": "Task", "subtask": "Subtask"},
)
TABLE = Columns(
    id="index",
    made={
        "options": lambda row: options(row, "multi-choice options"),
        "task": lambda row: row.text("category").partition("/")[0],
        "subtask": lambda row: row.text("category").partition("/")[2],
    },
    made_from=("multi-choice options", "category"),
    options="options",
    tags={"task": "task", "subtask": "subtask"},
)
HOW = f"unpack data.zip of the hub's {REPOSITORY}"
NAMES = ("MME-RealWorld-Lite.json", "MME_RealWorld_Lite.json")
FILES = (
    data_file([f"{place}{name}" for name in NAMES for place in ("", "data/")], "questions", licence=LICENCE, how=HOW),
    data_file(["imgs", "data/imgs"], "images", licence=LICENCE, how=HOW),
)
HUB = HubDataset(("yifanzhang114/MME-RealWorld-lite-lmms-eval",), {"test": "train"}, TABLE, ("bytes",), licence=LICENCE)
MME_REALWORLD_LITE = MultipleChoice(
    name="mme_realworld_lite",
    title="MME-RealWorld-Lite: large images of real scenes, multiple choice (Zhang et al. 2025)",
    about=__doc__,
    sizes={"test": Size(1_919)},
    needs_image=True,
    rules={
        "official": ChoiceRules(
            "MME-Benchmarks/MME-RealWorld evaluation/eval_your_results.py@bee58edb",
            lambda sample: f"{listed(sample, ' ' + LINE)} \nThe best answer is:",
            benchmarks.mme_realworld,
            note="the first capital A to E anywhere: `Based on` is B; the empty answer is A",
        ),
        "lmms_eval": protocols.lmms_eval(
            "mme_realworld/utils.py",
            lambda sample: f"{listed(sample)}\nThe best answer is: ",
            lmms_eval.mme_realworld,
            "as the official rule, but two more phrases are cut out, and options are known by their letter alone",
            tokens=16,
        ),
        "vlmevalkit": ChoiceRules(
            "open-compass/VLMEvalKit vlmeval/dataset/{image_mcq,utils/multiple_choice}.py@e8e78f05",
            lambda sample: f"{listed(sample)} \nThe best answer is:",
            lmms_eval.mme_realworld,
            note="lmms-eval's reader; an answer in <answer> tags is not looked for here",
        ),
    },
    files=Layouts(
        {
            "test": (
                RowFiles({"test": FILES}, OFFICIAL, "Image", ("imgs", "data/imgs", ".")),
                ImageTable({"test": table("mme_realworld_lite.tsv", HF, licence=LICENCE)}, TABLE, named=True),
            )
        },
        {"test": HUB},
    ),
    answer_files=SHEETS,
    breakdowns=("task", "subtask"),
)
