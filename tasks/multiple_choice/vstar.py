"""V*Bench: 191 questions about small things in large images: attributes (115) and relative positions (76).

Wu and Xie, V*: Guided Visual Search, CVPR 2024 (arXiv 2312.14135). The paper ranks full answers by likelihood, which
its folders have and the hub's lines, read here, do not: `ranked` ranks the options' texts instead.
"""

from __future__ import annotations

from vlmbench.base.samples import Sample
from vlmbench.base.task import DataFile, Size
from vlmbench.data.tables import option_texts
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.data.tables.image_table import ImageTable, columns, table
from vlmbench.data.tables.layouts import Layouts
from vlmbench.data.tables.row_files import RowFiles
from vlmbench.families import multiple_choice as protocols
from vlmbench.families import prompts
from vlmbench.families.multiple_choice import SHEETS, ChoiceRules, MultipleChoice, texts
from vlmbench.parsing import options as letters
from vlmbench.parsing.letters import cambrian, lmms_eval

HF = "https://huggingface.co/datasets/craigwu/vstar_bench/resolve/main"
LICENCE = "MIT (code; the dataset card names none); images of SA-1B"
OWN = option_texts.columns(
    option_texts.bracketed_lines, "text", "label", id="question_id", tags={"category": "category"}
)
FILES = (
    DataFile("test_questions.jsonl", "questions", f"{HF}/test_questions.jsonl", licence=LICENCE),
    DataFile("direct_attributes", "images", how="the hub's craigwu/vstar_bench", licence=LICENCE),
)


def as_asked(sample: Sample) -> str:
    """The text as its file has it; LLaVA's words around VLMEvalKit's options."""
    asked: str = sample.extra.get(option_texts.ASKED) or prompts.llava(sample)
    return asked


VSTAR = MultipleChoice(
    name="vstar",
    title="V*Bench: small things in large images, multiple choice (Wu and Xie 2024)",
    about=__doc__,
    sizes={"test": Size(191, 191)},
    rules={
        "lmms_eval": protocols.lmms_eval(
            "vstar_bench/utils.py",
            prompts.llava,
            lmms_eval.vstar,
            "the text in capitals is searched for a letter: `Both` is B, `Cannot tell` is C",
            tokens=16,
        ),
        "ranked": ChoiceRules(
            "penghao-wu/vstar vstar_bench_eval.py@4ede6642, without its search and its full answers",
            "{question}",
            letters.exact_letter,
            choices=texts,
            note="the options' texts are ranked by likelihood",
        ),
        "vlmevalkit": protocols.vlmevalkit(),
        "cambrian": protocols.cambrian(
            "vstar", as_asked, cambrian.first_character, "any word that begins with a letter names it", tokens=32
        ),
    },
    files=Layouts(
        {
            "test": (
                RowFiles({"test": FILES}, OWN, folders=(".",)),
                ImageTable(
                    {
                        "test": table(
                            "VStarBench.tsv", "https://huggingface.co/datasets/xjtupanda/VStar_Bench/resolve/main"
                        )
                    },
                    columns(tags={"category": "category"}),
                ),
            )
        },
        {"test": HubDataset(("lmms-lab/vstar-bench", "lmms-lab-encoder/vstar-bench"), {"test": "test"}, OWN)},
    ),
    answer_files=SHEETS,
    breakdowns=("category",),
)
