"""CountBenchQA: how many there are, from two to ten, in 491 pictures of the web.

Questions to the pictures of CountBench (Paiss et al., Teaching CLIP to Count to Ten, ICCV 2023, arXiv 2302.12066) by
Google's PaliGemma (Beyer et al. 2024, arXiv 2407.07726); 491 of 540 pictures survive. The data also have the pictures'
captions, which name the number: lmms-eval's second task shows them, and is `lmms_eval_caption` here.
"""

from __future__ import annotations

from dataclasses import replace

from vlmbench.base.samples import Sample
from vlmbench.base.task import Size
from vlmbench.data.tables.columns import Columns, cell
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.data.tables.image_table import SITE, ImageTable, columns, table
from vlmbench.data.tables.layouts import Layouts
from vlmbench.families.short_answer import ShortAnswer, ShortAnswerRules
from vlmbench.parsing.matchers import contains, exact
from vlmbench.parsing.numbers import numeral
from vlmbench.parsing.text import lowered

from . import protocols

NUMBER = "\nAnswer with a single number."
LICENCE = "images under their own licences"
ROWS = Columns(
    made={"count": lambda row: cell(row, "number").strip()},
    made_from=("number",),
    answer="count",
    tags=protocols.COUNT,
    extra={"caption": "text"},
)
HUB = HubDataset(("vikhyatk/CountBenchQA",), {"test": "test"}, ROWS, licence=LICENCE)
TSV = ImageTable(
    {"test": table("CountBenchQA.tsv", SITE, licence=LICENCE)}, replace(columns(""), tags={"count": "answer"})
)


def with_caption(sample: Sample) -> str:
    """The caption and a blank line before the question, where the data have it."""
    caption = sample.extra.get("caption")
    return f"{caption}\n\n{sample.question}{NUMBER}" if caption else f"{sample.question}{NUMBER}"


def in_digits(text: str) -> str:
    """Small letters without blanks around; a number's word as digits."""
    return numeral(lowered(text))


RULES = {
    "lmms_eval": ShortAnswerRules(
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/countbench/utils.py@75571cfe",
        protocols.LOOK + "{question}",
        exact(in_digits, in_digits),
        tokens=16,
        note="the whole answer must be the number or its word",
    ),
    "lmms_eval_caption": ShortAnswerRules(
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/countbenchqa/utils.py@75571cfe",
        with_caption,
        exact(str.strip),
        tokens=32,
        note="the caption, which names the number, stands before the question: figures do not compare with others",
    ),
    "vlmevalkit": ShortAnswerRules(
        "open-compass/VLMEvalKit vlmeval/dataset/image_vqa.py@e8e78f05 (CountBenchQA)",
        "{question} Note that: answer with a number directly e.g. 3. Do not include any additional text.",
        contains(str),
        note="the digits may stand anywhere: 13 is right for 3",
    ),
    "big_vision": protocols.big_vision(),
    "moondream": protocols.moondream("countbenchqa.py"),
}
COUNTBENCHQA = ShortAnswer(
    name="countbenchqa",
    title="CountBenchQA: counts from two to ten (Beyer et al. 2024)",
    about=__doc__,
    sizes={"test": Size(491, 491)},
    rules=RULES,
    files=Layouts({"test": (TSV, HUB)}, {"test": HUB}),
    breakdowns=("count",),
    needs_image=True,
)
